"""A choice and a metric in; every slice of up to three dimensions ranked, and the worst ones found and confirmed, out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts import digits
from release_core.charts.forest import forest
from release_core.frames import segment_text
from release_core.memory import of_cube
from release_core.metrics import harm
from release_core.release import Comparison
from release_core.stats import intervals, multiplicity, pooling, slices
from release_core.stats.arrays import only
from release_core.views.evidence import customers, daily, evidence, worth_of, worth_rows
from release_core.views.view import known, segment_key

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array
    from release_core.release import GateSpec
    from release_core.views.evidence import Evidence
    from release_core.views.view import View

    Row = dict[str, Any]

FALSE_LEADS = 0.1
ALPHA = 0.05
CONFIRMED = "Do the slices that were found hold on other customers?"
EVERY = "Which segments and intersections are worse?"
SHOWN, DRAWN = 20, 12
# Variances that clustering widens by more than this are worth a sentence.
CLUSTERED = 1.01
NUMBERS = (
    *(
        "baseline",
        "candidate",
        "difference",
        "low",
        "high",
        "p",
        "shrunken",
        "own_weight",
        "provable",
        "margin",
        "needed",
    ),
)
ORDERS = {
    "sure": "surest harm first",
    "harm": "largest change for the worse first",
    "money": "most money first",
}


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every slice, in the chosen order, and what is to be said of all of them."""

    headline: str
    notes: list[str]
    rows: list[Row]
    forest: Chart


@dataclass(frozen=True, slots=True)
class Search:
    """The worst slices: confirmed rows first, those that stand out most on top; how they were found and how sure that is."""

    headline: str
    account: str
    rows: list[Row]
    forest: Chart


def searchable(view: View) -> list[tuple[str, str]]:
    """Return the metrics that slices can be ranked by: (name, title), gated ones first, then the cost."""
    gated = [spec.metric for spec in view.release.gates if view.stage in spec.stages]
    found = harm.measures(view.release)
    first = [name for name in gated if name in found]
    used = [name for name in found if name not in {"escalation_rate"} or name in gated]
    return [(name, found[name].title) for name in dict.fromkeys([*first, *used])]


def ranked(view: View, metric: str = "recall", order: str = "sure") -> Ranking:
    """Return every slice within the choice, ranked by a key of ORDERS."""
    one = evidence(view, metric)
    if one is None:
        return Ranking(f"{view.none} is in the logs.", [], [], _chart(view, one, [], EVERY))
    columns = _columns(view, metric)
    ranks = (
        worth_of(view, one.slices, one.money)["money_per_day"]
        if order == "money"
        else columns["harm" if order == "harm" else "sure"]
    )
    usual = np.lexsort((-np.nan_to_num(ranks, nan=-np.inf),))
    listed = usual[columns["ranked"][usual]]
    flagged, title = int(columns["flag"].sum()), one.measure.title.lower()
    some = (
        f"{flagged} of {len(listed)} segments and intersections are worse beyond doubt in {title}: expected false leads among "
        f"these at most {100 * FALSE_LEADS:.0f}% (Benjamini-Yekutieli, because they overlap)."
    )
    none = f"None of {len(listed)} segments and intersections is worse beyond doubt in {title}."
    rows = _valued(view, one, columns, listed[:SHOWN])
    return Ranking(some if flagged else none, _notes(one, columns), rows, _chart(view, one, rows[:DRAWN], EVERY))


def _notes(one: Evidence, columns: dict[str, Array]) -> list[str]:
    few = int((~columns["ranked"][1:]).sum()) + one.slices.small
    notes = []
    if few:
        least = "under 1% of the events" + (" or fewer than 30 positives" if one.measure.labels else "")
        notes.append(f"{few:,} more hold {least} and are not ranked.")
    spreads = columns["spread"][columns["first"]]
    pools, alike = int(np.isfinite(spreads).sum()), int((spreads == 0).sum())
    if pools:
        notes.append(
            f"In {alike} of {pools} ways to split, the segments do not differ detectably: there each is pulled to the mean of all."
        )
    if one.clustering > CLUSTERED:
        notes.append(
            f"Intervals are {100 * (np.sqrt(one.clustering) - 1):.0f}% wider than for independent events, because customers "
            "have several events each."
        )
    return notes


