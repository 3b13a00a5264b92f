"""The Calibration page: does a score of 70% mean 70%, for which version, and in which segments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import metrics
from release_core.charts import digits
from release_core.charts.ratios import ratios
from release_core.metrics import values
from release_core.metrics.table import METRICS
from release_core.release import CUTOFF_ACTIONS, VERSIONS
from release_core.stats import calibration as stats
from release_core.stats import corp, drift, intervals
from release_core.stats.arrays import ratio
from release_core.stats.calibration_error import GROUPS, calibration_error
from release_core.views import reliability
from release_core.views.view import known, paired_rows

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells, Tally
    from release_core.views.view import View

    Row = dict[str, Any]
    # A name, and of each version the positives, the expected and the labelled events; None without labelled events.
    Zone = tuple[str, list[tuple[float, float, float] | None]]

NUMBERS = ("base_rate", "oe_ratio", "calibration_intercept", "cox_intercept", "calibration_slope")
ZONES = (0.01, 0.001)
CLUSTERED = 1.5
# What undersampling looks like: all odds off by at least half, their spread right within a tenth.
SHIFTED, STEADY = 0.405, 0.1


def _gap(tally: Tally) -> Array:
    return ratio(values.positives(tally) - tally.labelled_scores, values.labelled(tally))


GAP = replace(METRICS["oe_ratio"], name="rate_gap", title="Observed − expected rate", value=_gap, limits=(-1.0, 1.0))


@dataclass(frozen=True, slots=True)
class CalibrationPage:
    """What the page shows.

    `numbers` compare both versions by metric, `tests` are rows in words below them, `zones` hold observed / expected
    where scores are high; `notes` say what the numbers rest on.
    """

    headline: str
    warnings: list[str]
    reliability: Chart
    numbers: list[Row]
    tests: list[Row]
    zones: list[Row]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Segments:
    """Observed / expected of both versions per value of a dimension, as a picture and as rows."""

    chart: Chart
    rows: list[Row]


def calibration(view: View) -> CalibrationPage:
    """Return the page for a choice; what cannot be known is left out, and the headline says why."""
    cells, diagram = view.cells(), reliability.reliability_of(view)
    why = reliability.unknown(view, cells)
    if why:
        return CalibrationPage(why, _warnings(cells), diagram, [], [], [], [])
    named = {**view.known(), GAP.name: GAP}
    rows = paired_rows([*metrics.rows(cells, [GAP]), *view.rows(NUMBERS)])
    numbers = [row | {"title": named[row["metric"]].title, "unit": named[row["metric"]].unit} for row in rows]
    numbers[0]["unit"] = "share"
    return CalibrationPage(
        _headline(view, numbers),
        [*_warnings(cells), *_undersampled(numbers)],
        diagram,
        numbers,
        _tests(cells),
        _zone_rows(_zones(view, cells)),
        _notes(view, cells),
    )


def losses(view: View) -> list[Row]:
    """Return Brier score and log loss of both versions, split into miscalibration, discrimination and uncertainty.

    `expected` is the miscalibration below which 95% of calibrated scores would stay on the same events and bins.
    """
    cells = view.cells()
    if reliability.unknown(view, cells):
        return []
    rows = []
    for number, version in enumerate(VERSIONS):
        positive, n, score = reliability.labelled(cells, number)
        chance = corp.calibrated_mcb(n, score, seed=reliability.SEED)
        brier, loss = values.brier(cells.whole)[0, number], values.log_loss(cells.whole)[0, number]
        for title, value, parts, limit in (
            ("Brier score", brier, corp.corp_brier(positive, n, brier), chance.brier),
            ("Log loss", loss, corp.corp_log_loss(positive, n, loss), chance.log_loss),
        ):
            told = {"value": value, "mcb": parts.mcb, "dsc": parts.dsc, "unc": parts.unc, "expected": limit}
            row = {name: known(float(part)) for name, part in told.items()}
            share = None if not row["unc"] or row["mcb"] is None else row["mcb"] / row["unc"]
            rows.append({"loss": title, "version": version, **row, "share": share})
    return sorted(rows, key=lambda row: str(row["loss"]))


def by_segment(view: View, by: str) -> Segments:
    """Return observed / expected per value of a dimension; where the shards give no interval, the exact Poisson one."""
    shown = view.release.scale.name == "probability"
    rows = paired_rows(view.rows(["oe_ratio"], by)) if shown else []
    cells = view.cells(by) if rows else None
    for place, row in enumerate(rows):
        if row.get("candidate_low") is None and cells is not None:
            row.update(_poisson(cells, place))
        for version in VERSIONS:
            row[f"{version}_oe"] = _ratio(row, version)
    caption = view.caption(sum(row["n"] for row in rows), by=(by,), table="pair")
    return Segments(ratios(rows, caption, split=by.replace("_", " ")), rows)


def _poisson(cells: Cells, place: int) -> Row:
    found = stats.oe_ratio(cells.whole.positives[place], cells.whole.labelled_scores[place])
    bounds = {
        f"{version}_{end}": known(float(array[number]))
        for number, version in enumerate(VERSIONS)
        for end, array in (("low", found.low), ("high", found.high))
    }
    return bounds | {"method": "exact Poisson (assumes independent events)"}


def _headline(view: View, numbers: list[Row]) -> str:
    found = next(row for row in numbers if row["metric"] == "oe_ratio")
    value, low, high = found["candidate"], found["candidate_low"], found["candidate_high"]
    if low is None:
        return f"The candidate's observed / expected is {value:.2f}; too few shards for an interval."
    word = (
        "about as often as the scores say"
        if low <= 1 <= high
        else "more often than the scores say"
        if low > 1
        else "less often than the scores say"
    )
    before = "not known" if found["baseline"] is None else f"{found['baseline']:.2f}"
    return (
        f"Bad outcomes of {view.place} happen {word}: observed / expected is {value:.2f} for the candidate ({low:.2f} to "
        f"{high:.2f}), {before} for the baseline."
    )


def _warnings(cells: Cells) -> list[str]:
    share = values.labelled_share(cells.whole)[0, 1] if cells.segments else 0.0
    if 0 < share < 0.95:
        return [
            f"Only {digits.percent(share)} of the events have a mature label. All numbers rest on those alone; compare "
            "versions at the same as-of time only."
        ]
    return []


def _undersampled(numbers: list[Row]) -> list[str]:
    """Return the hint that scores come from training on a sample of the negatives: odds shifted, spread right (a11)."""
    found = {row["metric"]: row for row in numbers}
    shift, slope = found["calibration_intercept"], found["calibration_slope"]
    hints = []
    for version in VERSIONS:
        at, least, most = (shift.get(f"{version}{end}") for end in ("", "_low", "_high"))
        b = slope.get(version)
        if at is None or least is None or most is None or b is None:
            continue
        if abs(b - 1) > STEADY or abs(at) < SHIFTED or least <= 0 <= most:
            continue
        kept = float(np.exp(at))
        direction = f"{1 / kept:.2g} times too high" if at < 0 else f"{kept:.2g} times too low"
        hints.append(
            f"The odds that the {version}'s scores promise are all {direction}, while their spread is right (slope {b:.2f}): "
            f"that is what training on a sample with other shares of bad and good leaves behind. With b = {kept:.3g}, "
            "p = b s / (b s + 1 − s) undoes it; below, recalibration by intercept only does the same."
        )
    return hints


def _tests(cells: Cells) -> list[Row]:
    """Return the small print in words: the joint test of the line, Spiegelhalter's Z, the calibration error."""
    zs, errors = [], []
    tally = cells.whole
    for version in range(len(VERSIONS)):
        positive, n, score = reliability.labelled(cells, version)
        sums = (tally.positives, tally.labelled_scores, tally.positive_scores, tally.squared)
        zs.append(stats.spiegelhalter(stats.Sums(*(one[0, version] for one in sums)), n, score))
        errors.append(calibration_error(positive, n, tally.labelled_score[0, version]))
    told = {
        "Joint test of intercept 0 and slope 1, p": [_p(float(p)) for p in values.line(tally).p_value[0]],
        "Spiegelhalter's Z (p)": [f"{digits.signed(known(float(z.z)))} ({_p(float(z.p_value))})" for z in zs],
        f"Mean absolute calibration error (ECE, K = {GROUPS})": [digits.number(known(one.absolute)) for one in errors],
        f"Root mean square of it, chance taken out (K = {GROUPS})": [
            digits.number(known(one.debiased)) for one in errors
        ],
    }
    events = int(cells.whole.positives[0, 1] + cells.whole.negatives[0, 1])
    keys = [f"shown_{version}" for version in VERSIONS]
    return [
        {"title": title, **dict(zip(keys, words, strict=True)), "shown_both": "", "n": events}
        for title, words in told.items()
    ]


