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
ONE_CLASS = "the window that judges has labels of one class only"
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
    """All methods on the same two windows; `after` are the probabilities of the bins that judge, by method with a map."""

    windows: Windows
    fitting: Bins
    judging: Bins
    fits: dict[str, Fit]
    after: dict[str, Array]
    rows: list[Row]


@of_cube(32)
def _tried(view: View, dim: str, fit: str, judge: str) -> Tried:
    """Return every method on a choice of windows; another method on the same windows is answered from memory."""
    chosen = windows(view, dim, fit, judge)
    fitting, judging = (binned(view, dim, names) for names in (chosen.fit, chosen.judge))
    found = {name: stats.fit(name, fitting.positive, fitting.n, fitting.x, fitting.seen) for name in TITLES}
    window = _window(within(view, dim, chosen.judge), judging)
    after = {name: fit.map(window.labels.score) for name, fit in found.items() if fit.map is not None}
    rows = [_row(judging, name, found[name]) for name in TITLES]
    if any(not row["reason"] for row in rows):
        _judge(window, found, after, [row for row in rows if not row["reason"]])
    return Tried(chosen, fitting, judging, found, after, rows)


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
    labels = _labels(bins.positive, bins.n, np.where(bins.events > 0, expit(bins.x), 0.5))
    if not cells.shards.binned:
        return _Window(bins, labels, None, cells.clustered)
    names = ("positive", "negative", *EXCESS, "labelled_logit")
    found = sums_of(cells.shards, weighted=cells.weighted, names=names)
    positive, negative, more, less, logits = (found[name][0] for name in names)
    n = positive + negative
    shards = _labels(positive + more, n + more + less, np.where(n > 0, expit(ratio(logits, n)), 0.5))
    return _Window(bins, labels, shards, cells.clustered)


def _labels(positive: Array, n: Array, score: Array) -> _Labels:
    return _Labels(positive, n, score, {name: loss(positive, n, score) for name, loss in LOSSES.items()})


def _row(bins: Bins, method: str, fit: Fit) -> Row:
    """Return the row of one method; with the reason where it has no map, or one that cannot be judged."""
    n, positives = int(sum(bins.seen)), int(bins.seen[0])
    reason = fit.reason or ("" if 0 < positives < n else ONE_CLASS)
    return {"method": method, "title": TITLES[method], "reason": reason, "fitted": "", "n": n, "positives": positives}


def _judge(window: _Window, fits: dict[str, Fit], after: dict[str, Array], rows: list[Row]) -> None:
    """Add how the methods of these rows do on the window that judges."""
    bins, before = window.bins, window.labels
    maps = [found for row in rows if (found := fits[row["method"]].map)]
    every = np.array([after[found.method] for found in maps])
    by_shard = None if window.shards is None else np.array([found(window.shards.score) for found in maps])
    for row, found in zip(rows, maps, strict=True):
        row["fitted"] = told(found)
    for name in LOSSES:
        old, changed = float(before.lost[name].sum() / bins.n.sum()), _changed(window, (every, by_shard), name)
        for row, *ends in zip(rows, *(part.tolist() for part in changed[:3]), strict=True):
            moved, low, high = ends
            row |= {"how": changed.how, f"{name}_before": old, name: old + moved, f"{name}_change": moved}
            row |= {f"{name}_low": known(low), f"{name}_high": known(high)}
    expected = (bins.n * np.array([before.score, *every])).sum(axis=-1)
    slopes = _slopes(window, maps, after)
    for row, oe, slope in zip(rows, (bins.positive.sum() / expected[1:]).tolist(), slopes[1:], strict=True):
        row |= {"oe_before": float(bins.positive.sum() / expected[0]), "oe": oe}
        row |= {"slope_before": known(slopes[0]), "slope": known(slope)}


def _slopes(window: _Window, maps: Sequence[Map], after: dict[str, Array]) -> list[float]:
    """Return the slopes of the scores as they are, and after each map: a straight one divides them."""
    bent = [found.method for found in maps if found.slope is None]
    lines = np.array([window.bins.x, *(logit(after[method]) for method in bent)])
    before, *others = logistic.cox(window.bins.positive, window.bins.n, lines).slope.tolist()
    found = dict(zip(bent, others, strict=True))
    return [before, *(found[one.method] if one.slope is None else before / one.slope for one in maps)]