@of_cube(8)
def _columns(view: View, metric: str) -> dict[str, Array]:
    """Return all that rows show, as arrays [slice], of a choice with events."""
    one = evidence(view, metric)
    if one is None:
        return {}
    sign, difference, se = one.measure.sign, one.change.difference, one.se
    low, high = one.bounds(0.95)
    p, large = np.full(len(se), np.nan), one.large
    p[large] = intervals.p_above(sign * difference[large], se[large], 0.0, one.df[large])
    named = one.slices.dims[one.slices.conditions]
    _, first, groups = np.unique(named, axis=0, return_index=True, return_inverse=True)
    pooled = pooling.shrink(only(difference, large), se**2, groups.reshape(-1))
    inner = large & (np.arange(len(se)) > 0) & np.isfinite(difference)
    margin, needed = _provable(view, one)
    return {
        "baseline": one.change.value[:, 0],
        "candidate": one.change.value[:, 1],
        "difference": difference,
        "low": low,
        "high": high,
        "n": one.n,
        "positives": one.positives,
        "p": p,
        "ranked": inner,
        "flag": multiplicity.benjamini_yekutieli(only(p, inner), FALSE_LEADS),
        "shrunken": pooled.value,
        "own_weight": pooled.weight,
        "spread": pooled.tau2[groups.reshape(-1)],
        "first": np.isin(np.arange(len(se)), first),
        "provable": intervals.minimum_provable_margin(se),
        "margin": margin,
        "needed": needed,
        "sure": low if sign > 0 else -high,
        "harm": sign * difference,
    }


def _row(view: View, one: Evidence, columns: dict[str, Array], place: int) -> Row:
    """Return what is known of one slice."""
    segment = dict(view.where) | one.slices.segment(place)
    numbers = {name: known(columns[name][place]) for name in NUMBERS}
    better = max(one.measure.sign * columns[side][place] for side in ("low", "high")) < 0
    flag = bool(columns["flag"][place])
    return {
        "segment": _said(view, segment),
        "key": segment_key(segment),
        "where": segment,
        "metric": one.measure.name,
        "unit": one.measure.unit,
        "n": int(columns["n"][place]),
        "positives": int(columns["positives"][place]),
        "flag": flag,
        "verdict": "WORSE" if flag else "BETTER" if better else "OPEN",
    } | numbers


def _valued(view: View, one: Evidence, columns: dict[str, Array], places: Array) -> list[Row]:
    """Return the rows of the slices at `places` with what each is worth, and how many customers it has, in words."""
    rows = [_row(view, one, columns, int(place)) for place in places]
    worth = worth_rows(view, one.slices.take(places), one.money)
    found = customers(view, [row["where"] for row in rows])
    return [row | more | {"customers": told} for row, more, told in zip(rows, worth, found, strict=True)]


def _said(view: View, segment: dict[str, str]) -> str:
    """Return a slice in words, without the filter that all of them share."""
    own = {dim: value for dim, value in segment.items() if dim not in dict(view.where)}
    return segment_text(own) if own else view.place


def _provable(view: View, one: Evidence) -> tuple[Array, Array]:
    """Return the margin of the metric's gate [slice], and the events still needed to prove it kept; NaN where neither."""
    spec = gate(view, one.measure.name)
    if spec is None or spec.margin is None:
        nothing = np.full(len(one.n), np.nan)
        return nothing, nothing
    margin = spec.margin * (np.abs(one.change.value[:, 0]) if spec.unit == "rel" else np.ones(len(one.n)))
    value = one.measure.sign * one.change.difference
    more = intervals.events_needed(one.n, value, one.se, margin)
    return margin, only(more, more > 0)


def gate(view: View, metric: str) -> GateSpec | None:
    """Return the gate of this stage that allows the metric a margin, if any."""
    for spec in view.release.gates:
        if spec.metric == metric and view.stage in spec.stages and spec.comparison is Comparison.NON_INFERIORITY:
            return spec
    return None


