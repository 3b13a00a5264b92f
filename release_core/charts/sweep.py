"""Takes a metric at many cutoffs; gives the picture of what another cutoff would buy, or cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from release_core.charts import style
from release_core.charts.chart import Caption, Chart, Row, Spec, blank, finish
from release_core.charts.style import PROBABILITY, Score

if TYPE_CHECKING:
    from collections.abc import Mapping

TRADE = "What would another cutoff buy?"
TRADE_DEFINITION = (
    "At each cutoff: recall = positives at or above it among all labelled positives; precision = positives among "
    "labelled events at or above it. Cutoffs between the registered ones snap to bin edges. Unknown labels count in "
    "neither. Precision is left out where fewer than 50 labelled events are at or above the cutoff."
)
COST = "Which cutoff costs least?"
NOTHING = (
    "No costs are declared or typed in, or no event here has a mature label: which cutoff is cheapest is not known."
)
COST_DEFINITION = (
    "Expected cost per 1,000 labelled events when this cutoff is moved and the other one stays: blocked good events, reviews "
    "(with what they miss and how they bother good customers), and bad events that get through, with their amounts. The shade "
    "spans the cutoffs that cannot be told from the candidate's cheapest: the 95% interval of the cost difference, by a "
    "jackknife over customers, reaches 0."
)


def trade(
    points: list[Row],
    cutoffs: list[Row],
    caption: Caption,
    *,
    score: Score = PROBABILITY,
    drag: Mapping[str, float] | None = None,
) -> Chart:
    """Return recall (strong) and precision (light) of both versions against the cutoff.

    Args:
        points: rising cutoff (score), baseline_recall, candidate_recall, baseline_precision, candidate_precision
            (0 to 1, or None).
        cutoffs: label, score, version, see `style.cutoff_marks`.
        caption: version ids and evidence.
        score: the axis that cutoffs are shown on.
        drag: the scores at which lines stand that the reader may drag, by their names; a drag tells their number.
    """
    if not points:
        return blank(TRADE, "No labelled event in this selection has a score.", TRADE_DEFINITION, caption)
    x = score.places(style.column(points, "cutoff"))
    data = [
        _curve(x, points, version, f"{style.plain(getattr(caption, version))} {metric}", metric)
        for metric in ("recall", "precision")
        for version in ("baseline", "candidate")
    ]
    spec = _figure(TRADE, data, [row["cutoff"] for row in points], (cutoffs, drag or {}, []), score)
    spec["layout"]["yaxis"] = style.share_axis("", range=[0, 1.02])
    head = f"Recall and precision of {caption.baseline} and {caption.candidate} at each cutoff."
    return finish(TRADE, spec, head, TRADE_DEFINITION, points, caption)


def cost(
    points: list[Row],
    cutoffs: list[Row],
    caption: Caption,
    *,
    score: Score = PROBABILITY,
    currency: str = "",
    moved: Mapping[str, float] | None = None,
    alike: tuple[float, float] | None = None,
    top: float | None = None,
) -> Chart:
    """Return the expected cost of both versions against one cutoff.

    Args:
        points: rising cutoff (score), baseline, candidate (cost, or None where the cutoff is not allowed), and
            optionally baseline_low, baseline_high, candidate_low, candidate_high.
        cutoffs: label, score, version, see `style.cutoff_marks`.
        caption: version ids and evidence.
        score: the axis that cutoffs are shown on.
        currency: written on the cost axis, e.g. "NT$ per 1,000 events".
        moved: the action whose cutoff is moved, the other held, and the score at which its line may be dragged.
        alike: the ends of the range of cutoffs that cannot be told from the candidate's cheapest.
        top: where the cost axis ends; None: where the curves do.
    """
    question = f"Which {next(iter(moved))} cutoff costs least?" if moved else COST
    if not any(row["baseline"] is not None or row["candidate"] is not None for row in points):
        return blank(question, NOTHING, COST_DEFINITION, caption)
    x = score.places(style.column(points, "cutoff"))
    data = [_interval(x, points, version) for version in ("baseline", "candidate")]
    data += [_curve(x, points, version, name, "") for version, name in style.both(caption)]
    marks = [*(row["score"] for row in cutoffs), *(moved or {}).values()]
    shown = style.within(points, ("baseline", "candidate"), top, marks)
    shade = [] if alike is None else [style.span(score.place(alike[0]), score.place(alike[1]), "$cand/.12")]
    spec = _figure(question, data, shown, (cutoffs, moved or {}, shade), score)
    limits = {} if top is None else {"range": [0, top]}
    spec["layout"]["yaxis"] = style.axis(f"expected cost, {currency}" if currency else "expected cost", **limits)
    head = f"Expected cost of {caption.baseline} and {caption.candidate} at each cutoff."
    return finish(question, spec, head, COST_DEFINITION, points, caption)


def _curve(x: list[Any], points: list[Row], version: str, name: str, metric: str) -> dict[str, Any]:
    column = f"{version}_{metric}" if metric else version
    pen = style.LINES[version] | ({"width": 1.2} if metric == "precision" else {})
    form = "%{y:.1%}" if metric else "%{y:,.0f}"
    hover = form + "<extra>%{fullData.name}</extra>"
    return style.line(name, version, x, style.column(points, column), line=pen, hovertemplate=hover)


def _interval(x: list[Any], points: list[Row], version: str) -> dict[str, Any]:
    colour = "$base/.12" if version == "baseline" else "$cand/.12"
    low, high = f"{version}_low", f"{version}_high"
    there = [] if all(low not in row for row in points) else points
    return style.band(x[: len(there)], style.column(there, low), style.column(there, high), colour)


def _figure(
    question: str,
    data: list[Spec],
    shown: list[float],
    marks: tuple[list[Row], Mapping[str, float], list[Spec]],
    score: Score,
) -> Spec:
    """Return data and layout; the axis spans the scores `shown`.

    `marks` are cutoffs, lines that may be dragged, and shades. What may be dragged are the last shapes, so that they lie
    above those of the cutoffs in force, and `meta` tells the script which is the first of them.
    """
    cutoffs, drag, shades = marks
    across = score.axis(shown, "cutoff (log-odds scale)" if score == PROBABILITY else "cutoff")
    shapes, notes = style.cutoff_marks(cutoffs, score, across.get("range"))
    shapes = [*shades, *shapes]
    extra: Spec = {"meta": {"drag": len(shapes), "scale": _scale(score)}} if drag else {}
    for number, (name, at) in enumerate(drag.items()):
        place = score.place(at)
        colour = f"${name}" if name in {"review", "block"} else "$link"
        shapes.append(style.vertical(place, colour, "solid", 3))
        notes.append(style.note(place, 0.06 + 0.1 * number, f"{name}: {score.write(at)}", "$link", yanchor="bottom"))
    common: Spec = {"hovermode": "x unified", "shapes": shapes, "annotations": notes, "xaxis": across}
    return {"data": data, "layout": style.layout(question, **common, **extra)}


def _scale(score: Score) -> str:
    """Return what the script has to do to the place of a line that was dragged to get its score."""
    return "log_odds" if score.name == "probability" else "plain"
