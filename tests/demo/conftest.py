"""The demo releases, built once for all tests of the demo, and their logs joined into one table."""

import functools
from pathlib import Path

import pandas as pd
import pytest

from release_core import demo


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "releases"
    demo.build(folder, only=demo.CREDIT)
    return folder


@pytest.fixture(scope="session")
def joined(root):
    """Return a function from release id to one row per event with its outcome's value (null: none) and `late`."""

    @functools.cache
    def read(release):
        decisions, outcomes = (_log(root / release / name) for name in ("decisions", "outcomes"))
        log = decisions.merge(outcomes[["event_id", "value", "observed_at"]], on="event_id", how="left")
        return log.assign(late=log["value"].map({"late": 1.0, "on_time": 0.0}))

    return read


def _log(folder: Path):
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))], ignore_index=True)
