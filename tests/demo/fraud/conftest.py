"""The five fraud releases at a small size, and their logs with the truth that the generator knows."""

import functools
import json

import pandas as pd
import pytest

from release_core.demo.fraud import plan, releases

SIZE = 12_000


@pytest.fixture(scope="session")
def fraud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fraud")
    releases.build(folder, list(plan.STORIES), "test", lambda share, text: None, SIZE)
    return folder


@pytest.fixture(scope="session")
def log(fraud):
    """Return a function from release id and log to all rows of its files."""

    @functools.cache
    def read(release, name):
        return pd.concat([pd.read_parquet(path) for path in sorted((fraud / release / name).glob("*.parquet"))])

    return read


@pytest.fixture(scope="session")
def told(fraud):
    return lambda release: json.loads((fraud / release / releases.TRUTH).read_text())
