"""Takes calibration curves with their consistency band; gives the reliability diagram."""

from __future__ import annotations

from typing import Any

from release_core.charts import style
from release_core.charts.chart import Caption, Chart, Row, blank, finish
from release_core.charts.digits import percent
from release_core.charts.style import PROBABILITY

QUESTION = "Does a score of 70% still mean 70%?"
DEFINITION = (
    "Steps are the best rising curve of the observed rate over the score (CORP: isotonic regression, Dimitriadis, "
    "Gneiting and Jordan 2021), on log-odds axes, because linear axes show nothing at rare rates. Below the diagonal "
    "the score promises more than happens. Grey: where the curve of a calibrated candidate would fall 90% of the time, "
    "pointwise. A step at rate 0 or 1 stands at the edge. The strip below shows where the events are."
)


EMPTY = "No labelled event in this selection has a score."
RECALIBRATED = "Would the recalibrated score mean what it says?"
RECALIBRATED_DEFINITION = (
    "Observed rate against score on the window that judges, whose labels the map has not seen: before it, and after. A "
    "rising map moves the steps sideways and pools at most equal scores. Grey: where the curve of a score that is "
    "calibrated would fall 90% of the time, pointwise, for the scores after the map. The strip below shows where the "
    "events are."
)


STEP = (
    "score %{customdata[0]}: observed %{customdata[1]}<br>%{customdata[2]:,} of %{customdata[3]:,}"
    "<extra>%{fullData.name}</extra>"
)


def reliability(
    curves: dict[str, list[Row]], band: list[Row], bins: list[Row], caption: Caption, *, why: str = EMPTY
) -> Chart:
    """Return the reliability diagram of both versions on log-odds axes, with a histogram strip.

    Args:
        curves: baseline and candidate, each a list of steps in rising order: low, high (score of the step's first
            and last event), rate (observed, 0 to 1), n, positives.
        band: the candidate's consistency band: score, low, high (rates); empty if not known.
        bins: as in `distribution`: low, high, baseline, candidate (share of events).
        caption: version ids and evidence.
        why: the sentence to show where there is no curve.
    """
    head = f"Observed rate against score for {caption.baseline} and {caption.candidate}."
    return _diagram((QUESTION, DEFINITION, head), curves, band, bins, (dict(style.both(caption)), caption, why))


def recalibrated(
    curves: dict[str, list[Row]], band: list[Row], bins: list[Row], caption: Caption, *, why: str = EMPTY
) -> Chart:
    """Return the reliability diagram of one version before (as baseline) and after a map (as candidate).

    The arguments are those of `reliability`; the band is that of the score after the map.
    """
    names = {"baseline": "before", "candidate": "after"}
    head = "Observed rate against score on the window that judges, before and after the map."
    return _diagram((RECALIBRATED, RECALIBRATED_DEFINITION, head), curves, band, bins, (names, caption, why))


def _diagram(
    words: tuple[str, str, str],
    curves: dict[str, list[Row]],
    band: list[Row],
    bins: list[Row],
    told: tuple[dict[str, str], Caption, str],
) -> Chart:
    (question, definition, head), (names, caption, why) = words, told
    steps = [step for version in names for step in curves.get(version, [])]
    if not steps:
        return blank(question, why, definition, caption)
    shown = [at for step in steps for at in (step["low"], step["high"], step["rate"]) if 0 < at < 1]
    axes = PROBABILITY.axis([f(shown) for f in (min, max) if shown], "score")
    low, high = axes.get("range", [-style.EDGE, style.EDGE])
    data = [_band(band)] if band else []
    data.append(_diagonal(low, high))
    data += [_steps(curves.get(v, []), v, name, (low, high)) for v, name in names.items()]
    edges = PROBABILITY.places([row["low"] for row in bins[:1]] + [row["high"] for row in bins])
    data += [_strip(bins, version, edges) for version in names if bins]
    rates = axes | {"title": axes["title"] | {"text": "observed rate"}, "domain": [0.24, 1]}
    strip = style.axis("", domain=[0, 0.14], showticklabels=False, showgrid=False)
    spec = {
        "data": data,
        "layout": style.layout(question, 380, xaxis=axes | {"anchor": "y2"}, yaxis=rates, yaxis2=strip),
    }
    rows = [{"version": names[version], **step} for version, curve in curves.items() for step in curve]
    return finish(question, spec, head, definition, rows, caption)


def _band(band: list[Row]) -> dict[str, Any]:
    x, low, high = (PROBABILITY.places(style.column(band, name)) for name in ("score", "low", "high"))
    return style.band(x, low, high, "$muted/.2") | {"name": "calibrated, 90%", "showlegend": True}


def _diagonal(low: float, high: float) -> dict[str, Any]:
    pen = {"color": "$muted", "width": 1, "dash": "dot"}
    ends = {"type": "scatter", "mode": "lines", "x": [low, high], "y": [low, high]}
    return ends | {"line": pen, "hoverinfo": "skip", "showlegend": False}


def _steps(curve: list[Row], version: str, name: str, span: tuple[float, float]) -> dict[str, Any]:
    low, high = span
    heights = [max(low, min(high, at)) for at in PROBABILITY.places([step["rate"] for step in curve])]
    x = PROBABILITY.places([step[end] for step in curve for end in ("low", "high")])
    y = [at for at in heights for _ in ("low", "high")]
    told = [words for step in curve for words in _told(step)]
    return style.line(name, version, x, y, customdata=told, hovertemplate=STEP)


def _told(step: Row) -> tuple[list[Any], list[Any]]:
    """Return what the hover says at both ends of a step: the same where it is one score."""
    # Plotly's own percent would round to 0% and 100%, which only exact shares read.
    rest = percent(step["rate"]), step["positives"], step["n"]
    first = [percent(step["low"]), *rest]
    return first, first if step["high"] == step["low"] else [percent(step["high"]), *rest]


def _strip(bins: list[Row], version: str, edges: list[float]) -> dict[str, Any]:
    shares = style.column(bins, version)
    pen = style.LINES[version] | {"shape": "hv", "width": 1.2}
    fill = {"fill": "tozeroy", "fillcolor": "$cand/.14"} if version == "candidate" else {}
    hidden = {"yaxis": "y2", "showlegend": False, "hoverinfo": "skip"}
    return style.line(version, version, edges, [*shares, shares[-1]], line=pen, **hidden, **fill)
