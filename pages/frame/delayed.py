"""The parts of the Labels page, one per question; only the chosen one is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.frame import parts, plot, read, show
from release_core.charts import digits
from release_core.views import answerable, delay, expected, nowcast, then_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.views.view import View

    Row = dict[str, Any]


def _columns(*listed: tuple[Any, ...]) -> tuple[show.Column, ...]:
    return tuple(
        show.Column(title, key, more[0] if more else None, number=bool(more) or key.startswith("shown"))
        for title, key, *more in listed
    )


READINGS = _columns(
    ("Metric", "title"), ("Known now", "shown_naive"), ("Mature only", "shown_mature"), ("Nowcast", "shown_nowcast"),
    ("Counts as so many events", "nowcast_effective", digits.count),
)  # fmt: skip
COUNTS = _columns(
    ("Action taken", "action"), ("Events", "events", digits.count), ("Bad, known", "known", digits.count),
    ("Bad, final", "final", digits.count), ("from", "low", digits.count), ("to", "high", digits.count),
    ("Known of final", "share", digits.percent), ("Of it early on", "shown_young"), ("Final means after days", "horizon", digits.count),
)  # fmt: skip
SEGMENTS = _columns(
    ("Segment", "segment"), ("Events", "events", digits.count), ("Bad, known", "known", digits.count),
    ("Bad, final", "final", digits.count), ("from", "low", digits.count), ("to", "high", digits.count),
    ("Known now", "shown_naive"), ("Nowcast", "shown_nowcast"),
)  # fmt: skip
SPEEDS = _columns(
    ("Curve", "name"), ("Seen", "n", digits.count), ("Known within 7 days", "week", digits.percent),
    ("Half known after days", "half", digits.count), ("Nine tenths after days", "most", digits.count),
    ("Oldest age, days", "oldest", digits.count),
)  # fmt: skip
COHORTS = _columns(
    ("Events up to", "cohort"), ("Age, days", "age_days", digits.count), ("Events", "events", digits.count),
    ("Bad, known", "known", digits.count), ("Known of final", "share", digits.percent), ("Bad, final", "final", digits.count),
    ("from", "low", digits.count), ("to", "high", digits.count), ("Mack's standard error", "mack", digits.number),
)  # fmt: skip
GATES = (
    show.Column("Now", "verdict", verdict=True),
    show.Column("Gate", "title"),
    show.Column("Segment", "segment"),
    show.Column("Missing", "missing"),
    show.Column("Answer", "when"),
    show.Column("Range", "range"),
    show.Column("Why not", "why", wide=True),
)
THEN_NOW = _columns(
    ("Metric of the candidate", "title"), ("Then", "shown_then"), ("Difference then", "shown_then_difference"),
    ("Now", "shown_now"), ("Difference now", "shown_now_difference"), ("Now, events of then", "shown_same"),
    ("Difference, events of then", "shown_same_difference"),
)  # fmt: skip
TURNED = (
    show.Column("Then", "then", verdict=True),
    show.Column("Now", "now", verdict=True),
    show.Column("Gate", "gate"),
    show.Column("Segment", "segment"),
    show.Column("In words, now", "sentence", wide=True),
)
PAST = _columns(
    ("Events up to", "cohort"), ("Estimated without labels", "estimate", digits.percent), ("Turned out", "actual", digits.percent),
    ("from", "low", digits.percent), ("to", "high", digits.percent), ("Error", "error", digits.points),
    ("Inside the interval", "inside"),
)  # fmt: skip
MOST_ROWS = 40


def quality(view: View) -> None:
    """Show every quality metric as known now, on mature events only, and nowcast; then the course of one."""
    page, counted = read.page(nowcast.quality), read.page(delay.counts)
    parts.lead(counted.headline)
    st.markdown(show.escape_markdown(page.warning))
    show.table(READINGS, [_three(row, "candidate") for row in page.rows], "Candidate, with 95% intervals")
    show.table(
        READINGS[:4], [_three(row, "difference") for row in page.rows], "Candidate − baseline, with 95% intervals"
    )
    st.caption("\n".join(f"- {show.escape_markdown(line)}" for line in page.speaks))
    left, right = st.columns((3, 2))
    with left:
        offered = nowcast.offered(view)
        name = parts.pick("Metric, cohort by cohort", list(offered), "course", offered.__getitem__)
        plot.plot(read.page(nowcast.by_cohort, name), "course-chart")
    with right:
        _notes(counted.notes)
    show.table(COUNTS, counted.rows, "Final number of bad events, by action taken")
    dims = list(view.release.segments.all)
    if dims:
        # A link that names a dimension opens it. Always the same words: with others it would be another drawer, which is closed.
        st.session_state.setdefault("labels-split", "by" in st.query_params)
        split = st.expander("One metric and final bad events by segment", key="labels-split", on_change="rerun")
        if split.open:
            with split:
                dim = parts.pick("By segment", dims, "by", parts.words)
                rows = [_segment(row) for row in read.page(nowcast.by_segment, name, dim)]
                show.table(
                    SEGMENTS, rows, f"{offered[name]} of the candidate and final bad events, by {parts.words(dim)}"
                )


def _three(row: Row, side: str) -> Row:
    texts = {}
    for reading in nowcast.READINGS:
        value, low, high = (row.get(f"{reading}_{side}{end}") for end in ("", "_low", "_high"))
        texts[f"shown_{reading}"] = digits.both(value, low, high, row["unit"], of_difference=side == "difference")
    return row | texts


def _segment(row: Row) -> Row:
    value, low, high = (row.get(f"nowcast{end}") for end in ("", "_low", "_high"))
    shown = digits.both(value, low, high, row["unit"], of_difference=False)
    return row | {"shown_naive": digits.level(row["naive"], row["unit"]), "shown_nowcast": shown}


def _notes(notes: Sequence[str]) -> None:
    if notes:
        st.markdown("\n".join(f"- {show.escape_markdown(note)}" for note in notes))


def speed(view: View) -> None:
    """Show how fast labels come, by kind and by action or dimension, and the development triangle."""
    left, right = st.columns(2)
    offered = delay.kinds(view)
    with left:
        kind = parts.pick("What arrives", list(offered), "kind", offered.__getitem__)
    with right:
        by = parts.pick("One curve per", delay.splits(view), "curve", parts.words)
    found = read.page(delay.curves, kind, by)
    left, right = st.columns((3, 2))
    with left:
        plot.plot(found.chart, "curves")
    with right:
        st.markdown(show.escape_markdown(found.tail))
    show.table(SPEEDS, found.rows, "How fast", f"Fewer than {delay.LEAST} have arrived, too few for a curve.")
    actions = delay.actions(view)
    action = parts.pick("Development of bad labels, action taken", actions, "developed")
    triangle = read.page(delay.triangle, action)
    left, right = st.columns((3, 2))
    with left:
        plot.plot(triangle.chart, "triangle")
    with right:
        _notes(read.page(delay.counts).notes)
    shown = COHORTS if any(row["mack"] is not None for row in triangle.rows) else COHORTS[:-1]
    show.table(shown, triangle.rows, "Final number of bad events, by cohort (chain ladder, over-dispersed Poisson)")


def gates(view: View) -> None:
    """Show when each gate without an answer will have one."""
    page = read.page(answerable.answerable)
    parts.lead(page.headline)
    show.table(
        GATES,
        page.rows[:MOST_ROWS],
        f"Gates without an answer as of {view.as_of}, last to be answered first",
        "Nothing is open.",
    )
    if len(page.rows) > MOST_ROWS:
        st.caption(f"{len(page.rows) - MOST_ROWS} more rows are not shown.")
    st.caption(show.escape_markdown(page.assumption))


def compared(view: View) -> None:
    """Show what was believed at an earlier as-of time beside what is known now."""
    names = {view.opened.cube.label(step): step for step in read.page(then_now.offered)}
    earlier = None
    if names:
        middle = list(names)[len(names) // 2]
        chosen = st.select_slider(
            "Compare with what was known on", list(names), middle, key="earlier", bind="query-params"
        )
        earlier = names[chosen]
    page = read.page(then_now.then_now, earlier)
    parts.lead(page.headline)
    plot.plot(page.chart, "dumbbell")
    show.table(THEN_NOW, [_then(row) for row in page.metrics], f"What gates read on {page.earlier} and on {view.as_of}")
    st.caption(
        "Events of then: the events that were mature then, with the labels of now. It tells a change of labels from a "
        "change of events."
    )
    show.table(TURNED, page.turned, "Verdicts that turned", page.headline)


def _then(row: Row) -> Row:
    unit, texts = row["unit"], {}
    for when in ("then", "now"):
        texts[f"shown_{when}"] = digits.level(row[when], unit)
        change, low, high = (row[f"{when}_{part}"] for part in ("difference", "low", "high"))
        texts[f"shown_{when}_difference"] = digits.both(change, low, high, unit)
    texts["shown_same"] = digits.level(row["same"], unit) if row["same"] is not None else ""
    texts["shown_same_difference"] = digits.difference(row["same_difference"], unit) if row["same"] is not None else ""
    return row | texts


def without(view: View) -> None:
    """Show what scores alone say of the newest events, and how far such estimates were off."""
    offered = expected.offered(view)
    name = parts.pick("Metric", list(offered), "estimate", offered.__getitem__)
    page = read.page(expected.estimated, name)
    parts.lead(page.sentence)
    plot.plot(page.chart, "estimated")
    st.caption("An estimate, not evidence: it enters no gate.")
    if page.board:
        st.markdown(show.escape_markdown(page.board))
    show.table(PAST, page.scores, "Past estimates and what labels said later", "No past estimate can be judged yet.")


SECTIONS = {
    "Quality now": quality,
    "How fast labels come": speed,
    "When gates can answer": gates,
    "Then and now": compared,
    "Without labels": without,
}
