"""The what-if of recalibration on the Calibration page: choose windows and method, see before and after, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.frame import parts, plot, read, show, state
from release_core.charts import digits
from release_core.views import recalibration, recalibration_release, windows

if TYPE_CHECKING:
    from release_core.views.view import View

    Row = dict[str, Any]

METHODS = tuple(show.Column(title, key, number=key not in {"title", "fitted"}) for title, key in (
    ("Method", "title"), ("Fitted", "fitted"), ("Log loss", "log_loss"), ("Change, 95% interval", "log_loss_told"),
    ("Brier score", "brier"), ("Change, 95% interval", "brier_told"), ("Obs. / exp.", "oe"), ("Slope", "slope")))  # fmt: skip
CUTOFFS = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Events", "segment", None), ("Action", "action", None), ("Cutoff now", "cutoff", digits.cutoff),
    ("Carried over", "moved", digits.cutoff), ("Alert rate now", "before", digits.percent),
    ("afterwards", "after", digits.percent), ("Same events", "same", None)))  # fmt: skip
PLATEAUS = tuple(show.Column(title, key, write, number=key != "low") for title, key, write in (
    ("Scores from", "low", digits.percent), ("to", "high", digits.percent), ("all become", "probability", digits.percent),
    ("Events", "n", digits.count), ("Share of events", "share", digits.percent)))  # fmt: skip
MOST_PLATEAUS = 10


def section(view: View) -> None:
    """Show the what-if; where there are not two windows with labels, say so."""
    with read.told("Recalibration cannot be tried here"):
        if len(narrow := windows.filtered(view)) > windows.MOST_DEEP:
            _unfilter(
                f"Scores are kept within up to two dimensions together, and the filter has {len(narrow)}: remove one to try a "
                "recalibration.",
                narrow[windows.MOST_DEEP - 1 :],
            )
            return
        offered = [dim for dim in read.page(windows.dims) if read.page(windows.fits, dim)]
        if not offered:
            _unfilter(
                "A map is fitted on one window and judged on another. Fewer than two windows have mature labels here: "
                "choose a later as-of time, or fewer filters.",
                narrow,
            )
            return
        choice = _choice(offered)
        page = read.page(recalibration.recalibration, *choice)
        _show(page)
        _export(view, choice)


def _unfilter(reason: str, dims: list[str]) -> None:
    """Say why there is nothing, and offer to remove the filters that stand in the way."""
    show.empty(reason)
    for dim in dims:
        words = f"Remove the filter by {parts.words(dim)}"
        st.button(
            words,
            key=f"remove {dim} {reason[:20]}",
            on_click=state.unfilter,
            args=(dim,),
            icon=":material/filter_alt_off:",
        )


def _choice(offered: list[str]) -> tuple[str, str, str, str]:
    """Return the dimension of the windows, the one that fits, the one that judges, and the method."""
    places = st.columns(4 if len(offered) > 1 else 3)
    dim = offered[0]
    if len(offered) > 1:
        with places[0]:
            dim = parts.pick("Windows by", offered, "windows_by", windows.SPOKEN.__getitem__)
    with places[-3]:
        label = "Fitted on events up to" if dim == windows.CALENDAR else "Fitted on"
        fit = parts.pick(label, read.page(windows.fits, dim), f"fitted_{dim}")
    with places[-2]:
        judge = parts.pick("Judged on", read.page(windows.judges, dim, fit), f"judged_{dim}")
    with places[-1]:
        first = read.page(windows.advised, dim, fit)
        methods = [first, *(name for name in recalibration.TITLES if name != first)]
        method = parts.pick("Method", methods, "method", recalibration.TITLES.__getitem__)
    if dim == windows.KNOWN:
        st.caption(
            "Within two segments scores are not kept by week: events are parted by when their label became known."
        )
    return dim, fit, judge, method


def _show(page: recalibration.Recalibration) -> None:
    parts.lead(page.headline)
    for sentence in page.warnings:
        st.warning(show.escape_markdown(sentence), icon=":material/stairs:")
    plot.plot(page.chart, "recalibrated")
    rows = [*_as_it_is(page.methods), *(_written(row) for row in page.methods)]
    show.table(METHODS, rows, "Every method, fitted on the one window and judged on the other")
    how = next((row["how"] for row in page.methods if "how" in row), "")
    if how:
        st.caption(show.escape_markdown(f"Losses per labelled event; below 0 the map helps. Intervals: {how}."))
    if page.plateaus:
        show.table(PLATEAUS, page.plateaus[:MOST_PLATEAUS], "Scores that the map makes equal, most events first")


def _as_it_is(methods: list[Row]) -> list[Row]:
    """Return the row of the score as it is, which every method is compared with."""
    known = next((row for row in methods if not row["reason"]), None)
    if known is None:
        return []
    told = {key: digits.number(known[f"{key}_before"], 4) for key in ("log_loss", "brier")}
    told |= {key: digits.number(known[f"{key}_before"]) for key in ("oe", "slope")}
    return [{"title": "As it is", "fitted": "", "log_loss_told": "", "brier_told": "", **told}]


def _written(row: Row) -> Row:
    """Return a method's numbers as texts; a method without a map says why in their place."""
    if row["reason"]:
        keys = (column.key for column in METHODS[2:])
        return {"title": row["title"], "fitted": f"not known: {row['reason']}", **dict.fromkeys(keys, "")}
    told = {key: digits.number(row[key], 4) for key in ("log_loss", "brier")}
    told |= {key: digits.number(row[key]) for key in ("oe", "slope")}
    for loss in ("log_loss", "brier"):
        ends = digits.interval(row[f"{loss}_low"], row[f"{loss}_high"], "number")
        told[f"{loss}_told"] = f"{digits.signed(row[f'{loss}_change'])} {ends}"
    return {"title": row["title"], "fitted": row["fitted"], **told}


def _export(view: View, choice: tuple[str, str, str, str]) -> None:
    made = read.page(recalibration_release.export, *choice)
    if made.cutoffs:
        rows = [row | {"same": "yes" if row["exact"] else "no: scores became equal"} for row in made.cutoffs]
        show.table(CUTOFFS, rows, "Cutoffs that go with it, so that as many events are alerted as now")
    for sentence in made.notes:
        st.warning(show.escape_markdown(sentence), icon=":material/content_cut:")
    if not made.archive:
        _unfilter(made.reason, [dim for dim, _ in view.where] if view.where and not made.cutoffs else [])
        return
    st.download_button("Recalibration release", made.archive, made.name, on_click="ignore", icon=":material/download:")
    st.caption(
        show.escape_markdown(
            f"A manifest of its own, from this candidate ({view.release.candidate.calibration}) to the same with the new "
            "calibration and its cutoffs carried over; the map as calibration.json; and how to score the logs with it. "
            "Nothing is applied."
        )
    )
