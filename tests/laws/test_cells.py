"""Cells add: however a log is cut into files, ordered or extended, the same cells come out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_core import cube, manifest, review, store
from release_core.contract import rules
from release_core.cube import cells
from tests import factory

TABLES = ("score", "shard", "pair", "age", "checks")


@pytest.fixture(scope="module")
def log():
    return factory.decisions(600, seed=11)


@pytest.fixture(scope="module")
def whole(log, tmp_path_factory):
    return factory.opened(factory.write(tmp_path_factory.mktemp("whole") / "r", log, factory.outcomes(log)))


def added(opened):
    """Return every table's cells, added up by their keys, as sorted lists; sums that have cancelled out are no cells."""
    found = {}
    for table in TABLES:
        keys = cells.KEYS[table]
        sums = ", ".join(f"sum({name})::bigint" for name in cells.SUMS[table].split(", "))
        left = " or ".join(f"sum({name}) <> 0" for name in cells.SUMS[table].split(", "))
        rows = opened.cube.store.rows(f"select {keys}, {sums} from {table} group by {keys} having {left}")
        found[table] = sorted(str(tuple(map(str, row.values()))) for row in rows)
    return found


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.integers(1, 7), seed=st.integers(0, 1000))
def test_files_and_row_order_do_not_matter(parts, seed, log, whole, tmp_path_factory):
    mixed = log.sample(frac=1, random_state=seed)
    folder = factory.write(
        tmp_path_factory.mktemp("cut") / "r",
        mixed,
        factory.outcomes(log).sample(frac=1, random_state=seed),
        parts=parts,
    )
    assert added(factory.opened(folder)) == added(whole)


def test_the_number_of_threads_does_not_matter(log, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(store.Store, "__init__", single_thread)
    assert added(factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log)))) == added(whole)


INIT = store.Store.__init__


def single_thread(self, **options):
    INIT(self, **(options | {"threads": 1}))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_format_of_files_does_not_matter(log, whole, tmp_path, ending):
    folder = factory.write(tmp_path / "r", log, factory.outcomes(log))
    for path in [*folder.rglob("*.parquet")]:
        frame = pd.read_parquet(path)
        target = path.with_suffix(f".{ending}")
        frame.to_csv(target, index=False) if ending == "csv" else frame.to_json(
            target, orient="records", lines=True, date_format="iso", double_precision=15
        )
        path.unlink()
    found, same = added(factory.opened(folder)), added(whole)
    assert [len(found[table]) for table in TABLES] == [len(same[table]) for table in TABLES]
    assert found["checks"] == same["checks"]


def test_adding_files_gives_what_a_rebuild_gives_and_reads_only_the_new_ones(log, tmp_path):
    told = factory.outcomes(log)
    folder = factory.write(tmp_path / "r", log.iloc[:300], told.iloc[:300])
    factory.opened(folder, tmp_path / "cache")
    before = {path.name for path in (tmp_path / "cache").glob("good-*")}
    log.iloc[300:].drop(columns="bad").to_parquet(folder / "decisions" / "99.parquet", index=False)
    told.iloc[300:].to_parquet(folder / "outcomes" / "99.parquet", index=False)
    grown = factory.opened(folder, tmp_path / "cache")
    after = {path.name for path in (tmp_path / "cache").glob("good-*")}
    assert before < after
    assert len(after - before) == 2
    assert added(grown) == added(factory.opened(folder, tmp_path / "fresh"))


def test_unchanged_files_are_published_under_the_same_name_without_work(log, tmp_path):
    folder = factory.write(tmp_path / "r", log)
    release = manifest.load(folder)
    first = cube.build(release, tmp_path / "cache")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.parquet")}
    assert cube.build(release, tmp_path / "cache") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.parquet")} == stamps


