"""How verdicts, tables, evidence, errors and empty states look; every text from outside is escaped here."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from pages.frame import tokens
from release_core.charts import digits
from release_core.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from release_core.errors import ReleaseReviewError
    from release_core.release import Verdict


class Mark(NamedTuple):
    """How a verdict is shown: the glyph, the word, and the colour token; never the colour alone."""

    glyph: str
    word: str
    token: str


MARKS = {
    "PASS": Mark("●", "Pass", "good"),
    "MARGINAL": Mark("▲", "Marginal", "warn"),
    "INCONCLUSIVE": Mark("◇", "Inconclusive", "undecided"),
    "NODATA": Mark("◌", "No data", "muted"),
    "FAIL": Mark("✖", "Fail", "bad"),
}
_RULES = Path(__file__).with_name("show.css").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its title, the key in each row, and how a value is written.

    `write` returns plain text, which is escaped; None is written as "not known" unless `write` says otherwise.
    `verdict` columns hold a Verdict or its name and show the badge. `number` columns are aligned to the right;
    `wide` ones hold sentences and keep room for them.
    """

    title: str
    key: str
    write: Callable[[Any], str] | None = None
    number: bool = False
    verdict: bool = False
    wide: bool = False


def stylesheet() -> None:
    """Put our few CSS rules on the page; colours follow the theme in the browser.

    Dialogs and popovers stand outside the element that tells the browser its colour scheme, so they are told here.
    """
    outside = (
        f'[data-testid="stDialog"],[data-testid="stPopoverBody"]{{color-scheme:{st.context.theme.type or "light"}}}'
    )
    st.html(f"<style>.rr{{{tokens.css_variables()}}}{outside}{_RULES}</style>")


def badge(verdict: Verdict | str) -> str:
    """Return the HTML of a verdict: glyph, word, colour."""
    mark = _mark(verdict)
    return f'<span class="rr-badge rr-{mark.token}"><i aria-hidden="true">{mark.glyph}</i>{mark.word}</span>'


def banner(verdict: Verdict | str, sentence: str, detail: str = "", points: Sequence[str] = ()) -> None:
    """Show the answer of the page first: one big sentence in the verdict's colour, then what it rests on."""
    mark = _mark(verdict)
    below = f"<p>{escape(detail)}</p>" if detail else ""
    items = "".join(f"<li>{escape(point)}</li>" for point in points)
    head = f'<h2><i aria-hidden="true">{mark.glyph}</i>{escape(sentence)}</h2>'
    st.html(
        f'<section class="rr rr-banner rr-{mark.token}" aria-label="Verdict: {mark.word}">{head}{below}'
        + (f"<ul>{items}</ul>" if items else "")
        + "</section>"
    )


def table(columns: Sequence[Column], rows: Iterable[dict[str, Any]], caption: str, empty_text: str = "") -> None:
    """Show `rows` as an HTML table that screen readers and printers can read; the first column of words is the head."""
    listed = list(rows)
    if not listed:
        empty(empty_text or f"{caption}: nothing to show.")
        return
    heads = "".join(
        f'<th scope="col"{_align(column)}>{escape(column.title)}</th>' if column.title else "<td></td>"
        for column in columns
    )
    top = f"<thead><tr>{heads}</tr></thead>" if any(column.title for column in columns) else ""
    body = "".join(f"<tr>{_cells(columns, row)}</tr>" for row in listed)
    st.html(
        f'<div class="rr rr-scroll" role="region" tabindex="0" aria-label="{escape(caption)}"><table class="rr-table">'
        f"<caption><span>{escape(caption)}</span></caption>{top}<tbody>{body}</tbody></table></div>"
    )


def _cells(columns: Sequence[Column], row: dict[str, Any]) -> str:
    head = next((column for column in columns if not column.verdict), None)
    return "".join(
        f'<th scope="row">{_cell(column, row.get(column.key))}</th>'
        if column is head
        else f"<td{_align(column)}>{_cell(column, row.get(column.key))}</td>"
        for column in columns
    )


def _cell(column: Column, value: Any) -> str:  # noqa: ANN401
    if column.verdict:
        return badge(value)
    if column.write is not None:
        return escape(column.write(value))
    return escape(digits.NOT_KNOWN if value is None else str(value))


def _align(column: Column) -> str:
    return ' class="num"' if column.number else ' class="wide"' if column.wide else ""


def evidence(text: str) -> None:
    """Show the line below every number: n, as-of, both versions."""
    if text:
        parts = " · ".join(
            f"<span>{escape(part)}</span>" if len(part) < 45 else escape(part) for part in text.split(" · ")
        )
        st.html(f'<p class="rr rr-evidence">{parts}</p>')


def evidence_line(n: float | None, as_of: str, baseline: str, candidate: str, more: str = "") -> str:
    """Return the evidence line.

    >>> evidence_line(6000, "2005-09-30", "lr-1", "gbm-1")
    'n = 6,000 · as of 2005-09-30 · baseline lr-1 vs candidate gbm-1'
    """
    parts = [f"n = {digits.count(n)}", f"as of {as_of}", f"baseline {baseline} vs candidate {candidate}", more]
    return " · ".join(part for part in parts if part)


def chips(facts: dict[str, str]) -> None:
    """Show short facts in a row: {name: text}."""
    items = "".join(f"<li><b>{escape(name)}</b>{escape(text)}</li>" for name, text in facts.items())
    st.html(f'<ul class="rr rr-chips">{items}</ul>')


def empty(text: str) -> None:
    """Show that there is nothing here, why, and what to do about it."""
    st.html(f'<p class="rr rr-empty">{escape(text)}</p>')


def problems(error: ReleaseReviewError, title: str = "This cannot be shown") -> None:
    """Show every problem of `error` in four parts: where, found, required, what to do; the same in many places once."""
    for problem in _grouped(error.problems):
        st.html(f'<div class="rr rr-problem" role="alert"><h3>{escape(title)}</h3>{_problem(problem)}</div>')


def _grouped(problems: Iterable[Problem | str]) -> list[Problem | str]:
    """Return the problems, those that differ only in where they are as one that names the first place and counts the rest."""
    places: dict[tuple[str, ...], list[Problem | str]] = {}
    for one in problems:
        key = (one.found, one.required, one.remedy) if isinstance(one, Problem) else (one,)
        places.setdefault(key, []).append(one)
    return [
        replace(first, where=f"{first.where}, and {len(others)} more like it")
        if others and isinstance(first, Problem)
        else first
        for first, *others in places.values()
    ]


def _problem(problem: Problem | str) -> str:
    if not isinstance(problem, Problem):
        return f'<p class="rr-said">{escape(problem)}</p>'
    parts = {
        "Where": problem.where,
        "Found": problem.found,
        "Required": problem.required,
        "What to do": problem.remedy,
    }
    return (
        '<dl class="rr-facts">'
        + "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in parts.items())
        + "</dl>"
    )


def escape_markdown(text: str) -> str:
    """Return `text` so that Markdown shows it letter by letter (names come from logs and manifests)."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:])", r"\\\1", text)


def _mark(verdict: Verdict | str) -> Mark:
    return MARKS[verdict if isinstance(verdict, str) else verdict.name]
