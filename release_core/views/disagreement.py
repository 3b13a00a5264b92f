"""The Disagreement page: where the two versions act differently, why, on whom, and for how much money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import attribution
from release_core.charts import digits
from release_core.charts.rates import rates
from release_core.charts.transition import transition
from release_core.cube.events import MOST_EVENTS
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.stats import decisions
from release_core.stats.arrays import ratio
from release_core.views.swaps import bad_share
from release_core.views.view import known, paired_rows, segment_key, shown_scores

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells
    from release_core.views.view import View

    Row = dict[str, Any]

EXPLAINED = "explained_share"
NO_REASON = "no reason given"
AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class DisagreementPage:
    """What the page shows; `pairs` and `reasons` are rows, most events first."""

    headline: str
    demand: str
    flow: Chart
    pairs: list[Row]
    reasons: list[Row]


def page(view: View) -> DisagreementPage:
    """Return the page for a choice."""
    cells = view.cells()
    pairs = pairs_of(view, cells)
    return DisagreementPage(
        _headline(view),
        _demand(view),
        flow(view, pairs),
        [row for row in pairs if row["baseline"] != row["candidate"]],
        _reasons(view),
    )


def by_segment(view: View, dim: str) -> tuple[Chart, list[Row]]:
    """Return how often the versions differ in each value of a dimension (or size of the amount), most first, and as rows."""
    rows = _by_amount(view) if dim == AMOUNT else _by_dimension(view, dim)
    n, differ = sum(row["n"] for row in rows), sum(row["differ"] for row in rows)
    chart = rates(
        rows,
        view.caption(n, table="size" if dim == AMOUNT else "pair", by=() if dim == AMOUNT else (dim,)),
        question=f"How often do the versions differ, by {dim.replace('_', ' ')}?",
        what="disagreement",
        of="events on which the actions differ / events",
        overall=differ / n if n else None,
    )
    return chart, rows


def _by_dimension(view: View, dim: str) -> list[Row]:
    told = {row["segment"]: row for row in paired_rows(view.rows([EXPLAINED], dim))}
    money = _money(view, dim)
    rows = [
        {
            "segment": row["where"][dim],
            "key": segment_key(row["where"]),
            "value": row["difference"],
            "low": row["low"],
            "high": row["high"],
            "n": row["n"],
            "explained": told[row["segment"]]["difference"],
            "differ": told[row["segment"]]["n"],
            "amount": money.get(row["where"][dim]),
        }
        for row in paired_rows(view.rows(["disagreement_rate"], dim))
    ]
    return sorted(rows, key=lambda row: -(row["value"] or 0))


def _money(view: View, dim: str) -> dict[str, float]:
    """Return the amount of the events on which the actions differ, by value of a dimension."""
    cells = view.cells(dim)
    amounts = cells.whole.joint_amounts[..., EVERYONE]
    apart = amounts.sum((-2, -1)) - np.trace(amounts, axis1=-2, axis2=-1)
    return {segment[dim]: float(amount) for segment, amount in zip(cells.segments, apart, strict=True)}


def _by_amount(view: View) -> list[Row]:
    """Return the same by size of the amount, rising; intervals take events for independent."""
    rows = []
    for row in view.opened.cube.sizes(view.stage, view.step, view.where):
        low, high = decisions.wilson(row["differ"], row["n"])
        ends = digits.number(row["low"], 2), digits.number(row["high"], 2)
        rows.append(
            {
                "segment": f"{ends[0]} to {ends[1]}" if row["low"] else "none",
                "value": row["differ"] / row["n"],
                "low": float(low),
                "high": float(high),
                "n": int(row["n"]),
                "explained": known(float(ratio(row["explained"], row["differ"]))),
                "differ": int(row["differ"]),
                "amount": row["differ_amount"],
            }
        )
    return rows


def splits(view: View) -> list[str]:
    """Return what disagreement can be split by: the dimensions that are not filtered, and the size of the amount."""
    free = [dim for dim in view.release.segments.all if dim not in dict(view.where)]
    return [*free, AMOUNT]


def sample(view: View, baseline: str, candidate: str, limit: int = 20) -> list[Row]:
    """Return some events on which the versions took these actions, scores in their own unit, customers masked.

    At most 50, read from the kept rows of the logs on demand.
    """
    rows = view.opened.cube.sample(view.stage, view.step, (baseline, candidate), view.where, min(limit, MOST_EVENTS))
    for row in rows:
        scores = np.array([row.pop("baseline_risk"), row.pop("candidate_risk")], dtype=float)
        shown = [float(f"{score:.4g}") for score in shown_scores(view.release, scores)]
        row["baseline_score"], row["candidate_score"] = shown
    return [_ordered(row) for row in rows]


def _ordered(row: Row) -> Row:
    """Return a row with scores and reasons in front of what else is known of the event."""
    row["amount"] = digits.number(row["amount"])
    first = (
        "event",
        "event_time",
        "customer",
        "amount",
        "baseline_score",
        "candidate_score",
        "baseline_reason",
        "candidate_reason",
    )
    return {name: row[name] for name in (*first, *(name for name in row if name not in first))}


def _headline(view: View) -> str:
    found = paired_rows(view.rows(["disagreement_rate"]))
    if not found or found[0]["difference"] is None:
        return f"{view.none} has an action of both versions."
    row = found[0]
    interval = digits.interval(row["low"], row["high"], of_difference=False)
    different = round(row["difference"] * row["n"])
    return (
        f"The versions act differently on {digits.percent(row['difference'])} {interval} of {row['n']:,} events: "
        f"{different:,}{_daily(view, different)}."
    )


def _daily(view: View, n: float) -> str:
    days = view.opened.cube.days(view.stage, view.step)
    return f", {digits.number(n / days, 2)} a day" if days else ""


def _demand(view: View) -> str:
    """Return how many disagreements carry a reason, and what the gates demand."""
    found = paired_rows(view.rows([EXPLAINED]))
    gate = next((spec for spec in view.release.gates if spec.metric == EXPLAINED), None)
    asked = "No gate demands reasons." if gate is None else _asked(view, gate.at_least, [str(s) for s in gate.stages])
    if not found or found[0]["difference"] is None:
        return f"There is no disagreement to explain. {asked}"
    row = found[0]
    interval = digits.interval(row["low"], row["high"], of_difference=False)
    return (
        f"{digits.percent(row['difference'])} {interval} of the {row['n']:,} disagreements carry a reason code. {asked}"
    )


def _asked(view: View, share: float | None, stages: list[str]) -> str:
    here = "this stage included" if str(view.stage) in stages else f"not yet in {view.stage}"
    return f"The gate demands {digits.limit(share)} in {' and '.join(stages)} ({here})."


def pairs_of(view: View, cells: Cells) -> list[Row]:
    """Return one row per pair of actions that occurs: events, money, labels, and what the change is worth."""
    if not cells.segments:
        return []
    joint, amounts = cells.whole.joint[0], cells.whole.joint_amounts[0]
    total, days = joint[..., EVERYONE], view.opened.cube.days(view.stage, view.step)
    rows = []
    for i, j in zip(*np.nonzero(joint[..., EVERYONE]), strict=True):
        one = joint[i, j]
        mask = np.zeros(total.shape, dtype=bool)
        mask[i, j] = True
        bad, low, high = bad_share(cells, mask)
        rows.append(
            {
                "baseline": cells.actions[i],
                "candidate": cells.actions[j],
                "pair": f"{cells.actions[i]} → {cells.actions[j]}",
                "n": int(one[EVERYONE]),
                "per_day": known(one[EVERYONE] / days if days else np.nan),
                "share": float(one[EVERYONE] / total.sum()),
                "bad": bad,
                "bad_low": low,
                "bad_high": high,
                "labelled_bad": int(one[POSITIVE]),
                "labelled_good": int(one[NEGATIVE]),
                "amount": float(amounts[i, j, EVERYONE]),
                "bad_amount": float(amounts[i, j, POSITIVE]) if one[POSITIVE] + one[NEGATIVE] else None,
                "saved": _saved(view, one, amounts[i, j], (int(i), int(j))),
            }
        )
    return sorted(rows, key=lambda row: -row["n"])


def _saved(view: View, one: Array, amount: Array, actions: tuple[int, int]) -> float | None:
    """Return how much cheaper the candidate's action is than the baseline's on the labelled events of a pair."""
    effect = attribution.effects(view.release).get("cost")
    labelled = float(one[POSITIVE] + one[NEGATIVE])
    if effect is None or not labelled:
        return None
    costs = []
    for action in actions:
        counts, money = (np.zeros((len(view.release.actions), 3)) for _ in range(2))
        counts[action], money[action] = one, amount
        costs.append(float(effect.value(counts, money)) * labelled / attribution.THOUSAND)
    return costs[0] - costs[1]


def flow(view: View, rows: list[Row]) -> Chart:
    """Return the table of who is treated differently, of every pair of actions that occurs (`pairs_of`)."""
    used = {row[version] for row in rows for version in ("baseline", "candidate")}
    actions = [action for action in view.release.actions if action in used]
    return transition(rows, actions, view.caption(sum(row["n"] for row in rows), table="pair"))


def _reasons(view: View) -> list[Row]:
    rows = view.opened.cube.reasons(view.stage, view.step, view.where)
    total = sum(row["n"] for row in rows)
    return [
        {
            "pair": f"{row['baseline_action']} → {row['candidate_action']}",
            "baseline_reason": row["baseline_reason"] or NO_REASON,
            "candidate_reason": row["candidate_reason"] or NO_REASON,
            "n": row["n"],
            "share": row["n"] / total,
            "bad": known(float(ratio(row["positive"], row["positive"] + row["negative"]))),
            "amount": row["amount"],
        }
        for row in rows[:MOST_EVENTS]
    ]
