"""Sign-off: what does the verdict allow, what does each decision need, who signs?"""

import streamlit as st

from pages.frame import parts, read, show, signing, state
from release_core.views import sign_off

OPEN = (
    show.Column("Verdict", "verdict", verdict=True),
    show.Column("Gate", "title", wide=True),
    show.Column("If it fails", "level"),
    show.Column("In words", "sentence", wide=True),
)

with read.told("Nothing can be signed here"):
    view = read.view(state.current())
    page = read.page(sign_off.sign_off, sign_off.attempt(view, read.records()))
    stands = sign_off.standing(view, read.records())
    st.title("Sign-off", anchor=False)
    show.banner(page.verdict, page.answer, stands.reason if stands.decision else "Nothing is signed at this stage yet.")
    parts.early(page.early)
    show.chips(page.facts)
    parts.house(view)
    parts.not_open(view)
    done = st.session_state.pop("recorded", None)
    if done:
        st.success(done, icon=":material/verified:")
    with st.expander(f"{len(page.open_items)} judged rows do not pass", expanded=len(page.open_items) < 8):
        show.table(OPEN, page.open_items, "What speaks against a go", "Every judged row passes.")
    needs = {one.decision: one for one in page.needs}
    st.subheader("Your decision", anchor=False)
    decision = st.segmented_control(
        "Decision",
        list(needs),
        default="no_go",
        required=True,
        key="decision",
        format_func=signing.WORDS.__getitem__,
        label_visibility="collapsed",
    )
    chosen = needs[decision]
    st.markdown(show.escape_markdown(chosen.why))
    if chosen.possible:
        request = signing.fields(page, chosen)
        if st.button("Record decision", type="primary", icon=":material/signature:"):
            signing.confirm(view, request)
    st.caption("Recorded are the decision, every verdict and number above, the as-of time, the manifest and the data.")
