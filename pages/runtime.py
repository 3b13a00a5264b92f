"""Runtime: does the new path serve within its budgets, and does the review queue hold?"""

import streamlit as st

from pages.frame import parts, plot, read, show, state
from release_core.charts import digits
from release_core.views import runtime

BUDGETS = (show.Column("Verdict", "mark", verdict=True), show.Column("Metric", "title"), *(show.Column(
    title, key, number=True) for title, key in (("Baseline", "baseline"), ("Candidate", "candidate"), ("Change", "change"),
    ("Budget", "budget"))), show.Column("n", "n", digits.count, number=True), show.Column("If it fails", "level"))  # fmt: skip
WATCHED = tuple(column for column in BUDGETS if column.key not in {"mark", "level", "budget"})
STAGES = tuple(show.Column(title, key, number=key not in {"stage", "version"}) for title, key in (
    ("Stage", "stage"), ("Version", "version"), ("p50", "latency_p50"), ("p95", "latency_p95"), ("p99", "latency_p99"),
    ("Errors", "error_rate"), ("Fallback", "fallback_rate"), ("Cost of 1,000", "serving_cost")))  # fmt: skip
FAILING = tuple(show.Column(title, key, digits.count if key.endswith("_n") else None, number=key != "dependency")
    for title, key in (("Dependency", "dependency"), ("Baseline's failures", "baseline_n"), ("of its events", "baseline"),
    ("Candidate's failures", "candidate_n"), ("of its events", "candidate")))  # fmt: skip

with read.told("Runtime cannot be shown"):
    view = read.view(state.current())
    st.title("Runtime", anchor=False)
    page = read.page(runtime.page)
    show.banner(page.verdict, page.headline, page.detail)
    if page.note:
        st.caption(show.escape_markdown(page.note))
    judged = [row for row in page.budgets if row["judged"]]
    if judged:
        show.table(BUDGETS, judged, "Budgets of this stage, worst first, with 95% intervals")
    others = [row for row in page.budgets if not row["judged"]]
    if others:
        show.table(WATCHED, others, "Watched without a budget in this stage, with 95% intervals")
    left, right = st.columns(2)
    names = read.page(runtime.offered)
    with left:
        titles = {name: view.known()[name].title for name in names}
        name = parts.pick("Over time", names, "runtime_metric", titles.__getitem__)
        plot.plot(read.page(runtime.over_time, name), "over-time")
    with right:
        if page.gauges:
            sample = parts.pick("Runtime sample", page.gauges, "sample", parts.words)
            plot.plot(read.page(runtime.sampled, sample), "sample-chart")
        else:
            show.empty("No runtime sample of this stage is in the logs: utilisation and queue depth are not known.")
    st.subheader("Manual review", anchor=False)
    parts.lead(page.queue.headline)
    if page.queue.facts:
        show.chips(page.queue.facts)
    plot.plot(page.queue.chart, "queue")
    if page.queue.full:
        st.caption(show.escape_markdown(page.queue.full))
    show.table(FAILING, page.dependencies, "Failing dependencies", "No dependency failed, or no error is logged.")
    every = st.expander("The same in every stage", key="every-stage", on_change="rerun")
    if every.open:
        with every:
            show.table(STAGES, read.page(runtime.stages), "Every stage, with 95% intervals", "No stage has served yet.")
    st.caption(
        "In live stages each version answers for the events of its own arm. Intervals of latency are order statistics; all widen "
        "as far as the as-of steps differ more than chance, since load and outages come in spells."
    )
