"""What the reader chose in the sidebar (release, stage, as-of, segment), kept in the URL: a link shows the same."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

import streamlit as st

from pages.frame import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "in_"
FEW = 6
_CHOICE, _CHECKED, _PROBLEMS, _PAGE = "_choice", "_link_checked", "_link_problems", "_page"
_MOVED, _LAST = "_moved_to", "_last_seen"


class Card(Protocol):
    """A release as the catalog lists it; `problem` says why it cannot be opened, or is empty."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def problem(self) -> str: ...  # noqa: D102


class Catalog(Protocol):
    """What the sidebar needs to know of the releases; release_core.review is one."""

    def catalog(self) -> Sequence[Card]:
        """Return the releases, the one to open first at the front."""

    def stages(self, release: str) -> Sequence[str]:
        """Return the stages that have decisions, in their order."""

    def steps(self, release: str) -> Sequence[tuple[str, str]]:
        """Return the as-of steps in rising order: ISO 8601, and how a reader says it."""

    def dims(self, release: str) -> Mapping[str, Sequence[str]]:
        """Return the segment dimensions and their values."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One view. `where` holds (dimension, value) pairs, at most one per dimension; hashable, so a cache key."""

    release: str
    stage: str | None = None
    as_of: str | None = None
    where: tuple[tuple[str, str], ...] = ()

    @property
    def query(self) -> str:
        """Return the whole view as a query string, defaults included: what is latest today is not tomorrow."""
        fixed = {"release": self.release, "stage": self.stage, "as_of": self.as_of}
        filters = {f"{PREFIX}{dim}": value for dim, value in self.where}
        return urlencode({name: value for name, value in (fixed | filters).items() if value is not None})


def choose(source: Catalog) -> Choice | None:
    """Draw the sidebar and return the choice; None if there is no release at all."""
    asked = {name: st.query_params.get_all(name) for name in st.query_params}
    cards = {card.id: card for card in source.catalog()}
    if not cards:
        return None
    offered: dict[str, list[str]] = {"release": list(cards)}
    release = st.selectbox("Release", offered["release"], key="release", bind="query-params")
    card = cards[release]
    st.caption(show.escape_markdown(f"{card.kind} · {card.title}" if card.kind else card.title))
    choice = Choice(release)
    if not card.problem:
        choice = _view(source, release, offered)
    _check_link(asked, offered, known=not card.problem)
    _foot(choice, offered)
    st.session_state[_CHOICE] = choice
    return choice


def current() -> Choice:
    """Return the choice that the sidebar made in this run; pages call it."""
    choice: Choice = st.session_state[_CHOICE]
    return choice


def move(step: str) -> None:
    """Let the next run show another as-of step; a page cannot set the slider that it has already drawn."""
    st.session_state[_MOVED] = step


def unfilter(dim: str) -> None:
    """Take a dimension out of the filter; called when a button is clicked, before the sidebar is drawn again."""
    st.session_state[f"{PREFIX}{dim}"] = None


def _follow(release: str, stages: list[str], steps: list[str]) -> None:
    """Go where `move` says; stay at the latest stage and step while new ones arrive, if that is where the reader was."""
    last = st.session_state.get(_LAST, {})
    for key, options in (("stage", stages), ("as_of", steps)):
        chosen = st.session_state.get(key)
        if not options or chosen is None:
            continue
        was_last = last.get((release, key)) == chosen
        if (was_last and chosen != options[-1]) or chosen not in options:
            st.session_state[key] = options[-1]
    moved = st.session_state.pop(_MOVED, None)
    if moved in steps:
        st.session_state["as_of"] = moved
    st.session_state[_LAST] = {
        (release, key): options[-1] for key, options in (("stage", stages), ("as_of", steps)) if options
    }


