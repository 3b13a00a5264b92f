"""What a slice adds up from moves against the SQL that readers are shown: every table, split, filter and as-of step."""

from collections import Counter

import numpy as np
import pytest

from release_core.cube import cells, moves, query
from release_core.cube.labels import QUIET
from release_core.release import VERSIONS
from tests import factory

GROUPS = (
    ((), ()),
    (("market",), ()),
    ((), (("surface", "web"),)),
    (("surface",), (("market", "DE"),)),
    (("replay_set",), ()),
    (("market",), (("replay_set", "first"),)),
    (("period", "market"), ()),
)


@pytest.fixture(scope="module", params=["replay", "ab"])
def opened(request, tmp_path_factory):
    rows = factory.decisions(300, seed=8, shift=0.4)
    rng = np.random.default_rng(2)
    rows["stage"], rows["replay_set"] = request.param, rng.choice(["first", "second"], len(rows))
    rows["label_propensity"] = np.where(rng.random(len(rows)) < 0.3, 0.25, np.nan)
    if request.param == "ab":
        rows["arm"] = rng.choice(VERSIONS, len(rows))
    labels = {
        "positive": ["chargeback"],
        "negative": ["chargeback=reversed"],
        "silence": "negative",
        "maturity_days": 4,
        "steps": "day",
        "unobserved": ["block"],
    }
    told = factory.outcomes(rows)[rows["bad"].to_numpy()]
    again = told.sample(frac=0.3, random_state=1)
    again["observed_at"] += np.timedelta64(3, "D")
    told = told.assign(value="").merge(again.assign(value="reversed"), how="outer")
    told["outcome"] = "chargeback"
    folder = factory.write(tmp_path_factory.mktemp("moves") / "r", rows, told, parts=3, labels=labels)
    return factory.opened(folder)


def summed(names, columns, sums, *, labels=True):
    """Return the sums by key; events that silence made negative count as events and, with `labels`, as negatives."""
    found = Counter()
    for place in range(len(columns["n"])):
        label = int(columns["label"][place])
        for one in {QUIET: (-1, 0) if labels else (-1,)}.get(label, (label,)):
            key = (*(columns[name][place] for name in names), one)
            for name in sums:
                found[key, name] += int(columns[name][place])
    return {key: n for key, n in found.items() if n}


@pytest.mark.parametrize("table", query.SLICED)
@pytest.mark.parametrize("mature", [True, False])
def test_moves_add_up_to_what_the_shown_sql_does(opened, table, mature):
    cube = opened.cube
    stage = cube.stages()[0]
    sums = cells.SUMS[query.cells_of(table)].split(", ")
    checked = 0
    for group in GROUPS:
        dims = cube.dimensions(tuple(dim for dim in (*group[0], *dict(group[1])) if dim not in {"period"}))
        names = [*(f"k{n}" for n in range(len(group[0]))), *(name for name in query.SLICED[table] if name != "label")]
        for step in cube.steps[:: len(cube.steps) // 3]:
            shown = cube.store.query(*query.statement(table, (stage, step, mature), group, dims))
            shown = {name: spoken(opened, stage, name, column) for name, column in shown.items()}
            found = dict(cube.moved(table, (stage, step, mature), group))
            counted = found["label"] < 2
            found = {name: column[counted] for name, column in found.items()}
            labels = "period" not in group[0]
            assert summed(names, found, sums) == summed(names, shown, sums, labels=labels)
            checked += len(shown["n"])
    assert checked


def spoken(opened, stage, name, column):
    """Return a column as moves hold it: actions, arms and ramp steps by their places."""
    release = opened.release
    if name == "ramp_step":
        return np.array([opened.cube.ramps(stage).index(value) for value in column], dtype=int)
    known = VERSIONS if name == "arm" else release.actions if name == "taken" or name.endswith("_action") else None
    if known is None:
        return column
    return np.array([known.index(value) if value in known else -1 for value in column], dtype=int)


def test_labels_come_and_go(opened):
    """The log of these tests has labels that are overturned, and events that silence makes negative."""
    found = [opened.cube.maturity(opened.cube.stages()[0], step, ()) for step in opened.cube.steps]
    assert found[-1]["mature"] > found[len(found) // 2]["mature"]
    sql = "select count_if(label >= 0 and until < 1000000) as gone, count_if(label = -2) as quiet from pair"
    assert all(n > 0 for n in opened.cube.store.rows(sql)[0].values())
    assert opened.cube.selection(opened.cube.stages()[0], opened.cube.steps[-1]).weighted


def test_moves_beyond_the_limit_of_bytes_are_dropped_oldest_first_and_read_anew(opened):
    cube, stage = opened.cube, opened.cube.stages()[0]
    kept, how = moves.Kept(cube, most=1), (True, False)
    first = kept("pair", stage, (), how)
    assert kept("pair", stage, (), how) is first
    other = kept("cover", stage, (), how)
    assert kept("cover", stage, (), how) is other
    again = kept("pair", stage, (), how)
    assert again is not first
    step = cube.steps[-1]
    assert np.array_equal(again.rows(step, ((), ()))["n"], first.rows(step, ((), ()))["n"])
    roomy = moves.Kept(cube)
    both = [roomy(table, stage, (), how) for table in ("pair", "cover")]
    assert roomy.nbytes == sum(one.nbytes for one in both)
    assert roomy("pair", stage, (), how) is both[0]
    roomy.clear()
    assert roomy.nbytes == 0