def _p(value: float) -> str:
    return digits.NOT_KNOWN if np.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _zones(view: View, cells: Cells) -> list[Zone]:
    """Return (name, per version: positives, expected, labelled) of all events, the top shares, and above each cutoff."""
    tally = cells.whole
    n = values.labelled(tally)
    every = [(tally.positives[0, v], tally.labelled_scores[0, v], n[0, v]) for v in (0, 1)]
    found: list[Zone] = [("all labelled events", [*every])]
    for share in ZONES:
        tops = [_top(cells, number, share) for number in range(len(VERSIONS))]
        found.append((f"highest {digits.limit(share)} of scores", tops))
    for action in CUTOFF_ACTIONS:
        ids = [f"{view.release.bundle(version).thresholds}.{action}" for version in VERSIONS]
        if any(name in cells.cutoffs for name in ids):
            zones = [_above(cells, number, name) for number, name in enumerate(ids)]
            found.append((f"from the {action} cutoff up", zones))
    return found


def _top(cells: Cells, number: int, share: float) -> tuple[float, float, float] | None:
    """Return the sums over the riskiest whole bins that hold at most a share of all events; None if none does."""
    first = int(drift.equal_alert_rate(cells.whole.n[0, number], share).bin)
    positive, n, _ = reliability.labelled(cells, number)
    sums = (positive, cells.whole.labelled_score[0, number], n)
    found = tuple(float(array[first:].sum()) for array in sums)
    return (found[0], found[1], found[2]) if first >= 0 and found[2] else None