class _Changed(NamedTuple):
    """Changes in loss per event [method] with their 95% intervals, and how these were found."""

    value: Array
    low: Array
    high: Array
    how: str


def _changed(window: _Window, mapped: tuple[Array, Array | None], name: str) -> _Changed:
    """Return by how much maps change a loss: intervals by jackknife over entity shards, else over single events.

    `mapped` is what each map makes of the scores of the window [..., bin], and of those by shard [..., shard, bin].
    """
    (after, by_shard), bins = mapped, window.bins
    change = window.labels.change(after, name).sum(axis=-1) / bins.n.sum()
    spread, how = _by_shard(window, by_shard, name, change)
    if not np.isfinite(spread.se).all() and bins.weighed:
        unknown = np.full(np.shape(change), np.nan)
        return _Changed(change, unknown, unknown, "none: weighed labels in too few shards")
    if not np.isfinite(spread.se).all():
        used = bins.n > 0
        positive, n, one = bins.positive[used], bins.n[used], np.ones(int(used.sum()))
        alone = (_labels(hit, one, window.labels.score[used]) for hit in (one, 0 * one))
        if_bad, if_good = (each.change(after[..., used], name) for each in alone)
        squares = (positive * if_bad**2 + (n - positive) * if_good**2).sum(axis=-1)
        spread = intervals.Spread(np.sqrt(np.maximum(squares / n.sum() - change**2, 0.0) / n.sum()), np.array(np.inf))
        how = "single events (assumes that they are independent)"
    return _Changed(change, *intervals.interval(change, spread.se, spread.df), how)


def _by_shard(window: _Window, after: Array | None, name: str, change: Array) -> tuple[intervals.Spread, str]:
    """Return the jackknife's spreads over the judging windows; NaN where shards have no bins."""
    if window.shards is None or after is None:
        return intervals.Spread(np.array(np.nan), np.array(np.nan)), ""
    moved, events = window.shards.change(after, name).sum(axis=-1), window.shards.n.sum(axis=-1)
    left = ratio(moved.sum(axis=-1, keepdims=True) - moved, events.sum() - events)
    how = "shard jackknife, t" + ("" if window.clustered else " (assumes independent events)")
    return intervals.jackknife(change, left, events > 0), how


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
    if not flats:
        return []
    used = bins.events > 0
    sums, score = np.append(0.0, np.cumsum(bins.events[used])), expit(bins.x[used])
    first = np.searchsorted(score, [flat.low for flat in flats])
    behind = np.searchsorted(score, [flat.high for flat in flats], side="right")
    n = sums[behind] - sums[first]
    rows = [
        flat._asdict() | {"n": int(events), "share": share}
        for flat, many, events, share in zip(flats, behind - first, n.tolist(), (n / sums[-1]).tolist(), strict=True)
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
        why = fit.reason or ONE_CLASS
        return recalibrated({}, [], [], caption, why=f"There is no map to show: {why}.")
    positive, events, mapped = bins.positive[used], bins.n[used], tried.after[fit.map.method]
    # Scores that have become equal are one score.
    after, place = np.unique(mapped[used], return_inverse=True)
    pooled, of = np.bincount(place, events), np.bincount(place, positive)
    group = np.floor(BAND_PER_UNIT * logit(after)).astype(np.int64)
    curves = {VERSIONS[0]: steps(positive, events, expit(bins.x[used])), VERSIONS[1]: steps(of, pooled, after)}
    return recalibrated(curves, band_rows(pooled, after, group), _strip(bins, mapped), caption)


def _strip(bins: Bins, mapped: Array) -> list[Row]:
    """Return where all events are before and after, in shares per 1/4 of log-odds."""
    used = bins.events > 0
    weight, odds = bins.events[used], (bins.x[used], logit(mapped[used]))
    places = [np.floor(STRIP * x).astype(np.int64) for x in odds]
    first, last = min(p.min() for p in places), max(p.max() for p in places)
    shares = [np.bincount(p - first, weight, last - first + 1) / weight.sum() for p in places]
    edges = expit(np.arange(first, last + 2) / STRIP)
    columns = (column.tolist() for column in (edges[:-1], edges[1:], *shares))
    return [dict(zip(("low", "high", *VERSIONS), row, strict=True)) for row in zip(*columns, strict=True)]
