"""A choice and a rule in, cutoffs out: which cutoff on the candidate's score keeps what today's cutoff does, and how surely.

The rules and the interval are METHODS c5. Equal alert rate is what `changes.differing` recomputes for carried-over
tables: the same function, on the same cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core import metrics
from release_core.charts import digits
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.metrics.table import ABOVE
from release_core.release import CUTOFF_ACTIONS
from release_core.stats import drift, intervals, transfer
from release_core.stats.arrays import ratio
from release_core.views.boundary import in_force
from release_core.views.view import known, shown_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release_core.frames import Array
    from release_core.joint_frames import Crossing
    from release_core.views.view import View

    Row = dict[str, Any]

BELOW, REACHED = 0, 1
FEWEST_POSITIVES = 30
# Reached and wanted may differ by this share before the page says so: ties leave no cutoff in between.
FAR_OFF = 0.05
MATURE = 0.95
MOST_ROWS = 120
NOTHING = "The baseline has no cutoff to transfer, or no event of this choice was scored by both versions."


@dataclass(frozen=True, slots=True)
class Rule:
    """What a transferred cutoff keeps: its name, its unit (share or money), and the words for it."""

    name: str
    title: str
    unit: str
    definition: str
    labels: bool = True


RULES = {
    rule.name: rule
    for rule in (
        Rule(
            "alert_rate",
            "Alert rate",
            "share",
            "the lowest cutoff at which no larger share of events scores at or above it than today",
            labels=False,
        ),
        Rule(
            "precision",
            "Precision",
            "share",
            "the lowest cutoff at which positives make up at least as large a share of the labelled events above it as today",
        ),
        Rule(
            "fpr",
            "False-positive rate",
            "share",
            "the lowest cutoff at which no larger share of the negatives (false alerts / negatives) lies above it than today",
        ),
        Rule(
            "loss",
            "Loss by missed positives",
            "money",
            "the highest cutoff below which positives cost no more per 1,000 labelled events than they cost today",
        ),
    )
}


class _Place(NamedTuple):
    """One segment and one cutoff of today: the candidate's bins [side, bin, population], losses and their squares.

    `all` [bin, population] and `total` [population] are the sums of `n`.
    """

    n: Array
    loss: Array
    squares: Array
    effect: float
    all: Array
    total: Array

    @property
    def labelled(self) -> float:
        """Return the number of labelled events."""
        return float(self.total[POSITIVE] + self.total[NEGATIVE])


def headline(view: View, rule: str = "alert_rate") -> str:
    """Return the sentence that answers the question for all events of the choice."""
    rows = [row for row in rows_of(view, "", rule) if row["segment"] == "all events"]
    said = [
        f"{row['cutoff']} becomes {digits.cutoff(row['transferred'])}{_between(row)}"
        for row in rows
        if row["transferred"] is not None
    ]
    if not said:
        return f"No cutoff of the candidate is known to keep today's {RULES[rule].title.lower()}."
    return f"To keep today's {RULES[rule].title.lower()}, {' and '.join(said)} on the candidate's score."


def _between(row: Row) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f" ({digits.cutoff(row['low'])} to {digits.cutoff(row['high'])})"


def rows_of(view: View, by: str = "", rule: str = "alert_rate") -> list[Row]:
    """Return one row per cutoff of today for all events, and per value of `by`, most events first.

    Each holds segment, cutoff, today's number, what is wanted, what the same number gives, the transferred cutoff with
    its 95 % interval (None: alert on nothing), what it reaches, what else holds there, and warnings.

    Raises:
        Unanswerable: the filter and `by` are more than one dimension beside the replay set.
    """
    names = [f"{view.release.baseline.thresholds}.{action}" for action in CUTOFF_ACTIONS]
    found: list[Row] = []
    effects = {name: _design_effect(view, name) for name in names if name in view.release.cutoff_ids}
    for split in ((), (by,)) if by and by not in dict(view.where) else ((),):
        crossing = view.opened.cube.crossing(view.stage, view.step, (split, view.where))
        sizes = crossing.n[:, 0, ..., EVERYONE].sum((-2, -1)) if crossing.cutoffs else np.zeros(0)
        edges = shown_scores(view.release, np.append(crossing.grid.lower, 1.0))
        for place in np.argsort(-sizes, kind="stable"):
            segment = crossing.segments[place].get(by) if split else None
            found += [
                _row(view, (crossing, edges), (int(place), name, effects[name]), RULES[rule])
                | {"segment": segment or "all events"}
                for name in names
                if name in crossing.cutoffs and sizes[place]
            ]
    return found[:MOST_ROWS]


def _row(view: View, found: tuple[Crossing, list[float]], asked: tuple[int, str, float], rule: Rule) -> Row:
    """Return one row of what was `found`, a crossing and its scores; `asked`: the segment's place, the cutoff, its design effect."""
    (crossing, edges), (place, name, effect) = found, asked
    cutoff = crossing.cutoffs.index(name)
    one = _place(view, crossing, (place, cutoff), effect)
    wanted = _value(one, _today(one), rule)
    at = _cutoff(one, wanted, rule)
    reach = _reach(one, at, rule)
    # What is allowed more of (alerts, false alerts, loss) lowers or raises the cutoff: its ends are sorted as scores.
    ends = [_cutoff(one, np.clip(wanted + side * reach, 0.0, None), rule) for side in (1, -1)] if at >= 0 else [-1, -1]
    reached = _value(one, _above(one, at), rule) if at >= 0 else float("nan")
    table, _, action = name.rpartition(".")
    where = view.release.tables[table]
    scoped = {**dict(view.where), **crossing.segments[place]}
    low, high = _interval(ends, edges, len(crossing.grid.ids), reach)
    row: Row = {
        "cutoff": name,
        "rule": rule.name,
        "at": in_force(_within(view, scoped), where, action),
        "wanted": known(wanted),
        "nominal": known(_nominal(crossing, place, cutoff, rule)),
        "transferred": edges[at] if 0 <= at < len(edges) - 1 else None,
        "low": low,
        "high": high,
        "reached": known(reached),
        "n": int(one.total[EVERYONE]),
        "alert_none": at == len(edges) - 1,
    }
    row |= _there(view, one, at)
    return row | {"warnings": " ".join(_warnings(one, at, rule, (wanted, reached)))}


