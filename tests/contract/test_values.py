from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from release_core.contract import rules
from release_core.release import Scale, Source

PLUS_TWO = timezone(timedelta(hours=2))
TEN, EIGHT = datetime(2026, 3, 1, 10), datetime(2026, 3, 1, 8)


def rule_of(result):
    report, good, bad = result
    assert (report.read, good) == (len(bad), [])
    return [(row["column"], row["value"], row["rule"]) for row in bad]


@pytest.mark.parametrize(
    ("text", "instant", "zoneless"),
    [
        ("2026-03-01T10:00:00Z", TEN, 0),
        ("2026-03-01 10:00:00+02", EIGHT, 0),
        ("2026-03-01T10:00:00+02:00", EIGHT, 0),
        ("2026-03-01T10:00:00.250-0130", datetime(2026, 3, 1, 11, 30, 0, 250_000), 0),
        ("2026-03-01 10:00:00 Europe/Berlin", datetime(2026, 3, 1, 9), 0),
        ("2026-03-01 10:00:00 UTC", TEN, 0),
        ("2026-03-01T10:00:00", TEN, 1),
        ("2026-03-01 10:00", TEN, 1),
        ("2026-03-01", datetime(2026, 3, 1), 1),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_text_times_keep_their_offset(check_rows, rows_of, text, instant, zoneless, ending):
    report, good, _ = check_rows([rows_of(1, event_time=text)], name=f"decisions/x.{ending}")
    assert good[0]["event_time"] == instant
    assert ("1 times without a zone read as UTC" in report.notes) == bool(zoneless)


@pytest.mark.parametrize(
    ("value", "instant", "zoneless"),
    [
        (datetime(2026, 3, 1, 10, tzinfo=UTC), TEN, 0),
        (datetime(2026, 3, 1, 10, tzinfo=PLUS_TWO), EIGHT, 0),
        (TEN, TEN, 1),
        (date(2026, 3, 1), datetime(2026, 3, 1), 1),
    ],
)
def test_parquet_times_become_utc_instants(check_rows, rows_of, value, instant, zoneless):
    report, good, _ = check_rows([rows_of(1, event_time=value)], name="decisions/x.parquet")
    assert good[0]["event_time"] == instant
    assert len([note for note in report.notes if "without a zone" in note]) == zoneless


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_parquet_times_of_any_grain_are_read(check, release, rows_of, tmp_path, unit, zone):
    row = {name: [value] for name, value in rows_of(1).items()} | {
        "event_time": pa.array([TEN], pa.timestamp(unit, zone))
    }
    (tmp_path / "decisions").mkdir()
    pq.write_table(pa.table(row), tmp_path / "decisions/x.parquet")
    assert check(release)[1][0]["event_time"] == TEN


@pytest.mark.parametrize(
    ("unit", "number"),
    [("s", 1772359200), ("ms", 1772359200_000), ("us", 1772359200_000_000), ("ns", 1772359200_000_000_000)],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_epoch_numbers_are_read_in_the_declared_unit(check_rows, make_release, rows_of, unit, number, ending):
    release = make_release(decisions=Source("decisions", epoch_unit=unit))
    report, good, _ = check_rows([rows_of(1, event_time=number)], name=f"decisions/x.{ending}", release=release)
    assert good[0]["event_time"] == TEN
    assert not [note for note in report.notes if "without a zone" in note]


def test_epoch_numbers_with_a_fraction_keep_microseconds(check_rows, make_release, rows_of):
    release = make_release(decisions=Source("decisions", epoch_unit="s"))
    _, good, _ = check_rows([rows_of(1, event_time=1772359200.250001)], release=release)
    assert good[0]["event_time"] == TEN.replace(microsecond=250_001)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_epoch_numbers_without_a_unit_set_the_file_aside_with_the_remedy(check_rows, rows_of, ending):
    report, good, _ = check_rows([rows_of(1, event_time=1772359200)], name=f"decisions/x.{ending}")
    assert good == []
    assert report.rejected.remedy == 'Set epoch_unit = "s", "ms", "us" or "ns" in [source.decisions].'
    assert report.rejected.where == f"decisions/x.{ending}"


def test_epoch_numbers_in_the_wrong_unit_are_no_times(check_rows, make_release, rows_of):
    release = make_release(decisions=Source("decisions", epoch_unit="s"))
    rows = [rows_of(1, event_time=1772359200_000), rows_of(2, event_time=1772359200)]
    report, good, bad = check_rows(rows, release=release)
    assert [row["event_id"] for row in good] == ["e2"]
    assert (bad[0]["row"], bad[0]["value"], bad[0]["rule"]) == (1, "1772359200000", "not a time")
    assert report.rejected is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"event_id": ""}, ("event_id", None, "no event_id")),
        ({"event_id": "   "}, ("event_id", None, "no event_id")),
        ({"event_time": ""}, ("event_time", None, "no event_time")),
        ({"event_time": "1066-10-14"}, ("event_time", "1066-10-14", "time outside 1980 to 2100")),
        ({"event_time": "9999-12-31"}, ("event_time", "9999-12-31", "time outside 1980 to 2100")),
        ({"event_time": "infinity"}, ("event_time", "infinity", "time outside 1980 to 2100")),
        ({"stage": ""}, ("stage", None, "no stage")),
        ({"stage": "production"}, ("stage", "production", "unknown stage")),
        ({"stage": "canary"}, ("arm", None, "no arm in a live stage")),
        ({"stage": "ab", "arm": "third"}, ("arm", "third", "unknown arm")),
        ({"arm": "candidate"}, ("arm", "candidate", "the candidate cannot act in replay or shadow")),
        ({"baseline_score": "", "candidate_score": ""}, ("baseline_score", None, "no score from either version")),
        ({"baseline_score": "NaN"}, ("baseline_score", "NaN", "score NaN or infinite")),
        ({"candidate_score": "-inf"}, ("candidate_score", "-inf", "score NaN or infinite")),
        ({"candidate_score": 1.2}, ("candidate_score", "1.2", "score outside 0 to 1")),
        ({"candidate_score": -0.1}, ("candidate_score", "-0.1", "score outside 0 to 1")),
        ({"candidate_score": "1e400"}, ("candidate_score", "1e400", "score NaN or infinite")),
        ({"amount": -0.01}, ("amount", "-0.01", "amount negative or not finite")),
        ({"amount": "inf"}, ("amount", "inf", "amount negative or not finite")),
        ({"amount": 1e18}, ("amount", "1e+18", rules.TOO_LARGE)),
        ({"amount": "nan"}, ("amount", "nan", "amount negative or not finite")),
        ({"baseline_action": "aprove"}, ("baseline_action", "aprove", "unknown action")),
        ({"action_taken": "shrug"}, ("action_taken", "shrug", "unknown action")),
        ({"label_propensity": 0}, ("label_propensity", "0", "label_propensity not above 0 and at most 1")),
        ({"label_propensity": 1.01}, ("label_propensity", "1.01", "label_propensity not above 0 and at most 1")),
        ({"candidate_latency_ms": -1}, ("candidate_latency_ms", "-1", "latency_ms negative or not finite")),
        ({"baseline_cost": "inf"}, ("baseline_cost", "inf", "cost not finite")),
    ],
)
def test_bad_row_is_quarantined_with_column_value_and_rule(check_rows, rows_of, changes, expected):
    assert rule_of(check_rows([rows_of(1, **changes)])) == [expected]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"event_time": "soon"}, ("event_time", "soon", "not a time")),
        ({"event_time": "2026-02-30"}, ("event_time", "2026-02-30", "not a time")),
        ({"candidate_score": "0,5"}, ("candidate_score", "0,5", "not a number")),
        ({"amount": "ten"}, ("amount", "ten", "not a number")),
        ({"candidate_fallback": "maybe"}, ("candidate_fallback", "maybe", "not true or false")),
        ({"velocity": "fast"}, ("velocity", "fast", "not a number")),
        ({"vip": "perhaps"}, ("vip", "perhaps", "not true or false")),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_value_of_the_wrong_type_costs_its_row_and_not_the_file(check_rows, rows_of, changes, expected, ending):
    report, good, bad = check_rows([rows_of(1), rows_of(2, **changes), rows_of(3)], name=f"decisions/x.{ending}")
    assert report.rejected is None
    assert [row["event_id"] for row in good] == ["e1", "e3"]
    assert [(row["row"], row["column"], row["value"], row["rule"]) for row in bad] == [(2, *expected)]