def _above(cells: Cells, number: int, name: str) -> tuple[float, float, float] | None:
    if name not in cells.cutoffs:
        return None
    place = (0, number, cells.cutoffs.index(name))
    tally = cells.whole
    found = (tally.above_positive[place], tally.above_score[place], tally.above_labelled[place])
    return (float(found[0]), float(found[1]), float(found[2])) if found[2] else None


def _zone_rows(zones: list[Zone]) -> list[Row]:
    """Return the rows of zones, with observed / expected in each."""
    sums = np.array([[side or (np.nan, np.nan, np.nan) for side in sides] for _, sides in zones])
    found = stats.oe_ratio(sums[..., 0], sums[..., 1])
    rows = []
    for place, (name, sides) in enumerate(zones):
        row: Row = {"zone": name}
        for number, (version, side) in enumerate(zip(VERSIONS, sides, strict=True)):
            if side is None:
                row |= {f"{version}_oe": "no labelled event", f"{version}_sums": "", version: None}
                continue
            positives, expected, n = side
            value, low, high = (known(float(part[place, number])) for part in found)
            row |= {version: value, f"{version}_low": low, f"{version}_high": high}
            row[f"{version}_oe"] = _ratio(row, version)
            row[f"{version}_sums"] = (
                f"{digits.count(positives)} of {digits.count(n)}; {digits.number(expected)} expected"
            )
        rows.append(row)
    return rows


def _ratio(row: Row, version: str) -> str:
    """Return a ratio with its interval, as readers see it."""
    ends = digits.interval(row.get(f"{version}_low"), row.get(f"{version}_high"), "number", of_difference=False)
    return digits.NOT_KNOWN if row.get(version) is None else f"{digits.number(row[version])} {ends}"


def _notes(view: View, cells: Cells) -> list[str]:
    """Return what the numbers rest on: labels, clipped scores, and how much wider clustering makes intervals."""
    labels = (cells.whole.positives + cells.whole.negatives)[0, 1]
    clipped = view.opened.cube.checks(view.stage, view.step)["clipped"]
    notes = [
        f"Labels matured: {digits.percent(known(float(labels / cells.whole.events[0, 1])))} of the events.",
        f"Scores clipped to [1e−7, 1 − 1e−7] for log-odds: {digits.count(clipped)} events of the stage.",
    ]
    effect = design_effect(cells)
    told = "not known (too few shards)" if effect is None else f"{effect:.2f}"
    much = " It is above 1.5: the band and those intervals are too narrow." if effect and effect > CLUSTERED else ""
    return [*notes, f"The band and the exact intervals assume independent events; design effect {told}.{much}"]


def design_effect(cells: Cells) -> float | None:
    """Return by how much clustering widens the variance of the candidate's observed / expected; None if not known."""
    full, left = values.oe_ratio(cells.whole)[0, 1], values.oe_ratio(cells.left_out)[0, :, 1]
    used = values.labelled(cells.shards)[0, :, 1] > 0
    positive, n, score = reliability.labelled(cells, 1)
    return known(float(stats.design_effect(positive, n, score, intervals.jackknife(full, left, used).se)))
