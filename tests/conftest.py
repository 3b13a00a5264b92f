"""What holds for every test."""

import sys

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

MAIN = sys.modules["__main__"]


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    """Give the main module back: a page under test takes its place, and spawned processes would run that page again."""
    monkeypatch.setitem(sys.modules, "__main__", MAIN)
