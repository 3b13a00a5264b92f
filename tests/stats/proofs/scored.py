"""Proofs of what ranks, alerts and compares scored events: scikit-learn, scipy, and single events sorted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats as scipy_stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics

from tests.stats.proofs import UNDEFINED, Between, Proof
from tests.stats.proofs.data import BINS, CUT, EDGES, LOG_ODDS, SCORED, Events

TIED = np.ones(BINS, bool)
REFERENCE = np.bincount(np.clip(np.round(np.random.default_rng(3).normal(18, 8, 5000)), 0, 40).astype(int), None, BINS)
REFERENCE = REFERENCE.astype(float)
GROUP_EDGES = np.array([4, 11, 19, 26, 33])
TARGET = 0.25


def where(there: Any, value: Any) -> Any:
    """Return what `value` computes where the statistic is defined."""
    return value() if there else UNDEFINED


def both(d: Events, value: Any) -> Any:
    """Return what `value` computes where both classes are there."""
    return where(d.both, value)


def some(d: Events, value: Any) -> Any:
    """Return what `value` computes where there are events, all counts known."""
    return where(d.known and len(d.y), value)


def bad(d: Events, value: Any) -> Any:
    """Return what `value` computes where there are bad events, all counts known."""
    return where(d.known and d.y.any(), value)


# Two scores of the same events.


def other(d: Events) -> Any:
    """Return a second score's places: some events up by one or two."""
    return np.minimum(d.place + np.arange(len(d.place)) % 3, BINS - 1)


def joint(d: Events, second: Any, size: int, which: Any = True) -> Any:
    """Return the weights of a joint table of two scores."""
    table = np.zeros((size, size))
    first = d.place if size == BINS else d.place >= CUT
    np.add.at(table, (first.astype(int), second.astype(int)), d.w * which)
    if d.hole is not None:
        table[0, 0] = np.nan
    return table


def _kappa(d: Events) -> Any:
    first, second = d.place >= CUT, other(d) >= CUT
    if not d.known or not len(first) or len(set(first) | set(second)) == 1:
        return UNDEFINED
    return metrics.cohen_kappa_score(first, second, sample_weight=d.w)


def _spearman(d: Events) -> Any:
    rows = d.rows
    again = np.repeat(other(d), np.ones(len(d.w), int) if (d.w == 1).all() else (4 * d.w).astype(int))
    if not d.known or len(set(rows.place)) < 2:
        return UNDEFINED
    return scipy_stats.spearmanr(rows.place, again).statistic


# Curves and areas.


def _order(d: Events, first: bool, alone: bool) -> Any:
    """Return scores that order every bin by class: bad events highest if `first`; each event `alone`, or tied with its like."""
    rows = d.rows
    within = np.where(rows.y == first, 0.5, 0.0)
    return rows, rows.place + within + (1e-6 * np.arange(len(rows.y)) if alone else 0.0)


def _precisions(d: Events) -> Any:
    # Worst: bad events below the good ones of their bin, each with a score of its own; best: above them, tied.
    (rows, best), (_, worst) = _order(d, True, False), _order(d, False, True)
    return tuple(metrics.average_precision_score(rows.y, one) for one in (worst, best))


def _random_order(d: Events) -> Any:
    """Return the average precision when the events of a bin come in random order, by scipy's hypergeometric mean, rank by rank."""
    total = 0.0
    for place in set(d.place[d.y]):
        here, above = d.place == place, d.place > place
        n, y, rank = here.sum(), (here & d.y).sum(), np.arange(1, here.sum() + 1)
        others = scipy_stats.hypergeom.mean(n - 1, y - 1, rank - 1) if n > 1 else 0.0
        total += (y / n * ((above & d.y).sum() + 1 + others) / (above.sum() + rank)).sum()
    return total / d.y.sum()


def _reach(d: Events) -> Any:
    rows = d.rows
    area = [metrics.roc_auc_score(rows.y, _order(d, first, False)[1]) for first in (False, True)]
    return (area[1] - area[0]) / 2


def _separation(d: Events) -> Any:
    return scipy_stats.ks_2samp(d.rows.place[d.rows.y], d.rows.place[~d.rows.y], method="asymp").statistic


