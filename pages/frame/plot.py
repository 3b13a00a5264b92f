"""The one way to show a chart: its question, the picture, its evidence, and one click away definition, data and SQL."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.frame import show, tokens
from pages.frame.server import PLOTLY_ROUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.charts import Chart

_CSS = ".chart{width:100%} .chart-error{padding:.75rem 1rem;border:1px solid var(--st-border-color);border-radius:6px}"


def _script() -> str:
    """Return the script with both palettes and the versioned address of Plotly's bundle written in."""
    palettes = json.dumps({theme: tokens.palette(theme) for theme in ("light", "dark")})
    address = f"{PLOTLY_ROUTE}?v={metadata.version('plotly')}"
    text = Path(__file__).with_name("plot.js").read_text(encoding="utf-8")
    return text.replace("__PALETTE__", palettes).replace("__ADDRESS__", address)


_component = st.components.v2.component(
    "release_review_chart", html='\n<div class="chart"></div>\n', js=_script(), css=_CSS, isolate_styles=False
)


def plot(
    chart: Chart,
    key: str,
    *,
    on_click: Callable[[Any], None] | None = None,
    drag: Callable[[int, float], None] | None = None,
) -> None:
    """Show `chart` in a box of its own.

    `key` is unique on the page. `on_click` receives the clicked point's key (a segment, or [row, column]);
    `drag` receives the number of the line that the reader dragged, and the score to which. Whoever passes either also offers
    a widget that does the same by keyboard.
    """
    with st.container(border=True, key=f"box-{key}", gap="xsmall"):
        st.subheader(show.escape_markdown(chart.question), anchor=False)
        if chart.spec:
            _draw(chart, key, on_click, drag)
        else:
            show.empty(chart.alt)
        show.evidence(chart.evidence)
        _behind(chart, key)


def many(question: str, charts: list[Chart], key: str, *, on_click: Callable[[Any], None] | None = None) -> None:
    """Show small charts of one kind side by side, with one question, one line of evidence and one drawer for all."""
    with st.container(border=True, key=f"box-{key}", gap="xsmall"):
        st.subheader(show.escape_markdown(question), anchor=False)
        with st.grid("auto", min_column_width=230):
            for number, chart in enumerate(charts):
                with st.container():
                    if chart.spec:
                        _draw(chart, f"{key}-{number}", on_click, None)
                    else:
                        show.empty(f"{chart.question}: {chart.alt}")
        show.evidence(charts[0].evidence)
        rows = [row for chart in charts for row in chart.data]
        _behind(replace(charts[0], data=rows), key)


def _draw(
    chart: Chart, key: str, on_click: Callable[[Any], None] | None, drag: Callable[[int, float], None] | None
) -> None:
    def clicked() -> None:
        point = st.session_state[key].click
        if on_click is not None and point and point["key"] is not None:
            on_click(point["key"])

    def dragged() -> None:
        moved = st.session_state[key].drag
        if drag is not None and moved is not None:
            drag(int(moved["line"]), float(moved["score"]))

    _component(
        data={"spec": chart.json, "alt": chart.alt},
        key=key,
        on_click_change=clicked if on_click else _ignore,
        on_drag_change=dragged if drag else _ignore,
    )


def _ignore() -> None:
    """Stand in where nobody listens: the component declares its events by having callbacks."""


def _behind(chart: Chart, key: str) -> None:
    """Offer definition, data and SQL; nothing of it is computed or sent before it is opened."""
    drawer = st.expander("Definition, data, SQL", key=f"behind-{key}", on_change="rerun", type="compact")
    if not drawer.open:
        return
    with drawer:
        st.markdown(show.escape_markdown(chart.definition))
        if chart.data:
            st.dataframe(
                chart.data, hide_index=True, height="content" if len(chart.data) <= 10 else 300, placeholder="not known"
            )
            name = f"{key}.csv"
            st.download_button("CSV", csv_text(chart.data), name, "text/csv", key=f"csv-{key}", on_click="ignore")
        if chart.sql:
            st.code(chart.sql, language="sql")


def take(rows: list[dict[str, Any]], name: str) -> None:
    """Offer the rows of a table as CSV, with numbers as they are and not as they are written."""
    if rows:
        plain = [{key: value for key, value in row.items() if _plain(key, value)} for row in rows]
        st.download_button(
            "CSV of this table", csv_text(plain), f"{name}.csv", "text/csv", key=f"take-{name}", on_click="ignore",
            type="tertiary", icon=":material/download:",
        )  # fmt: skip


def _plain(key: str, value: object) -> bool:
    """Return whether a field of a row is a number or a name: no text made for the screen, no part of a link."""
    return not key.startswith("shown") and not isinstance(value, dict | list | tuple)


def csv_text(rows: list[dict[str, Any]]) -> str:
    """Return `rows` as CSV with a header; what is not known is an empty field.

    Text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
