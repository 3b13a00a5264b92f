"""Pieces that pages are put together from: the title, metric cards, the ladder of stages, links between pages."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from pages.frame import read, show, state
from release_core.charts import digits
from release_core.errors import ReleaseReviewError
from release_core.stages import ACCOUNTS
from release_core.views import selection, sign_off
from release_core.views.view import version_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pages.frame.state import Choice
    from release_core.ledger import Standing
    from release_core.views.stops import StopsPage
    from release_core.views.view import View

    Row = dict[str, Any]

ARROWS: dict[str, Literal["normal", "inverse"]] = {"higher": "normal", "lower": "inverse"}
SIGNED = (
    show.Column("Stage", "title"),
    show.Column("Verdict here", "shown", lambda text: text),
    show.Column("Signed", "signature", lambda text: text),
    show.Column("Proves", "proves"),
    show.Column("Does not prove", "does_not_prove"),
    show.Column("Gate to the next", "gate"),
)
MOST_LINKS = 4
MOST_ROWS = 12
CUTOFFS = str(Path(__file__).parent.parent / "cutoffs.py")
SEGMENTS = str(Path(__file__).parent.parent / "segments.py")
SCORES = str(Path(__file__).parent.parent / "score_drift.py")
STOPS = str(Path(__file__).parent.parent / "stop_rules.py")
ROLLBACK = str(Path(__file__).parent.parent / "rollback.py")


def title(view: View) -> None:
    """Show the release's title and its two versions."""
    baseline, candidate = version_ids(view.release)
    st.title(show.escape_markdown(view.release.title), anchor=False)
    st.caption(show.escape_markdown(f"{view.release.id} · {view.release.kind} release · {baseline} → {candidate}"))


def cards(rows: Sequence[Row]) -> None:
    """Show one card per metric: the candidate's value, the change against the baseline and its interval."""
    with st.grid(len(rows) or 1, min_column_width=150):
        for row in rows:
            alone = row.get("candidate") is None
            value = digits.level(row["difference"] if alone else row["candidate"], row["unit"])
            st.metric(
                row["title"],
                value,
                None if alone or row["difference"] is None else _signed(row),
                delta_color=ARROWS.get(row["better"], "off"),
                border=True,
                help=f"95% interval of the {'value' if alone else 'difference'}: "
                f"{digits.interval(row['low'], row['high'], row['unit'], of_difference=not alone)}; n = {digits.count(row['n'])}; "
                f"{row['method'] or row['reason']}",
            )


def _signed(row: Row) -> str:
    """Return a card's change with the plain minus by which the card tells up from down."""
    return digits.difference(row["difference"], row["unit"]).replace(digits.MINUS, "-")


def pairs(facts: dict[str, str]) -> list[Row]:
    """Return named facts as table rows."""
    return [{"name": name, "text": text} for name, text in facts.items()]


def about(choice: Choice) -> dict[str, str]:
    """Return what the manifest says of the data: real or generated, its source, what is simulated."""
    told = read.opened(choice.release).release.about
    return {
        "Data": f"{told.data} data" if told.data else "the manifest does not say",
        "Source": told.source or "the manifest does not say",
        "Simulated": "; ".join(told.simulated) or "nothing",
        "Note": told.note or "none",
    }


def ladder(rows: Sequence[Row]) -> None:
    """Show the stages in order, each with its verdict, its signature, and what it proves and does not."""
    show.table(SIGNED, [row | {"shown": _verdict(row), "signature": _signature(row)} for row in rows], "Stages")


def _verdict(row: Row) -> str:
    here = " (this page)" if row["current"] else ""
    mark = show.MARKS.get(row["verdict"] or "")
    return f"{mark.glyph} {mark.word}{here}" if mark else "no decisions in the logs"


def _signature(row: Row) -> str:
    signed = row["signed"]
    if signed is None or signed.decision is None:
        return "not signed"
    return f"{signed.decision.replace('_', ' ')}{_by(signed)}"


def _by(signed: Standing) -> str:
    """Return who has signed a decision and when; an expired signature opens no stage any more, and says so."""
    content = signed.record.content if signed.record is not None else {}
    who = ", ".join(signed.signers) or str(content.get("signer", ""))
    when = f", {signed.record.at[:10]}" if signed.record is not None else ""
    ended = " (expired)" if not signed.go and "expired" in signed.reason else ""
    return f"{' by ' + who if who else ''}{when}{ended}"


def stage(choice: Choice) -> None:
    """Say at the foot of a page what the chosen stage can show and what it cannot; nothing where nothing is shown."""
    try:
        told = ACCOUNTS[read.view(choice).stage]
    except ReleaseReviewError:
        return  # the page has said why
    st.divider()
    st.caption(
        show.escape_markdown(f"{told.title} proves: {told.proves} It does not prove: {told.does_not_prove}"),
    )