def _separations(d: Events) -> Any:
    rows = d.rows
    orders = [_order(d, first, False)[1] for first in (True, False)]
    sorted_ways = [scipy_stats.ks_2samp(s[rows.y], s[~rows.y], method="asymp").statistic for s in orders]
    return _separation(d), Between(max(sorted_ways), 1.0)


def _curve(d: Events, roc: bool) -> Any:
    _, fp, fn, tp = d.confusions.T
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = tp / (tp + fn)
        return (fp / fp[0], recall) if roc else (recall, tp / (tp + fp))


def _placements(d: Events, place: Any) -> tuple[Any, Any]:
    """Return DeLong's placements by mid-ranks (Sun and Xu 2014): of bad events among good ones, and the reverse."""
    y = d.rows.y
    ranks, own = scipy_stats.rankdata(place), np.empty(len(y))
    for mask in (y, ~y):
        own[mask] = scipy_stats.rankdata(place[mask])
    return (ranks - own)[y] / (~y).sum(), 1 - (ranks - own)[~y] / y.sum()


def _covariance(d: Events) -> Any:
    sides = [_placements(d.rows, place) for place in (d.rows.place, other(d.rows))]
    total = 0
    for k in range(2):
        total = total + np.cov([side[k] for side in sides]) / len(sides[0][k])
    return total


def two(d: Events) -> bool:
    """Return whether there are two events of each class, all counts known."""
    return d.known and min(d.y.sum(), (~d.y).sum()) >= 2


def _tables(d: Events) -> Any:
    rows = d.rows
    pair = [joint(rows, other(rows), BINS, which) for which in (rows.y, ~rows.y)]
    return np.array(pair)


def _covariance_of(f: Any, d: Events) -> Any:
    return f(*_tables(d))


RANKING = (
    Proof("agreement.kappa", SCORED, lambda f, d: f(joint(d, other(d) >= CUT, 2)), _kappa),
    Proof("agreement.spearman", SCORED, lambda f, d: f(joint(d, other(d), BINS)), _spearman),
    Proof("average_precision.average_precision", SCORED, lambda f, d: (f(d.pos, d.neg, TIED), f(d.rows.pos, d.rows.neg)),
          lambda d: bad(d, lambda: (metrics.average_precision_score(d.y, d.score, sample_weight=d.w), _random_order(d.rows)))),
    Proof("average_precision.average_precision_bracket", SCORED, lambda f, d: f(d.rows.pos, d.rows.neg),
          lambda d: bad(d, lambda: _precisions(d)), rel=1e-6),
    Proof("ranking.auc", SCORED, lambda f, d: f(d.pos, d.neg), lambda d: both(
        d, lambda: metrics.roc_auc_score(d.y, d.score, sample_weight=d.w))),
    Proof("ranking.auc_bracket", SCORED, lambda f, d: f(d.pos, d.neg), lambda d: both(d, lambda: _reach(d))),
    Proof("ranking.ks_separation", SCORED, lambda f, d: f(d.pos, d.neg), lambda d: both(d, lambda: _separation(d))),
    Proof("ranking.ks_bracket", SCORED, lambda f, d: f(d.pos, d.neg), lambda d: both(d, lambda: _separations(d))),
    Proof("ranking.sweep", SCORED, lambda f, d: f(d.pos, d.neg), lambda d: tuple(d.confusions.T[[3, 1, 2, 0]])),
    Proof("ranking.roc_curve", SCORED, lambda f, d: f(d.pos, d.neg), lambda d: _curve(d, True)),
    Proof("ranking.precision_recall_curve", SCORED, lambda f, d: f(d.pos, d.neg), lambda d: _curve(d, False)),
    Proof("ranking.delong_variance", SCORED, lambda f, d: f(d.rows.pos, d.rows.neg), lambda d: where(
        two(d), lambda: sum(v.var(ddof=1) / len(v) for v in _placements(d.rows, d.rows.place)))),
    Proof("ranking.delong_covariance", SCORED, _covariance_of, lambda d: where(two(d), lambda: _covariance(d))),
    Proof("ranking.difference_se", SCORED, lambda f, d: f(_covariance(d) if two(d) else np.full((2, 2), np.nan)),
          lambda d: where(two(d), lambda: np.sqrt(np.array([-1, 1]) @ _covariance(d) @ [-1, 1])), near=1e-9),
)  # fmt: skip