def _view(source: Catalog, release: str, offered: dict[str, list[str]]) -> Choice:
    stages = offered["stage"] = list(source.stages(release))
    said = dict(source.steps(release))
    _follow(release, stages, list(said))
    stage = as_of = None
    if stages:
        stage = st.selectbox("Stage", stages, index=len(stages) - 1, key="stage", bind="query-params")
    steps = offered["as_of"] = list(said)
    if len(steps) > 1:
        as_of = st.select_slider("As of", steps, value=steps[-1], key="as_of", bind="query-params")
    elif steps:
        as_of = steps[0]
        st.markdown("As of")
    if as_of is not None:
        st.caption(said[as_of])
    return Choice(release, stage, as_of, _filters(source, release, offered))


def _filters(source: Catalog, release: str, offered: dict[str, list[str]]) -> tuple[tuple[str, str], ...]:
    chosen, linked = [], _linked()
    for dim, values in source.dims(release).items():
        key, options, title = f"{PREFIX}{dim}", list(values), dim.replace("_", " ").capitalize()
        offered[key] = options
        if linked.get(key, [""])[0] in options:
            st.session_state[key] = linked[key][0]
        if len(options) <= FEW:
            value = st.pills(title, options, key=key, bind="query-params")
        else:
            value = st.selectbox(title, options, index=None, placeholder="all", key=key, bind="query-params")
        if value is not None:
            chosen.append((dim, value))
    return tuple(chosen)


def _linked() -> dict[str, list[str]]:
    """Return what the address asks for on arrival at another page, else nothing.

    The filters are drawn on every page and keep their value, so a link from page to page must be told to them.
    """
    before, here = st.session_state.get(_PAGE), st.context.url
    st.session_state[_PAGE] = here
    if before is None or before == here:
        return {}
    return {name: st.query_params.get_all(name) for name in st.query_params if name.startswith(PREFIX)}


def _foot(choice: Choice, offered: dict[str, list[str]]) -> None:
    left, right = st.columns(2)
    left.button("Reset", on_click=_reset, args=(offered,), width="stretch", help="Latest stage and time, no filter")
    with right.popover("Copy link", width="stretch"):
        st.code(f"{st.context.url}?{choice.query}", language=None, wrap_lines=True)


def _reset(offered: dict[str, list[str]]) -> None:
    for key, options in offered.items():
        if key in st.session_state and key != "release":
            st.session_state[key] = None if key.startswith(PREFIX) else options[-1]


def _check_link(asked: dict[str, list[str]], offered: dict[str, list[str]], *, known: bool) -> None:
    """Note once per visit what the link asked for and could not get: a silent default would show another view."""
    if st.session_state.get(_CHECKED):
        return
    st.session_state[_CHECKED] = True
    answerable = asked if known else {"release": asked.get("release", [])}
    st.session_state[_PROBLEMS] = link_problems(answerable, offered)


def link_problems(asked: dict[str, list[str]], offered: dict[str, list[str]]) -> list[str]:
    """Return a sentence for each part of a link that names something which does not exist."""
    found = []
    for name, values in asked.items():
        options = offered.get(name)
        wrong = [value for value in values if value not in (options or ())]
        if options is None and not name.startswith(PREFIX):
            continue  # a page's own choice, or none of ours
        if options is None:
            found.append(
                f"The link filters by {name.removeprefix(PREFIX).replace('_', ' ')}, which this release does not have."
            )
        elif wrong:
            near = difflib.get_close_matches(wrong[0], options, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            said = name.removeprefix(PREFIX).replace("_", " ")
            found.append(f"The link asks for {said} “{wrong[0]}”, which does not exist.{hint}")
    return found


def link_banner() -> None:
    """Say above the page what the link asked for and could not get, until the reader has seen it."""
    found: list[str] = st.session_state.get(_PROBLEMS, [])
    if not found:
        return
    text = " ".join(found) + " This page shows the default instead: it is not the view that was shared."
    st.warning(show.escape_markdown(text), icon=":material/link_off:")
    st.button("Understood", on_click=st.session_state.pop, args=(_PROBLEMS,), type="tertiary")
