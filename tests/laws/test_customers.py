"""Customers of slices against pandas, from one build, from files that came later, and from a sample."""

import numpy as np
import pytest

from release_core.cube import customers
from release_core.release import Stage
from tests import factory

SLICES = ((), (("market", "DE"),), (("market", "DE"), ("surface", "web")), (("market", "nowhere"),))


@pytest.fixture(scope="module")
def log():
    return factory.decisions(4000, seed=5, per_entity=4)


def told(cube, step=None):
    return customers.counted(cube, Stage.REPLAY, cube.steps[-1] if step is None else step, SLICES)


def expected(log):
    keep = [np.all([np.ones(len(log), bool), *(log[dim] == value for dim, value in where)], axis=0) for where in SLICES]
    return [log["entity_id"][one].nunique() for one in keep]


def test_customers_are_counted_exactly_in_small_logs_and_as_of_a_step(log, tmp_path):
    cube = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log))).cube
    assert told(cube) == [(n, True) for n in expected(log)]
    step = cube.steps[len(cube.steps) // 2]
    known = log[log["event_time"] <= cube.end(step).replace(tzinfo=None)]
    assert told(cube, step) == [(n, True) for n in expected(known)]


@pytest.mark.parametrize("parts", [1, 3])
def test_customers_of_many_files_and_of_later_ones_are_counted_once(parts, log, tmp_path):
    half = len(log) // 2
    folder = factory.write(tmp_path / "r", log[:half], factory.outcomes(log), parts=parts)
    assert told(factory.opened(folder).cube) == [(n, True) for n in expected(log[:half])]
    log[half:].drop(columns="bad").to_parquet(folder / "decisions" / "later.parquet", index=False)
    cube = factory.opened(folder).cube
    assert told(cube) == [(n, True) for n in expected(log)]


def test_rare_values_of_a_crowded_dimension_are_one_slice(log, tmp_path):
    crowded = {"dims": ["market", "surface"], "min_events": 50, "cap": 2}
    cube = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log), segments=crowded)).cube
    rare = log["market"].value_counts().index[-1]
    found = customers.counted(cube, Stage.REPLAY, cube.steps[-1], [(("market", "(other)"),)])
    assert found == [(log["entity_id"][log["market"] == rare].nunique(), True)]


def test_a_value_that_grows_crowded_as_files_come_reads_other_as_if_all_had_come_at_once(log, tmp_path):
    crowded = {"dims": ["market", "surface"], "min_events": 50, "cap": 2}
    folder = factory.write(tmp_path / "r", log[:400], factory.outcomes(log), segments=crowded)
    common = log["market"].value_counts().index
    later = log[400:].drop(columns="bad").sort_values("market", key=lambda market: market == common[0])
    factory.opened(folder)
    for number, rows in enumerate(np.array_split(np.arange(len(later)), 2)):
        later.iloc[rows].to_parquet(folder / "decisions" / f"later-{number}.parquet", index=False)
        cube = factory.opened(folder).cube
    fresh = factory.opened(folder, tmp_path / "fresh").cube
    assert cube.values("market") == fresh.values("market") == tuple(sorted([*common[:2], "(other)"]))
    for one in (cube, fresh):
        (found,) = customers.counted(one, Stage.REPLAY, one.steps[-1], [(("market", "(other)"),)])
        assert found == (log["entity_id"][~log["market"].isin(common[:2])].nunique(), True)


def test_a_sample_stands_for_all(log, tmp_path, monkeypatch):
    monkeypatch.setattr(customers, "MOST_OF_PART", 1000)
    cube = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log))).cube
    for found, n in zip(told(cube), expected(log), strict=True):
        assert not found.exact
        assert abs(found.n - n) <= 4 * np.sqrt(n * 3)


def test_without_customers_in_the_logs_none_are_told(log, tmp_path):
    cube = factory.opened(factory.write(tmp_path / "r", log.drop(columns="entity_id"), factory.outcomes(log))).cube
    assert told(cube) == [None] * len(SLICES)
