"""The main script: page look, navigation, the shared sidebar; then the page that was asked for."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.frame import freshness, parts, read, show, state

FOLDER = Path(__file__).parent.parent
# Section -> rows of (file, title, icon); the first page of all is the one at "/".
MENU = {
    "Decide": [
        ("overview", "Overview", "gavel"),
        ("sign_off", "Sign-off", "signature"),
        ("history", "History", "history"),
    ],
    "Evidence": [
        ("score_drift", "Score drift", "show_chart"),
        ("segments", "Segments", "stacks"),
        ("disagreement", "Disagreement", "alt_route"),
        ("attribution", "Attribution", "account_tree"),
        ("cutoffs", "Cutoffs", "content_cut"),
        ("calibration", "Calibration", "straighten"),
        ("labels", "Labels", "hourglass_bottom"),
        ("selection", "Selective labels", "visibility_off"),
    ],
    "Operate": [
        ("runtime", "Runtime", "speed"),
        ("business", "Business", "payments"),
        ("stop_rules", "Stop rules", "front_hand"),
        ("rollback", "Rollback", "undo"),
        ("data_health", "Data health", "fact_check"),
    ],
}


def _pages() -> dict[str, list[st.Page]]:
    return {
        section: [
            st.Page(FOLDER / f"{name}.py", title=title, icon=f":material/{icon}:", default=name == "overview")
            for name, title, icon in rows
        ]
        for section, rows in MENU.items()
    }


st.set_page_config("Release Review", page_icon=str(Path(__file__).with_name("icon.png")), layout="wide")
show.stylesheet()
page = st.navigation(_pages(), expanded=True)
read.begin()
read.wait_at(st.empty())
with read.told("This release cannot be opened"):
    with st.sidebar:
        choice = state.choose(read)
        if choice is not None and choice.as_of is not None:
            freshness.watch(choice)
    state.link_banner()
    if choice is None:
        show.empty("There is no release yet. Build the demo with: python -m release_core demo")
    else:
        with read.first_time(page.title, choice):
            page.run()
        parts.stage(choice)