def test_column_that_is_of_the_wrong_type_in_every_row_sets_the_file_aside(check_rows, rows_of):
    report, _, _ = check_rows([rows_of(n, baseline_score="high") for n in range(5)])
    assert report.rejected.found == "baseline_score not a number in every row, such as 'high'"
    assert (report.read, report.accepted, report.quarantined) == (5, 0, 5)


@pytest.mark.parametrize("score", [0, 1, 0.0, 1.0, 1e-300, 0.9999999999999999])
def test_scores_at_the_ends_of_the_range_are_good(check_rows, rows_of, score):
    _, good, _ = check_rows([rows_of(1, candidate_score=score)])
    assert good[0]["candidate_score"] == score


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1.0000001, -1e-9])
@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_scores_out_of_range_are_caught_whatever_the_format(check_rows, rows_of, bad, ending):
    report, good, _ = check_rows([rows_of(1), rows_of(2, candidate_score=bad)], name=f"decisions/x.{ending}")
    assert (report.accepted, report.quarantined) == (1, 1)
    assert [row["event_id"] for row in good] == ["e1"]


def test_scores_are_never_rounded(check_rows, rows_of):
    scores = [0.1, 1 / 3, 0.30000000000000004, 5e-324, 0.123456789012345678]
    for ending in ("csv", "jsonl", "parquet"):
        rows = [rows_of(n, candidate_score=score) for n, score in enumerate(scores)]
        _, good, _ = check_rows(rows, name=f"decisions/x.{ending}")
        assert [row["candidate_score"] for row in good] == scores


