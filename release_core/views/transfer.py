"""A choice and a rule in, cutoffs out: which cutoff on the candidate's score keeps what today's cutoff does, and how surely.

The rules and the interval are METHODS c5. Equal alert rate is what `changes.differing` recomputes for carried-over
tables: the same function, on the same cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import metrics
from release_core.charts import digits
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.memory import of_cube
from release_core.metrics.table import ABOVE
from release_core.release import CUTOFF_ACTIONS
from release_core.stats import drift, intervals, transfer
from release_core.stats.arrays import at_or_above, floats, only, ratio
from release_core.stats.cutoffs import below_edges
from release_core.views.boundary import in_force
from release_core.views.transfer_counts import BELOW, REACHED, counts
from release_core.views.view import known, shown_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.frames import Array
    from release_core.views.transfer_counts import Counts, Pairs, Places
    from release_core.views.view import View

    Row = dict[str, Any]

FEWEST_POSITIVES = 30
# Reached and wanted may differ by this share before the page says so: ties leave no cutoff in between.
FAR_OFF = 0.05
MATURE = 0.95
MOST_ROWS = 120
UNPAIRED = (
    "Of two dimensions together the versions' scores are kept apart: the interval is wider than on paired events."
)
UNPRICED = "Of two dimensions together single amounts are not kept: the cutoff has no interval."
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


def headline(view: View, rule: str = "alert_rate") -> str:
    """Return the sentence that answers the question for all events of the choice."""
    rows = rows_of(view, "", rule)
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
    its 95% interval (None: alert on nothing), what it reaches, what else holds there, and warnings.

    Raises:
        Unanswerable: the filter and `by` are more than two dimensions beside the replay set.
    """
    found: list[Row] = []
    for split in ((), (by,)) if by and by not in dict(view.where) else ((),):
        found += _rows(view, split, rule)
    return found[:MOST_ROWS]


@of_cube(64)
def _rows(view: View, split: tuple[str, ...], rule: str) -> list[Row]:
    """Return the rows of every segment of a split, most events first; all are found at once."""
    start, every = counts(view, split), replace(view, where=())
    ids = [f"{view.release.baseline.thresholds}.{action}" for action in CUTOFF_ACTIONS]
    names = [name for name in ids if name in start.cutoffs]
    if not names or not start.sizes.any():
        return []
    effects = np.array([_design_effect(every, name) for name in names])
    found = _found(start.places(names, effects, rule == "loss"), RULES[rule])
    edges = shown_scores(view.release, np.append(start.grid.lower, 1.0))
    return [
        _row(view, (start, edges, found), (int(place), at), name)
        | {"segment": (start.segments[place].get(split[0]) if split else None) or view.place}
        for place in np.argsort(-start.sizes, kind="stable")
        for at, name in enumerate(names)
        if start.sizes[place]
    ]


@dataclass(frozen=True)
class _Found:
    """What a rule finds, [segment, cutoff]: bin edges (-1: not known), rates, and what lies beyond [..., population]."""

    rule: Rule
    places: Places
    at: Array
    ends: tuple[Array, Array]
    reach: Array
    wanted: Array
    reached: Array
    nominal: Array
    beyond: Array
    passes: Array

    @cached_property
    def there(self) -> dict[str, Array]:
        """Return what else holds at the transferred cutoffs, [segment, cutoff]."""
        everyone, positive, negative = np.moveaxis(self.beyond, -1, 0)
        total = self.places.total
        return {
            "alert_rate": ratio(everyone, total[..., EVERYONE]),
            "precision": ratio(positive, positive + negative),
            "recall": ratio(positive, total[..., POSITIVE]),
            "fpr": ratio(negative, total[..., NEGATIVE]),
            "more_alerts": everyone - self.places.today[..., EVERYONE],
        }


def _found(one: Places, rule: Rule) -> _Found:
    """Return the transferred cutoffs of all segments at once."""
    wanted = _value(one, one.today, one.today_lost, rule)
    at, passes = _cutoff(one, wanted, rule)
    if rule.name == "loss":
        ends = _loss_ends(one, at)
        reach = only(0.0, ends[0] >= 0)
    else:
        reach = _reach(one, at, rule)
        # What is allowed more of (alerts, false alerts) lowers or raises the cutoff: its ends are sorted as scores.
        low, high = (_cutoff(one, np.clip(wanted + side * reach, 0.0, None), rule)[0] for side in (1, -1))
        ends = low, high
    beyond, lost = _above(one, at)
    reached = only(_value(one, beyond, lost, rule), at >= 0)
    # What the candidate does at the same number is exact; of the loss it is not known.
    nominal = np.full(at.shape, np.nan) if rule.name == "loss" else _value(one, one.same, None, rule)
    return _Found(rule, one, at, ends, reach, wanted, reached, nominal, beyond, passes)


