"""Takes a metric at many cutoffs; gives the picture of what another cutoff would buy, or cost."""

from __future__ import annotations

from typing import Any

from release_core.charts import style
from release_core.charts.chart import Caption, Chart, Row, Spec, blank, finish
from release_core.charts.style import PROBABILITY, Score

TRADE = "What would another cutoff buy?"
TRADE_DEFINITION = (
    "At each cutoff: recall = positives at or above it among all labelled positives; precision = positives among "
    "labelled events at or above it. Cutoffs between the registered ones snap to bin edges. Unknown labels count in "
    "neither. Precision is left out where fewer than 50 labelled events are at or above the cutoff."
)
COST = "Which cutoff costs least?"
COST_DEFINITION = (
    "Expected cost at each cutoff from the error costs in the manifest: false alarms, reviews, and missed positives "
    "with their amounts. The band is the interval; where it is flat, the cheapest cutoff is a range, not a point."
)


def trade(
    points: list[Row], cutoffs: list[Row], caption: Caption, *, score: Score = PROBABILITY, drag: float | None = None
) -> Chart:
    """Return recall (strong) and precision (light) of both versions against the cutoff.

    Args:
        points: rising cutoff (score), baseline_recall, candidate_recall, baseline_precision, candidate_precision
            (0 to 1, or None).
        cutoffs: label, score, version, see `style.cutoff_marks`.
        caption: version ids and evidence.
        score: the axis that cutoffs are shown on.
        drag: the score at which a line stands that the reader may drag; None: no such line.
    """
    if not points:
        return blank(TRADE, "No labelled event in this selection has a score.", TRADE_DEFINITION, caption)
    x = [score.place(row["cutoff"]) for row in points]
    data = [
        _curve(x, points, version, f"{style.plain(getattr(caption, version))} {metric}", metric)
        for metric in ("recall", "precision")
        for version in ("baseline", "candidate")
    ]
    spec = _figure(TRADE, data, points, (cutoffs, drag), score)
    spec["layout"]["yaxis"] = style.share_axis("", range=[0, 1.02])
    head = f"Recall and precision of {caption.baseline} and {caption.candidate} at each cutoff."
    return finish(TRADE, spec, head, TRADE_DEFINITION, points, caption)


def cost(
    points: list[Row], cutoffs: list[Row], caption: Caption, *, score: Score = PROBABILITY, currency: str = ""
) -> Chart:
    """Return the expected cost of both versions against the cutoff.

    Args:
        points: rising cutoff (score), baseline, candidate (cost, or None), and optionally baseline_low,
            baseline_high, candidate_low, candidate_high.
        cutoffs: label, score, version, see `style.cutoff_marks`.
        caption: version ids and evidence.
        score: the axis that cutoffs are shown on.
        currency: written on the cost axis, e.g. "NT$ per 1,000 events".
    """
    if not any(row["baseline"] is not None or row["candidate"] is not None for row in points):
        return blank(COST, "The manifest declares no costs, so no cutoff is cheapest.", COST_DEFINITION, caption)
    x = [score.place(row["cutoff"]) for row in points]
    data = [_interval(x, points, version) for version in ("baseline", "candidate")]
    data += [_curve(x, points, version, name, "") for version, name in style.both(caption)]
    spec = _figure(COST, data, points, (cutoffs, None), score)
    spec["layout"]["yaxis"] = style.axis(f"expected cost, {currency}" if currency else "expected cost")
    head = f"Expected cost of {caption.baseline} and {caption.candidate} at each cutoff."
    return finish(COST, spec, head, COST_DEFINITION, points, caption)


def _curve(x: list[Any], points: list[Row], version: str, name: str, metric: str) -> dict[str, Any]:
    column = f"{version}_{metric}" if metric else version
    pen = style.LINES[version] | ({"width": 1.2} if metric == "precision" else {})
    form = "%{y:.1%}" if metric else "%{y:,.0f}"
    hover = form + "<extra>%{fullData.name}</extra>"
    return style.line(name, version, x, style.column(points, column), line=pen, hovertemplate=hover)


def _interval(x: list[Any], points: list[Row], version: str) -> dict[str, Any]:
    colour = "$base/.12" if version == "baseline" else "$cand/.12"
    return style.band(x, style.column(points, f"{version}_low"), style.column(points, f"{version}_high"), colour)


def _figure(
    question: str, data: list[Spec], points: list[Row], marks: tuple[list[Row], float | None], score: Score
) -> Spec:
    """Return data and layout; a line that may be dragged is the first shape, and `meta` tells the script so."""
    cutoffs, drag = marks
    across = score.axis(
        [row["cutoff"] for row in points], "cutoff (log-odds scale)" if score == PROBABILITY else "cutoff"
    )
    shapes, notes = style.cutoff_marks(cutoffs, score, across.get("range"))
    extra: Spec = {}
    if drag is not None:
        place = score.place(drag)
        shapes.insert(0, style.vertical(place, "$link", "solid", 2.5))
        notes.append(style.note(place, 0.06, f"drag: {score.write(drag)}", "$link", yanchor="bottom"))
        extra["meta"] = {"drag": 0, "scale": "log_odds" if score.name == "probability" else "plain"}
    common: Spec = {"hovermode": "x unified", "shapes": shapes, "annotations": notes, "xaxis": across}
    return {"data": data, "layout": style.layout(question, **common, **extra)}