def test_one_missing_score_is_good(check_rows, rows_of):
    _, good, _ = check_rows([rows_of(1, candidate_score=None), rows_of(2, baseline_score=None)])
    assert [(row["baseline_score"], row["candidate_score"]) for row in good] == [(0.25, None), (None, 0.75)]


def test_arm_stays_as_logged_in_live_stages(check_rows, rows_of):
    _, good, _ = check_rows(
        [rows_of(n, stage=stage, arm="Candidate") for n, stage in enumerate(("canary", "AB", "full"))]
    )
    assert [(row["stage"], row["arm"]) for row in good] == [
        ("canary", "candidate"),
        ("ab", "candidate"),
        ("full", "candidate"),
    ]


def test_actions_that_the_policy_declares_are_known(check_rows, rows_of):
    _, good, _ = check_rows([rows_of(1, candidate_action="hold", baseline_action="ESCALATE")])
    assert (good[0]["candidate_action"], good[0]["baseline_action"]) == ("hold", "escalate")


def test_missing_numbers_in_inputs_stay_missing(check_rows, rows_of):
    rows = [rows_of(1, velocity=float("nan"), candidate_latency_ms=float("nan")), rows_of(2, velocity=2.5)]
    for ending in ("csv", "parquet", "jsonl"):
        _, good, _ = check_rows(rows, name=f"decisions/x.{ending}")
        assert [row["velocity"] for row in good] == [None, 2.5]
        assert good[0]["candidate_latency_ms"] is None


def test_missing_numbers_in_a_segment_column_are_the_missing_segment(check_rows, rows_of):
    rows = [rows_of(1, tier=float("nan")), rows_of(2, tier=3.0), rows_of(3, tier=None)]
    _, good, _ = check_rows(rows, name="decisions/x.parquet")
    assert [row["tier"] for row in good] == ["(missing)", "3.0", "(missing)"]


