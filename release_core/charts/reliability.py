"""Takes calibration curves with their consistency band; gives the reliability diagram."""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish
from release_core.charts.style import PROBABILITY

QUESTION = "Does a score of 70% still mean 70%?"
DEFINITION = (
    "Steps are the best rising curve of the observed rate over the score (CORP: isotonic regression, Dimitriadis, "
    "Gneiting and Jordan 2021), on log-odds axes, because linear axes show nothing at rare rates. Below the diagonal "
    "the score promises more than happens. Grey: where the curve of a calibrated candidate would fall 90% of the time, "
    "pointwise. A step at rate 0 or 1 stands at the edge. The strip below shows where the events are."
)


def reliability(curves: dict[str, list[Row]], band: list[Row], bins: list[Row], caption: Caption) -> Chart:
    """Return the reliability diagram of both versions on log-odds axes, with a histogram strip.

    Args:
        curves: baseline and candidate, each a list of steps in rising order: low, high (score of the step's first
            and last event), rate (observed, 0 to 1), n, positives.
        band: the candidate's consistency band: score, low, high (rates); empty if not known.
        bins: as in `distribution`: low, high, baseline, candidate (share of events).
        caption: version ids and evidence.
    """
    steps = [step for version in ("baseline", "candidate") for step in curves.get(version, [])]
    if not steps:
        return blank(QUESTION, "No labelled event in this selection has a score.", DEFINITION, caption)
    ends = [step[end] for step in steps for end in ("low", "high")]
    inner = [step["rate"] for step in steps if 0 < step["rate"] < 1]
    shown = [score for score in ends + inner if 0 < score < 1]
    axes = PROBABILITY.axis(shown, "score")
    low, high = axes.get("range", [-style.EDGE, style.EDGE])
    data = [_band(band)] if band else []
    data.append(_diagonal(low, high))
    data += [_steps(curves.get(v, []), v, name, (low, high)) for v, name in style.both(caption)]
    data += [_strip(bins, version) for version in ("baseline", "candidate") if bins]
    rates = PROBABILITY.axis(shown, "observed rate") | {"domain": [0.24, 1]}
    strip = style.axis("", domain=[0, 0.14], showticklabels=False, showgrid=False)
    spec = {
        "data": data,
        "layout": style.layout(QUESTION, 380, xaxis=axes | {"anchor": "y2"}, yaxis=rates, yaxis2=strip),
    }
    head = f"Observed rate against score for {caption.baseline} and {caption.candidate}."
    rows = [{"version": version, **step} for version, curve in curves.items() for step in curve]
    return finish(QUESTION, spec, head, DEFINITION, rows, caption)


def _band(band: list[Row]) -> dict[str, Any]:
    x = [PROBABILITY.place(row["score"]) for row in band]
    low = [PROBABILITY.place(row["low"]) for row in band]
    high = [PROBABILITY.place(row["high"]) for row in band]
    named = {"name": "calibrated, 90%", "showlegend": True}
    return style.band(x, low, high, "$muted/.2") | named


def _diagonal(low: float, high: float) -> dict[str, Any]:
    pen = {"color": "$muted", "width": 1, "dash": "dot"}
    ends = {"type": "scatter", "mode": "lines", "x": [low, high], "y": [low, high]}
    return ends | {"line": pen, "hoverinfo": "skip", "showlegend": False}


def _steps(curve: list[Row], version: str, name: str, span: tuple[float, float]) -> dict[str, Any]:
    x, y, text = [], [], []
    for step in curve:
        height = max(span[0], min(span[1], PROBABILITY.place(step["rate"]) or 0.0))
        said = f"{digits.percent(step['rate'])}<br>{digits.count(step['positives'])} of {digits.count(step['n'])}"
        for end in ("low", "high"):
            x.append(PROBABILITY.place(step[end]))
            y.append(height)
            text.append(f"score {digits.percent(step[end])}: observed {said}")
    return style.line(name, version, x, y, text=text, hovertemplate="%{text}<extra>%{fullData.name}</extra>")


def _strip(bins: list[Row], version: str) -> dict[str, Any]:
    edges = [bins[0]["low"]] + [row["high"] for row in bins]
    shares = style.column(bins, version)
    pen = style.LINES[version] | {"shape": "hv", "width": 1.2}
    fill = {"fill": "tozeroy", "fillcolor": "$cand/.14"} if version == "candidate" else {}
    hidden = {"yaxis": "y2", "showlegend": False, "hoverinfo": "skip"}
    places = [PROBABILITY.place(edge) for edge in edges]
    return style.line(version, version, places, [*shares, shares[-1]], line=pen, **hidden, **fill)
