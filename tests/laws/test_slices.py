"""Every slice of the cube against direct counts over the written log, at any as-of step, within filters, in live stages."""

import hashlib

import numpy as np
import pytest

from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.metrics import harm
from release_core.release import Stage
from tests import factory, sliced

DIMS = {"market": ("AT", "DE", "PL"), "surface": ("app", "web"), "cohort": ("new", "old"), "tier": ("1", "2")}


@pytest.fixture(scope="module")
def log():
    rows = factory.decisions(2500, seed=41, shift=0.3)
    rng = np.random.default_rng(42)
    for dim in ("cohort", "tier"):
        rows[dim] = rng.choice(DIMS[dim], len(rows))
    return rows


@pytest.fixture(scope="module")
def told(log):
    return factory.outcomes(log)


@pytest.fixture(scope="module")
def opened(log, told, tmp_path_factory):
    segments = {"dims": list(DIMS), "min_events": 50}
    folder = tmp_path_factory.mktemp("slices") / "r"
    return factory.opened(factory.write(folder, log, told, parts=3, segments=segments))


def events(log, told, end=None):
    """Return the log as `sliced.slices` wants it, with what was known at `end`."""
    keep = np.ones(len(log), bool) if end is None else (log["event_time"] <= end).to_numpy()
    known = keep if end is None else keep & (told["observed_at"] <= end).to_numpy()
    shard = [int(hashlib.md5(one.encode()).hexdigest()[:2], 16) % 32 for one in log["entity_id"]]
    acted = {v: factory.actions(log[f"{v}_score"]) for v in ("baseline", "candidate")}
    found = {
        **{v: np.array([sliced.ACTIONS.index(action) for action in acted[v]]) for v in acted},
        "half": np.array(shard) % 2,
        "label": np.where(known, log["bad"].astype(int), -1),
        "amount": log["amount"].to_numpy(),
        **{dim: np.array([DIMS[dim].index(value) for value in log[dim]]) for dim in DIMS},
    }
    if "arm" in log:
        found["arm"] = (log["arm"] == "candidate").astype(int).to_numpy()
    return {name: column[keep] for name, column in found.items()}


def compared(found, expected, **tolerance):
    """Assert that both hold the same slices with the same sums."""
    assert found.actions == expected.actions == sliced.ACTIONS
    names = [tuple(sorted(found.segment(n).items())) for n in range(len(found.conditions))]
    wanted = [tuple(sorted(expected.segment(n).items())) for n in range(len(expected.conditions))]
    assert len(names) == len(set(names))
    counted = expected.measures("n").sum((1, 2, 3))[:, EVERYONE]
    assert set(names) >= {name for name, n in zip(wanted, counted, strict=True) if n}
    place = [names.index(name) for name in wanted]
    for name in ("n", "amount", "amount2"):
        assert found.measures(name)[place] == pytest.approx(expected.measures(name), **tolerance)


def test_every_slice_counts_what_a_direct_count_does(opened, log, told):
    found = opened.cube.slices(Stage.REPLAY, opened.cube.steps[-1])
    compared(found, sliced.slices(events(log, told), DIMS))
    assert found.segment(0) == {}
    assert found.small == 0


def test_an_earlier_step_counts_what_was_known_then(opened, log, told):
    step = opened.cube.steps[8]
    found = opened.cube.slices(Stage.REPLAY, step)
    compared(found, sliced.slices(events(log, told, opened.cube.end(step).replace(tzinfo=None)), DIMS))
    sums = found.measures("n")[0].sum((0, 1, 2))
    assert 0 < sums[POSITIVE] + sums[NEGATIVE] < sums[EVERYONE]


def test_a_filter_keeps_the_slices_within_it(opened, log, told):
    found = opened.cube.slices(Stage.REPLAY, opened.cube.steps[-1], (("market", "DE"), ("tier", "2")))
    assert found.segment(0) == {"market": "DE", "tier": "2"}
    here = (log["market"] == "DE") & (log["tier"] == "2")
    assert found.measures("n")[0].sum((0, 1, 2))[EVERYONE] == here.sum()
    assert all({"market": "DE", "tier": "2"}.items() <= found.segment(n).items() for n in range(len(found.conditions)))
    assert not len(opened.cube.slices(Stage.REPLAY, opened.cube.steps[-1], (("market", "no such"),)).conditions)


