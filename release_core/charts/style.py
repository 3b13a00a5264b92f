"""Takes nothing but choices; gives the parts that all charts share: layout, axes, version lines, cutoff marks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from release_core.charts import digits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from release_core.charts.chart import Caption, Row, Spec

# Every colour token that a spec may use; pages/frame/tokens.py gives each a colour for light and for dark.
TOKENS = frozenset(
    {"bg", "text", "muted", "border", "grid", "panel", "link", "base", "cand", "cut"}
    | {"good", "warn", "bad", "undecided", "approve", "review", "block"}
    | {f"{name}{i}" for name, size in (("cat", 6), ("seq", 10), ("div", 10)) for i in range(size)}
)
TRACE_TYPES = frozenset({"scatter", "bar", "heatmap"})

PAIR_HEIGHT = 280
ROW_HEIGHT = 24
EDGE = 16.0  # scores of exactly 0 and 1 stand at the ends of the log-odds grid
# Scores between these stand inside.
WITHIN = 1 / (1 + math.exp(EDGE)), 1 / (1 + math.exp(-EDGE))

LINES = {
    "baseline": {"color": "$base", "width": 2, "dash": "dash"},
    "candidate": {"color": "$cand", "width": 2, "dash": "solid"},
}
MARKERS = {
    "baseline": {"color": "$base", "symbol": "square-open", "size": 7, "line": {"width": 1.5, "color": "$base"}},
    "candidate": {"color": "$cand", "symbol": "circle", "size": 7},
}
# Labels closer than one so many-th of the axis would touch each other in a narrow chart.
MOST_TICKS = 8
# Of a short axis: 1, 2, 3, 5, 7 of each decade, and the same from the other end.
FINE_TICKS = tuple(sorted({round(side, 9) for k in range(1, 7) for n in (1, 2, 3, 5, 7)
                           for side in (n / 10**k, 1 - n / 10**k)}))  # fmt: skip
FEWEST_TICKS = 3
PROBABILITY_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999)


@dataclass(frozen=True, slots=True)
class Score:
    """The axis on which scores are shown: probabilities on log-odds (or "linear" as they are), points as they are."""

    name: str = "probability"
    title: str = "score (log-odds scale)"

    def place(self, score: float | None) -> float | None:
        """Return where `score` stands on the axis; scores of 0 and 1 stand at -16 and 16."""
        return score if score is None or self.name != "probability" else _log_odds(score)

    def places(self, scores: Sequence[float | None]) -> list[Any]:
        """Return where each of many scores stands."""
        known = [score for score in scores if score is not None]
        if self.name != "probability" or len(known) < len(scores):
            return [self.place(score) for score in scores]
        log, (low, high) = math.log, WITHIN
        return [log(score / (1 - score)) if low < score < high else _log_odds(score) for score in known]

    def write(self, score: float | None) -> str:
        """Return `score` as a reader sees it: percent for probabilities, else the number."""
        return digits.number(score) if self.name == "points" else digits.limit(score)

    def axis(self, scores: Iterable[float | None], title: str = "") -> Spec:
        """Return an axis that spans `scores`, with ticks at round probabilities."""
        if self.name == "linear":
            return axis(title or self.title, tickformat="~p")
        known = [score for score in scores if score is not None]
        if self.name != "probability" or not known:
            return axis(title or self.title)
        low, high = _log_odds(min(known)), _log_odds(max(known))
        room = 0.02 * (high - low) or 0.5
        ends = [low - room, high + room]
        ticks = _ticks(*ends)
        marks = {"tickvals": [at for at, _ in ticks], "ticktext": [text for _, text in ticks]}
        return axis(title or self.title, range=ends, tickangle=0, **marks)


# Charts side by side, and those of the next as-of step, stand at the same edges of bins.
@lru_cache(maxsize=8192)
def _log_odds(score: float) -> float:
    """Return the log-odds of a score, at most EDGE on either side."""
    if 0 < score < 1:
        at = math.log(score / (1 - score))
        if -EDGE < at < EDGE:
            return at
    return math.copysign(EDGE, score - 0.5)


@lru_cache(maxsize=64)
def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return the ticks of an axis of probabilities between two places, each with its text."""
    coarse, fine = ([(at, tick) for at, tick in ticks if low <= at <= high] for ticks in _placed_ticks())
    ticks = _apart(fine if len(coarse) < FEWEST_TICKS else coarse, (high - low) / MOST_TICKS)
    return [(at, f"{100 * tick:g}%") for at, tick in ticks]


@cache
def _placed_ticks() -> tuple[list[tuple[float, float]], ...]:
    """Return the ticks of a long axis of probabilities and those of a short one, each with its place."""
    return tuple([(Score().place(tick) or 0.0, tick) for tick in ticks] for ticks in (PROBABILITY_TICKS, FINE_TICKS))


def _apart(ticks: list[tuple[float, float]], least: float) -> list[tuple[float, float]]:
    """Return the ticks, each with its place, that stand at least so far from the one before."""
    kept: list[tuple[float, float]] = []
    for tick in ticks:
        if not kept or tick[0] - kept[-1][0] >= least:
            kept.append(tick)
    return kept


PROBABILITY = Score()
LINEAR = Score("linear", "score")


def layout(question: str, height: int = PAIR_HEIGHT, **parts: Any) -> Spec:
    """Return the layout that every chart starts from, with `parts` laid over it."""
    common: Spec = {
        "height": height,
        "uirevision": question,
        "font": {"size": 12, "color": "$muted"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 14, "t": 30, "b": 8},
        "dragmode": False,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "$panel", "bordercolor": "$border", "font": {"color": "$text", "size": 12}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": "$text"}},
        "xaxis": axis(""),
        "yaxis": axis(""),
    }
    return common | parts


