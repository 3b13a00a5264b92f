"""Every chart and every state on one page, with made-up numbers; `?only=NAME` shows that chart alone."""

import streamlit as st

from pages.frame import show
from pages.frame.plot import plot
from release_core.charts import digits
from release_core.errors import ManifestError, Problem
from tests.charts import samples


def clicked(key):
    st.session_state["clicked"] = key


def dragged(line, score):
    st.session_state["dragged"] = score


st.set_page_config("Gallery", layout="wide")
show.stylesheet()
st.title("Gallery", anchor=False)
show.chips({"clicked": str(st.session_state.get("clicked")), "dragged": f"{st.session_state.get('dragged', 0.5):.3f}"})
for verdict in show.MARKS:
    show.banner(
        verdict, f"This is how {verdict} looks", "Recall in <age> 25 & under fell by 5.6 points.", ["one", "two"]
    )
show.table(
    [
        show.Column("Result", "verdict", verdict=True),
        show.Column("Segment", "segment"),
        show.Column("Change", "difference", digits.points, number=True),
        show.Column("Events", "n", digits.count, number=True),
    ],
    [row for row in samples.segments() if row["verdict"] in show.MARKS],
    "Segments, worst first",
)
show.problems(ManifestError(Problem("release.toml", "'carried_form'", "carried_from", "Correct the key.")))
show.empty("Nothing is here, and this says why.")
left, right = st.columns(2)
wanted = st.query_params.get_all("only")
chosen = {
    name: chart for name, chart in samples.full(st.session_state.get("dragged")).items() if name in wanted or not wanted
}
for place, (name, chart) in enumerate(chosen.items()):
    with left if place % 2 else right:
        plot(chart, name, on_click=clicked, drag=dragged if name == "trade" else None)
plot(samples.empty()["share_above"], "empty")


@st.dialog("In a dialog")
def dialog():
    """Show that our colours hold outside the page's own element."""
    show.banner("FAIL", "Inside a dialog")


if st.button("Open dialog"):
    dialog()
