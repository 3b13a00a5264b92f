"""Under the sidebar's choice: whether the logs are being fed, how fresh they are, pause, and play; redraws what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.frame import read, state

if TYPE_CHECKING:
    from pages.frame.state import Choice

# Seconds between two looks at the files while they are fed, and otherwise; seconds per as-of step while playing.
OFTEN, SELDOM, BEAT = 2.0, 10.0, 2.0
# A feed is live while its newest file is younger than this; afterwards its age is of no interest.
LIVE_SECONDS, AGE_SECONDS = 90.0, 86_400.0
SHOWN, PLAYING = "_shown_key", "_playing"


def watch(choice: Choice) -> None:
    """Draw the indicator and its buttons, and look at the files again and again without a click."""
    _, age, _ = read.freshness(choice.release)
    st.session_state[SHOWN] = read.opened(choice.release).key
    playing = st.session_state.get(PLAYING) == choice.release
    every = BEAT if playing else OFTEN if age < LIVE_SECONDS else SELDOM
    st.fragment(_look, run_every=every)(choice, playing)


def _look(choice: Choice, playing: bool) -> None:  # noqa: FBT001 - a fragment's arguments
    with read.told():
        shown, age, until = read.freshness(choice.release)
        paused = choice.release in st.session_state.get(read.PAUSED, {})
        _say(age, until, paused=paused)
        _buttons(choice, age, playing=playing, paused=paused)
        if shown != st.session_state[SHOWN]:
            st.rerun()
        if playing and _drawn_before():
            _forward(choice)


def _drawn_before() -> bool:
    """Return whether this is a beat, not the first drawing of the fragment by the page's own run."""
    count = st.session_state["_beats"] = st.session_state.get("_beats", 0) + 1
    return bool(count > 1)


def _say(age: float, until: str, *, paused: bool) -> None:
    of = f"data up to {until} UTC" if until else "data"
    if paused:
        st.caption(f":orange[:material/pause_circle:] **Paused** · {of}")
    elif age < LIVE_SECONDS:
        st.caption(f":green[:material/sensors:] **Live** · {of}, newest file {age:.0f} s ago")
    elif age < AGE_SECONDS:
        st.caption(f"{of[0].upper()}{of[1:]}, newest file {_ago(age)} ago")


def _ago(age: float) -> str:
    return f"{age / 60:.0f} min" if age < 3600 else f"{age / 3600:.0f} h"


def _buttons(choice: Choice, age: float, *, playing: bool, paused: bool) -> None:
    left, right = st.columns(2)
    if len(read.steps(choice.release)) > 1:
        words, icon = ("Stop", "stop") if playing else ("Play", "play_arrow")
        help_text = "Move the as-of time through the release, step by step"
        if left.button(words, icon=f":material/{icon}:", width="stretch", help=help_text, key="_play"):
            _play(choice, start=not playing)
    if paused or age < LIVE_SECONDS:
        words, icon = ("Resume", "sensors") if paused else ("Pause", "pause")
        help_text = "Hold the page as it is, whatever arrives"
        if right.button(words, icon=f":material/{icon}:", width="stretch", help=help_text, key="_pause"):
            read.pause(choice.release, hold=not paused)
            st.rerun()


def _play(choice: Choice, *, start: bool) -> None:
    st.session_state[PLAYING] = choice.release if start else None
    st.session_state["_beats"] = 0
    steps = [name for name, _ in read.steps(choice.release)]
    if start and choice.as_of == steps[-1]:
        state.move(steps[0])
    st.rerun()


def _forward(choice: Choice) -> None:
    """Go one as-of step on, or stop at the last."""
    steps = [name for name, _ in read.steps(choice.release)]
    place = steps.index(choice.as_of) if choice.as_of in steps else len(steps) - 1
    st.session_state["_beats"] = 0
    if place + 1 < len(steps):
        state.move(steps[place + 1])
    else:
        st.session_state[PLAYING] = None
    st.rerun()