# Rates at a cutoff, and cutoffs that keep them.


def _at(d: Events, which: str) -> Any:
    alert = d.place >= CUT
    top = {"precision": alert & d.y, "recall": alert & d.y, "fpr": alert & ~d.y, "share": alert}[which]
    bottom = {"precision": alert, "recall": d.y, "fpr": ~d.y, "share": np.ones(len(d.y), bool)}[which]
    if not d.known or not bottom.any():
        return UNDEFINED
    score = metrics.precision_score if which == "precision" else metrics.recall_score
    if which in {"precision", "recall"}:
        return score(d.y, alert, sample_weight=d.w)
    return np.average(top[bottom], weights=d.w[bottom])


def _four(d: Events) -> dict[str, tuple[Any, Any]]:
    tp, fp, fn, tn = d.pos[CUT:].sum(), d.neg[CUT:].sum(), d.pos[:CUT].sum(), d.neg[:CUT].sum()
    return {"precision": (tp, fp), "recall": (tp, fn), "fpr": (fp, tn), "share": (tp + fp, tp + fp + fn + tn)}


def _precise(d: Events) -> Any:
    """Return the lowest edge that is precise enough, its precision, and how often the precision changes sides."""
    if not len(d.y) or not d.known:
        return -1, np.nan, 0
    alerts = [d.place >= edge for edge in EDGES]
    with np.errstate(invalid="ignore"):
        found = [np.average(d.y[a], weights=d.w[a]) if a.any() else np.nan for a in alerts]
    fits = [not np.isnan(p) and p >= TARGET - 1e-12 for p in found]
    edge = fits.index(True) if any(fits) else BINS
    there = [fit for fit, a in zip(fits, alerts, strict=True) if a.any()]
    return edge, found[edge], int(np.abs(np.diff(np.array(there, int))).sum())


def _bounded(d: Events) -> Any:
    """Return the highest edge below which no more than a quarter of the bad events lies, and what does."""
    if not d.known:
        return -1, np.nan
    missed = [d.w[d.y & (d.place < edge)].sum() for edge in EDGES]
    edge = max(edge for edge in EDGES if missed[edge] <= TARGET * d.w[d.y].sum() + 1e-12)
    return edge, missed[edge]


def _told_alike(d: Events) -> Any:
    """Return the first and the last edge at which bad events below and good ones above differ by no more than 1.96 errors."""
    n = d.w.sum()
    if not d.known or n < 2:
        return -1, -1
    counts = [(d.w[d.y & (d.place < edge)].sum(), d.w[~d.y & (d.place >= edge)].sum()) for edge in EDGES]
    apart = [abs(lost - gained) for lost, gained in counts]
    errors = [np.sqrt(n / (n - 1) * (lost + gained - (lost - gained) ** 2 / n)) for lost, gained in counts]
    fits = [e for e in EDGES if apart[e] <= 1.96 * errors[e] or apart[e] == min(apart)]
    return fits[0], fits[-1]


def _same_rate(d: Events) -> Any:
    if not len(d.y) or not d.known:
        return -1, -1, np.nan
    alerts = [d.w[d.place >= edge].sum() for edge in EDGES]
    edge = next(edge for edge in EDGES if alerts[edge] <= TARGET * d.w.sum() + 1e-9)
    return edge, max(e for e in EDGES if alerts[e] == alerts[edge]), alerts[edge] / d.w.sum()


def _recall(d: Events) -> Any:
    _, _, fn, tp = d.confusions.T
    return tp / (tp + fn)


CUTOFFS = (
    *(
        Proof(f"decisions.{name}", SCORED, lambda f, d, name=name: f(*_four(d)[name]), lambda d, name=name: _at(d, name))
        for name in ("precision", "recall", "fpr", "share")
    ),
    Proof("transfer.equal_precision", SCORED, lambda f, d: f(d.pos, d.neg, TARGET), _precise),
    Proof("transfer.equal_loss", SCORED, lambda f, d: f(d.pos, TARGET * d.pos.sum()), _bounded),
    Proof("transfer.equal_loss_ends", SCORED, lambda f, d: f([d.pos, d.pos], [d.neg, d.neg], d.w.sum(), 1.96), _told_alike),
    Proof("drift.equal_alert_rate", SCORED, lambda f, d: f(d.n, TARGET), _same_rate),
    Proof("cutoffs.below_edges", SCORED, lambda f, d: f(d.pos), lambda d: d.confusions[:, 2]),
    Proof("cutoffs.value_recall", SCORED, lambda f, d: f(d.pos), lambda d: bad(d, lambda: _recall(d))),
)  # fmt: skip


