"""What holds for every test."""

import sys

import pytest

MAIN = sys.modules["__main__"]


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    """Give the main module back: a page under test takes its place, and spawned processes would run that page again."""
    monkeypatch.setitem(sys.modules, "__main__", MAIN)
