"""A choice in, the swap set out: who moves across the cutoffs, what that is worth, and whether it is shift or re-ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import attribution
from release_core.charts import digits
from release_core.charts.mix import mix
from release_core.charts.score_map import score_map
from release_core.cube import REPLAY_SET
from release_core.errors import Unanswerable
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.stats import agreement, decisions, drift, intervals
from release_core.stats.arrays import ratio
from release_core.views.boundary import first_cutoff
from release_core.views.view import axis, cutoff_marks, known, paired_rows, shown_scores

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells
    from release_core.joint_frames import Crossing, ScoreMap
    from release_core.views.view import View

    Row = dict[str, Any]

APPROVE = 0
BELOW, REACHED = 0, 1
MOST_MAP_BINS = 32
CONFIDENCE = 0.95
IN, OUT, OTHER, NET = (
    "Swap-in: passed by the baseline, alerted by the candidate",
    "Swap-out: alerted by the baseline, passed by the candidate",
    "Alerted by both, differently",
    "All changes together",
)


def swap_rows(view: View, cells: Cells) -> list[Row]:
    """Return swap-in, swap-out, other changes and all of them: events, labels, bad rate and money saved, with intervals."""
    if not cells.segments:
        return []
    acts = np.arange(len(cells.actions)) != APPROVE
    masks = {IN: np.outer(~acts, acts), OUT: np.outer(acts, ~acts), OTHER: np.outer(acts, acts)}
    moved = ~np.eye(len(acts), dtype=bool)
    rows = [_swap(view, cells, name, mask & moved) for name, mask in masks.items()]
    rows = [row for row in rows if row["n"] or row["name"] != OTHER]
    return [*rows, _swap(view, cells, NET, moved)]


def _swap(view: View, cells: Cells, name: str, mask: Array) -> Row:
    joint, amounts = cells.whole.joint[0], cells.whole.joint_amounts[0]
    one, money = (array[mask].sum(0) for array in (joint, amounts))
    bad, low, high = bad_share(cells, mask)
    return {
        "name": name,
        "n": int(one[EVERYONE]),
        "per_day": known(one[EVERYONE] / view.days) if view.days else None,
        "share": known(float(ratio(one[EVERYONE], joint[..., EVERYONE].sum()))),
        "labelled": known(float(ratio(one[POSITIVE] + one[NEGATIVE], one[EVERYONE]))),
        "labelled_n": int(one[POSITIVE] + one[NEGATIVE]),
        "bad": bad,
        "bad_low": low,
        "bad_high": high,
        "amount": float(money[EVERYONE]),
        "bad_amount": float(money[POSITIVE]),
    } | _worth(view, cells, mask)


def bad_share(cells: Cells, mask: Array) -> tuple[float | None, float | None, float | None]:
    """Return the share of positives among the labelled events that change so, with its 95% interval by entity shards."""
    one = cells.whole.joint[0][mask].sum(0)
    labelled = one[POSITIVE] + one[NEGATIVE]
    shards = cells.shards.joint[0][:, mask].sum(1)
    left = one - shards
    value = ratio(one[POSITIVE], labelled)
    spread = intervals.jackknife(
        value,
        ratio(left[:, POSITIVE], left[:, POSITIVE] + left[:, NEGATIVE]),
        shards[:, [POSITIVE, NEGATIVE]].sum(1) > 0,
    )
    low, high = intervals.interval(value, spread.se, spread.df, CONFIDENCE)
    if not spread.se > 0:
        low, high = decisions.wilson(one[POSITIVE], labelled, CONFIDENCE)
    return known(float(value)), known(max(0.0, float(low))), known(min(1.0, float(high)))


def _worth(view: View, cells: Cells, mask: Array) -> Row:
    """Return what the candidate's action saves on the labelled events that change so, and a day over all events.

    METHODS c3: c_fn (TP_in - TP_out) - c_fp (FP_in - FP_out), with reviews and amounts at the declared unit costs.
    """
    nothing = dict.fromkeys(("saved", "saved_low", "saved_high", "saved_a_day"))
    effect = attribution.effects(view.release).get("cost")
    every = cells.whole.joint[0].sum((0, 1))
    labelled = every[POSITIVE] + every[NEGATIVE]
    if effect is None or not labelled:
        return nothing

    def saved(joint: Array, amounts: Array, among: Array) -> Array:
        """Return what is saved per labelled event of the choice; leading axes are kept."""
        kept, money = (np.where(mask[..., None], array, 0.0) for array in (joint, amounts))
        changed = kept[..., [POSITIVE, NEGATIVE]].sum((-3, -2, -1))
        before, after = (np.nan_to_num(effect.value(kept.sum(at), money.sum(at))) for at in (-2, -3))
        return ratio((before - after) * changed / attribution.THOUSAND, among)

    full = saved(cells.whole.joint[0], cells.whole.joint_amounts[0], labelled)
    shards, left = cells.shards.joint[0], cells.whole.joint[0] - cells.shards.joint[0]
    money = cells.whole.joint_amounts[0] - cells.shards.joint_amounts[0]
    used = shards[..., [POSITIVE, NEGATIVE]].sum((1, 2, 3)) > 0
    among = left[..., [POSITIVE, NEGATIVE]].sum((1, 2, 3))
    spread = intervals.jackknife(full, saved(left, money, among), used)
    low, high = intervals.interval(full, spread.se, spread.df, CONFIDENCE)
    day = every[EVERYONE] / view.days if view.days else np.nan
    values = {"saved": full * labelled, "saved_low": low * labelled, "saved_high": high * labelled}
    return {name: known(float(value)) for name, value in values.items()} | {"saved_a_day": known(float(full * day))}


def explained(view: View) -> list[Row]:
    """Return per pair of cutoffs how many events cross, and how many still would after equal-alert-rate transfer.

    What the transfer takes away is shift: the same number means something else. What is left is re-ranking. Nothing where
    the filter has more than one dimension beside the replay set.
    """
    if paired_away(view):
        return []
    crossing = view.opened.cube.crossing(view.stage, view.step, ((), view.where))
    release, rows = view.release, []
    for name in crossing.cutoffs if crossing.segments else ():
        table, _, action = name.rpartition(".")
        other = f"{release.candidate.thresholds}.{action}"
        if table == release.baseline.thresholds and other in crossing.cutoffs and crossing.n[0].sum():
            place = crossing.cutoffs.index(name), crossing.cutoffs.index(other)
            rows.append(_explained(crossing, *place, _widened(view.cells())))
    return rows


def _widened(cells: Cells) -> float:
    """Return by how much clustering widens the variance of the share of events with another action; at least 1."""
    joint, shards = (tally.joint[0][..., EVERYONE] for tally in (cells.whole, cells.shards))
    apart = ~np.eye(joint.shape[-1], dtype=bool)
    n, every = shards.sum((-2, -1)), joint.sum()
    share = ratio(joint[apart].sum(), every)
    left = ratio(joint[apart].sum() - shards[:, apart].sum(-1), every - n)
    se = intervals.jackknife(share, left, n > 0).se
    effect = float(intervals.design_effect(se, np.sqrt(ratio(share * (1 - share), every))))
    return max(1.0, effect) if np.isfinite(effect) else 1.0


def _explained(crossing: Crossing, cutoff: int, other: int, widened: float) -> Row:
    joint = crossing.joint[0, cutoff, other, ..., EVERYONE]
    n = crossing.n[0, cutoff, ..., EVERYONE]
    total, crossed = n.sum(), joint[BELOW, REACHED] + joint[REACHED, BELOW]
    at = int(drift.equal_alert_rate(n.sum(0), ratio(n[REACHED].sum(), total)).bin)
    left = n[REACHED, :at].sum() + n[BELOW, at:].sum()
    low, high = decisions.wilson(left / widened, total / widened, CONFIDENCE)
    return {
        "cutoff": crossing.cutoffs[cutoff],
        "other": crossing.cutoffs[other],
        "swap_in": int(joint[BELOW, REACHED]),
        "swap_out": int(joint[REACHED, BELOW]),
        "crossed": known(float(ratio(crossed, total))),
        "reranked": known(float(ratio(left, total))),
        "reranked_low": known(float(low)),
        "reranked_high": known(float(high)),
        "shift": known(float(ratio(crossed - left, total))),
        "shift_share": known(float(ratio(max(crossed - left, 0.0), crossed))),
        "kappa": known(float(agreement.kappa(joint))),
        "n": int(total),
    }


def paired_away(view: View) -> bool:
    """Return whether the filter has too many dimensions for both scores of single events to be known together."""
    return len(set(dict(view.where)) - {REPLAY_SET}) > 1


def explained_words(view: View, rows: list[Row]) -> str:
    """Return in a sentence whether the versions disagree because scores shifted or because they rank differently."""
    if paired_away(view):
        return "Of two dimensions together each version's scores are kept apart, so shift and re-ranking cannot be told apart."
    row = next((row for row in rows if row["cutoff"] == first_cutoff(view, "baseline")), None)
    if row is None or row["crossed"] is None:
        return "No pair of cutoffs is registered, so shift and re-ranking cannot be told apart."
    if not row["crossed"]:
        return "No event crosses the cutoff."
    return (
        f"{digits.percent(row['crossed'])} of events change sides at {row['cutoff']}; with a cutoff that keeps today's alert "
        f"rate {digits.percent(row['reranked'])} still would: that is re-ranking, and "
        f"{digits.percent(row['shift_share'])} of the change is shift."
    )


def context(view: View, cells: Cells) -> list[Row]:
    """Return AUC beside the crossing, and how far the versions agree: the same AUC can hide a large swap."""
    rows = paired_rows(view.rows(["auc", "disagreement_rate"]))
    named = {row["metric"]: row for row in rows}
    found = []
    if (auc := named.get("auc")) and auc.get("difference") is not None:
        found.append(
            {
                "measure": "AUC, candidate less baseline",
                "value": digits.signed(auc["difference"]),
                "interval": digits.interval(auc["low"], auc["high"], "number"),
                "meaning": f"{digits.number(auc['baseline'])} to {digits.number(auc['candidate'])}: how well each ranks.",
            }
        )
    if (apart := named.get("disagreement_rate")) and apart.get("difference") is not None:
        found.append(
            {
                "measure": "Crossing: events with another action",
                "value": digits.percent(apart["difference"]),
                "interval": digits.interval(apart["low"], apart["high"], of_difference=False),
                "meaning": "Can be large although AUC does not move.",
            }
        )
    if cells.segments:
        joint = cells.whole.joint[0][..., EVERYONE]
        found.append(_measure("Kappa of the actions", agreement.kappa(joint), "agreement beyond chance; 1 is full"))
    table = _map(view)
    if not isinstance(table, str):
        words = "rank correlation of both scores, from 1/4 log-odds bins (or groups of points); 1 is the same order"
        found.append(_measure("Spearman correlation of the scores", agreement.spearman(table.n), words))
    return found


def _measure(name: str, value: Array, meaning: str) -> Row:
    return {"measure": name, "value": digits.number(known(float(value))), "interval": "", "meaning": meaning}


def action_mix(view: View, cells: Cells) -> Chart:
    """Return the mix of actions of both versions."""
    if not cells.segments:
        return mix([], view.caption(0))
    counts = cells.whole.actions[0, ..., EVERYONE]
    shares = ratio(counts, counts.sum(-1, keepdims=True))
    rows = [
        {"action": action, "baseline": known(shares[0, k]), "candidate": known(shares[1, k])}
        for k, action in enumerate(cells.actions)
        if counts[:, k].any()
    ]
    return mix(rows, view.caption(counts[1].sum(), table="pair"))


def _map(view: View) -> ScoreMap | str:
    """Return the joint table of both scores, or why there is none."""
    try:
        return view.opened.cube.map(view.stage, view.step, view.where)
    except Unanswerable as error:
        return str(error)


def map_chart(view: View) -> Chart:
    """Return the map of both scores of the same events, on at most 32 bins each way.

    Raises:
        Unanswerable: the filter has more than one dimension beside the replay set.
    """
    found = view.opened.cube.map(view.stage, view.step, view.where)
    width = 1
    while len(np.unique((found.grid.ids - 1) // width)) > MOST_MAP_BINS:
        width *= 2
    group = (found.grid.ids - 1) // width
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    edges = shown_scores(view.release, np.append(found.grid.lower[starts], 1.0))
    sums = {
        name: np.add.reduceat(np.add.reduceat(array, starts, axis=0), starts, axis=1)
        for name, array in (("n", found.n), ("y", found.positive), ("q", found.negative), ("amount", found.amount))
    }
    falling = edges[0] > edges[-1]
    last = len(starts) - 1
    cells = [
        {
            "row": last - int(i) if falling else int(i),
            "column": last - int(j) if falling else int(j),
            "n": int(sums["n"][i, j]),
            "bad": known(float(ratio(sums["y"][i, j], sums["y"][i, j] + sums["q"][i, j]))),
            "amount": float(sums["amount"][i, j]),
        }
        for i, j in zip(*np.nonzero(sums["n"]), strict=True)
    ]
    caption = view.caption(found.n.sum(), table="joint")
    return score_map(cells, sorted(edges), cutoff_marks(view.release), caption, score=axis(view.release))
