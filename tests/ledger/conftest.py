"""A ledger in a fresh file with a clock that can be set."""

from __future__ import annotations

import pytest

from release_core.ledger import Ledger
from tests.ledger.cases import Clock, a_release


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(tmp_path, clock):
    return Ledger(tmp_path / "ledger.sqlite", clock)


@pytest.fixture
def release():
    return a_release()
