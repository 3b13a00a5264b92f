"""The sidebar's choice: it follows the URL, reports what a link could not get, and can be sent on whole."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from pages.frame import state

OFFERED = {"release": ["credit-model", "credit-mixed"], "stage": ["replay", "canary"], "in_age": ["young", "old"]}


def sidebar():
    from types import SimpleNamespace

    import streamlit as st

    from pages.frame import state

    cards = [SimpleNamespace(id=i, title=i, kind="model", problem=e) for i, e in (("a", ""), ("b", ""), ("c", "torn"))]
    source = SimpleNamespace(
        catalog=lambda: cards,
        stages=lambda release: ["replay", "shadow"] if release == "a" else ["replay"],
        steps=lambda release: [("2005-04-30", "none mature"), ("2005-05-31", "half mature")],
        dims=lambda release: {"age": ["young", "old"], "province": [f"P{i}" for i in range(9)]},
    )
    with st.sidebar:
        choice = state.choose(source)
    state.link_banner()
    st.text(repr(choice))


def shown(**query):
    app = AppTest.from_function(sidebar)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def pressed(app, label):
    return next(button for button in app.button if button.label == label).click()


def test_choice_without_a_link_is_the_latest_of_the_first_release():
    assert shown().text[0].value == repr(state.Choice("a", "shadow", "2005-05-31", ()))


def test_choice_follows_the_link():
    app = shown(release="a", stage="replay", as_of="2005-04-30", in_age="old", in_province="P3")
    expected = state.Choice("a", "replay", "2005-04-30", (("age", "old"), ("province", "P3")))
    assert app.text[0].value == repr(expected)
    assert not app.warning


def test_link_to_what_does_not_exist_is_reported_until_understood():
    app = shown(release="a", stage="replai", in_colour="red")
    assert "Did you mean replay?" in app.warning[0].value
    assert "colour, which this release does not have" in app.warning[0].value
    app.selectbox(key="stage").select("replay").run()
    assert app.warning
    pressed(app, "Understood").run()
    assert not app.warning


def test_unknown_release_is_reported_and_the_first_shown():
    app = shown(release="z")
    assert "release “z”" in app.warning[0].value
    assert "Choice(release='a'" in app.text[0].value


def test_release_that_cannot_be_opened_keeps_its_place_in_the_choice():
    app = shown(release="c", stage="replay")
    assert app.text[0].value == repr(state.Choice("c"))
    assert not app.warning


def test_change_of_release_falls_back_to_a_stage_that_it_has():
    app = shown(release="a")
    app.selectbox(key="release").select("b").run()
    assert "stage='replay'" in app.text[0].value


def test_reset_goes_back_to_latest_and_no_filter():
    app = shown(release="b", as_of="2005-04-30", in_age="old")
    pressed(app, "Reset").run()
    assert app.text[0].value == repr(state.Choice("b", "replay", "2005-05-31", ()))


def test_query_holds_the_whole_view():
    choice = state.Choice("a", "replay", "2005-04-30", (("age", "25 & under"),))
    expected = {"release": ["a"], "stage": ["replay"], "as_of": ["2005-04-30"], "in_age": ["25 & under"]}
    assert parse_qs(choice.query) == expected


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"release": ["credit-modl"]}, "Did you mean credit-model?"),
        ({"stage": ["full"]}, "stage “full”, which does not exist."),
        ({"in_age": ["old", "x"]}, "age “x”"),
        ({"in_market": ["BR"]}, "filters by market, which this release does not have"),
    ],
)
def test_link_problem_names_what_was_asked(asked, words):
    (said,) = state.link_problems(asked, OFFERED)
    assert words in said


def test_link_with_valid_and_foreign_parts_has_no_problem():
    assert state.link_problems({"release": ["credit-mixed"], "metric": ["recall"]}, OFFERED) == []
