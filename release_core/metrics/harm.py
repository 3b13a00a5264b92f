"""Counts of actions in slices in, a metric of both versions and how sure its change is out, for any number of slices.

Every metric here is a ratio of sums over events, each event adding what its action and label say (and its amount). So
the spread of the change follows from the same counts, event by event, also where a slice has no entity shards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core.frames import EVERYONE, NEGATIVE, POSITIVE, Grid, Slices, Tally
from release_core.metrics.table import table
from release_core.release import ACTIONS
from release_core.stats import cutoffs, intervals
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from release_core.frames import Array, Cells
    from release_core.metrics.table import Metric
    from release_core.release import Costs, Release

PAIRED_AXES, ARM_AXES = (-3, -2, -1), (-2, -1)
COST = "expected_cost"
# The sums of slices: events, amounts, squared amounts.
SUMS = ("n", "amount", "amount2")
NAMES = (
    *("recall", "fpr", "precision", "amount_recall", "alert_rate", "review_rate", "block_rate", "approve_rate"),
    *("recall_block", "fpr_block", "precision_block", "escalation_rate"),
)


@dataclass(frozen=True, eq=False)
class Measure:
    """A ratio of sums over events: arrays [action, population] of what one event adds to numerator and denominator.

    `above_amount`, `below_amount` are what it adds per unit of its amount. Populations are exclusive here: without a
    label, positive, negative. `labels`: only labelled events speak of it. `better` is higher, lower or "".
    """

    name: str
    title: str
    unit: str
    better: str
    definition: str
    labels: bool
    above: Array
    below: Array
    above_amount: Array
    below_amount: Array

    @property
    def sign(self) -> int:
        """Return what turns the metric's scale into the harm scale, on which more is worse; 1 where neither is."""
        return -1 if self.better == "higher" else 1

    @property
    def money(self) -> bool:
        """Return whether amounts enter."""
        return bool(self.above_amount.any() or self.below_amount.any())


class Change(NamedTuple):
    """A metric in slices: value [..., version], difference, its standard error, how many events carry it, and its weight.

    `effective` is (sum of squares)^2 / sum of fourth powers of what each event does to the difference: with only a
    few disagreements it is small, and a normal interval too short. `weight` is the candidate's denominator.
    """

    value: Array
    difference: Array
    se: Array
    effective: Array
    weight: Array

    def df(self, clustering: float = 1.0) -> Array:
        """Return the degrees of freedom for Student's t, at least 1."""
        return np.maximum(np.nan_to_num(self.effective) / clustering - 1.0, 1.0)


def measures(release: Release) -> dict[str, Measure]:
    """Return the metrics that can be searched, by name; the expected cost where the release declares costs."""
    return dict(_measures(release.actions, release.cutoff_ids, release.scale.name == "probability", release.costs))


@lru_cache(maxsize=16)
def _measures(
    actions: tuple[str, ...],
    cutoffs: tuple[str, ...],
    probability: bool,  # noqa: FBT001 - the key of the cache
    costs: Costs | None,
) -> dict[str, Measure]:
    known = table(actions, cutoffs, probability=probability)
    found = {}
    for name in NAMES:
        metric, zero = known[name], np.zeros((len(actions), 3))
        above, below = _probed(metric, len(actions))
        arrays = (zero, zero, above, below) if name == "amount_recall" else (above, below, zero, zero)
        found[name] = Measure(name, metric.title, metric.unit, metric.better, metric.definition, metric.labels, *arrays)
    return found | ({COST: _cost(len(actions), costs)} if costs is not None else {})


def _probed(metric: Metric, many: int) -> tuple[Array, Array]:
    """Return what one event of each (action, population) adds to a metric: the metric of that one event, and its base."""
    one = np.eye(3 * many).reshape(many, 3, many, 3)
    one[..., EVERYONE] = one.sum(-1)
    both = np.stack([one, one], axis=-3)
    tally = Tally.of(Grid(np.arange(1), None, np.zeros(1)), {"actions": both, "action_amounts": both})
    value = metric.value(tally)[..., 0]
    return np.nan_to_num(value), np.isfinite(value).astype(float)


def _cost(many: int, costs: Costs) -> Measure:
    unit = cutoffs.UnitCosts(
        costs.false_positive or 0.0, costs.review or 0.0, costs.false_negative or 0.0, costs.amount_times or 0.0
    )
    places = (ACTIONS.index("approve"), ACTIONS.index("block"))
    one = np.eye(3 * many).reshape(many, 3, many, 3)
    missed = one[..., places[0], POSITIVE]
    above = cutoffs.action_cost(one, 0.0, unit, places)
    amount = cutoffs.action_cost(one, missed, unit, places) - above
    below = np.tile([0.0, 1.0, 1.0], (many, 1))
    words = "Cost of reviews, wrong blocks and missed positives / labelled events, at the declared unit costs."
    return Measure(
        COST,
        "Expected cost",
        "money",
        "lower",
        words,
        labels=True,
        above=above,
        below=below,
        above_amount=amount,
        below_amount=np.zeros((many, 3)),
    )