def _within(view: View, where: dict[str, str]) -> View:
    """Return the choice narrowed to a segment."""
    return type(view)(view.opened, view.stage, view.step, tuple(where.items()))


def _interval(
    ends: Sequence[int], edges: Sequence[float], none: int, reach: float
) -> tuple[float | None, float | None]:
    """Return the ends of a cutoff's interval as scores in rising order; None where it is open or not known."""
    if not np.isfinite(reach) or min(ends) < 0:
        return None, None
    scores = [edges[end] if end < none else None for end in sorted(ends)]
    low, high = scores
    return (high, low) if low is not None and high is not None and high < low else (low, high)


def _place(view: View, crossing: Crossing, at: tuple[int, int], effect: float) -> _Place:
    fixed, times = _prices(view)
    n, amount, squares = crossing.n[at], crossing.amount[at], crossing.amount2[at]
    positive = n[..., POSITIVE]
    loss = fixed * positive + times * amount
    squared = fixed**2 * positive + 2 * fixed * times * amount + times**2 * squares
    both = n[BELOW] + n[REACHED]
    return _Place(n, loss, squared, effect, both, both.sum(0))


def _prices(view: View) -> tuple[float, float]:
    """Return what a missed positive costs: a fixed part and a share of its amount; its amount where nothing is declared."""
    costs = view.release.costs
    fixed, times = (costs.false_negative or 0.0, costs.amount_times or 0.0) if costs else (0.0, 0.0)
    return (fixed, times) if fixed or times else (0.0, 1.0)


def _design_effect(view: View, name: str) -> float:
    """Return by how much clustering widens the variance of the candidate's share above a cutoff, over all events; at least 1."""
    cells = view.opened.cube.slice(view.stage, view.step, (((), ()),))
    one = metrics.estimate(cells, view.known()[f"{ABOVE}:{name}"])
    share, n = one.value[0, 1], one.n[0, 1]
    effect = float(intervals.design_effect(one.se[0, 1], np.sqrt(ratio(share * (1 - share), n))))
    return max(1.0, effect) if np.isfinite(effect) else 1.0


def _today(one: _Place) -> Array:
    """Return what lies above today's cutoff: [everyone, positive, negative, loss below it]."""
    return np.append(one.n[REACHED].sum(0), one.loss[BELOW].sum())


def _above(one: _Place, at: int) -> Array:
    """Return the same of the candidate's score from bin edge `at` on."""
    return np.append(one.all[at:].sum(0), one.loss[:, :at].sum())


def _value(one: _Place, above: Array, rule: Rule) -> float:
    """Return what a rule keeps, from what lies above a cutoff."""
    everyone, positive, negative, lost = (float(value) for value in above)
    return float(
        {
            "alert_rate": lambda: ratio(everyone, one.total[EVERYONE]),
            "precision": lambda: ratio(positive, positive + negative),
            "fpr": lambda: ratio(negative, one.total[NEGATIVE]),
            "loss": lambda: ratio(1000 * lost, one.labelled),
        }[rule.name]()
    )


