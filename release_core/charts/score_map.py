"""Takes counts of events by both versions' scores; gives the map of who is scored differently, with the cutoffs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish
from release_core.charts.style import PROBABILITY, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

QUESTION = "Do both versions score the same events alike?"
DEFINITION = (
    "The same events under both versions: each cell counts events by the candidate's score (across) and the baseline's "
    "(up). Events on the diagonal are scored alike; the darker, the more events, on a log scale. Lines are the cutoffs in "
    "force, the baseline's across and the candidate's upright: top left of their crossing only the baseline acts, bottom "
    "right only the candidate."
)


def score_map(
    cells: list[Row],
    edges: Sequence[float],
    cutoffs: list[Row],
    caption: Caption,
    *,
    score: Score = PROBABILITY,
) -> Chart:
    """Return the joint distribution of both scores as a heat map.

    Args:
        cells: row, column (bins of the baseline's and the candidate's score), n, bad (share among labelled, or None),
            amount; absent cells hold no event.
        edges: rising scores: bin k lies between edges k and k + 1, on both axes.
        cutoffs: label, score, version (baseline or candidate), see `style.cutoff_marks`.
        caption: version ids and evidence.
        score: the axis that scores are shown on.
    """
    if not cells:
        return blank(QUESTION, "No event in this selection was scored by both versions.", DEFINITION, caption)
    places = [score.place(edge) or 0.0 for edge in edges]
    size = len(places) - 1
    found = {(cell["row"], cell["column"]): cell for cell in cells}
    grid = [[found.get((row, column)) for column in range(size)] for row in range(size)]
    across = score.axis(edges, f"{style.plain(caption.candidate)} {score.title}")
    up = score.axis(edges, f"{style.plain(caption.baseline)} {score.title}")
    new, old = ([cut for cut in cutoffs if cut["version"] == v] for v in ("candidate", "baseline"))
    shapes, notes = style.cutoff_marks(new, score, across.get("range"))
    spec = {
        "data": [_counts(grid, places), _diagonal(places)],
        "layout": style.layout(
            QUESTION,
            420,
            showlegend=False,
            margin={"l": 8, "r": 14, "t": 8, "b": 8},
            shapes=shapes + [_across(cut, score) for cut in old],
            annotations=notes + [_named(cut, score) for cut in old],
            xaxis=across,
            yaxis=up,
        ),
    }
    head = f"Map of {digits.count(sum(cell['n'] for cell in cells))} events by both scores, on {size} bins each way."
    return finish(QUESTION, spec, head, DEFINITION, _named_rows(cells, edges), caption)


def _named_rows(cells: list[Row], edges: Sequence[float]) -> list[Row]:
    """Return the cells with the lower edges of their bins instead of their numbers."""
    return [
        {"baseline_from": edges[cell["row"]], "candidate_from": edges[cell["column"]]}
        | {name: value for name, value in cell.items() if name not in {"row", "column"}}
        for cell in cells
    ]


def _counts(grid: list[list[Row | None]], places: list[float]) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "x": places,
        "y": places,
        "z": [[math.log10(cell["n"]) if cell else None for cell in line] for line in grid],
        "zmin": 0,
        "zmax": max(math.log10(cell["n"]) for line in grid for cell in line if cell) or 1,
        "colorscale": [[place / 8, f"$seq{place + 1}"] for place in range(9)],
        "showscale": False,
        "text": [[_hover(cell) for cell in line] for line in grid],
        "hovertemplate": "%{text}<extra></extra>",
        "hoverongaps": False,
    }


def _hover(cell: Row | None) -> str:
    if cell is None:
        return ""
    bad = "no labels" if cell["bad"] is None else f"bad {digits.percent(cell['bad'])}"
    return f"{digits.count(cell['n'])} events, {bad}<br>amount {digits.count(cell['amount'])}"


def _diagonal(places: list[float]) -> dict[str, Any]:
    ends = [places[0], places[-1]]
    pen = {"color": "$muted", "width": 1, "dash": "dot"}
    return {"type": "scatter", "mode": "lines", "x": ends, "y": ends, "line": pen, "hoverinfo": "skip"}


def _across(cut: Row, score: Score) -> dict[str, Any]:
    at = score.place(cut["score"])
    pen = {"color": "$base", "dash": "dash", "width": 1.5}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at, "line": pen}


def _named(cut: Row, score: Score) -> Row:
    text = f"{cut['label']} ≥ {score.write(cut['score'])}"
    return style.note(0, score.place(cut["score"]) or 0.0, text, xref="paper", yref="y", yanchor="bottom")
