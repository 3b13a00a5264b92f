"""A choice of method and windows in, what recalibration would change out: fitted on one window, judged on another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import expit, logit

from release_core.charts import digits
from release_core.charts.reliability import recalibrated
from release_core.errors import NotFound, Problem
from release_core.memory import of_cube
from release_core.release import VERSIONS
from release_core.stats import corp, intervals, logistic
from release_core.stats import recalibration as stats
from release_core.stats.arrays import ratio
from release_core.views.reliability import band_rows, steps
from release_core.views.view import known, version_ids
from release_core.views.windows import EXCESS, KNOWN, binned, split_of, sums_of, windows, within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells
    from release_core.stats.recalibration import Fit, Map
    from release_core.views.view import View
    from release_core.views.windows import Bins, Windows

    Row = dict[str, Any]

TITLES = {
    "intercept": "Intercept only",
    "platt": "Platt (slope and intercept)",
    "beta": "Beta (two slopes)",
    "isotonic": "Isotonic",
}
# The histogram strip has so many bars per unit of log-odds.
STRIP = 4
BAND_PER_UNIT = 8
ENOUGH_LABELS = 0.95
LOSSES = {"log_loss": corp.log_loss_of, "brier": corp.brier_of}


@dataclass(frozen=True, slots=True)
class Recalibration:
    """What the page shows of one method on two windows; `methods` has one row per method, judged on the same events."""

    headline: str
    warnings: list[str]
    chart: Chart
    methods: list[Row]
    plateaus: list[Row]
    windows: Windows
    fitted: Fit
    fit_n: int
    fit_positives: int


def recalibration(view: View, dim: str, fit: str, judge: str, method: str) -> Recalibration:
    """Return what a method would change, for the candidate's score.

    Raises:
        NotFound: the windows or the method are not offered.
        Unanswerable: the filter has more dimensions than windows can be taken of.
    """
    if method not in TITLES:
        raise NotFound(Problem("method", repr(method), f"one of {', '.join(TITLES)}", "Choose one of them."))
    tried = _tried(view, dim, fit, judge)
    mine = tried.fits[method]
    plateaus = _plateaus(tried.judging, mine.map)
    return Recalibration(
        _headline(tried.windows, next(row for row in tried.rows if row["method"] == method)),
        _warnings(tried, plateaus),
        _chart(view, tried, mine),
        tried.rows,
        plateaus,
        tried.windows,
        mine,
        int(sum(tried.fitting.seen)),
        int(tried.fitting.seen[0]),
    )


class Tried(NamedTuple):
    """All methods on the same two windows."""

    windows: Windows
    fitting: Bins
    judging: Bins
    fits: dict[str, Fit]
    rows: list[Row]


@of_cube(32)
def _tried(view: View, dim: str, fit: str, judge: str) -> Tried:
    """Return every method on a choice of windows; another method on the same windows is answered from memory."""
    chosen = windows(view, dim, fit, judge)
    fitting, judging = (binned(view, dim, names) for names in (chosen.fit, chosen.judge))
    found = {name: stats.fit(name, fitting.positive, fitting.n, fitting.x, fitting.seen) for name in TITLES}
    window = _window(within(view, dim, chosen.judge), judging)
    rows = [_judged(window, name, found[name]) for name in TITLES]
    _tell_slopes(window, found, rows)
    return Tried(chosen, fitting, judging, found, rows)


class _Labels(NamedTuple):
    """Positives, events and scores [..., bin], 0.5 where there is no event, and by loss what the scores lose in each bin."""

    positive: Array
    n: Array
    score: Array
    lost: dict[str, Array]

    def change(self, after: Array, name: str) -> Array:
        """Return by how much other probabilities change the summed loss of each bin."""
        moved: Array = LOSSES[name](self.positive, self.n, after) - self.lost[name]
        return moved


class _Window(NamedTuple):
    """The window that judges: its bins, its labels, and those by shard, if known."""

    bins: Bins
    labels: _Labels
    shards: _Labels | None
    clustered: bool


def _window(cells: Cells, bins: Bins) -> _Window:
    """Return the window that judges."""
    labels = _labels(bins.positive, bins.n, bins.x)
    if not cells.shards.binned:
        return _Window(bins, labels, None, cells.clustered)
    names = ("positive", "negative", *EXCESS, "labelled_logit")
    found = sums_of(cells.shards, weighted=cells.weighted, names=names)
    positive, negative, more, less, logits = (found[name][0] for name in names)
    n = positive + negative
    shards = _labels(positive + more, n + more + less, ratio(logits, n))
    return _Window(bins, labels, shards, cells.clustered)


def _labels(positive: Array, n: Array, x: Array) -> _Labels:
    score = np.where(n > 0, expit(x), 0.5)
    return _Labels(positive, n, score, {name: loss(positive, n, score) for name, loss in LOSSES.items()})


def _judged(window: _Window, method: str, fit: Fit) -> Row:
    """Return how one method does on the judging windows; nothing but the reason where it has no map."""
    bins, labels = window.bins, window.labels
    row: Row = {"method": method, "title": TITLES[method], "reason": fit.reason, "fitted": "", "n": int(sum(bins.seen))}
    row["positives"] = int(bins.seen[0])
    if fit.map is None or not 0 < row["positives"] < row["n"]:
        row["reason"] = row["reason"] or "the window that judges has labels of one class only"
        return row
    after, total = fit.map(labels.score), bins.n.sum()
    by_shard = None if window.shards is None else fit.map(window.shards.score)
    row["fitted"] = told(fit.map)
    for name, loss in LOSSES.items():
        old, new = float(labels.lost[name].sum() / total), float(loss(bins.positive, bins.n, after).sum() / total)
        low, high, row["how"] = _interval(window, (after, by_shard), name)
        row |= {f"{name}_before": old, name: new, f"{name}_change": new - old, f"{name}_low": low, f"{name}_high": high}
    row["oe_before"], row["oe"] = (float(bins.positive.sum() / (bins.n * p).sum()) for p in (labels.score, after))
    return row


def _tell_slopes(window: _Window, fits: dict[str, Fit], rows: list[Row]) -> None:
    """Add the slopes of the scores as they are, and after each map that was judged: a straight one divides them."""
    bins, judged = (
        window.bins,
        [(row, found) for row in rows if not row["reason"] and (found := fits[row["method"]].map)],
    )
    bent = {found.method: logit(found(window.labels.score)) for _, found in judged if found.slope is None}
    slopes = logistic.cox(bins.positive, bins.n, np.array([bins.x, *bent.values()])).slope.tolist()
    after = dict(zip(bent, slopes[1:], strict=True))
    for row, found in judged:
        row["slope_before"] = known(slopes[0])
        row["slope"] = known(after[found.method] if found.slope is None else slopes[0] / found.slope)


def _interval(window: _Window, mapped: tuple[Array, Array | None], name: str) -> tuple[float | None, float | None, str]:
    """Return the 95% interval of the change in loss per event: jackknife over entity shards, else over single events.

    `mapped` is what a map makes of the scores of the window, and of those by shard.
    """
    (after, by_shard), bins = mapped, window.bins
    full = float(window.labels.change(after, name).sum() / bins.n.sum())
    spread, how = _by_shard(window, by_shard, name, full)
    if not np.isfinite(spread.se) and bins.weighed:
        return None, None, "none: weighed labels in too few shards"
    if not np.isfinite(spread.se):
        used = bins.n > 0
        positive, n, one = bins.positive[used], bins.n[used], np.ones(int(used.sum()))
        if_bad, if_good = (_labels(hit, one, bins.x[used]).change(after[used], name) for hit in (one, 0 * one))
        squares = (positive * if_bad**2 + (n - positive) * if_good**2).sum() / n.sum()
        spread = intervals.Spread(np.sqrt(max(squares - full**2, 0.0) / bins.n.sum()), np.array(np.inf))
        how = "single events (assumes that they are independent)"
    low, high = intervals.interval(full, spread.se, spread.df)
    return known(float(low)), known(float(high)), how


def _by_shard(window: _Window, after: Array | None, name: str, full: float) -> tuple[intervals.Spread, str]:
    """Return the jackknife's spread over the judging windows; NaN where shards have no bins."""
    if window.shards is None or after is None:
        return intervals.Spread(np.array(np.nan), np.array(np.nan)), ""
    moved, events = window.shards.change(after, name).sum(axis=-1), window.shards.n.sum(axis=-1)
    left = ratio(moved.sum() - moved, events.sum() - events)
    how = "shard jackknife, t" + ("" if window.clustered else " (assumes independent events)")
    return intervals.jackknife(full, left, events > 0), how


