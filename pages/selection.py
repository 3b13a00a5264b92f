"""Selective labels: of which events can the truth be known at all, and how far could the rest move the numbers?"""

import streamlit as st

from pages.frame import columns, parts, plot, read, show, state
from release_core.charts import digits
from release_core.release import VERSIONS
from release_core.views import selection

ACTIONS = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Action taken", "action", None), ("Events", "events", digits.count), ("Mature", "mature", digits.count),
    ("Labelled bad", "positive", digits.count), ("Good", "negative", digits.count), ("of them by silence", "silent", digits.count),
    ("Covered", "covered", digits.percent), ("Bad of the labelled", "bad", digits.percent), ("Amount", "amount", digits.count),
    ("Outcome can be seen", "can_be_seen", None)))  # fmt: skip
SIZING = tuple(show.Column(title, key, write, number=key != "share") for title, key, write in (
    ("Let through by lot", "share", digits.limit), ("Outcomes", "outcomes", digits.count), ("A day", "per_day", digits.number),
    ("Their share of bad is known to", "reach", columns.either_way), ("Bad ones let through", "bad", digits.count),
    ("Their amount, about", "at_risk", digits.count)))  # fmt: skip
WEIGHTS = (show.Column("", "name"), show.Column("", "text", number=True))

with read.told("Selective labels cannot be shown"):
    view = read.view(state.current())
    st.title("Selective labels", anchor=False)
    page = read.page(selection.page)
    parts.lead(page.headline)
    for sentence in page.warnings:
        st.warning(show.escape_markdown(sentence), icon=":material/visibility_off:")
    version = parts.pick("By the score of", VERSIONS, "by_score")
    plot.plot(read.page(selection.score_map, version), "coverage")
    show.table(ACTIONS, page.actions, "Labels by action taken", "No event of this choice is in the logs.")
    numbers = columns.selected(page.numbers)
    ranges = any("candidate_least" in row for row in page.numbers)
    shown = columns.selection(ranges=ranges, weighted=page.weighted)
    show.table(
        shown,
        numbers,
        "Quality numbers, and what outcomes that nobody saw could do to them" if ranges else "Quality numbers",
    )
    if ranges:
        st.caption(
            "Lies between: over all outcomes that the unseen events could have had, apart from sampling. A gate passes or fails "
            "only where both ends agree. Not known: the number could be anything."
        )
    if page.weights:
        show.table(WEIGHTS, page.weights, "What the weights stand for")
    st.subheader("How much would a random hold-out tell?", anchor=False)
    if page.hidden:
        guess = st.number_input(
            "Guessed share of bad among the unseen",
            0.001,
            0.999,
            page.rate,
            0.01,
            "%.3f",
            key="guess",
            bind="query-params",
        )
        show.table(
            SIZING, read.page(selection.sizing, guess), "If a share of the unseen events were let through by lot"
        )
        st.caption(
            "Log it as label_propensity, or declare [labels] unobserved and holdout; precision ± is half a 95% interval."
        )
    else:
        show.empty("Outcomes can be seen after every action, so no hold-out is needed.")