def _row(view: View, what: tuple[Counts, list[float], _Found], place: tuple[int, int], name: str) -> Row:
    """Return one row of what was found, with the bins' scores; `place` is that of the segment and of the cutoff."""
    start, edges, found = what
    table, _, action = name.rpartition(".")
    at, last = int(found.at[place]), len(edges) - 1
    scoped = {**dict(view.where), **start.segments[place[0]]}
    low, high = _interval([int(end[place]) for end in found.ends], edges, float(found.reach[place]))
    row: Row = {
        "cutoff": name,
        "rule": found.rule.name,
        "at": in_force(_within(view, scoped), view.release.tables[table], action),
        "wanted": known(found.wanted[place]),
        "nominal": known(found.nominal[place]),
        "transferred": edges[at] if 0 <= at < last else None,
        "low": low,
        "high": high,
        "reached": known(found.reached[place]),
        "n": int(found.places.total[place[0], 0, EVERYONE]),
        "alert_none": at == last,
    }
    return row | _there(view, found, place) | {"warnings": " ".join(_warnings(found, place, last))}


def _within(view: View, where: dict[str, str]) -> View:
    """Return the choice narrowed to a segment."""
    return type(view)(view.opened, view.stage, view.step, tuple(where.items()))


def _interval(ends: Sequence[int], edges: Sequence[float], reach: float) -> tuple[float | None, float | None]:
    """Return the ends of a cutoff's interval as scores in rising order; None where it is open or not known."""
    if not np.isfinite(reach) or min(ends) < 0:
        return None, None
    scores = [edges[end] if end < len(edges) - 1 else None for end in sorted(ends)]
    low, high = scores
    return (high, low) if low is not None and high is not None and high < low else (low, high)


@of_cube(64)
def _design_effect(view: View, name: str) -> float:
    """Return by how much clustering widens the variance of the candidate's share above a cutoff, over all events; at least 1."""
    cells = view.opened.cube.slice(view.stage, view.step, (((), ()),))
    one = metrics.estimate(cells, view.known()[f"{ABOVE}:{name}"])
    share, n = one.value[0, 1], one.n[0, 1]
    effect = float(intervals.design_effect(one.se[0, 1], np.sqrt(ratio(share * (1 - share), n))))
    return max(1.0, effect) if np.isfinite(effect) else 1.0


def _above(one: Places, at: Array) -> tuple[Array, Array | None]:
    """Return what lies above bin edges `at` of the candidate's score [..., population], and the loss below them."""
    edge = np.maximum(at, 0)
    beyond = _at(at_or_above(one.all), edge[..., None])
    return beyond, None if one.loss is None else _at(below_edges(one.loss), edge)


def _at(sums: Array, edge: Array) -> Array:
    """Return the entries of the last axis at some edges [...]."""
    found: Array = np.take_along_axis(sums, edge[..., None], axis=-1)[..., 0]
    return found


def _value(one: Places, above: Array, lost: Array | None, rule: Rule) -> Array:
    """Return what a rule keeps, from what lies above a cutoff and the loss below it."""
    everyone, positive, negative = np.moveaxis(above, -1, 0)
    return {
        "alert_rate": lambda: ratio(everyone, one.total[..., EVERYONE]),
        "precision": lambda: ratio(positive, positive + negative),
        "fpr": lambda: ratio(negative, one.total[..., NEGATIVE]),
        "loss": lambda: ratio(1000 * _asked(lost), one.labelled),
    }[rule.name]()


def _asked(losses: Array | None) -> Array:
    """Return losses; NaN where nobody asked for them."""
    return floats(np.nan if losses is None else losses)


def _cutoff(one: Places, wanted: Array, rule: Rule) -> tuple[Array, Array]:
    """Return the bin edge of the candidate that keeps `wanted`, -1 where it is not known; how often precision passes it."""
    everyone, positive, negative = np.moveaxis(one.all, -2, 0)
    once = np.ones(wanted.shape, np.int64)
    if rule.name == "precision":
        precise = transfer.equal_precision(positive, negative, wanted)
        return precise.bin, precise.passes
    if rule.name == "loss":
        return transfer.equal_loss(_asked(one.loss), wanted * one.labelled / 1000).bin, once
    counts = negative if rule.name == "fpr" else everyone
    return np.where(np.isnan(wanted), -1, drift.equal_alert_rate(counts, wanted).bin), once


def _reach(one: Places, at: Array, rule: Rule) -> Array:
    """Return half of the 95% interval of "candidate at the transferred cutoff less baseline at today's", as a rate.

    Widened by what clustering does to the share above, over all events (Woodruff 1952 for the step from the rate to the
    cutoff). NaN where it is not known.
    """
    se = _apart_se(one, at, rule) if one.pairs is None else _paired_se(one.pairs, one, at, rule)
    return only(intervals.critical(0.95) * se * np.sqrt(one.effect), at >= 0)