def test_an_event_in_two_files_counts_once_from_the_file_that_sorts_first(log, tmp_path):
    folder = factory.write(tmp_path / "r", log.iloc[:100])
    again = log.iloc[:10].drop(columns="bad").assign(candidate_score=0.999)
    again.to_parquet(folder / "decisions" / "50.parquet", index=False)
    opened = factory.opened(folder)
    reports = {report["file"]: report for report in opened.cube.facts["logs"]["decisions"]}
    assert reports["decisions/50.parquet"]["quarantined"] == 10
    assert reports["decisions/50.parquet"]["reasons"] == {"event already in an earlier file": 10}
    found = opened.cube.slice(review.stage_of(opened, None), opened.cube.steps[-1], (((), ()),))
    assert found.whole.scores[0, 1] == pytest.approx(log["candidate_score"][:100].sum(), abs=1e-6)


def test_segments_add_up_to_the_whole_and_pairs_to_segments(whole):
    stage, step = review.stage_of(whole, None), whole.cube.steps[-1]
    every = whole.cube.slice(stage, step, (((), ()),)).whole
    for by in (("market",), ("surface",), ("market", "surface")):
        parts = whole.cube.slice(stage, step, ((by, ()),)).whole
        for name in ("events", "positives", "loss", "joint", "actions"):
            assert getattr(parts, name).sum(0) == pytest.approx(getattr(every, name)[0], abs=1e-6), (by, name)
        assert parts.n.sum((0, -1)) == pytest.approx(every.n[0].sum(-1))


def test_what_was_asked_before_a_segment_had_events_changes_no_later_answer(log, tmp_path):
    rows = log[(log["market"] != "PL") | (log["event_time"] >= factory.START + pd.Timedelta(days=10))]
    opened = factory.opened(factory.write(tmp_path / "r", rows, factory.outcomes(rows)))
    fresh = cube.Cube(opened.release, opened.cube.folder)
    (first, *_, last), stage = opened.cube.steps, review.stage_of(opened, None)
    asked = {step: (stage, step, (((), (("market", "PL"),)),)) for step in (first, last)}
    early, late, wanted = opened.cube.slice(*asked[first]), opened.cube.slice(*asked[last]), fresh.slice(*asked[last])
    assert early.segments == ()
    for name in ("score", "amount", "labelled_score", "positive_amount"):
        assert getattr(early.whole, name).sum() == 0
        assert (getattr(late.whole, name) == getattr(wanted.whole, name)).all(), name
        assert getattr(late.whole, name).sum() > 0


def test_two_dimensions_with_the_same_values_can_be_split_in_either_order(log, tmp_path):
    rows = log[log["market"] != "PL"].assign(surface=lambda one: one["surface"].map({"app": "AT", "web": "DE"}))
    opened = factory.opened(factory.write(tmp_path / "r", rows, factory.outcomes(rows)))
    for by in (("market", "surface"), ("surface", "market")):
        found = opened.cube.slice(review.stage_of(opened, None), opened.cube.steps[-1], ((by, ()),))
        wanted = [(rows[list(by)] == [segment[dim] for dim in by]).all(axis=1).sum() for segment in found.segments]
        assert found.whole.n.sum(-1)[:, 0].tolist() == wanted, by


def test_shards_add_up_to_the_whole(whole):
    found = whole.cube.slice(review.stage_of(whole, None), whole.cube.steps[-1], ((("market",), ()),))
    for name in ("events", "positives", "squared", "joint"):
        assert getattr(found.shards.sum(1), name) == pytest.approx(getattr(found.whole, name))


def test_a_later_time_never_knows_fewer_events_or_explicit_labels(whole):
    stage = review.stage_of(whole, None)
    counts = [whole.cube.maturity(stage, step, ()) for step in whole.cube.steps]
    for name in ("n", "known"):
        values = [count[name] for count in counts]
        assert values == sorted(values)
        assert values[-1] > values[0]


def test_swapping_the_versions_flips_every_difference(log, whole, tmp_path):
    swapped = log.rename(columns={"baseline_score": "candidate_score", "candidate_score": "baseline_score"})
    other = factory.opened(factory.write(tmp_path / "r", swapped, factory.outcomes(log)))
    names = ["auc", "recall", "brier", "alert_rate", "oe_ratio"]
    rows = [review.measured(one, review.stage_of(one, None), one.cube.steps[-1], names=names) for one in (whole, other)]
    for old, new in zip(*rows, strict=True):
        if old.version == "difference":
            assert new.value == pytest.approx(-old.value, abs=1e-12)
            assert (new.low, new.high) == pytest.approx((-old.high, -old.low), abs=1e-9)


