"""Frames of live stages against direct counts over the written log in pandas, however it is cut into files."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from release_core.cube import cells, live
from release_core.cube.labels import WITHIN
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.release import Stage
from tests import factory, lived

CANARY = Stage.CANARY
ALL = (((), ()),)
MARKET = ((("market",), ()),)
ARMS, RAMPS = ("baseline", "candidate"), ("0.3", "0.5")
TABLES = ("latency", "effect")


@pytest.fixture(scope="module")
def log():
    return lived.decisions()


@pytest.fixture(scope="module")
def told(log):
    return lived.outcomes(log)


def write(folder, log, told, parts=1):
    """Write the log with runtime samples in as many files."""
    factory.write(folder, log, told, parts=parts)
    (folder / "runtime").mkdir()
    samples = lived.runtime().sample(frac=1, random_state=parts)
    for number, rows in enumerate(np.array_split(np.arange(len(samples)), parts)):
        samples.iloc[rows].to_parquet(folder / "runtime" / f"{number}.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def whole(log, told, tmp_path_factory):
    return factory.opened(write(tmp_path_factory.mktemp("live") / "r", log, told, 3)).cube


def ends(cube):
    return [pd.Timestamp(cube.end(step)).tz_localize(None) for step in cube.steps]


def close_of(times):
    """Return the last instant of the day of each time."""
    return times.dt.floor("D") + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)


def clean(log, end):
    """Return which events are of entities that, as far as is known at `end`, were in one arm of the ramp step only."""
    seen = log[log["event_time"] <= end].groupby(["ramp_step", "entity_id"])["arm"].nunique()
    return ~pd.MultiIndex.from_frame(log[["ramp_step", "entity_id"]]).isin(seen.index[seen > 1])


def everything(cube):
    """Return all arrays of all frames of a cube by name."""
    found = {}
    for name, frame in (
        ("effects", cube.effects(CANARY, MARKET, 72)),
        ("entities", cube.entities(CANARY)),
        ("serving", cube.serving(CANARY, MARKET)),
        *((f"{gauge.name}{gauge.arm}", gauge) for gauge in cube.gauges(CANARY)),
    ):
        fields = {*frame.__dataclass_fields__, *getattr(frame, "compute", {})} - {"compute"}
        found |= {f"{name}.{field}": getattr(frame, field) for field in fields}
    tally = cube.arms(CANARY, MARKET).tally
    return found | {name: getattr(tally, name) for name in ("actions", "joint", "positives", "loss")}


@settings(max_examples=2, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.integers(1, 6), seed=st.integers(0, 1000))
def test_files_and_row_order_do_not_matter(parts, seed, log, told, whole, tmp_path_factory):
    mixed = log.sample(frac=1, random_state=seed)
    other = factory.opened(write(tmp_path_factory.mktemp("cut") / "r", mixed, told.sample(frac=1), parts)).cube
    mine, same = everything(other), everything(whole)
    for name, array in mine.items():
        assert np.array_equal(np.asarray(array), np.asarray(same[name])), name
    for table in TABLES:
        keys, sums = cells.KEYS[table], ", ".join(f"sum({name})::bigint" for name in cells.SUMS[table].split(", "))
        rows = [
            sorted(map(str, cube.store.rows(f"select {keys}, {sums} from {table} group by {keys}")))
            for cube in (other, whole)
        ]
        assert rows[0] == rows[1]


def test_arms_hold_the_actions_and_mature_labels_of_their_own_events_at_every_look(whole, log, told):
    frame = whole.arms(CANARY, MARKET)
    assert (frame.looks, frame.ramps) == (whole.steps, RAMPS)
    said = told[told["outcome"] == "review_result"].groupby("event_id")["observed_at"].min()
    known = log["event_id"].map(said)
    for look, end in list(enumerate(ends(whole)))[3::5]:
        kept = clean(log, end)
        assert kept.mean() < 1
        for segment, ramp, arm in np.ndindex(3, 2, 2):
            mine = kept & (log["event_time"] <= end) & (log["market"] == frame.segments[segment]["market"])
            mine &= (log["ramp_step"] == RAMPS[ramp]) & (log["arm"] == ARMS[arm])
            act = factory.actions(log[f"{ARMS[arm]}_score"])
            for place, action in enumerate(frame.actions):
                here, got = mine & (act == action), frame.tally.actions[segment, look, ramp, :, arm, place]
                assert got[:, EVERYONE].sum() == here.sum()
                assert got[:, POSITIVE].sum() == (here & log["bad"] & (known <= end)).sum()
                assert got[:, NEGATIVE].sum() == (here & ~log["bad"] & (known <= end)).sum()
    last = whole.slice(CANARY, whole.steps[-1], MARKET)
    assert frame.tally.actions[:, -1].sum((1, 2)) == pytest.approx(last.whole.actions)
    assert frame.tally.loss[:, -1].sum((1, 2)) == pytest.approx(last.whole.loss)


def test_labels_that_silence_gives_count_once_settled(log, told, tmp_path):
    rules = factory.tables()["labels"] | {"silence": "negative", "maturity_days": 4}
    cube = factory.opened(factory.write(tmp_path / "r", log, told, labels=rules)).cube
    frame = cube.arms(CANARY, ALL)
    for look, step in list(enumerate(cube.steps))[2::6]:
        one = cube.slice(CANARY, step, ALL).whole
        assert frame.tally.actions[0, look].sum((0, 1)) == pytest.approx(one.actions[0])
        assert frame.tally.negatives[0, look].sum((0, 1)) == pytest.approx(one.negatives[0])


@pytest.mark.parametrize("hours", [24, 168])
def test_effects_count_what_came_within_the_hours_of_events_that_old(whole, log, told, hours):
    frame = whole.effects(CANARY, ((("surface",), (("replay_set", ""),)),), hours)
    age = told.merge(log[["event_id", "event_time"]], on="event_id")
    kind = age["outcome"] + np.where(age["outcome"] == "review_result", "=" + age["value"].fillna(""), "")
    age["kind"] = np.where(age["value"] == "false", "retained=false", kind)
    also = age[age["outcome"] == "review_result"].assign(kind="review_result")
    soon = pd.concat([age, also])
    soon = soon[soon["observed_at"] < soon["event_time"] + pd.Timedelta(hours=hours)]
    assert set(frame.kinds) == set(soon["kind"])
    old = {look: close_of(log["event_time"]) + pd.Timedelta(hours=hours) <= end for look, end in enumerate(ends(whole))}
    for look in range(3, len(frame.looks), 9):
        kept = clean(log, ends(whole)[look])
        for segment, ramp, arm in np.ndindex(2, 2, 2):
            mine = kept & old[look] & (log["surface"] == frame.segments[segment]["surface"])
            mine &= (log["ramp_step"] == RAMPS[ramp]) & (log["arm"] == ARMS[arm])
            assert frame.events[segment, look, ramp, arm].sum() == mine.sum()
            assert frame.amounts[segment, look, ramp, arm].sum() == pytest.approx(log["amount"][mine].sum())
            for place, action in enumerate(frame.actions):
                assert (
                    frame.taken[place, segment, look, ramp, arm].sum() == (mine & (log["action_taken"] == action)).sum()
                )
            for place, kind in enumerate(frame.kinds):
                with_it = mine & log["event_id"].isin(soon["event_id"][soon["kind"] == kind])
                assert frame.counts[place, segment, look, ramp, arm].sum() == with_it.sum()
                assert frame.counted_amounts[place, segment, look, ramp, arm].sum() == pytest.approx(
                    log["amount"][with_it].sum()
                )


def test_entities_count_once_a_ramp_step_and_leave_when_they_are_contaminated(whole, log, told):
    frame = whole.entities(CANARY)
    score = log.sort_values("event_time", kind="stable").groupby("entity_id")["baseline_score"].first()
    both = told.merge(log[["event_id", "event_time", "entity_id", "ramp_step", "arm"]], on="event_id")
    both["kind"] = np.where(both["value"] == "false", "retained=false", both["outcome"])
    both = both.sort_values("observed_at").drop_duplicates(["event_id", "kind"])
    for look, end in list(enumerate(ends(whole)))[4::5]:
        seen = log[log["event_time"] <= end].groupby(["ramp_step", "entity_id"])["arm"].agg(set)
        for ramp in range(2):
            here = seen[RAMPS[ramp]] if RAMPS[ramp] in seen.index else pd.Series([], dtype=object)
            mixed = here.index[here.map(len) == 2]
            assert frame.contaminated[look, ramp].sum() == len(mixed)
            for arm in range(2):
                mine = here.index[here == {ARMS[arm]}]
                x = score[mine].round(9)
                assert frame.n[look, ramp, arm].sum() == len(mine) == frame.scored[look, ramp, arm].sum()
                assert frame.x[look, ramp, arm].sum() == pytest.approx(x.sum(), abs=1e-6)
                assert frame.xx[look, ramp, arm].sum() == pytest.approx((x**2).sum(), abs=1e-5)
                done = both[(both["observed_at"] <= end) & (both["ramp_step"] == RAMPS[ramp])]
                for kind in ("complaint", "retained=false"):
                    y = done[(done["kind"] == kind) & done["entity_id"].isin(mine)].groupby("entity_id").size()
                    got = [
                        getattr(frame, name)[frame.kinds.index(kind), look, ramp, arm].sum()
                        for name in ("first", "y", "yy", "xy")
                    ]
                    assert got[:3] == [len(y), y.sum(), (y**2).sum()]
                    assert got[3] == pytest.approx((y * score[y.index]).sum(), abs=1e-6)
    taken = frame.kinds.index("taken:block")
    assert frame.contaminated[-1].sum() > 10
    last = log.groupby(["ramp_step", "entity_id"])["arm"].transform("nunique") == 1
    blocked = last & (log["action_taken"] == "block") & (log["arm"] == "candidate")
    assert frame.y[taken, -1, :, 1].sum() == blocked.sum()


def test_entities_and_their_first_cases_are_of_the_segment_of_their_first_event(whole, log, told):
    frame = whole.entities_by(CANARY)
    assert frame.segments[0] == {}
    assert list(frame.segments[1:]) == [{d: v} for d, values in factory.DIMS.items() for v in values]
    first = log.sort_values("event_time", kind="stable").groupby("entity_id")[["market", "surface"]].first()
    said = told[told["outcome"] == "complaint"].merge(log.drop(columns=["market", "surface"]), on="event_id")
    for look, end in list(enumerate(ends(whole)))[4::15]:
        kept = log[clean(log, end) & (log["event_time"] <= end)].drop_duplicates(["ramp_step", "entity_id"])
        cases = said[clean(said, end) & (said["observed_at"] <= end)]
        cases = cases[["ramp_step", "entity_id"]].drop_duplicates().merge(kept, on=["ramp_step", "entity_id"])
        for place, segment in enumerate(frame.segments):
            for rows, got in ((kept, frame.n[place]), (cases, frame.first[frame.kinds.index("complaint"), place])):
                mine = rows[[all(first.loc[who, dim] == v for dim, v in segment.items()) for who in rows["entity_id"]]]
                counts = mine.groupby(["ramp_step", "arm"]).size()
                assert [[counts.get((ramp, arm), 0) for arm in ARMS] for ramp in RAMPS] == got[look].tolist()
    assert frame.n[1:4].sum(0) == pytest.approx(frame.n[0])
    assert frame.first[:, 1:4].sum(1) == pytest.approx(frame.first[:, 0])
    market = whole.treated(CANARY, MARKET)
    assert market == pytest.approx(frame.n[1:4])
    shared = whole.treated(
        CANARY, ((("market", "replay_set"), ()),)
    )  # of no single dimension: their share of the events
    assert shared.sum(0) == pytest.approx(frame.n[0])


@settings(max_examples=2, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.01, 0.2]), parts=st.integers(2, 3))
def test_sums_are_those_without_contaminated_entities_at_every_look(seed, share, parts, tmp_path_factory):
    """Files arrive one after another in any order; at each look the arms hold what pandas counts of clean entities."""
    rng = np.random.default_rng(seed)
    log = lived.decisions(400, seed)
    treated = (log["entity_id"].str[1:].astype(int) % 2 == 0) ^ (rng.random(len(log)) < share)
    log["arm"] = np.where(treated, "candidate", "baseline")
    told, folder = lived.outcomes(log, seed), tmp_path_factory.mktemp("mixed") / "r"
    factory.write(folder, log.head(0), told.head(0))
    for name, frame in (("decisions", log.drop(columns="bad")), ("outcomes", told)):
        for path in (folder / name).iterdir():
            path.unlink()
        for number, rows in enumerate(np.array_split(rng.permutation(len(frame)), parts)):
            frame.iloc[rows].to_parquet(folder / name / f"{number}.parquet", index=False)
            if name == "decisions" or number:
                one = factory.opened(folder, folder.parent / "cache")
    cube = one.cube
    arms, effects = cube.arms(CANARY, ALL), cube.effects(CANARY, ALL, 72)
    soon = told.merge(log[["event_id", "event_time"]], on="event_id")
    soon = soon[soon["observed_at"] < soon["event_time"] + pd.Timedelta(hours=72)]
    complained = log["event_id"].isin(soon["event_id"][soon["outcome"] == "complaint"])
    known = log["event_id"].map(told[told["outcome"] == "review_result"].groupby("event_id")["observed_at"].min())
    for look, end in enumerate(ends(cube)):
        kept = clean(log, end) & (log["event_time"] <= end)
        ripe = kept & (close_of(log["event_time"]) + pd.Timedelta(hours=72) <= end)
        for ramp, arm in np.ndindex(2, 2):
            mine = (log["ramp_step"] == RAMPS[ramp]) & (log["arm"] == ARMS[arm])
            got = arms.tally.actions[0, look, ramp, :, arm]
            assert got[..., EVERYONE].sum() == (mine & kept).sum()
            assert got[..., POSITIVE].sum() == (mine & kept & log["bad"] & (known <= end)).sum()
            assert effects.events[0, look, ramp, arm].sum() == (mine & ripe).sum()
            counted = effects.counts[effects.kinds.index("complaint"), 0, look, ramp, arm].sum()
            assert counted == (mine & ripe & complained).sum()
    entered = cube.entities(CANARY)
    assert entered.contaminated[-1].sum() > 0
    step = cube.steps[len(cube.steps) // 2]
    whole = cube.slice(CANARY, step, ALL).whole
    assert arms.tally.actions[0, cube.steps.index(step)].sum((0, 1)) == pytest.approx(whole.actions[0])
    assert cube.maturity(CANARY, step, ())["n"] == whole.actions[0, ..., EVERYONE].sum()
    assert cube.progress(CANARY, cube.steps[-1], ())[step]["n"] == whole.actions[0, ..., EVERYONE].sum()


def test_serving_counts_latencies_errors_fallbacks_and_costs_of_the_own_arm(whole, log):
    frame = whole.serving(CANARY, MARKET)
    assert frame.names == ("cards", "graph")
    day = (log["event_time"].dt.floor("D") - factory.START).dt.days
    for segment, look, version in np.ndindex(3, 20, 2):
        name = ARMS[version]
        mine = log[(day == look) & (log["arm"] == name) & (log["market"] == frame.segments[segment]["market"])]
        latency = mine[f"{name}_latency_ms"].dropna()
        assert frame.served[segment, look, version] == len(mine)
        assert frame.latency[segment, look, version].tolist() == np.histogram(latency, frame.edges)[0].tolist()
        assert frame.fallback[segment, look, version] == mine[f"{name}_fallback"].sum()
        assert frame.errors[0, segment, look, version] == (mine[f"{name}_error"] == "cards").sum()
        assert frame.cost[segment, look, version] == pytest.approx(mine[f"{name}_cost"].sum(), abs=1e-8)
        assert frame.cost2[segment, look, version] == pytest.approx((mine[f"{name}_cost"] ** 2).sum(), abs=1e-7)
    ratio = frame.edges[2:-1] / frame.edges[1:-2]
    assert ratio == pytest.approx(2 ** (1 / 16))


def test_latency_edges_are_open_at_both_ends():
    assert live.edges(np.arange(481))[[0, 1, 96, 480, 481]].tolist() == [0.0, 2 ** (-6 + 1 / 16), 1.0, 2.0**24, np.inf]


def test_gauges_are_sampled_by_the_hour(whole):
    samples = lived.runtime()
    found = {(gauge.name, gauge.arm): gauge for gauge in whole.gauges(CANARY)}
    assert list(found) == [
        ("cpu_utilisation", "baseline"), ("cpu_utilisation", "candidate"),
        ("review_capacity_per_hour", ""), ("review_queue_depth", ""),
    ]  # fmt: skip
    for (name, arm), gauge in found.items():
        mine = samples[(samples["name"] == name) & (samples["arm"].fillna("") == arm)]
        hours = mine.groupby(mine["sampled_at"].dt.floor("h"))["value"]
        assert gauge.start.tolist() == [int(at.timestamp()) for at in hours.first().index]
        assert gauge.n.tolist() == hours.size().tolist()
        assert gauge.mean == pytest.approx(hours.mean().to_numpy(), abs=1e-6)
        assert (gauge.low.tolist(), gauge.high.tolist()) == (hours.min().tolist(), hours.max().tolist())
        assert gauge.last.tolist() == hours.last().tolist()
        assert gauge.look.tolist() == [whole.steps[0] + n // 24 for n in range(len(gauge.start))]


def test_ages_at_which_arms_are_compared_rise():
    assert list(WITHIN) == sorted(set(WITHIN))
