"""Overview: may this release advance, what speaks against it, where is the way back?"""

import streamlit as st

from pages.frame import columns, parts, read, show, state
from release_core.charts import digits
from release_core.views import overview, stops

choice = state.current()
with read.told("This release cannot be reviewed"):
    page = read.page(overview.overview)
    units = read.units()
    parts.title(read.view(choice))
    show.banner(page.verdict.name, page.headline, page.aggregate, page.points)
    parts.early(page.early)
    parts.primary(page.primary)
    show.chips(page.facts)
    parts.house(read.view(choice))
    parts.not_open(read.view(choice))
    parts.alarms(read.page(stops.page))
    if page.mixed:
        st.subheader("Refused: split it into releases of one kind", anchor=False)
        st.markdown("\n".join(show.escape_markdown(line) for line in page.mixed))
    if choice.where:
        st.caption("The verdict judges the whole release; the cards below show the segment chosen on the left.")
    parts.cards(page.kpis)
    parts.speaks()
    st.subheader("Gates of this stage, worst first", anchor=False)
    show.table(columns.GATES, page.gates, "Gates of this stage")
    names = [row["gate"] for row in page.gates]
    titles = {row["gate"]: row["title"] for row in page.gates}
    gate = parts.pick("Every judged segment of", names, "gate", titles.__getitem__)
    rows = [row for row in page.rows if row["gate"] == gate]
    open_rows = [row for row in rows if row["counts"] and row["verdict"] != "PASS"]
    parts.open_segments(open_rows)
    shown = columns.written(open_rows[: parts.MOST_ROWS], units)
    show.table(columns.JUDGED, shown, f"What gate {gate} says, worst first", "Every judged segment passes.")
    with st.expander(
        f"All {len(rows)} rows of gate {gate}, observed ones included", on_change="rerun", key="every"
    ) as drawer:
        if drawer.open:
            show.table(columns.JUDGED, columns.written(rows, units), f"Verdicts of gate {gate}")
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.subheader("The way back", anchor=False)
        show.table((show.Column("", "name"), show.Column("", "text")), parts.pairs(page.rollback), "Rollback point")
    with right, st.container(border=True):
        st.subheader("The data", anchor=False)
        show.table(
            (show.Column("", "name"), show.Column("", "text")), parts.pairs(parts.about(choice)), "About the data"
        )
    st.subheader("Stages", anchor=False)
    parts.ladder(overview.ladder(read.view(choice), read.records()))
    st.caption(f"{digits.count(len(page.rows))} verdicts in all; observed ones do not count.")