def test_equal_versions_differ_by_exactly_nothing(log, tmp_path):
    same = log.assign(candidate_score=log["baseline_score"])
    opened = factory.opened(factory.write(tmp_path / "r", same, factory.outcomes(log)))
    stage, step = review.stage_of(opened, None), opened.cube.steps[-1]
    rows = review.measured(opened, stage, step, by=("market",))
    assert {
        row.value for row in rows if row.version == "difference" and row.value is not None and row.metric != "psi"
    } == {0.0}
    judged = [
        row for row in review.review(opened, stage, step).rows if row.gate in {"recall", "auc", "fpr", "alert_rate"}
    ]
    assert {row.verdict.name for row in judged} <= {"PASS", "INCONCLUSIVE", "NODATA"}


def test_policies_and_segment_cutoffs_decide_as_written(log, tmp_path):
    rules = {
        "p1": {"rule": [{"when": [{"column": "amount", "op": ">", "value": 60}], "action": "block", "reason": "large"}]}
    }
    own = [{"where": {"market": "DE"}, "review": 0.5}, {"where": {"market": "DE", "surface": "web"}, "review": 0.2}]
    thresholds = {"t1": {"default": factory.CUTOFFS, "segment": own}}
    opened = factory.opened(
        factory.write(tmp_path / "r", log, factory.outcomes(log), policy=rules, thresholds=thresholds)
    )
    review_at = np.select([(log["market"] == "DE") & (log["surface"] == "web"), log["market"] == "DE"], [0.2, 0.5], 0.3)
    score = log["candidate_score"]
    wanted = np.select([log["amount"] > 60, score >= 0.7, score >= review_at], ["block", "block", "review"], "approve")
    found = opened.cube.slice(review.stage_of(opened, None), opened.cube.steps[-1], (((), ()),))
    got = dict(zip(found.actions, found.whole.actions[0, 1, :, 0], strict=True))
    assert {name: int(n) for name, n in got.items() if n} == pd.Series(wanted).value_counts().to_dict()


def test_logged_actions_that_the_bundle_does_not_give_break_parity(log, tmp_path):
    logged = log.assign(candidate_action=factory.actions(log["candidate_score"]))
    logged.loc[:6, "candidate_action"] = "escalate"
    opened = factory.opened(factory.write(tmp_path / "r", logged))
    found = review.review(opened, review.stage_of(opened, None), opened.cube.steps[-1])
    said = [row.sentence for row in found.rows if row.gate == "decision_parity" and row.verdict.name == "FAIL"]
    assert said == [
        "7 of 600 logged actions of the candidate differ from those that its bundle gives: the logs were not made by this bundle."
    ]


def test_amounts_of_tens_of_millions_and_more_are_counted_and_larger_ones_set_aside(log, tmp_path):
    amounts = np.full(len(log), 4e7)
    amounts[:3] = 5e8, 1e9, 3e9
    opened = factory.opened(factory.write(tmp_path / "r", log.assign(amount=amounts)))
    found = opened.cube.slice(review.stage_of(opened, None), opened.cube.steps[-1], (((), ()),)).whole
    assert found.joint_amounts.sum() == amounts[amounts <= 1e9].sum()
    assert found.joint_squares.sum() == (amounts[amounts <= 1e9] ** 2).sum()
    assert [row["rule"] for row in opened.cube.quarantined(5)] == [rules.TOO_LARGE]


def test_crowded_dimensions_keep_their_largest_values_and_count_the_rest(log, tmp_path):
    many = log.assign(market=[f"m{n % 40}" if n % 3 else "large" for n in range(len(log))])
    segments = {"dims": ["market"], "min_events": 50, "cap": 5}
    opened = factory.opened(factory.write(tmp_path / "r", many, segments=segments))
    found = opened.cube.slice(review.stage_of(opened, None), opened.cube.steps[-1], ((("market",), ()),))
    assert len(found.segments) == 6
    assert {"market": "(other)"} in found.segments
    assert found.whole.events[:, 0].sum() == len(log)
