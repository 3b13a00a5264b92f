"""What a page reads while files come in: one state for the whole of its drawing, the newest for the next."""

from itertools import count

import pytest

from pages.frame import read


@pytest.fixture
def fed(monkeypatch):
    """Let every look at a release find another state of it."""
    states = count(1)
    monkeypatch.setattr(read, "_seen", {})
    monkeypatch.setattr(read, "FRESH", -1.0)
    monkeypatch.setattr(read.st, "session_state", {})
    monkeypatch.setattr(read.library, "follow", lambda release: f"{release} {next(states)}")


def test_all_of_a_page_is_of_one_state_and_the_next_drawing_of_the_newest(fed):
    read.begin()
    assert [read.opened("fed") for _ in range(3)] == ["fed 1"] * 3
    read.begin()
    assert read.opened("fed") == "fed 2"


def test_a_paused_release_stays_as_the_reader_saw_it(fed):
    read.begin()
    shown = read.opened("fed")
    assert read._latest("fed") != shown
    read.pause("fed", hold=True)
    read.begin()
    assert read.opened("fed") == shown
    read.pause("fed", hold=False)
    read.begin()
    assert read.opened("fed") != shown