# Distances of two distributions of scores.


def _distance(d: Events, of: Any) -> Any:
    return some(d, lambda: of(REFERENCE, np.bincount(d.place, d.w, BINS)))


def _psi(d: Events) -> Any:
    if not len(d.y) or not d.known:
        return UNDEFINED
    groups = np.searchsorted(GROUP_EDGES, np.arange(BINS), side="right")
    sums = [np.bincount(groups, side) for side in (REFERENCE, np.bincount(d.place, d.w, BINS))]
    shares = [(s + 0.5) / (s.sum() + 3) for s in sums]
    total = scipy_stats.entropy(*shares) + scipy_stats.entropy(*shares[::-1])
    # By chance alone the index is about a chi-squared with a degree of freedom less than groups, times 1 / n + 1 / m.
    unit = 1 / sums[0].sum() + 1 / sums[1].sum()
    return total, scipy_stats.chi2.mean(5) * unit, scipy_stats.chi2.ppf(0.95, 5) * unit, max(total - 5 * unit, 0.0)


def _index(f: Any, d: Events) -> Any:
    found = f(REFERENCE, d.n, GROUP_EDGES)
    return found.total, found.null_mean, found.null_high, found.net


def _groups(d: Events) -> Any:
    """Return the edges nearest to the tenths of the events, each once and none that parts nothing; BINS for the others."""
    if not len(d.y):
        return np.full(9, BINS)
    below = np.array([d.w[d.place < edge].sum() for edge in EDGES]) / d.w.sum()
    edges = [int(np.abs(below[1:] - q / 10).argmin()) + 1 for q in range(1, 10)]
    kept = sorted({edge for edge in edges if 0 < below[edge] < 1})
    return np.array(kept + [BINS] * (9 - len(kept)))


def _ks(old: Any, new: Any) -> Any:
    quarters = (4 * new).astype(int)
    rows = [np.repeat(np.arange(BINS), side) for side in (old.astype(int), quarters)]
    return scipy_stats.ks_2samp(*rows, method="asymp").statistic


DISTANCES = (
    Proof("drift.psi", SCORED, _index, _psi),
    Proof("drift.quantile_groups", SCORED, lambda f, d: f(d.n), lambda d: np.full(9, BINS) if not d.known else _groups(d)),
    Proof("drift.ks_drift", SCORED, lambda f, d: f(REFERENCE, d.n), lambda d: _distance(d, _ks)),
    Proof("drift.wasserstein", SCORED, lambda f, d: f(REFERENCE, d.n, LOG_ODDS), lambda d: _distance(
        d, lambda a, b: scipy_stats.wasserstein_distance(LOG_ODDS, LOG_ODDS, a, b))),
    Proof("drift.jensen_shannon", SCORED, lambda f, d: f(REFERENCE, d.n), lambda d: _distance(
        d, lambda a, b: jensenshannon(a, b, base=2)), rel=1e-7),
    Proof("drift.mass_near", SCORED, lambda f, d: f(d.n, LOG_ODDS, -5.2), lambda d: some(
        d, lambda: np.average(np.abs(LOG_ODDS[d.place] + 5.2) < 0.25, weights=d.w))),
    Proof("drift.quantile", SCORED, lambda f, d: f(d.n, 0.8), lambda d: np.quantile(
        d.rows.place, 0.8, method="inverted_cdf") if len(d.y) and d.known else -1),
    Proof("drift.density", SCORED, lambda f, d: f(d.n, CUT + 3), lambda d: where(
        d.known, lambda: d.w[(d.place >= CUT - 1) & (d.place < CUT + 7)].sum() / 8)),
)  # fmt: skip

PROOFS = (*RANKING, *CUTOFFS, *DISTANCES)