def searched(view: View, metric: str = "recall") -> Search:
    """Return the worst slices within the choice, with their error rate (METHODS e4)."""
    one = evidence(view, metric)
    if one is None:
        return Search(f"{view.none} is in the logs.", "", [], _chart(view, one, [], CONFIRMED))
    found, columns = _found(one), _columns(view, metric)
    rows = _valued(view, one, columns, found.place)
    chosen = [_confirmed(row, one, found, n) for n, row in enumerate(rows)]
    chosen = sorted(chosen, key=lambda row: not row["confirmed"])
    return Search(_lead(view, one, chosen), _account(one, found), chosen, _chart(view, one, chosen, CONFIRMED))


def _found(one: Evidence) -> slices.Found:
    sign, widened = one.measure.sign, np.sqrt(one.clustering)
    halves = slices.Halves(
        sign * one.halves.difference, one.halves.se * widened, one.halves.df(one.clustering), one.halves.weight
    )
    return slices.search(halves, one.slices.conditions, one.slices.dims, one.large, ALPHA)


def _confirmed(row: Row, one: Evidence, found: slices.Found, number: int) -> Row:
    """Return a slice's row with what the half that did not choose it says."""
    place = int(found.place[number])
    value, se = one.halves.difference[place, 1], one.halves.se[place, 1] * np.sqrt(one.clustering)
    bounds = intervals.interval(value, se, one.halves.df(one.clustering)[place, 1])
    low, high = map(float, bounds)
    confirmed = bool(found.confirmed[number])
    return row | {
        "on_all": row["difference"],
        "difference": known(value),
        "low": known(low),
        "high": known(high),
        "p_find": float(found.p_find[number]),
        "p_confirm": float(found.p_confirm[number]),
        "confirmed": confirmed,
        "found": "confirmed" if confirmed else "not confirmed",
        "verdict": "WORSE" if confirmed else "OPEN",
    }


def _lead(view: View, one: Evidence, rows: list[Row]) -> str:
    title = one.measure.title.lower()
    if not rows or not rows[0]["confirmed"]:
        lead = f" One lead was not confirmed: {rows[0]['segment']}." if len(rows) == 1 else ""
        lead = f" {len(rows)} leads were not confirmed." if len(rows) > 1 else lead
        return f"No slice of up to three dimensions is confirmed to be worse in {title}.{lead}"
    return f"Worst slice in {title}: {rows[0]['segment']}: {told(view, rows[0])}"


def told(view: View, row: Row) -> str:
    """Return a slice's change, size and money in one sentence."""
    interval = digits.interval(row["low"], row["high"], row["unit"])
    facts = [f"{name.lower()} {text}" for name, text in daily(row, view.currency).items()]
    return "; ".join([f"{digits.difference(row['difference'], row['unit'])} {interval}", *facts]) + "."


def _account(one: Evidence, found: slices.Found) -> str:
    confirmed = int(found.confirmed.sum())
    small = len(one.large) + one.slices.small - found.tried
    least = "1% of the events" + (" or 30 positives" if one.measure.labels else "")
    return (
        f"{found.tried:,} slices of up to three dimensions were tried, {small:,} more hold fewer than {least}. "
        f"On one half of the customers {found.passed:,} looked worse; {len(found.place)} of them are not explained by another "
        f"and were tested again on the other half, which confirms {confirmed}. "
        f"If no slice were worse, the chance of confirming even one would be at most {100 * ALPHA:.0f}% (Holm)."
    )


def _chart(view: View, one: Evidence | None, rows: list[Row], question: str) -> Chart:
    measure = one.measure if one else None
    title, unit, better = (
        (measure.title, measure.unit, measure.better or "lower") if measure else ("the metric", "share", "lower")
    )
    spec = gate(view, measure.name) if measure else None
    margin = spec.margin if spec and spec.unit == "abs" else None
    caption = view.caption(float(one.n[0]) if one else 0, table="pair")
    short = [row | {"segment": " · ".join(row["where"][dim] for dim in row["where"])} for row in rows]
    return forest(short, caption, metric=title, unit=unit, better=better, margin=margin, sort=False, question=question)
