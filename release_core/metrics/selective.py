"""Cells of which some outcomes cannot be seen in; weighted cells, and the least and greatest value of a metric, out.

An outcome that an action hides is unknown, not good. Where the chance of seeing it is logged, what is seen weighs 1 / chance
(Hajek's ratio). For events that nothing stands for, every number has a range: its values over all outcomes that these
events could have had.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from release_core.frames import EVERYONE, NEGATIVE, POSITIVE, Tally, later
from release_core.metrics import values as v
from release_core.stats import selection
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array, Cells
    from release_core.metrics.table import Metric

    Range = tuple[Array, Array]

# Amounts are not kept with weights, and how much money hides in what is not seen has no bound.
MONEY = "money"
AMOUNTS = "amount_recall"
COUNTS = {POSITIVE: "positive", NEGATIVE: "negative"}


def concerns(metric: Metric, cells: Cells) -> bool:
    """Return whether outcomes that cannot be seen bear on the metric in some segment."""
    return bool(metric.labels and metric.unit != MONEY and cells.unseen and unseen(metric, cells.whole).any())


def unseen(metric: Metric, tally: Tally) -> Array:
    """Return [...]: the events whose outcome cannot be seen and that no logged propensity stands for, of both versions."""
    counts: Array = (tally.joint_unseen_amounts if metric.name == AMOUNTS else tally.joint_unseen).sum((-2, -1))
    return counts


def weighs(metric: Metric, cells: Cells) -> bool:
    """Return whether logged propensities can weigh the metric: not amounts, and not sums over bins where there are none.

    The arms of a live stage are compared by such sums without bins: only what is read from bins can be weighed there.
    """
    return bool(
        metric.labels
        and cells.weighted
        and metric.name != AMOUNTS
        and metric.unit != MONEY
        and (metric.rate or (cells.shards.binned and (metric.bins or cells.arms is None)))
    )


def weighed(cells: Cells, kind: str = "weights") -> Cells:
    """Return the cells in which every labelled event counts 1 / its chance of being labelled.

    `kind` "capped" takes weights capped at 20: for shares of actions only.
    """
    return cells.once(("weighed", kind), lambda: _reweighed(cells, kind))


def _reweighed(cells: Cells, kind: str) -> Cells:
    return replace(
        cells,
        whole=_weighed(cells.whole, kind),
        shards=_weighed(cells.shards, kind),
        overall=None,
        arms=later(cells.arms, lambda arms: arms.map(lambda tally: _weighed(tally, kind))),
    )


def effective(tally: Tally) -> Range:
    """Return [...]: how many equally weighted labelled events, and positives, say as much; of the version that has fewer."""
    sums, squares = (_labels(a) for a in (tally.action_weights, tally.action_weights2))
    every = ratio(sums.sum(-1) ** 2, squares.sum(-1)).min(-1)
    positive = ratio(sums[..., 0] ** 2, squares[..., 0]).min(-1)
    return np.nan_to_num(every), np.nan_to_num(positive)


def _labels(by_action: Array) -> Array:
    """Return the sums over actions, [..., version, class]: positive, negative."""
    summed: Array = by_action.sum(-2)
    return summed[..., [POSITIVE, NEGATIVE]]


def _weighed(tally: Tally, kind: str) -> Tally:
    def fetch(name: str) -> Array:
        if name in {"joint", "actions"}:
            weights = getattr(tally, f"{'joint' if name == 'joint' else 'action'}_{kind}").copy()
            weights[..., EVERYONE] = getattr(tally, name)[..., EVERYONE]
            return weights
        found = _sums(tally, name)
        return getattr(tally, name) if found is None else found

    return Tally(lambda: tally.grid, fetch, binned=tally.binned)


def _sums(tally: Tally, name: str) -> Array | None:
    """Return a weighted sum over labelled events by its name, or None where the name is of something else."""
    if name in {"positives", "negatives"}:
        weight: Array = tally.action_weights.sum(-2)[..., POSITIVE if name == "positives" else NEGATIVE]
        return weight
    if name not in {"positive", "negative", *BINNED}:
        return None
    positive, negative = (getattr(tally, one) + getattr(tally, f"{one}_excess") for one in COUNTS.values())
    if name in COUNTS.values():
        return positive if name == "positive" else negative
    mean = np.nan_to_num(ratio(tally.labelled_logit, tally.positive + tally.negative))
    return BINNED[name](positive, negative, mean)


# Sums over bins, from the weights of both classes and the mean log-odds of each bin's labelled events.
BINNED: dict[str, Callable[[Array, Array, Array], Array]] = {
    "labelled_logit": lambda y, x, m: (y + x) * m,
    "labelled_scores": lambda y, x, m: ((y + x) * expit(m)).sum(-1),
    "positive_scores": lambda y, _, m: (y * expit(m)).sum(-1),
    "squared": lambda y, x, m: ((y + x) * expit(m) ** 2).sum(-1),
    "loss": lambda y, x, m: (y * np.logaddexp(0, -m) + x * np.logaddexp(0, m)).sum(-1),
}


def extremes(metric: Metric, cells: Cells) -> Range:
    """Return the least and the greatest value [segment, side] over all outcomes that unseen events could have had.

    Sides are baseline, candidate, difference. Shares of actions, precision and the bad amount caught are exact (the
    extremes lie where whole groups of events are all good or all bad); the base rate, observed / expected and the
    Brier score too; the AUC's range is safe, not sharp. For any other metric nothing is known: all numbers are possible.
    """
    tally = cells.whole
    hidden = unseen(metric, tally)
    value = metric.of(tally)
    if metric.rate or metric.name.startswith("precision") or metric.name == AMOUNTS:
        low, high = _by_action(metric, cells)
    elif metric.name in SUMMED:
        low, high = SUMMED[metric.name](tally, hidden)
    else:
        low, high = (np.full((*value.shape[:-1], 3), end) for end in (-np.inf, np.inf))
    exact = np.concatenate([value, value[..., 1:] - value[..., :1]], axis=-1)
    calm = (hidden == 0)[..., None]
    return np.where(calm, exact, low), np.where(calm, exact, high)


def _by_action(metric: Metric, cells: Cells) -> Range:
    """Return the range of a share of actions: of a class (recall, false-positive rate), or of what was acted on (precision)."""
    chosen = np.isin(np.arange(len(cells.actions)), _actions(metric, cells))
    bounds = selection.of_acted if metric.name.startswith("precision") else selection.of_class
    mine = metric.rate[1] if metric.rate else POSITIVE
    others = NEGATIVE if mine == POSITIVE else POSITIVE
    if cells.paired:
        seen, hidden, acted = _jointly(cells.whole, chosen, "_amounts" if metric.name == AMOUNTS else "")
        return bounds(seen[..., mine], seen[..., others], hidden, acted)
    # Each arm has events of its own: [segment, version, group]; their difference takes both at their ends.
    seen, hidden = _by_arm(cells.whole, chosen, "_amounts" if metric.name == AMOUNTS else "")
    low, high = (end[..., 0] for end in bounds(seen[..., mine], seen[..., others], hidden, [[1, 0]]))
    return (
        np.concatenate([low, low[..., 1:] - high[..., :1]], axis=-1),
        np.concatenate([high, high[..., 1:] - low[..., :1]], axis=-1),
    )


def _jointly(tally: Tally, chosen: Array, of: str) -> tuple[Array, Array, Array]:
    """Return what is seen [..., group, population] and hidden [..., group], and who acts [version, group].

    The four groups: whether the baseline, and whether the candidate, takes a chosen action.
    """
    seen, hidden = getattr(tally, f"joint{of}"), getattr(tally, f"joint_unseen{of}")
    groups = list(product((chosen, ~chosen), repeat=2))
    labelled = [seen[..., old, :, :][..., new, :].sum((-3, -2)) for old, new in groups]
    free = [hidden[..., old, :][..., new].sum((-2, -1)) for old, new in groups]
    return np.stack(labelled, axis=-2), np.stack(free, axis=-1), np.array([[1, 1, 0, 0], [1, 0, 1, 0]])


def _by_arm(tally: Tally, chosen: Array, of: str) -> tuple[Array, Array]:
    """Return what is seen [..., version, group, population] and hidden [..., version, group]: acted on, and not."""
    seen, hidden = tally.action_amounts if of else tally.actions, getattr(tally, f"unseen{of}")
    groups = (chosen, ~chosen)
    labelled = [seen[..., group, :].sum(-2) for group in groups]
    return np.stack(labelled, axis=-2), np.stack([hidden[..., group].sum(-1) for group in groups], axis=-1)


def _actions(metric: Metric, cells: Cells) -> tuple[int, ...]:
    if metric.rate:
        return metric.rate[0]
    return (cells.actions.index("block"),) if metric.name.endswith("_block") else tuple(range(1, len(cells.actions)))


def _ends(numerators: tuple[Array, Array], denominators: tuple[Array, Array]) -> Range:
    """Return the range of a number that is a ratio with everything good, and with everything bad, and of its difference."""
    ends = [ratio(n, d) for n, d in zip(numerators, denominators, strict=True)]
    ends = [np.concatenate([end, end[..., 1:] - end[..., :1]], axis=-1) for end in ends]
    return np.minimum(*ends), np.maximum(*ends)


def _base_rate(tally: Tally, hidden: Array) -> Range:
    more, all_of_them = hidden[..., None], v.labelled(tally) + hidden[..., None]
    return _ends((v.positives(tally), v.positives(tally) + more), (all_of_them, all_of_them))


def _oe_ratio(tally: Tally, hidden: Array) -> Range:
    scores = tally.labelled_scores + tally.unseen_scores
    return _ends((v.positives(tally), v.positives(tally) + hidden[..., None]), (scores, scores))


def _brier(tally: Tally, hidden: Array) -> Range:
    more = hidden[..., None]
    n, total = v.labelled(tally) + more, v.brier(tally) * v.labelled(tally)
    low, high = ratio(total, n), ratio(total + more, n)
    change = ratio(total[..., 1:] - total[..., :1], n[..., 1:])
    reach = ratio(more, n[..., 1:])
    return np.concatenate([low, change - reach], axis=-1), np.concatenate([high, change + reach], axis=-1)


def _auc(tally: Tally, hidden: Array) -> Range:
    return selection.auc_range(v.auc(tally), v.positives(tally), v.negatives(tally), hidden)


SUMMED = {"base_rate": _base_rate, "oe_ratio": _oe_ratio, "brier": _brier, "auc": _auc}
