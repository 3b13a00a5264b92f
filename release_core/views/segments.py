"""The Segments page: one metric over segments, worst first, with the verdict that its gate would give; and a drill-down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import gates, metrics
from release_core.charts import digits
from release_core.charts.forest import forest
from release_core.charts.heatmap import heatmap
from release_core.cube import REPLAY_SET
from release_core.frames import EVERYONE, segment_text
from release_core.metrics import harm
from release_core.release import Comparison, GateSpec, Level, Stage, Verdict
from release_core.stats import intervals, multiplicity, pooling
from release_core.stats.arrays import ratio
from release_core.views import evidence, mix
from release_core.views.overview import gate_row
from release_core.views.reliability import reliability_of
from release_core.views.score_drift import distribution_of
from release_core.views.slices import FALSE_LEADS
from release_core.views.transfer import rows_of
from release_core.views.view import known as finite
from release_core.views.view import paired_rows, segment_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.charts.chart import Chart
    from release_core.frames import Cells
    from release_core.metrics import Metric
    from release_core.views.view import View

    Row = dict[str, Any]

# The cube holds scores, and so cutoffs, for two dimensions together.
MOST_WITH_SCORES = 2
BETTER = {"higher", "lower"}
PICTURES: dict[str, Callable[[View], Chart]] = {"Scores": distribution_of, "Calibration": reliability_of}
DRILLED = ("recall", "precision", "fpr", "alert_rate", "amount_recall", "auc", "oe_ratio", "disagreement_rate")


@dataclass(frozen=True, slots=True)
class SegmentsPage:
    """What the page shows: the forest, its rows worst first, and a heat map where two dimensions are chosen.

    `headline` says which segment is worst off; `gate` what the marks are; `notes` what is to be said of all together.
    """

    headline: str
    forest: Chart
    rows: list[Row]
    heatmap: Chart | None
    gate: str
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Drill:
    """One segment: what it is worth a day, its cutoffs, its numbers, and what can be pictured of it (see `picture`).

    Of three dimensions together the cube counts actions, not scores: there are no pictures of scores then, and the cutoffs
    are those of the smallest wider slice. `note` says so, and `scope` is the filter to which the cutoffs belong.
    """

    title: str
    facts: dict[str, str]
    scope: tuple[tuple[str, str], ...]
    cutoffs: list[Row]
    note: str
    numbers: list[Row]
    pictures: tuple[str, ...]


def comparable(view: View) -> list[tuple[str, str]]:
    """Return the metrics that can be compared over segments: (name, title), gated ones first."""
    gated = [spec.metric for spec in view.release.gates if view.stage in spec.stages]
    offered = [
        metric
        for metric in view.known().values()
        if not metric.compared and metric.measure is None and metric.name != "events"
    ]
    return [
        (m.name, m.title)
        for m in sorted(offered, key=lambda metric: gated.index(metric.name) if metric.name in gated else len(gated))
    ]


def splits(view: View) -> list[str]:
    """Return the dimensions to split by: declared ones, and the replay set where there are several."""
    several = len(view.opened.cube.values(REPLAY_SET)) > 1
    return [*view.release.segments.all, *([REPLAY_SET] if several else [])]


def segments(view: View, metric: str = "recall", by: tuple[str, ...] = ()) -> SegmentsPage:
    """Return the page for a metric split by one to three dimensions (default: the first declared one).

    Raises:
        NotFound, Unanswerable: see `Cube.dimensions`.
    """
    split = by or tuple(splits(view)[:1])
    known = metrics.find(view.known(), metric)
    spec = _gate(view, known)
    cells = view.cells(*split)
    if not cells.segments:
        return SegmentsPage(
            f"{view.none} can be split so.",
            forest([], view.caption(0), metric=known.title, margin=None),
            [],
            None,
            _said(spec, known),
            [],
        )
    judged = gates.judge(
        spec, known, gates.Family(cells, (True,) * len(cells.segments)), view.release.segments.min_events
    )
    extra, notes = _together(known, cells)
    worth = evidence.worth(view, split)
    rows = [
        _row(row, split) | more | worth.get(segment_key(row.segment), evidence.NO_WORTH)
        for row, more in zip(judged, extra, strict=True)
    ]
    caption = view.caption(sum(row["n"] for row in rows), table="score" if known.bins else "pair", by=split)
    margin = spec.margin if spec.unit == "abs" else None
    chart = forest(rows, caption, metric=known.title, unit=known.unit, better=known.better or "neither", margin=margin)
    grid = None
    if len(split) == 2:
        grid = heatmap(
            [row | {"row": row["where"][split[0]], "column": row["where"][split[1]]} for row in rows],
            caption,
            dims=(split[0].replace("_", " "), split[1].replace("_", " ")),
            metric=known.title,
            unit=known.unit,
            better=known.better or "neither",
        )
    # What has too few events to be judged comes last: its changes are the largest and say the least.
    rows.sort(key=lambda row: (row["verdict"] != Verdict.NODATA.name, _harm(row, known.better)), reverse=True)
    return SegmentsPage(_headline(rows, known), chart, rows, grid, _said(spec, known), notes)


def _headline(rows: list[Row], metric: Metric) -> str:
    """Return in one sentence how many segments fail, and which is worst off by how much."""
    told = [row for row in rows if row["difference"] is not None]
    if not told:
        return f"{metric.title} cannot be compared in any of these segments."
    first, failing = told[0], sum(row["verdict"] == Verdict.FAIL.name for row in rows)
    value, _, between = digits.both(first["difference"], first["low"], first["high"], metric.unit).partition("\n")
    worst = f"{metric.title} {'fares worst' if metric.better in BETTER else 'changes most'} in {spoken(first['key'])}: {value}"
    many = f"{failing} of {len(rows)} segments {'fails' if failing == 1 else 'fail'}" if failing else "No segment fails"
    return f"{many}. {worst}{f' {between}' if between else ''}."


def _together(metric: Metric, cells: Cells) -> tuple[list[Row], list[str]]:
    """Return per segment what only all segments together tell (pulled estimate, flag, provable margin), and in words."""
    one = metrics.estimate(cells, metric)
    value = one.value[:, -1]
    low, high = (bound[:, -1] for bound in one.bounds(0.95))
    se = np.where(one.jackknifed[:, -1], one.se[:, -1], (high - low) / (2 * intervals.critical(0.95)))
    pooled = pooling.shrink(value, se**2)
    reach = intervals.critical(0.95) * pooling.errors(value, se**2, pooled)
    sign = {"higher": -1, "lower": 1}.get(metric.better, 0)
    p = (
        intervals.p_above(sign * value, se, 0.0, np.where(one.df > 0, one.df, np.inf))
        if sign
        else np.full(len(se), np.nan)
    )
    flags = multiplicity.benjamini_hochberg(p, FALSE_LEADS)
    ends = [bound[:, -1] for bound in one.bounds(0.95, sides=1)]
    provable = intervals.minimum_provable_margin(se, reach=np.fmax(ends[1] - value, value - ends[0]))
    rows = [
        {
            "shrunken": finite(pooled.value[n]),
            "shrunken_low": finite(pooled.value[n] - reach[n]),
            "shrunken_high": finite(pooled.value[n] + reach[n]),
            "own_weight": finite(pooled.weight[n]),
            "provable": finite(provable[n]),
            "flag": bool(flags[n]),
        }
        for n in range(len(value))
    ]
    notes = [mix.standardised(metric, cells)]
    if sign:
        notes.append(
            f"{int(flags.sum())} of {int(np.isfinite(p).sum())} segments are flagged as worse: expected false leads among these "
            f"at most {100 * FALSE_LEADS:.0f}% (Benjamini-Hochberg)."
        )
    if pooled.tau2[0] == 0:
        notes.append("The segments do not differ detectably: each is pulled to the mean of all.")
    elif not np.isfinite(pooled.tau2[0]):
        notes.append(
            f"Fewer than {pooling.LEAST_SEGMENTS} segments have an interval: none is pulled towards the others."
        )
    return rows, [note for note in notes if note]


def drill(view: View, where: tuple[tuple[str, str], ...]) -> Drill:
    """Return one segment of the current filter in detail."""
    inner = _within(view, where)
    known, deep = inner.known(), len({dim for dim, _ in inner.where} - {REPLAY_SET}) > MOST_WITH_SCORES
    numbers = [
        row | {"title": known[row["metric"]].title, "unit": known[row["metric"]].unit}
        for row in paired_rows(inner.rows([name for name in DRILLED if not (deep and known[name].bins)]))
    ]
    scope, note = _wider(inner) if deep else (inner, "")
    return Drill(
        segment_text(dict(inner.where)),
        _facts(inner),
        scope.where,
        rows_of(scope),
        note,
        numbers,
        () if deep else tuple(PICTURES),
    )


def picture(view: View, where: tuple[tuple[str, str], ...], name: str) -> Chart:
    """Return one of the PICTURES of a segment of the current filter."""
    return PICTURES[name](_within(view, where))


def _within(view: View, where: tuple[tuple[str, str], ...]) -> View:
    return replace(view, where=tuple((dict(view.where) | dict(where)).items()))


def _wider(inner: View) -> tuple[View, str]:
    """Return the smallest slice of two dimensions that holds one of three, and how much of it that one is, in words."""
    dims = [dim for dim, _ in inner.where if dim != REPLAY_SET]
    wider = [replace(inner, where=tuple(pair for pair in inner.where if pair[0] != dim)) for dim in dims]
    sizes = [_events(one) for one in wider]
    scope = wider[int(np.argmin(sizes))]
    share = float(ratio(_events(inner), min(sizes)))
    part = f", of which this slice is {digits.percent(share)}" if 0 < share <= 1 else ""
    return scope, f"Scores are kept for up to two dimensions together: these are the cutoffs of {scope.place}{part}."


def _events(view: View) -> float:
    """Return how many events of a choice were decided by both versions, or by an arm's; infinity where none was."""
    return float(harm.segments_of(view.cells()).measures("n")[..., EVERYONE].sum()) or float("inf")


