"""Takes counts by cohort and age; gives the development triangle: how many labels each cohort had at each age."""

from __future__ import annotations

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "Each row is a cohort: the events of one period, named by its end. Each column is an age. A cell counts the events "
    "of the cohort known to be bad by that age; its colour is the share of the final number that the chain ladder "
    "expects, by the action taken. Cells that lie in the future are empty; cohorts in grey are too young to tell."
)
MOST_TEXTS = 12


def triangle(cells: list[Row], caption: Caption, *, what: str) -> Chart:
    """Return the triangle.

    Args:
        cells: cohort (oldest first), age_days, known (count), share (of the final number, or None).
        caption: version ids and evidence.
        what: which events, as a reader says it: an action, or "all together".
    """
    question = "How did the number of known bad events develop?"
    if not any(cell["known"] for cell in cells):
        return blank(question, "No event is known to be bad yet.", DEFINITION, caption)
    cohorts = list(dict.fromkeys(cell["cohort"] for cell in cells))[::-1]
    ages = sorted({cell["age_days"] for cell in cells})
    place = {(cell["cohort"], cell["age_days"]): cell for cell in cells}
    grid = [[place.get((cohort, age)) for age in ages] for cohort in cohorts]
    trace = {
        "type": "heatmap",
        "x": list(range(len(ages))),
        "y": list(range(len(cohorts))),
        "z": [[_shade(cell) for cell in line] for line in grid],
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[n / 9, f"$seq{n}"] for n in range(10)],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hovertext": [[_hover(cell) for cell in line] for line in grid],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "hoverongaps": False,
    }
    if len(ages) <= MOST_TEXTS:
        trace |= {"text": [[_text(cell) for cell in line] for line in grid], "texttemplate": "%{text}"}
    every = -(-len(ages) // style.MOST_TICKS)
    spec = {
        "data": [trace],
        "layout": style.layout(
            question,
            max(220, 24 * len(cohorts) + 90),
            showlegend=False,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            xaxis=_ticks([f"{age:.0f}" for age in ages], "age (days)", every),
            yaxis=_ticks(cohorts, "", -(-len(cohorts) // 14)),
        ),
    }
    last = cells[-1]
    oldest = [cell for cell in cells if cell["cohort"] == cohorts[-1]]
    head = (
        f"Development of known bad events, {what}: the oldest cohort {oldest[0]['cohort']} went from "
        f"{digits.count(oldest[0]['known'])} to {digits.count(oldest[-1]['known'])}; the newest, {last['cohort']}, has "
        f"{digits.count(last['known'])}."
    )
    return finish(question, spec, head, DEFINITION, cells, caption)


def _shade(cell: Row | None) -> float | None:
    return None if cell is None else cell["share"]


def _text(cell: Row | None) -> str:
    return "" if cell is None else digits.count(cell["known"])


def _hover(cell: Row | None) -> str:
    if cell is None:
        return ""
    share = f"{digits.percent(cell['share'])} of final" if cell["share"] is not None else "too early to tell"
    return (
        f"<b>{style.plain(cell['cohort'])}</b><br>{digits.count(cell['known'])} bad known after "
        f"{cell['age_days']:.0f} days<br>{share}"
    )


def _ticks(names: list[str], title: str, every: int) -> Row:
    shown = list(range(0, len(names), every))
    marks = {"tickvals": shown, "ticktext": [style.short(names[n], 22) for n in shown], "tickangle": 0}
    spread = [-0.5, len(names) - 0.5]
    return style.axis(title, range=spread, showgrid=False, showline=False, tickfont={"color": "$text"}, **marks)