def test_offending_value_is_cut_at_120_characters(check_rows, rows_of):
    _, _, bad = check_rows([rows_of(1, stage="x" * 500)])
    assert bad[0]["value"] == "x" * 120


def test_lowest_row_of_duplicates_is_kept(check_rows, rows_of):
    rows = [
        rows_of(9),
        rows_of(1, amount=-5),
        rows_of(1),
        rows_of(1, market="FR"),
        rows_of(1, stage="shadow"),
        rows_of(1),
    ]
    report, good, bad = check_rows(rows)
    assert [(row["row"], row["event_id"], row["stage"]) for row in good] == [
        (1, "e9", "replay"),
        (3, "e1", "replay"),
        (5, "e1", "shadow"),
    ]
    assert [(row["row"], row["rule"]) for row in bad] == [
        (2, "amount negative or not finite"),
        (4, "duplicate of row 3"),
        (6, "duplicate of row 3"),
    ]
    assert report.reasons == {"duplicate of an earlier row": 2, "amount negative or not finite": 1}


POINTS = Scale("points", 300, 850, 5, "lower")


@pytest.mark.parametrize(
    ("score", "rule"),
    [
        (300, None),
        (850, None),
        (615, None),
        (299, "score outside 300 to 850"),
        (855, "score outside 300 to 850"),
        (0.5, "score outside 300 to 850"),
        (617, "score not on a step of 5"),
        (615.001, "score not on a step of 5"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_points_lie_in_the_declared_range_on_the_declared_step(check_rows, make_release, rows_of, score, rule, ending):
    row = rows_of(1, baseline_score=500, candidate_score=score)
    _, good, bad = check_rows([row], name=f"decisions/x.{ending}", release=make_release(scale=POINTS))
    assert [row["candidate_score"] for row in good] == ([] if rule else [score])
    assert [row["rule"] for row in bad] == ([rule] if rule else [])


def test_points_on_a_fractional_step_allow_for_rounding(check_rows, make_release, rows_of):
    release = make_release(scale=Scale("points", 0, 10, 0.1))
    rows = [rows_of(n, baseline_score=n * 0.1, candidate_score=round(n * 0.1, 1)) for n in range(101)]
    report, _, bad = check_rows(rows, release=release)
    assert (report.accepted, bad) == (101, [])


OUTCOME = {"event_id": "e1", "outcome": "chargeback", "value": "fraud", "observed_at": "2026-03-05T10:00:00+02:00"}


def test_outcomes_have_their_own_columns(check_rows):
    rows = [OUTCOME, OUTCOME | {"value": None}, OUTCOME | {"observed_at": "later"}, OUTCOME, OUTCOME | {"outcome": ""}]
    report, good, bad = check_rows(rows, name="outcomes/day.jsonl")
    assert good == [
        {"row": 1, "event_id": "e1", "outcome": "chargeback", "value": "fraud", "observed_at": datetime(2026, 3, 5, 8)},
        {"row": 2, "event_id": "e1", "outcome": "chargeback", "value": None, "observed_at": datetime(2026, 3, 5, 8)},
    ]
    assert [(row["row"], row["rule"]) for row in bad] == [
        (3, "not a time"),
        (4, "duplicate of row 1"),
        (5, "no outcome"),
    ]
    assert report.read == 5


def test_runtime_samples_have_their_own_columns(check_rows):
    sample = {
        "sampled_at": "2026-03-05T10:00:00Z",
        "stage": "canary",
        "arm": "candidate",
        "name": "queue_depth",
        "value": 3,
    }
    rows = [
        sample,
        sample | {"arm": ""},
        sample | {"value": "inf"},
        sample | {"value": ""},
        sample | {"arm": "x"},
        sample,
    ]
    _, good, bad = check_rows(rows, name="runtime/day.csv")
    assert good[0] == sample | {"row": 1, "sampled_at": datetime(2026, 3, 5, 10), "value": 3.0}
    assert [row["arm"] for row in good] == ["candidate", "", "candidate"]
    assert [row["rule"] for row in bad] == ["value not finite", "no value", "unknown arm"]