def _loss_ends(one: Places, at: Array) -> tuple[Array, Array]:
    """Return the ends of the interval of the cutoff `at` that keeps the loss; -1 of two dimensions: single amounts are not kept.

    Where many events share a score the cutoff may be told from today's: no cutoff keeps the loss. It is in its interval all
    the same.
    """
    if one.pairs is None:
        unknown = np.full(one.today.shape[:-1], -1)
        return unknown, unknown
    losses = np.stack([_asked(one.pairs.loss), _asked(one.pairs.squares)])
    events = np.broadcast_to(one.labelled, losses.shape[1:3])
    reach = intervals.critical(0.95) * np.sqrt(one.effect)
    low, high = transfer.equal_loss_ends(losses[..., REACHED, :], losses[..., BELOW, :], events, reach)
    return np.minimum(low, at), np.where(low < 0, -1, np.maximum(high, at))


def _paired_se(pairs: Pairs, one: Places, at: Array, rule: Rule) -> Array:
    """Return the standard error on the same events: only those above one of the cutoffs and below the other count."""
    edge = np.maximum(at, 0)
    (out, kept), (passed, new) = (_split(pairs.n[:, :, side], edge[..., None]) for side in (REACHED, BELOW))
    if rule.name == "precision":
        joint = np.stack([np.stack([passed, new], axis=-2), np.stack([out, kept], axis=-2)], axis=-3)
        return transfer.precision_se(joint[..., [NEGATIVE, POSITIVE]])
    who = _who(rule)
    return transfer.mean_se(one.total[..., who], (new - out)[..., who], (new + out)[..., who])


def _split(sums: Array, edge: Array) -> tuple[Array, Array]:
    """Return the sums of the bins below some edges, and at and above them."""
    above = at_or_above(sums)
    beyond = _at(above, edge)
    return above[..., 0] - beyond, beyond


def _apart_se(one: Places, at: Array, rule: Rule) -> Array:
    """Return the standard error as if each version had judged events of its own: too large where they err alike."""
    sides, who = (one.today, _above(one, at)[0]), _who(rule)
    hits = [side[..., POSITIVE if rule.name == "precision" else who] for side in sides]
    labelled = [side[..., POSITIVE] + side[..., NEGATIVE] for side in sides]
    total = labelled if rule.name == "precision" else [one.total[..., who]] * 2
    return np.hypot(*(transfer.mean_se(n, hit, hit) for n, hit in zip(total, hits, strict=True)))


def _who(rule: Rule) -> int:
    """Return the population of which a rule keeps a share."""
    return NEGATIVE if rule.name == "fpr" else EVERYONE


def _there(view: View, found: _Found, place: tuple[int, int]) -> Row:
    """Return what else holds at the transferred cutoff, and how many alerts a day it brings more than today."""
    if found.at[place] < 0:
        return dict.fromkeys(found.there)
    row = {name: known(float(column[place])) for name, column in found.there.items()}
    return row | {"more_alerts": known(float(found.there["more_alerts"][place]) / view.days) if view.days else None}


def _warnings(found: _Found, place: tuple[int, int], last: int) -> list[str]:
    """Return what makes a transferred cutoff doubtful, one sentence each; `last` is the edge above every score."""
    at, wanted, reached, rule = found.at[place], found.wanted[place], found.reached[place], found.rule
    said = []
    if at < 0:
        return [f"Today's {rule.title.lower()} is not known here: no labelled event above the cutoff."]
    if at == last:
        said.append("Only a cutoff above every score keeps it: alert on nothing.")
    elif not at:
        said.append("Only alerting on every event seen keeps it.")
    elif abs(reached - wanted) > FAR_OFF * abs(wanted):
        said.append("No cutoff in between: many events share a score, so reached and wanted differ.")
    said += [] if found.places.pairs else [UNPRICED if rule.name == "loss" else UNPAIRED]
    return said + (_of_labels(found, place) if rule.labels else [])


def _of_labels(found: _Found, place: tuple[int, int]) -> list[str]:
    """Return what makes labels too thin, or the precision too uneven, for a cutoff to be relied on."""
    said = []
    above, total = found.beyond[place][POSITIVE], found.places.total[place[0], 0, EVERYONE]
    labelled = found.places.labelled[place[0], 0]
    if above < FEWEST_POSITIVES:
        said.append(f"Only {above:.0f} labelled positives lie above it ({FEWEST_POSITIVES} needed): do not rely on it.")
    if labelled < MATURE * total:
        said.append(f"Labels of {digits.percent(float(ratio(labelled, total)))} of the events are known.")
    if found.passes[place] > 1:
        said.append(
            f"Precision is not monotone: it passes the wanted value {found.passes[place]} times, this is the lowest cutoff."
        )
    return said
