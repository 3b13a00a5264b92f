"""Attribution: what of the change came from the score, from the cutoffs, from the policy?"""

import streamlit as st

from pages.frame import parts, plot, read, show, state
from release_core.charts import digits
from release_core.views import attribution

SHARES = tuple(show.Column(title, key, number=key != "player") for title, key in (
    ("Part", "player"), ("Its share (Shapley)", "share"), ("95% interval", "interval"), ("In order", "step"),
    ("In any order", "range")))  # fmt: skip
TOGETHER = (
    show.Column("Parts", "players"),
    show.Column("Beyond their own", "size", number=True),
    show.Column("95% interval", "interval", number=True),
)
EFFECTS = (
    show.Column("Effect", "title"), show.Column("Change", "total", number=True), show.Column("95% interval", "interval", number=True),
    show.Column("Cutoffs", "thresholds", number=True),
    show.Column("Policy", "policy", number=True), show.Column("Events", "n", digits.count, number=True),
    show.Column("What it is", "definition", wide=True))  # fmt: skip
SPLIT = (
    show.Column("Order", "order"), show.Column("Release", "id"), show.Column("Kind", "kind"), show.Column("Change", "change"),
    show.Column("Can be reviewed", "reviewable"))  # fmt: skip

with read.told("Attribution cannot be shown"):
    view = read.view(state.current())
    st.title("Attribution", anchor=False)
    effects = attribution.offered(view)
    chosen = parts.pick("Effect", list(effects), "effect", lambda name: effects[name].title)
    page = read.page(attribution.page, chosen)
    parts.lead(page.headline)
    parts.speaks()
    for sentence in page.warnings:
        st.warning(show.escape_markdown(sentence), icon=":material/call_split:")
    left, right = st.columns(2)
    with left:
        plot.plot(page.waterfall, "waterfall")
    with right:
        show.table(
            TOGETHER,
            page.interactions,
            "What parts do only together",
            "Only one part changes actions: none works together.",
        )
        st.caption(show.escape_markdown(f"{page.proof} Intervals: {page.method}."))
    show.table(SHARES, page.shares, f"Who caused the change in {effects[chosen].title.lower()}")
    first = show.Column(page.shares[0]["player"].capitalize(), "score", number=True)
    show.table((*EFFECTS[:3], first, *EFFECTS[3:]), page.all_effects, "Every effect, by Shapley share")
    plot.take(page.all_effects, "attribution")
    named = list(page.worlds[0])
    titles = [effects[name].title if name in effects else name.replace("_", " ").capitalize() for name in named]
    worlds = tuple(show.Column(title, name, number=name in effects) for title, name in zip(titles, named, strict=True))
    show.table(worlds, page.worlds, "The eight mixes of the two bundles, each applied to the same events")
    smaller, archive = read.page(attribution.split)
    if smaller:
        show.table(SPLIT, smaller, "Make these releases instead, one after the other")
        st.download_button(
            "Manifests of the split",
            archive,
            f"{view.release.id}-split.zip",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption("Put each folder beside this release's own folder: it reads the same logs. Nothing is applied.")
