"""What a cube takes over from the one that was open before it, and what is judged from that, is what a fresh one says."""

import numpy as np
import pytest

from release_core import cube as cubes
from release_core import manifest, stops, verdicts
from release_core.cube import cells
from release_core.cube.cube import Cube
from release_core.cube.query import SLICED, cells_of
from tests.laws.test_extend import cut, empty_release, live_log

DIMS = ((), ("market",), ("market", "surface"))
HOWS = ((True, False), (False, False), (True, True))
# One set of dimensions and one way to count of each table; each occurs.
ASKED = tuple(
    (table, DIMS[n % (3 if "v2" in cells.KEYS[cells_of(table)] else 2)], HOWS[n % 3]) for n, table in enumerate(SLICED)
)


def arriving(folder, seed, *, mixed):
    """Yield after each file of a log that comes in pieces, events in the order of time; `mixed`: customers in both arms."""
    log, told = live_log(seed)
    if not mixed:
        own = log["entity_id"].str[-1].astype(int) % 3 == 0
        log["arm"] = np.where((log["stage"] == "canary") & own, "candidate", "baseline")
    log = log.drop(columns="bad").sort_values("event_time", kind="stable")
    # A value that is seen for the first time in the end, and sorts before all others.
    log.loc[log.index[-1], "market"] = "AA"
    pieces = [log.iloc[places] for places in np.array_split(np.arange(len(log)), 4)]
    shuffled, rows = cut(told, 4, seed)
    later = [rows.iloc[places] for places in shuffled]
    for number, (events, outcomes) in enumerate(zip(pieces, later, strict=True)):
        for name, frame in (("decisions", events), ("outcomes", outcomes)):
            frame.to_parquet(folder / name / f"{number:02}.parquet", index=False)
            yield


def counted(one, step, table):
    """Return the sums of a table's moves by their key, values of dimensions by name; keys without events are left out."""
    rows = one.rows(step, ((), ()))
    names = np.array(one._names, dtype=object)
    keys = {
        name: names[rows[name]] if name in {"v1", "v2", "v3", "replay_set"} else rows[name] for name in one._keys_at
    }
    sums = cells.SUMS[cells_of(table)].split(", ")
    return {
        key: told for key, *told in zip(zip(*keys.values(), strict=True), *(rows[name] for name in sums), strict=True)
    }


@pytest.mark.parametrize("mixed", [False, True])
def test_moves_that_go_on_are_those_of_a_fresh_cube(tmp_path, mixed):
    folder, opened, taken = empty_release(tmp_path / "r"), None, 0
    for _ in arriving(folder, 3, mixed=mixed):
        release = manifest.load(folder)
        published = cubes.build(release, tmp_path / "cache")
        opened, fresh = Cube(release, published, opened), Cube(release, published)
        for stage in opened.stages():
            for table, dims, how in ASKED:
                taken += (table, stage, dims, how) in opened.moves._before
                one, other = (cube.moves(table, stage, dims, how) for cube in (opened, fresh))
                for step in (opened.steps[len(opened.steps) // 2], opened.steps[-1]):
                    assert counted(one, step, table) == counted(other, step, table)
    assert taken > len(ASKED)


def test_no_verdict_is_stale_after_an_arrival(tmp_path):
    folder, opened = empty_release(tmp_path / "r"), None
    for number, _ in enumerate(arriving(folder, 5, mixed=False)):
        release = manifest.load(folder)
        opened = Cube(release, cubes.build(release, tmp_path / "cache"), opened)
        if number in {4, 7}:
            fresh = Cube(release, cubes.build(release, tmp_path / f"fresh-{number}"))
            for stage in fresh.stages():
                step = fresh.steps[-1]
                judged = [verdicts.rows(release, one, stage, step) for one in (opened, fresh)]
                assert judged[0] == judged[1]
                assert stops.fired(release, opened, stage) == stops.fired(release, fresh, stage)
        else:
            for stage in opened.stages():
                verdicts.rows(release, opened, stage, opened.steps[-1])


def test_moves_taken_over_that_nobody_asks_for_count_and_go_first(tmp_path):
    folder, cubes_of, how = empty_release(tmp_path / "r"), [], (True, False)
    arrivals = arriving(folder, 3, mixed=False)
    for _ in range(3):
        next(arrivals)
        release = manifest.load(folder)
        published = cubes.build(release, tmp_path / "cache")
        cubes_of.append(Cube(release, published, *cubes_of[-1:]))
        stage = cubes_of[-1].stages()[0]
        for table in ("pair", "cover") if len(cubes_of) == 2 else ():
            cubes_of[-1].moves(table, stage, (), how)
    one = cubes_of[-1].moves
    assert len(one._before) == 2
    assert one.nbytes == cubes_of[-2].moves.nbytes > 0
    one._most = 1
    found = one("pair", stage, (), how)
    assert one.nbytes == found.nbytes
    one._most = 10**9
    assert one("pair", stage, (), how) is found