def change(measure: Measure, slices: Slices, release: Release, *, halves: bool = False) -> Change:
    """Return the metric in every slice: arrays [slice], or [slice, half] apart."""
    places = [release.actions.index(action) for action in slices.actions]
    names = SUMS if measure.money else SUMS[:1]
    sums = [_exclusive(slices.measures(name) if halves else slices.measures(name).sum(1)) for name in names]
    return changed(measure, sums, places, paired=slices.paired)


def _exclusive(sums: Array) -> Array:
    """Return sums by population, those of all events replaced by those without a label."""
    apart = sums.copy()
    apart[..., EVERYONE] -= apart[..., POSITIVE] + apart[..., NEGATIVE]
    return apart


def changed(measure: Measure, sums: list[Array], places: list[int], *, paired: bool) -> Change:
    """Return the metric from counts, amounts and squared amounts [..., i, j, population], see `frames.Slices`.

    Without amounts and their squares of a measure into which they do not enter.

    The variance is that of a ratio of means, both versions on the same events or each on its own (delta method): the
    sum over events of the square of what each adds, (numerator - value x denominator) / sum of denominators.
    """
    axes = PAIRED_AXES if paired else ARM_AXES
    terms = [_terms(measure, sums, places, version, paired=paired) for version in range(2)]
    value = np.stack([ratio(term[0], term[1]) for term in terms], axis=-1)
    rates = [value[..., v].reshape(*value.shape[:-1], *(1,) * len(axes)) for v in range(2)]
    adds = [
        [ratio(above - rate * below, term[1].reshape(rate.shape)) for above, below in term[2:][: len(sums)]]
        for rate, term in zip(rates, terms, strict=True)
    ]
    if paired:
        pieces = [([new - old for old, new in zip(*adds, strict=True)], sums)]
    else:
        pieces = [(adds[v], [one[..., v, :, :] for one in sums]) for v in range(2)]
    squares = fourths = np.zeros(value.shape[:-1])
    for (constant, *linear), (count, *amounts) in pieces:
        each = constant**2 * count
        for slope, amount, amount2 in zip(linear, amounts[:1], amounts[1:], strict=True):
            each = each + 2 * constant * slope * amount + slope**2 * amount2
        squares = squares + each.sum(axes)
        fourths = fourths + np.nan_to_num(ratio(each**2, count)).sum(axes)
    return Change(
        value, value[..., 1] - value[..., 0], np.sqrt(np.maximum(squares, 0.0)), ratio(squares**2, fourths), terms[1][1]
    )


def _terms(measure: Measure, sums: list[Array], places: list[int], version: int, *, paired: bool) -> tuple[Any, ...]:
    """Return numerator and denominator [...] of a version, and what one event adds to both: fixed, and per amount if they enter."""

    def spread(table: Array) -> Array:
        chosen = table[places]
        if not paired:
            return chosen
        return chosen[:, None] if version == 0 else chosen[None]

    axes = PAIRED_AXES if paired else ARM_AXES
    own = [one if paired else one[..., version, :, :] for one in sums[:2]]
    tables = [(measure.above, measure.below), (measure.above_amount, measure.below_amount)]
    adds = [(spread(above), spread(below)) for above, below in tables[: len(own)]]
    top, bottom = (
        reduce(np.add, (add[side] * sums_of for add, sums_of in zip(adds, own, strict=True))).sum(axes)
        for side in range(2)
    )
    return top, bottom, *adds


def clustering(measure: Measure, cells: Cells, release: Release) -> float:
    """Return by how much customers with several events widen the variance of the change, at least 1.

    The jackknife over entity shards of all events (the first segment of `cells`) against the change of the same events
    taken as independent (METHODS 0.11). 1 where the shards do not tell.
    """
    if not cells.segments:
        return 1.0
    full, whole, left = change(measure, segments_of(cells), release), cells.shards.take(0), cells.left_out.take(0)
    without = [_exclusive(getattr(left, name)) for name in _names(cells)[: 2 if measure.money else 1]]
    without += [np.zeros_like(without[0])] if measure.money else []
    moved = changed(measure, without, list(range(len(cells.actions))), paired=cells.paired)
    counts = getattr(whole, _names(cells)[0])
    used = counts[..., POSITIVE] + counts[..., NEGATIVE] if measure.labels else counts[..., EVERYONE]
    spread = intervals.jackknife(full.difference[0], moved.difference, used.sum((-2, -1)) > 0)
    effect = float(intervals.design_effect(spread.se, full.se[0]))
    return max(1.0, effect) if np.isfinite(effect) else 1.0


def segments_of(cells: Cells) -> Slices:
    """Return the segments of cells as slices; the halves of their customers are not told apart."""
    names = dict(zip(SUMS, _names(cells), strict=True))
    unnamed = np.zeros((len(cells.segments), 0), np.int64)
    return Slices((), unnamed, cells.actions, cells.paired, lambda name: getattr(cells.whole, names[name])[:, None], 0)


def _names(cells: Cells) -> tuple[str, ...]:
    """Return how tallies name the SUMS: of both versions jointly, or of each."""
    return (
        ("joint", "joint_amounts", "joint_squares") if cells.paired else ("actions", "action_amounts", "action_squares")
    )