def axis(title: str, **parts: Any) -> Spec:
    """Return an axis with our grid and a muted title, with `parts` laid over it."""
    common: Spec = {
        "title": {"text": title, "font": {"size": 12}, "standoff": 8},
        "gridcolor": "$grid",
        "linecolor": "$border",
        "showline": True,
        "zeroline": False,
        "automargin": True,
        "ticks": "",
        "fixedrange": True,
    }
    return common | parts


def share_axis(title: str, **parts: Any) -> Spec:
    """Return an axis of shares (0 to 1) with percent ticks; `~p` keeps small ones readable on a log scale."""
    return axis(title, **({"tickformat": "~p", "rangemode": "tozero"} | parts))


def unit_title(unit: str) -> str:
    """Return the axis title that says what is counted; shares have percent ticks, and counts need none.

    >>> unit_title("ms"), unit_title("share"), unit_title("number")
    ('ms', '', '')
    """
    return "" if unit in {"share", "number", "count"} else unit


def line(name: str, version: str, x: Sequence[Any], y: Sequence[Any], **parts: Any) -> Spec:
    """Return the line trace of one version: candidate solid, baseline dashed."""
    common: Spec = {"type": "scatter", "mode": "lines", "name": name, "x": list(x), "y": list(y)}
    return common | {"line": dict(LINES[version]), "connectgaps": False} | parts


def limit(ends: Sequence[Any], value: float, name: str = "limit") -> Spec:
    """Return the dashed line of a value that must not be passed, between two places; it is a trace, so the axis holds it."""
    pen = {"color": "$bad", "width": 1.5, "dash": "dash"}
    return line(name, "candidate", ends, [value, value], line=pen, hoverinfo="skip")


def band(x: Sequence[Any], low: Sequence[float | None], high: Sequence[float | None], colour: str) -> Spec:
    """Return a filled interval band; where the interval is not known there is a gap."""
    outline: list[tuple[Any, Any]] = []
    for known, points in groupby(zip(x, low, high, strict=True), lambda point: None not in point):
        run = list(points) if known else []
        outline += [(a, b) for a, b, _ in run] + [(a, c) for a, _, c in reversed(run)]
        outline += [(None, None)] if run else []
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [a for a, _ in outline],
        "y": [b for _, b in outline],
        "fill": "toself",
        "fillcolor": colour,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def within(points: list[Row], columns: Sequence[str], top: float | None, others: Iterable[float | None]) -> list[float]:
    """Return the scores of the points that a picture which ends at `top` shows, the next one on either side, and others.

    `points` hold cutoff and the `columns`; where nothing of a point lies below `top` there is nothing to see.
    """
    most = math.inf if top is None else top
    seen = [n for n, row in enumerate(points) for name in columns if (y := row.get(name)) is not None and y <= most]
    shown = seen or [0, len(points) - 1]
    kept = points[max(shown[0] - 1, 0) : shown[-1] + 2]
    return [row["cutoff"] for row in kept] + [at for at in others if at is not None]


def cutoff_marks(cutoffs: list[Row], score: Score, axis_range: list[float] | None) -> tuple[list[Spec], list[Spec]]:
    """Return shapes and annotations of vertical cutoff lines.

    Rows: label, score, version (baseline: dashed grey; candidate or both: dotted orange). Labels of
    neighbours stand one below the other and, at the right of `axis_range`, on the left of their line.
    """
    turn = math.inf if axis_range is None else axis_range[0] + 0.7 * (axis_range[1] - axis_range[0])
    ordered = sorted((row for row in cutoffs if row["score"] is not None), key=lambda row: row["score"])
    shapes, notes = [], []
    for place, row in enumerate(ordered):
        old = row.get("version") == "baseline"
        at = score.place(row["score"])
        colour, dash = ("$base", "dash") if old else ("$cut", "dot")
        shapes.append(vertical(at, colour, dash))
        text = f"{row['label']} ≥ {score.write(row['score'])}"
        side = {"xanchor": "right", "xshift": -3} if at is not None and at > turn else {}
        notes.append(note(at, 1 - 0.09 * (place % 4), text, "$muted" if old else "$cut", **side))
    return shapes, notes


def vertical(x: object, colour: str, dash: str = "dot", width: float = 1.5) -> Spec:
    """Return a vertical line over the whole height."""
    pen = {"color": colour, "dash": dash, "width": width}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": pen}


def span(low: object, high: object, colour: str) -> Spec:
    """Return a shade over the whole height between two places."""
    return {
        "type": "rect",
        "x0": low,
        "x1": high,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "fillcolor": colour,
        "line": {"width": 0},
        "layer": "below",
    }


def note(x: object, y: float, text: str, colour: str = "$muted", **parts: Any) -> Spec:
    """Return a text beside (x, y), y being a share of the height, on a background that keeps it readable."""
    common: Spec = {"x": x, "y": y, "yref": "paper", "text": plain(text), "showarrow": False, "xanchor": "left"}
    return common | {"yanchor": "top", "xshift": 3, "font": {"color": colour, "size": 11}, "bgcolor": "$bg/.8"} | parts


def plain(text: str) -> str:
    """Return `text` so that Plotly, which reads a small HTML, shows it letter by letter."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def short(text: str, longest: int = 30) -> str:
    """Return `text` cut to `longest` letters for an axis; the hover has the whole."""
    return plain(text if len(text) <= longest else f"{text[: longest - 1]}…")


def both(caption: Caption) -> list[tuple[str, str]]:
    """Return (version, legend name) with the baseline first, as it is drawn beneath."""
    return [(version, plain(caption.name(version))) for version in ("baseline", "candidate")]


def column(rows: list[Row], name: str) -> list[Any]:
    """Return one column of `rows`, None where a row lacks it."""
    return [row.get(name) for row in rows]