def _cutoff(one: _Place, wanted: float, rule: Rule) -> int:
    """Return the bin edge of the candidate that keeps `wanted`; -1 where it is not known."""
    counts = one.all
    if np.isnan(wanted):
        return -1
    found: dict[str, Callable[[], Any]] = {
        "alert_rate": lambda: drift.equal_alert_rate(counts[:, EVERYONE], wanted).bin,
        "precision": lambda: transfer.equal_precision(counts[:, POSITIVE], counts[:, NEGATIVE], wanted).bin,
        "fpr": lambda: drift.equal_alert_rate(counts[:, NEGATIVE], wanted).bin,
        "loss": lambda: transfer.equal_loss(one.loss.sum(0), wanted * one.labelled / 1000).bin,
    }
    return int(found[rule.name]())


def _reach(one: _Place, at: int, rule: Rule) -> float:
    """Return half of the 95 % interval of "candidate at the transferred cutoff less baseline at today's", as a rate.

    Same events: only those count that lie above one of the two cutoffs and below the other (Woodruff 1952 for the step
    from the rate to the cutoff). Widened by what clustering does to the share above, over all events.
    """
    if at < 0:
        return float("nan")
    out, new = one.n[REACHED, :at].sum(0), one.n[BELOW, at:].sum(0)
    if rule.name == "precision":
        kept, passed = one.n[REACHED, at:].sum(0), one.n[BELOW, :at].sum(0)
        joint = np.array([[passed, new], [out, kept]])[..., [NEGATIVE, POSITIVE]]
        se = transfer.precision_se(joint)
    elif rule.name == "loss":
        more, less = one.loss[REACHED, :at].sum(), one.loss[BELOW, at:].sum()
        squares = one.squares[REACHED, :at].sum() + one.squares[BELOW, at:].sum()
        se = 1000 * transfer.mean_se(one.labelled, more - less, squares)
    else:
        who = EVERYONE if rule.name == "alert_rate" else NEGATIVE
        se = transfer.mean_se(one.total[who], new[who] - out[who], new[who] + out[who])
    return float(intervals.critical(0.95) * se * np.sqrt(one.effect))


def _nominal(crossing: Crossing, place: int, cutoff: int, rule: Rule) -> float:
    """Return what the candidate does at the same number, exact; not known for the loss."""
    joint = crossing.joint[place, cutoff, cutoff].sum(0)
    above, total = joint[REACHED], joint.sum(0)
    return float(
        {
            "alert_rate": ratio(above[EVERYONE], total[EVERYONE]),
            "precision": ratio(above[POSITIVE], above[POSITIVE] + above[NEGATIVE]),
            "fpr": ratio(above[NEGATIVE], total[NEGATIVE]),
        }.get(rule.name, np.nan)
    )


def _there(view: View, one: _Place, at: int) -> Row:
    """Return what else holds at the transferred cutoff, and how many alerts a day it brings more than today."""
    if at < 0:
        return dict.fromkeys(("alert_rate", "precision", "recall", "fpr", "more_alerts"))
    above = _above(one, at)
    more = above[EVERYONE] - one.n[REACHED, :, EVERYONE].sum()
    return {
        "alert_rate": known(float(ratio(above[EVERYONE], one.total[EVERYONE]))),
        "precision": known(float(ratio(above[POSITIVE], above[POSITIVE] + above[NEGATIVE]))),
        "recall": known(float(ratio(above[POSITIVE], one.total[POSITIVE]))),
        "fpr": known(float(ratio(above[NEGATIVE], one.total[NEGATIVE]))),
        "more_alerts": known(more / view.days) if view.days else None,
    }


def _warnings(one: _Place, at: int, rule: Rule, found: tuple[float, float]) -> list[str]:
    """Return what makes a transferred cutoff doubtful, one sentence each."""
    wanted, reached = found
    said = []
    if at < 0:
        return [f"Today's {rule.title.lower()} is not known here: no labelled event above the cutoff."]
    if at == one.n.shape[1]:
        said.append("Only a cutoff above every score keeps it: alert on nothing.")
    elif not at:
        said.append("Only alerting on every event seen keeps it.")
    elif abs(reached - wanted) > FAR_OFF * abs(wanted):
        said.append("No cutoff in between: many events share a score, so reached and wanted differ.")
    if not rule.labels:
        return said
    above = one.all[at:, POSITIVE].sum()
    if above < FEWEST_POSITIVES:
        said.append(f"Only {above:.0f} labelled positives lie above it ({FEWEST_POSITIVES} needed): do not rely on it.")
    if one.labelled < MATURE * one.total[EVERYONE]:
        said.append(
            f"Labels of {digits.percent(float(ratio(one.labelled, one.total[EVERYONE])))} of the events are known."
        )
    if rule.name == "precision":
        passes = int(transfer.equal_precision(one.all[:, POSITIVE], one.all[:, NEGATIVE], wanted).passes)
        if passes > 1:
            said.append(
                f"Precision is not monotone: it passes the wanted value {passes} times, this is the lowest cutoff."
            )
    return said