def test_a_replay_set_is_counted_alone(log, told, tmp_path):
    rows = log.assign(replay_set=np.where(log["tier"] == "1", "first", "second"))
    one = factory.opened(factory.write(tmp_path / "r", rows, told, segments={"dims": ["market"], "min_events": 50}))
    found = one.cube.slices(Stage.REPLAY, one.cube.steps[-1], (("replay_set", "first"),))
    assert found.measures("n")[0].sum((0, 1, 2))[EVERYONE] == (rows["tier"] == "1").sum()
    assert len(found.conditions) == 1 + len(DIMS["market"])


def test_in_live_stages_each_version_answers_for_its_own_arm(log, told, tmp_path):
    # Each entity is in one arm but for a few events: whoever was seen in both is left out.
    treated = (log["entity_id"].str[1:].astype(int) % 2 == 0) ^ (np.random.default_rng(1).random(len(log)) < 0.02)
    arm = np.where(treated, "candidate", "baseline")
    rows = log.assign(stage="ab", arm=arm)
    one = factory.opened(
        factory.write(
            tmp_path / "r", rows, told, segments={"dims": list(DIMS), "min_events": 50}, stage=[{"name": "ab"}]
        )
    )
    clean = rows[rows.groupby("entity_id")["arm"].transform("nunique") == 1].reset_index(drop=True)
    assert len(clean) < len(rows)
    compared(one.cube.slices(Stage.AB, one.cube.steps[-1]), sliced.slices(events(clean, told), DIMS, paired=False))


def test_slices_beyond_the_limit_are_the_smallest_and_are_counted(opened, monkeypatch):
    from release_core.cube import slices

    monkeypatch.setattr(slices, "MOST", 20)
    small = slices.Searched(opened.cube, Stage.REPLAY, None).slices(opened.cube.steps[-1], ())
    every = opened.cube.slices(Stage.REPLAY, opened.cube.steps[-1])
    assert small.small == len(every.conditions) - 20
    sizes = np.sort(every.measures("n").sum((1, 2, 3))[:, EVERYONE])[::-1]
    kept = small.measures("n").sum((1, 2, 3))[:, EVERYONE]
    assert kept.min() >= sizes[20]
    assert all((small.conditions == number).any() for number in range(1, len(small.values) + 1))


@pytest.mark.parametrize(
    ("by", "where"),
    [((), ()), (("market",), ()), (("tier", "market"), ()), (("surface",), (("market", "DE"), ("tier", "2")))],
)
@pytest.mark.parametrize("look", [8, -1])
def test_segments_of_cells_are_those_among_all_slices(opened, by, where, look):
    step = opened.cube.steps[look]
    every, cells = opened.cube.slices(Stage.REPLAY, step, where), opened.cube.slice(Stage.REPLAY, step, ((by, where),))
    assert len(cells.segments) == np.prod([len(DIMS[dim]) for dim in by])
    assert all(list(segment)[-len(by) :] == list(by) for segment in cells.segments if by)
    same(every, cells)


def same(every, cells):
    """Check the sums of segments of cells against those of the same slices among all."""
    found = harm.segments_of(cells)
    place = {tuple(sorted(every.segment(n).items())): n for n in range(len(every.conditions))}
    acts = [found.actions.index(action) for action in every.actions]
    at = [place[tuple(sorted(segment.items()))] for segment in cells.segments]
    for name in harm.SUMS:
        sums = found.measures(name)[..., acts, :]
        sums = sums[..., acts, :, :] if cells.paired else sums
        np.testing.assert_allclose(sums.sum(1), every.measures(name)[at].sum(1), rtol=0 if name == "n" else 1e-12)


def test_in_live_stages_too_segments_of_cells_are_part_of_all_slices(log, told, tmp_path):
    arm = np.where(log["entity_id"].str[1:].astype(int) % 2 == 0, "candidate", "baseline")
    rows = log.assign(stage="ab", arm=arm)
    segments = {"dims": list(DIMS), "min_events": 50}
    one = factory.opened(factory.write(tmp_path / "r", rows, told, segments=segments, stage=[{"name": "ab"}]))
    step = one.cube.steps[-1]
    same(one.cube.slices(Stage.AB, step), one.cube.slice(Stage.AB, step, ((("market",), ()),)))