def _facts(inner: View) -> dict[str, str]:
    """Return what a segment is worth a day, in words: events, money, missed amount."""
    worth = evidence.worth(inner).get(segment_key(dict(inner.where)), evidence.NO_WORTH)
    return evidence.daily(worth | {"customers": evidence.customers(inner, [dict(inner.where)])[0]}, inner.currency)


def where_of(key: str) -> tuple[tuple[str, str], ...]:
    """Return the filter that a row's key stands for; none for all events.

    >>> where_of("market=DE | surface=web"), where_of("")
    ((('market', 'DE'), ('surface', 'web')), ())
    """
    pairs = (part.partition("=") for part in key.split(" | ") if part)
    return tuple((dim, value) for dim, _, value in pairs)


def spoken(key: str) -> str:
    """Return a row's key as readers say it."""
    return segment_text(dict(where_of(key)))


def _gate(view: View, metric: Metric) -> GateSpec:
    """Return the release's own gate on the metric, or one that only says where harm is beyond doubt."""
    for spec in view.release.gates:
        mine = spec.metric == metric.name and view.stage in spec.stages
        if mine and spec.comparison in {Comparison.NON_INFERIORITY, Comparison.EQUIVALENCE, Comparison.DRIFT}:
            return replace(spec, scope="each_segment")
    comparison = Comparison.NO_HARM if metric.better in {"higher", "lower"} else Comparison.EQUIVALENCE
    margin = None if comparison is Comparison.NO_HARM else 0.05
    return GateSpec("shown", metric.name, comparison, tuple(Stage), margin=margin, level=Level.OBSERVE)


def _said(spec: GateSpec, metric: Metric) -> str:
    if spec.id == "shown":
        level = f"one-sided {100 * (1 - spec.alpha):.0f}%, Holm-adjusted"
        return f"No gate judges {metric.title.lower()}; marks show only where a change is beyond doubt ({level})."
    return f"Marks are the verdicts of gate {spec.id}: {spec.title}."


def _row(row: Any, split: tuple[str, ...]) -> Row:  # noqa: ANN401 - a GateRow
    one = gate_row(row)
    return one | {
        "segment": " / ".join(str(row.segment.get(dim, "")) for dim in split),
        "key": segment_key(row.segment),
        "needed": row.needed,
    }


def _harm(row: Row, better: str) -> float:
    change = row["difference"]
    return (
        float("-inf")
        if change is None
        else -change
        if better == "higher"
        else change
        if better == "lower"
        else abs(change)
    )