def told(found: Map) -> str:
    """Return a map's parameters in words."""
    if found.knots:
        return f"{len(found.knots)} knots, {len(stats.plateaus(found))} plateaus"
    return ", ".join(f"{name} = {digits.number(value)}" for name, value in found.parameters)


def _headline(chosen: Windows, row: Row) -> str:
    where = f"fitted on {_span(chosen.fit)}, judged on {_span(chosen.judge)}"
    if row["reason"]:
        return f"{row['title']}, {where}: no map, because {row['reason']}."
    low, high = row["log_loss_low"], row["log_loss_high"]
    sure = "lowers" if high is not None and high < 0 else "raises" if low is not None and low > 0 else None
    change = f"from {digits.number(row['log_loss_before'], 4)} to {digits.number(row['log_loss'], 4)}"
    said = f"{sure} log loss {change}" if sure else f"changes log loss {change}, which is no sure gain"
    ends = f"{digits.signed(row['log_loss_change'])} {digits.interval(low, high, 'number')}"
    return f"{row['title']}, {where}, {said} ({ends}); observed / expected goes from {row['oe_before']:.2f} to {row['oe']:.2f}."


def _span(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _warnings(tried: Tried, plateaus: list[Row]) -> list[str]:
    """Return sentences on labels that are missing and on scores that become ties."""
    found = []
    for word, names, bins in (
        ("fits", tried.windows.fit, tried.fitting),
        ("judges", tried.windows.judge, tried.judging),
    ):
        share = float(sum(bins.seen) / bins.events.sum()) if bins.events.sum() else 0.0
        if bins.weighed:
            found.append(
                f"Outcomes of {_span(names)}, which {word}, were seen by chance: labels count by their inverse propensity, so "
                "that they speak for all events."
            )
        elif share < ENOUGH_LABELS and tried.windows.dim != KNOWN:
            found.append(
                f"Only {digits.percent(share)} of the events of {_span(names)}, which {word}, have a mature label: the map "
                "speaks for events like those."
            )
    if plateaus:
        most = plateaus[0]
        found.append(
            f"This map makes {len(plateaus)} ranges of scores equal. The largest holds {digits.percent(most['share'])} of the "
            f"events, which all get {digits.percent(most['probability'])}: no cutoff can part them any more."
        )
    return found


def _plateaus(bins: Bins, found: Map | None) -> list[Row]:
    """Return the ranges of scores that become equal, the one with most events first."""
    flats = stats.plateaus(found) if found else []
    used = bins.events > 0
    sums, score = np.cumsum([0, *bins.events[used]]), expit(bins.x[used])
    first = np.searchsorted(score, [flat.low for flat in flats])
    behind = np.searchsorted(score, [flat.high for flat in flats], side="right")
    rows = [
        {"low": flat.low, "high": flat.high, "probability": flat.probability, "n": int(n), "share": float(n / sums[-1])}
        for flat, n, many in zip(flats, sums[behind] - sums[first], behind - first, strict=True)
        if many > 1
    ]
    return sorted(rows, key=lambda row: -row["n"])


def _chart(view: View, tried: Tried, fit: Fit) -> Chart:
    bins, chosen = tried.judging, tried.windows
    n, used = float(bins.n.sum()), bins.n > 0
    version = version_ids(view.release)[1]
    told = f"n = {digits.count(sum(bins.seen))} of {_span(chosen.judge)} · as of {view.as_of} · {version}"
    told += f" before and after a map fitted on {_span(chosen.fit)} · {view.place}"
    caption = replace(view.caption(n), evidence=told, sql=view.sql("score", *split_of(chosen.dim)))
    if fit.map is None or not 0 < bins.positive.sum() < n:
        why = fit.reason or "the window that judges has labels of one class only"
        return recalibrated({}, [], [], caption, why=f"There is no map to show: {why}.")
    positive, events, before = bins.positive[used], bins.n[used], expit(bins.x[used])
    # Scores that have become equal are one score.
    after, place = np.unique(fit.map(before), return_inverse=True)
    pooled, of = np.bincount(place, events), np.bincount(place, positive)
    group = np.floor(BAND_PER_UNIT * logit(after)).astype(np.int64)
    curves = {VERSIONS[0]: steps(positive, events, before), VERSIONS[1]: steps(of, pooled, after)}
    return recalibrated(curves, band_rows(pooled, after, group), _strip(bins, fit.map), caption)


def _strip(bins: Bins, found: Map) -> list[Row]:
    """Return where all events are before and after, in shares per 1/4 of log-odds."""
    used = bins.events > 0
    weight, before = bins.events[used], bins.x[used]
    places = [np.floor(STRIP * x).astype(np.int64) for x in (before, logit(found(expit(before))))]
    first, last = min(p.min() for p in places), max(p.max() for p in places)
    shares = [np.bincount(p - first, weight, last - first + 1) / weight.sum() for p in places]
    edges = expit(np.arange(first, last + 2) / STRIP)
    return [
        {
            "low": float(edges[k]),
            "high": float(edges[k + 1]),
            VERSIONS[0]: float(shares[0][k]),
            VERSIONS[1]: float(shares[1][k]),
        }
        for k in range(last - first + 1)
    ]
