"""Takes how many events of each action and score bin have a label; gives the map of what is known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "Each cell is labelled mature events / mature events of one action taken and one score bin. The darker, the more is "
    "known; red cells hold events of which not one has a label, empty ones no event."
)
# The scale of a share that is above 0, from pale to dark; exactly 0 stands out.
SCALE = [
    [0.0, "$bad/.45"],
    [1e-6, "$bad/.45"],
    [1e-6, "$seq1"],
    *([step / 8, f"$seq{step + 1}"] for step in range(1, 9)),
]


def coverage(cells: list[Row], caption: Caption, *, version: str, score: style.Score = style.PROBABILITY) -> Chart:
    """Return the share of labelled events by action taken and score bin.

    Args:
        cells: action, low, high (edges of the score bin), n (mature events, above 0), labelled, share; rising bins.
        caption: version ids and evidence.
        version: whose score is on the axis.
        score: the axis of scores.
    """
    question = f"Which events have a label, by the {version}'s score and the action taken?"
    if not cells:
        return blank(question, "No event has been given time for a label yet.", DEFINITION, caption)
    actions = list(dict.fromkeys(cell["action"] for cell in cells))[::-1]
    edges = sorted({score.place(cell["low"]) or 0.0 for cell in cells})
    every = {(cell["action"], score.place(cell["low"]) or 0.0): cell for cell in cells}
    grid = [[every.get((action, edge)) for edge in edges] for action in actions]
    spec = {
        "data": [_trace(grid, edges)],
        "layout": style.layout(
            question,
            max(170, 44 * len(actions) + 90),
            showlegend=False,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            plot_bgcolor="$panel",
            xaxis=score.axis([cell[end] for cell in cells for end in ("low", "high")]) | {"showgrid": False},
            yaxis=_names(cells, actions),
        ),
    }
    blind = [action for action in actions[::-1] if not sum(c["labelled"] for c in cells if c["action"] == action)]
    head = f"Of the mature events {digits.percent(_share(cells))} have a label."
    head += f" None has one after {' or '.join(blind)}." if blind else ""
    return finish(question, spec, head, DEFINITION, cells, caption)


def _share(cells: list[Row]) -> float:
    return sum(cell["labelled"] for cell in cells) / sum(cell["n"] for cell in cells)


def _trace(grid: list[list[Row | None]], edges: list[float]) -> dict[str, Any]:
    width = min((b - a for a, b in pairwise(edges)), default=1.0)
    return {
        "type": "heatmap",
        "x": [edge + width / 2 for edge in edges],
        "y": list(range(len(grid))),
        "z": [[cell["share"] if cell else None for cell in line] for line in grid],
        "zmin": 0,
        "zmax": 1,
        "colorscale": SCALE,
        "showscale": False,
        "ygap": 4,
        "hovertext": [[_hover(cell) for cell in line] for line in grid],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "hoverongaps": False,
    }


def _hover(cell: Row | None) -> str:
    if cell is None:
        return ""
    known = f"{digits.count(cell['labelled'])} of {digits.count(cell['n'])} have a label"
    span = f"score {digits.percent(cell['low'])} to {digits.percent(cell['high'])}"
    return f"<b>{style.plain(cell['action'])}</b>, {span}<br>{known}: {digits.percent(cell['share'])}"


def _names(cells: list[Row], actions: list[str]) -> dict[str, Any]:
    names = []
    for action in actions:
        share = _share([cell for cell in cells if cell["action"] == action])
        names.append(f"{style.short(action, 16)} {digits.percent(share)}")
    ticks = {"tickvals": list(range(len(actions))), "ticktext": names, "tickfont": {"color": "$text"}}
    return style.axis("", range=[-0.5, len(actions) - 0.5], showgrid=False, showline=False, **ticks)
