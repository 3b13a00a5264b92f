"""A choice and a rule in, cutoffs out: which cutoff on the candidate's score keeps what today's cutoff does, and how surely.

The rules and the interval are METHODS c5. Equal alert rate is what `changes.differing` recomputes for carried-over
tables: the same function, on the same cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import metrics
from release_core.charts import digits
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.memory import of_cube
from release_core.metrics.table import ABOVE
from release_core.release import CUTOFF_ACTIONS
from release_core.stats import drift, intervals, transfer
from release_core.stats.arrays import ratio
from release_core.views.boundary import in_force
from release_core.views.transfer_counts import BELOW, REACHED, counts
from release_core.views.view import known, shown_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release_core.frames import Array
    from release_core.views.transfer_counts import Counts, Pairs, Place
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
    names = [f"{view.release.baseline.thresholds}.{action}" for action in CUTOFF_ACTIONS]
    found: list[Row] = []
    every = replace(view, where=())
    effects = {name: _design_effect(every, name) for name in names if name in view.release.cutoff_ids}
    for split in ((), (by,)) if by and by not in dict(view.where) else ((),):
        start = counts(view, split)
        edges = shown_scores(view.release, np.append(start.grid.lower, 1.0))
        for place in np.argsort(-start.sizes, kind="stable"):
            segment = start.segments[place].get(by) if split else None
            found += [
                _row(view, (start, edges), (int(place), name, effects[name]), RULES[rule])
                | {"segment": segment or view.place}
                for name in names
                if name in start.cutoffs and start.sizes[place]
            ]
    return found[:MOST_ROWS]


def _row(view: View, found: tuple[Counts, list[float]], asked: tuple[int, str, float], rule: Rule) -> Row:
    """Return one row of what was `found`, counts and their scores; `asked`: the segment's place, the cutoff, its design effect."""
    (start, edges), (place, name, _) = found, asked
    one = start.place(*asked)
    wanted = _value(one, one.today, rule)
    at = _cutoff(one, wanted, rule)
    reach = _reach(one, at, rule)
    # What is allowed more of (alerts, false alerts, loss) lowers or raises the cutoff: its ends are sorted as scores.
    ends = [_cutoff(one, np.clip(wanted + side * reach, 0.0, None), rule) for side in (1, -1)] if at >= 0 else [-1, -1]
    reached = _value(one, _above(one, at), rule) if at >= 0 else float("nan")
    table, _, action = name.rpartition(".")
    where = view.release.tables[table]
    scoped = {**dict(view.where), **start.segments[place]}
    low, high = _interval(ends, edges, len(start.grid.ids), reach)
    row: Row = {
        "cutoff": name,
        "rule": rule.name,
        "at": in_force(_within(view, scoped), where, action),
        "wanted": known(wanted),
        "nominal": known(_nominal(one, rule)),
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


@of_cube(64)
def _design_effect(view: View, name: str) -> float:
    """Return by how much clustering widens the variance of the candidate's share above a cutoff, over all events; at least 1."""
    cells = view.opened.cube.slice(view.stage, view.step, (((), ()),))
    one = metrics.estimate(cells, view.known()[f"{ABOVE}:{name}"])
    share, n = one.value[0, 1], one.n[0, 1]
    effect = float(intervals.design_effect(one.se[0, 1], np.sqrt(ratio(share * (1 - share), n))))
    return max(1.0, effect) if np.isfinite(effect) else 1.0


def _above(one: Place, at: int) -> Array:
    """Return what lies above bin edge `at` of the candidate's score: [everyone, positive, negative, loss below it]."""
    return np.append(one.all[at:].sum(0), one.loss[:at].sum())


def _value(one: Place, above: Array, rule: Rule) -> float:
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


def _cutoff(one: Place, wanted: float, rule: Rule) -> int:
    """Return the bin edge of the candidate that keeps `wanted`; -1 where it is not known."""
    counts = one.all
    if np.isnan(wanted):
        return -1
    found: dict[str, Callable[[], Any]] = {
        "alert_rate": lambda: drift.equal_alert_rate(counts[:, EVERYONE], wanted).bin,
        "precision": lambda: transfer.equal_precision(counts[:, POSITIVE], counts[:, NEGATIVE], wanted).bin,
        "fpr": lambda: drift.equal_alert_rate(counts[:, NEGATIVE], wanted).bin,
        "loss": lambda: transfer.equal_loss(one.loss, wanted * one.labelled / 1000).bin,
    }
    return int(found[rule.name]())


def _reach(one: Place, at: int, rule: Rule) -> float:
    """Return half of the 95% interval of "candidate at the transferred cutoff less baseline at today's", as a rate.

    Widened by what clustering does to the share above, over all events (Woodruff 1952 for the step from the rate to the
    cutoff). NaN where it is not known.
    """
    if at < 0:
        return float("nan")
    se = _apart_se(one, at, rule) if one.pairs is None else _paired_se(one.pairs, one, at, rule)
    return float(intervals.critical(0.95) * se * np.sqrt(one.effect))


def _paired_se(pairs: Pairs, one: Place, at: int, rule: Rule) -> float:
    """Return the standard error on the same events: only those above one of the cutoffs and below the other count."""
    n, loss, squares = pairs
    out, new = n[REACHED, :at].sum(0), n[BELOW, at:].sum(0)
    if rule.name == "precision":
        kept, passed = n[REACHED, at:].sum(0), n[BELOW, :at].sum(0)
        joint = np.array([[passed, new], [out, kept]])[..., [NEGATIVE, POSITIVE]]
        return float(transfer.precision_se(joint))
    if rule.name == "loss":
        more, less = loss[REACHED, :at].sum(), loss[BELOW, at:].sum()
        changed = squares[REACHED, :at].sum() + squares[BELOW, at:].sum()
        return float(1000 * transfer.mean_se(one.labelled, more - less, changed))
    who = _who(rule)
    return float(transfer.mean_se(one.total[who], new[who] - out[who], new[who] + out[who]))


def _apart_se(one: Place, at: int, rule: Rule) -> float:
    """Return the standard error as if each version had judged events of its own: too large where they err alike.

    Of the loss it is not known: the squares of the amounts are not kept.
    """
    if rule.name == "loss":
        return float("nan")
    sides, who = np.stack([one.today, _above(one, at)]), _who(rule)
    hits = sides[:, POSITIVE if rule.name == "precision" else who]
    total = sides[:, POSITIVE] + sides[:, NEGATIVE] if rule.name == "precision" else np.full(2, one.total[who])
    return float(np.hypot(*transfer.mean_se(total, hits, hits)))


def _who(rule: Rule) -> int:
    """Return the population of which a rule keeps a share."""
    return NEGATIVE if rule.name == "fpr" else EVERYONE


def _nominal(one: Place, rule: Rule) -> float:
    """Return what the candidate does at the same number, exact; not known for the loss."""
    return float("nan") if rule.name == "loss" else _value(one, np.append(one.same, np.nan), rule)


def _there(view: View, one: Place, at: int) -> Row:
    """Return what else holds at the transferred cutoff, and how many alerts a day it brings more than today."""
    if at < 0:
        return dict.fromkeys(("alert_rate", "precision", "recall", "fpr", "more_alerts"))
    above = _above(one, at)
    more = above[EVERYONE] - one.today[EVERYONE]
    return {
        "alert_rate": known(float(ratio(above[EVERYONE], one.total[EVERYONE]))),
        "precision": known(float(ratio(above[POSITIVE], above[POSITIVE] + above[NEGATIVE]))),
        "recall": known(float(ratio(above[POSITIVE], one.total[POSITIVE]))),
        "fpr": known(float(ratio(above[NEGATIVE], one.total[NEGATIVE]))),
        "more_alerts": known(more / view.days) if view.days else None,
    }


def _warnings(one: Place, at: int, rule: Rule, found: tuple[float, float]) -> list[str]:
    """Return what makes a transferred cutoff doubtful, one sentence each."""
    wanted, reached = found
    said = []
    if at < 0:
        return [f"Today's {rule.title.lower()} is not known here: no labelled event above the cutoff."]
    if at == len(one.all):
        said.append("Only a cutoff above every score keeps it: alert on nothing.")
    elif not at:
        said.append("Only alerting on every event seen keeps it.")
    elif abs(reached - wanted) > FAR_OFF * abs(wanted):
        said.append("No cutoff in between: many events share a score, so reached and wanted differ.")
    said += [] if one.pairs else [UNPRICED if rule.name == "loss" else UNPAIRED]
    return said + (_of_labels(one, at, rule, wanted) if rule.labels else [])


def _of_labels(one: Place, at: int, rule: Rule, wanted: float) -> list[str]:
    """Return what makes labels too thin, or the precision too uneven, for a cutoff to be relied on."""
    said = []
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
