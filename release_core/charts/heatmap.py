"""Takes one difference per pair of segment values; gives the heatmap with undecided cells in grey."""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "Each cell is candidate minus baseline where both values hold. Orange is worse, blue is better, "
    "pale is no change; grey cells cannot be decided from the data there are. A failing cell carries a cross."
)
UNDECIDED = frozenset({"INCONCLUSIVE", "NODATA"})


def heatmap(
    cells: list[Row],
    caption: Caption,
    *,
    dims: tuple[str, str],
    metric: str,
    unit: str = "share",
    better: str = "higher",
) -> Chart:
    """Return the difference by two dimensions, on a diverging scale centred on zero.

    Args:
        cells: row, column (values of dims[0], dims[1]), difference (or None), low, high, verdict, n.
        caption: version ids and evidence.
        dims: the names of the two dimensions, rows first.
        metric: its name as a reader says it.
        unit: "share" (percentage points) or any other.
        better: higher, lower or neither; the harmful side is orange.
    """
    question = f"Where does {metric.lower()} break by {dims[0]} and {dims[1]}?"
    if not any(cell["difference"] is not None for cell in cells):
        return blank(question, f"No cell of {dims[0]} and {dims[1]} has enough data.", DEFINITION, caption)
    rows = list(dict.fromkeys(cell["row"] for cell in cells))[::-1]
    columns = list(dict.fromkeys(cell["column"] for cell in cells))
    spec = {
        "data": [_colours(cells, rows, columns, unit, better), _undecided(cells, rows, columns, unit)],
        "layout": style.layout(
            question,
            max(200, 34 * len(rows) + 90),
            showlegend=False,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            plot_bgcolor="$panel",
            xaxis=_names(columns, dims[1]),
            yaxis=_names(rows, dims[0]),
        ),
    }
    fails = sum(cell["verdict"] == "FAIL" for cell in cells)
    undecided = sum(cell["verdict"] in UNDECIDED for cell in cells)
    head = f"Change in {metric.lower()}: {fails} of {len(cells)} cells fail, {undecided} cannot be decided."
    return finish(question, spec, head, DEFINITION, cells, caption)


def _colours(cells: list[Row], rows: list[str], columns: list[str], unit: str, better: str) -> dict[str, Any]:
    decided = {(cell["row"], cell["column"]): cell for cell in cells if cell["verdict"] not in UNDECIDED}
    grid = [[decided.get((row, column)) for column in columns] for row in rows]
    z = [[cell["difference"] if cell else None for cell in line] for line in grid]
    reach = max((abs(value) for line in z for value in line if value is not None), default=0.0) or 1.0
    order = range(10) if better != "higher" else range(9, -1, -1)
    return {
        "type": "heatmap",
        "x": list(range(len(columns))),
        "y": list(range(len(rows))),
        "z": z,
        "zmin": -reach,
        "zmax": reach,
        "colorscale": [[place / 9, f"$div{step}"] for place, step in enumerate(order)],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "text": [[_label(cell, unit) for cell in line] for line in grid],
        "texttemplate": "%{text}",
        "customdata": [[_key(cell) for cell in line] for line in grid],
        "hovertext": [[_hover(cell, unit) for cell in line] for line in grid],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "hoverongaps": False,
    }


def _undecided(cells: list[Row], rows: list[str], columns: list[str], unit: str) -> dict[str, Any]:
    grey = [cell for cell in cells if cell["verdict"] in UNDECIDED]
    return {
        "type": "scatter",
        "mode": "text",
        "x": [columns.index(cell["column"]) for cell in grey],
        "y": [rows.index(cell["row"]) for cell in grey],
        "text": ["◇ " + digits.difference(c["difference"], unit) if c["difference"] is not None else "–" for c in grey],
        "textfont": {"color": "$muted"},
        "customdata": [_key(cell) for cell in grey],
        "hovertext": [_hover(cell, unit) for cell in grey],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _label(cell: Row | None, unit: str) -> str:
    if cell is None:
        return ""
    return ("✖ " if cell["verdict"] == "FAIL" else "") + digits.difference(cell["difference"], unit)


def _key(cell: Row | None) -> list[str] | None:
    return None if cell is None else [cell["row"], cell["column"]]


def _hover(cell: Row | None, unit: str) -> str:
    if cell is None:
        return ""
    change = f"{digits.difference(cell['difference'], unit)} {digits.interval(cell['low'], cell['high'], unit)}"
    place = style.plain(f"{cell['row']} / {cell['column']}")
    return f"<b>{place}</b><br>{change}<br>n = {digits.count(cell['n'])}<br>{cell['verdict'].lower()}"


def _names(values: list[str], title: str) -> dict[str, Any]:
    ticks = {"tickvals": list(range(len(values))), "ticktext": [style.short(value, 22) for value in values]}
    spread = [-0.5, len(values) - 0.5]
    return style.axis(title, range=spread, showgrid=False, showline=False, tickfont={"color": "$text"}, **ticks)
