"""Pieces of the Segments page: the worst slices, mix or rate, and what is known of one segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.frame import columns, drift, parts, plot, read, show, state
from release_core.charts import digits
from release_core.frames import segment_text
from release_core.views import mix, segments, slices, transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.views.segments import Drill

    Row = dict[str, Any]

SPLIT, WORST, MIX = "By segment", "Worst slices", "Mix or rate"
EXPLAINED = (
    "Pulled: the change, pulled towards the mean of the segments of the same split, the more the fewer events there are. "
    "Provable: the smallest margin that a harmless change could be proven to keep here (80% power, one-sided 5%). "
    "Needed: events still needed to prove the gate's margin kept, where more events would. Money: the candidate's expected "
    "cost less the baseline's, at the declared unit costs, as if events without a label cost what those with one do."
)
CUTOFF = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Cutoff", "shown_today", None), ("Alerts", "wanted", digits.percent),
    ("Candidate", "nominal", digits.percent), ("As many at", "shown", str)))  # fmt: skip
WORTH = (
    show.Column("Customers", "customers", lambda told: told or "", number=True),
    show.Column("A day", "shown_events", number=True),
    show.Column("Money a day", "shown_money", number=True),
)
FOUND = (
    show.Column("Slice", "segment"),
    show.Column("On the other half", "found"),
    show.Column("Change there", "shown_both", number=True),
    show.Column("In all", "shown_all", number=True),
    *WORTH,
    show.Column("Events", "n", digits.count, number=True),
    show.Column("Bad", "positives", digits.count, number=True),
)
RANKED = (
    show.Column("Slice", "segment"),
    show.Column("Worse", "shown_flag"),
    show.Column("Change", "shown_both", number=True),
    show.Column("Pulled", "shown_shrunken", number=True),
    *WORTH,
    show.Column("Provable", "shown_provable", number=True),
    show.Column("Needed", "shown_needed", number=True),
    show.Column("Events", "n", digits.count, number=True),
    show.Column("Bad", "positives", digits.count, number=True),
)
PARTS = (show.Column("Part of the change", "title"), show.Column("Change", "shown_both", number=True))
SHIFTED = (
    show.Column("Segment", "segment"),
    show.Column("First", "shown_first", number=True),
    show.Column("Second", "shown_second", number=True),
    show.Column("Share of events, first", "first_share", digits.percent, number=True),
    show.Column("second", "second_share", digits.percent, number=True),
    show.Column("Mix", "shown_mix", number=True),
    show.Column("Rate", "shown_rate", number=True),
)


def choose() -> str:
    """Return which part of the page is shown."""
    parts.tell_wrong("Show", [SPLIT, WORST, MIX], "show")
    return st.segmented_control("Show", [SPLIT, WORST, MIX], default=SPLIT, key="show", bind="query-params") or SPLIT


def by_segment(splits: Sequence[str]) -> None:
    """Show one metric over the segments of one to three dimensions, and one of them in detail."""
    offered = dict(segments.comparable(read.view(state.current())))
    metric, split = _asked(offered, splits)
    page = read.page(segments.segments, metric, tuple(split or splits[:1]))
    keys = [row["key"] for row in page.rows]
    parts.lead(page.headline)
    st.caption(show.escape_markdown(" ".join([page.gate, *page.notes])))

    def pick(key: object) -> None:
        """Choose the segment that was clicked."""
        pairs = zip(split, key, strict=False) if isinstance(key, list) else ()
        wanted = " | ".join(f"{dim}={value}" for dim, value in pairs) or key
        if wanted in keys:
            st.session_state["segment"] = wanted

    wide, narrow = st.columns((3, 2))
    with wide:
        plot.plot(page.heatmap or page.forest, "forest", on_click=pick)
    drill = None
    with narrow:
        chosen = parts.pick("Look into", keys, "segment", segments.spoken)
        if chosen:
            drill = read.page(segments.drill, segments.where_of(chosen))
            looked_into(drill)
    with wide:
        picture(drill, chosen)
    show.table(
        columns.SEGMENTS, columns.together(page.rows, read.units()), f"{offered[metric]} by segment, worst first"
    )
    _below(page.rows, "segments")


def _asked(offered: dict[str, str], splits: Sequence[str]) -> tuple[str, list[str]]:
    """Let the reader choose a metric and up to three dimensions; return both."""
    left, right = st.columns(2)
    with left:
        metric = parts.pick("Metric", list(offered), "metric", offered.__getitem__)
    parts.tell_wrong("Split", [parts.words(dim) for dim in splits], "split")
    split = right.multiselect(
        "Split by (one to three)",
        splits,
        splits[:1],
        key="split",
        bind="query-params",
        max_selections=3,
        format_func=parts.words,
    )
    return metric, split


def worst() -> None:
    """Show the slices that the search found, every slice ranked, and one of them in detail."""
    view = read.view(state.current())
    offered = dict(slices.searchable(view))
    left, right = st.columns(2)
    with left:
        metric = parts.pick("Metric", list(offered), "worst_metric", offered.__getitem__)
    with right:
        order = parts.pick("Order of the ranking", list(slices.ORDERS), "order", slices.ORDERS.__getitem__)
    found, ranking = read.page(slices.searched, metric), read.page(slices.ranked, metric, order)
    parts.lead(found.headline)
    st.caption(show.escape_markdown(found.account))
    keys = list(dict.fromkeys(row["key"] for row in [*found.rows, *ranking.rows]))

    def pick(key: object) -> None:
        """Choose the slice that was clicked."""
        if key in keys:
            st.session_state["slice"] = key

    if found.rows:
        show.table(FOUND, written(found.rows), "Slices found on one half of the customers, tested on the other")
    wide, narrow = st.columns((3, 2))
    with wide:
        if found.rows:
            plot.plot(found.forest, "found", on_click=pick)
        plot.plot(ranking.forest, "ranked", on_click=pick)
    drill, chosen = None, ""
    with narrow:
        if keys:
            chosen = parts.pick("Look into", keys, "slice", segments.spoken)
            drill = read.page(segments.drill, segments.where_of(chosen))
            looked_into(drill)
    with wide:
        picture(drill, chosen)
    st.caption(show.escape_markdown(" ".join([ranking.headline, *ranking.notes])))
    show.table(RANKED, written(ranking.rows), f"Segments and their intersections, {slices.ORDERS[order]}")
    _below([row | {"found": ""} for row in ranking.rows] + found.rows, "slices")


def _below(rows: list[Row], name: str) -> None:
    """Show what stands below a table: its rows as CSV, and how to read it."""
    plot.take(rows, name)
    st.caption(EXPLAINED)


def mixed() -> None:
    """Show how much of a change is another mix of segments, and how much other rates within them."""
    view = read.view(state.current())
    offered, kinds = dict(mix.splittable(view)), mix.kinds(view)
    dims = [dim for dim in view.release.segments.all if dim not in dict(view.where)]
    one, two, three = st.columns(3)
    with one:
        metric = parts.pick("Metric", list(offered), "mix_metric", offered.__getitem__)
    with two:
        by = parts.pick("Segments of", dims, "mix_by", parts.words)
    with three:
        kind = parts.pick("Compare", list(kinds), "compare", mix.KINDS.__getitem__)
    pair, version = ("", ""), "candidate"
    if kinds[kind]:
        with one:
            first = parts.pick("First", kinds[kind][:-1], f"first_{kind}")
        with two:
            second = parts.pick("Second", kinds[kind][::-1], f"second_{kind}")
        with three:
            version = parts.pick("Version", ["candidate", "baseline"], "version")
        pair = (first, second)
    page = read.page(mix.mixed, metric, by, kind, pair, version)
    parts.lead(page.headline)
    for warning in page.warnings:
        st.warning(show.escape_markdown(warning), icon=":material/warning:")
    wide, narrow = st.columns((3, 2))
    unit = view.known()[metric].unit
    with wide:
        plot.plot(page.chart, "shift")
    with narrow:
        show.table(PARTS, [row | _change(row, unit) for row in page.parts], "Where the change comes from")
    rows = [row | _shifted(row, unit) for row in page.rows]
    show.table(SHIFTED, rows, f"By {parts.words(by)}, largest contribution first")
    plot.take(page.rows, "mix")


def looked_into(drill: Drill) -> None:
    """Show what one slice is worth, its cutoffs and its numbers, and the way to its cutoff."""
    show.chips(drill.facts)
    show.table(columns.COMPARED[:-1], columns.written(drill.numbers, read.units()), drill.title)
    told = [drift.transferred(row, digits.percent) for row in drill.cutoffs]
    show.table(CUTOFF, told, f"Cutoffs for {segment_text(dict(drill.scope))}", transfer.NOTHING)
    if drill.note:
        st.caption(show.escape_markdown(drill.note))
    parts.open_cutoffs(drill.scope)
    parts.open_transfer(drill.scope)


def picture(drill: Drill | None, chosen: str) -> None:
    """Show one picture of a slice, of those that there are; the others are made when they are asked for."""
    if drill is None or not drill.pictures:
        return
    parts.tell_wrong("Picture", drill.pictures, "picture")
    first = drill.pictures[0]
    label = show.escape_markdown(f"Picture of {drill.title}")
    name = st.segmented_control(label, drill.pictures, default=first, key="picture", bind="query-params") or first
    plot.plot(read.page(segments.picture, segments.where_of(chosen), name), f"drill-{name}")


def written(rows: Sequence[Row]) -> list[Row]:
    """Return slices with their numbers written in the unit of their metric."""
    return [row | _change(row, row["unit"]) | _slice(row, row["unit"]) for row in rows]


def _slice(row: Row, unit: str) -> Row:
    needed = digits.count(row["needed"]) if row["needed"] is not None else ""
    return {
        "shown_flag": "worse" if row["flag"] else "",
        "shown_all": digits.difference(row.get("on_all"), unit),
        "shown_shrunken": digits.difference(row["shrunken"], unit) if row["shrunken"] is not None else "",
        "shown_events": digits.number(row["events_per_day"], 2),
        "shown_money": _money(row),
        "shown_provable": digits.difference(row["provable"], unit).lstrip("+"),
        "shown_needed": needed,
    }


def _money(row: Row) -> str:
    return "" if row["money_per_day"] is None else digits.signed(round(row["money_per_day"], 2))


def _change(row: Row, unit: str) -> Row:
    return {"shown_both": digits.both(row["difference"], row["low"], row["high"], unit)}


def _shifted(row: Row, unit: str) -> Row:
    told = {
        f"shown_{side}": digits.level(row[side], unit) if row[side] is not None else "" for side in ("first", "second")
    }
    only = {"new": "only in the second", "retired": "only in the first"}.get(row["kind"], "")
    parts_told = {
        f"shown_{part}": digits.difference(row[part], unit) if row[part] is not None else only
        for part in ("mix", "rate")
    }
    return told | parts_told
