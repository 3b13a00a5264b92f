"""Takes counts of events per pair of actions; gives the table of who is treated differently."""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

QUESTION = "Who is treated differently?"
DEFINITION = (
    "The same events under both versions: rows are the baseline's action, columns the candidate's. The diagonal "
    "(outlined) is treated alike; all else changes action. Shares are of all events in the selection; "
    "a bad share is positives among labelled events of the cell."
)


def transition(rows: list[Row], actions: list[str], caption: Caption) -> Chart:
    """Return the action flow, baseline by candidate.

    Args:
        rows: baseline, candidate (actions), n, share (of all events, 0 to 1), bad (positives among labelled, or
            None). Absent pairs are pairs that do not occur.
        actions: the actions in rising severity; both axes show all of them.
        caption: version ids and evidence.
    """
    if not any(row["n"] for row in rows):
        return blank(QUESTION, "No event in this selection has an action of both versions.", DEFINITION, caption)
    found = {(row["baseline"], row["candidate"]): row for row in rows}
    grid = [[found.get((old, new)) for new in actions] for old in actions]
    spec = {
        "data": [_cells(grid, actions)],
        "layout": style.layout(
            QUESTION,
            max(220, 52 * len(actions) + 70),
            showlegend=False,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            shapes=[_outline(place) for place in range(len(actions))],
            xaxis=_actions(f"{caption.candidate} does", actions),
            yaxis=_actions(f"{caption.baseline} did", actions) | {"autorange": "reversed"},
        ),
    }
    moved = sorted((row for row in rows if row["baseline"] != row["candidate"]), key=lambda row: -row["n"])
    head = "No event changes action."
    if moved:
        most = moved[0]
        head = f"Largest change: {most['baseline']} to {most['candidate']}, {digits.count(most['n'])} events."
    return finish(QUESTION, spec, head, DEFINITION, rows, caption)


def _cells(grid: list[list[Row | None]], actions: list[str]) -> dict[str, Any]:
    moved = [
        [cell["share"] if cell and old != new else None for new, cell in zip(actions, line, strict=True)]
        for old, line in zip(actions, grid, strict=True)
    ]
    most = max((value for line in moved for value in line if value is not None), default=0.0) or 1.0
    z = [[0.0 if value is None else value for value in line] for line in moved]
    return {
        "type": "heatmap",
        "x": list(range(len(actions))),
        "y": list(range(len(actions))),
        "z": z,
        "zmin": 0,
        "zmax": most,
        "colorscale": [[place / 6, f"$seq{place}"] for place in range(7)],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "text": [[_label(cell) for cell in line] for line in grid],
        "texttemplate": "%{text}",
        "customdata": [[[old, new] for new in actions] for old in actions],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _label(cell: Row | None) -> str:
    if cell is None or not cell["n"]:
        return "0"
    bad = "" if cell.get("bad") is None else f"<br>bad {digits.percent(cell['bad'])}"
    return f"{digits.count(cell['n'])} ({digits.percent(cell['share'])}){bad}"


def _outline(place: int) -> dict[str, Any]:
    box = {"x0": place - 0.48, "x1": place + 0.48, "y0": place - 0.48, "y1": place + 0.48}
    return {"type": "rect", **box, "line": {"color": "$muted", "width": 1.5}}


def _actions(title: str, actions: list[str]) -> dict[str, Any]:
    ticks = {"tickvals": list(range(len(actions))), "ticktext": [style.plain(action) for action in actions]}
    return style.axis(style.plain(title), showgrid=False, showline=False, tickfont={"color": "$text"}, **ticks)
