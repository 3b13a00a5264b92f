"""Business: what does the candidate do to customers and money, in which arm and segment, and what is learned later?"""

import streamlit as st

from pages.frame import parts, plot, read, show, state
from release_core.charts import digits
from release_core.views import business

SIDES = tuple(show.Column(title, key, number=True) for title, key in (
    ("Baseline", "shown_baseline"), ("Candidate", "shown_candidate"), ("Change", "shown_change")))  # fmt: skip
A_DAY = tuple(show.Column(title, key, number=True) for title, key in (
    ("Baseline a day", "baseline_a_day"), ("Candidate a day", "candidate_a_day"), ("More a day", "more_a_day")))  # fmt: skip
NUMBER = show.Column("n", "n", digits.count, number=True)
TABLE = (show.Column("Metric", "title"), *SIDES, *A_DAY, NUMBER)
WHY = show.Column("What it is, or why it is not known", "reason", wide=True)
LATER = (show.Column("Metric", "title"), *SIDES, A_DAY[-1], NUMBER, WHY)
SEGMENTS = (show.Column("Segment", "segment"), *SIDES, *A_DAY,
    show.Column("Events a day", "events_a_day", digits.number, number=True), NUMBER)  # fmt: skip
KINDS = (show.Column("Outcome", "kind"), *(show.Column(title, key, number=True) for title, key in (
    ("Baseline's arm", "baseline"), ("Candidate's arm", "candidate"), ("Change", "change"))),
    show.Column("Events that old", "n", digits.count, number=True))  # fmt: skip


def later() -> None:
    """Show what is learned later, both arms at equal age."""
    st.subheader("Learned later, at equal age in both arms", anchor=False)
    hours = read.page(business.reached)
    if not hours:
        show.empty("Outcomes by arm begin in canary: before that nothing acts, and no event has an arm.")
        return
    texts = {business.age_text(age): age for age in hours}
    chosen = st.select_slider("Within", list(texts), list(texts)[-1], key="within", bind="query-params")
    rows = read.page(business.at_age, texts[chosen])
    show.table(KINDS, rows, f"Events at least {chosen} old: to how many it came within {chosen} of the event",
               f"No outcome came within {chosen} of its event.")  # fmt: skip
    names = {business.spoken(kind): kind for kind in read.page(business.kinds)}
    if names:
        kind = parts.pick("Outcome", list(names), "outcome")
        plot.plot(read.page(business.ages, names[kind]), "ages")


def segments() -> None:
    """Show one metric in the values of one dimension, with what it comes to a day."""
    names, dims = read.page(business.comparable), read.view(state.current()).release.segments.all
    if not names or not dims:
        return
    st.subheader("By segment", anchor=False)
    known = read.view(state.current()).known()
    left, right = st.columns(2)
    with left:
        name = parts.pick("Metric", names, "business_metric", lambda one: known[one].title)
    with right:
        dim = parts.pick("By", dims, "business_by", parts.words)
    chart, rows = read.page(business.by_segment, name, dim)
    plot.plot(chart, "by-segment")
    show.table(SEGMENTS, rows, f"{known[name].title} by {parts.words(dim)}, with 95% intervals")


with read.told("Business cannot be shown"):
    st.title("Business", anchor=False)
    page = read.page(business.page)
    parts.lead(page.headline)
    for place, chart in zip(st.columns((3, 2)), page.a_day, strict=True):
        with place:
            plot.plot(chart, f"a-day-{chart.question}")
    if page.note:
        st.caption(show.escape_markdown(page.note))
    show.table(TABLE, page.decisions, "Decisions: share of events, and events a day if all traffic were treated so")
    show.table(TABLE, page.customers, "Customers: share of events, and customers a day if all traffic were treated so")
    unit = f" ({page.currency})" if page.currency else ""
    show.table(TABLE, page.money, f"Money{unit}: of 1,000 labelled events, and a day if all traffic were treated so")
    show.table(
        LATER, page.delayed, "Delayed signals: shares at equal age, and events a day if all traffic were treated so"
    )
    segments()
    later()
    st.caption(
        "Arms are compared within ramp steps; intervals rest on the customers of each arm. An outcome counts within a fixed age "
        "of its event, over events at least that old in both arms, so that a younger arm is not taken for a better one."
    )