def not_open(view: View) -> None:
    """Warn where the chosen stage was entered without a signed go at the one before."""
    why = sign_off.opening(view, read.records())
    if why:
        st.warning(show.escape_markdown(why), icon=":material/lock:")


def early(sentence: str) -> None:
    """Warn where a go would come before some of its evidence."""
    if sentence:
        st.warning(show.escape_markdown(sentence), icon=":material/schedule:")


def primary(rows: Sequence[Row]) -> None:
    """Say whether what the release set out to improve is proven to be better, by name and with its interval."""
    for row in rows:
        text = show.escape_markdown(row["text"])
        if row["verdict"] == "PASS":
            st.success(text, icon=":material/trending_up:")
        elif row["verdict"] == "FAIL":
            st.error(text, icon=":material/trending_down:")
        else:
            st.info(text, icon=":material/trending_flat:")


def house(view: View) -> None:
    """Say in one line what a house with gates of its own does otherwise than the usual one."""
    found = view.release.house
    if found.name:
        st.caption(show.escape_markdown(f"Judged by {found.title}. {found.note}"))


def open_segments(rows: Sequence[Row]) -> None:
    """Offer a link to the Segments page for the worst segments of a gate, with metric, split and segment preset."""
    links = [row for row in rows if row["verdict"] == "FAIL" and row["where"]][:MOST_LINKS]
    for row in links:
        dims = {dim: value for dim, value in row["where"].items() if dim != "replay_set"}
        if dims:
            label = show.escape_markdown(f"Look into {row['segment']}")
            st.page_link(SEGMENTS, label=label, icon=":material/arrow_forward:", query_params=_query(row, dims))
    if read.view(state.current()).release.segments.all:
        open_slices()


def open_slices() -> None:
    """Offer a link to the search for the worst slices."""
    kept = {name: value for name, value in st.query_params.items() if name in {"release", "stage", "as_of"}}
    label = "Find the worst slices, and what they cost"
    st.page_link(SEGMENTS, label=label, icon=":material/search:", query_params=kept | {"show": "Worst slices"})


def kept() -> dict[str, str]:
    """Return what a link to another page carries on: release, stage and as-of time, where they are not the default."""
    return {name: value for name, value in st.query_params.items() if name in {"release", "stage", "as_of"}}


def alarms(page: StopsPage) -> None:
    """Say on top of other pages that a stop rule has fired."""
    if page.fired:
        st.error(show.escape_markdown(f"{page.headline} {page.action}."), icon=":material/front_hand:")
        st.page_link(STOPS, label="See every stop rule", icon=":material/arrow_forward:", query_params=kept())


def _query(row: Row, dims: dict[str, str]) -> dict[str, str]:
    dim, value = next(iter(dims.items()))
    sets = {"in_replay_set": row["where"]["replay_set"]} if "replay_set" in row["where"] else {}
    metric = read.view(state.current()).known()[row["metric"]].title
    return kept() | {"metric": metric, "split": words(dim), "segment": f"{words(dim)} {value}"} | sets


def speaks() -> None:
    """Say in one line of which events the quality numbers of the page speak."""
    st.caption(show.escape_markdown(read.page(selection.speaks)))


def open_cutoffs(where: Sequence[tuple[str, str]]) -> None:
    """Offer a link to the Cutoffs page of one segment."""
    _open(CUTOFFS, "Set the cutoff of this segment", where)


def open_transfer(where: Sequence[tuple[str, str]]) -> None:
    """Offer the way to the cutoffs on the candidate that keep what today's do, of one segment."""
    label = "Threshold transfer: keep what today's cutoff does"
    _open(SCORES, label, where, {"part": "Threshold transfer"})


def _open(page: str, label: str, where: Sequence[tuple[str, str]], more: dict[str, str] | None = None) -> None:
    filters = {f"{state.PREFIX}{dim}": value for dim, value in where}
    st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=kept() | filters | (more or {}))


def lead(sentence: str) -> None:
    """Show the one sentence that answers a page's question: a heading, so that the pictures below stand under one."""
    st.html(f'<h2 class="rr rr-lead">{escape(sentence)}</h2>')


def words(name: str) -> str:
    """Return the name of a dimension as readers say it."""
    return name.replace("_", " ")


def pick(label: str, options: Sequence[str], key: str, spoken: Callable[[str], str] = str) -> str:
    """Return the option chosen by widget or link, as a link names it by its spoken form; a wrong one in the link is told."""
    tell_wrong(label, [spoken(option) for option in options], key)
    return st.selectbox(label, options, key=key, bind="query-params", format_func=spoken)


def tell_wrong(label: str, said: Sequence[str], key: str) -> None:
    """Say so where the link asks for something that a widget does not offer."""
    wrong = [value for value in st.query_params.get_all(key) if value not in said]
    if wrong:
        text = f"The link asks for {label.lower()} “{wrong[0]}”, which does not exist. The default is shown instead."
        st.warning(show.escape_markdown(text), icon=":material/link_off:")
