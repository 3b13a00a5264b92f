from datetime import datetime

import pytest

from release_core.release import Bundle, Source


@pytest.fixture
def long_release(make_release):
    return make_release(decisions=Source("decisions", layout="long"))


def row(event_id, version, score, **changes):
    base = {"event_id": event_id, "event_time": "2026-03-01T10:00:00Z", "stage": "replay", "version": version}
    return base | {"score": score, "market": "DE", "amount": 5} | changes


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_long_rows_become_one_wide_row_per_event(check_rows, long_release, ending):
    rows = [
        row("e1", "candidate", 0.9, action="block", latency_ms=7, fallback=True, reason="r9", cost=0.5),
        row("e2", "baseline", 0.1, action="approve", error="timeout"),
        row("e1", "baseline", 0.2, action="review", latency_ms=3, fallback=False, reason="r2", cost=0.25),
        row("e2", "candidate", 0.3),
    ]
    report, good, bad = check_rows(rows, name=f"decisions/x.{ending}", release=long_release)
    assert (report.read, report.accepted, bad) == (4, 4, [])
    assert [(one["row"], one["event_id"]) for one in good] == [(2, "e2"), (3, "e1")]
    assert {name: good[1][name] for name in good[1] if name.startswith(("baseline_", "candidate_"))} == {
        "baseline_score": 0.2,
        "candidate_score": 0.9,
        "baseline_action": "review",
        "candidate_action": "block",
        "baseline_reason": "r2",
        "candidate_reason": "r9",
        "baseline_latency_ms": 3.0,
        "candidate_latency_ms": 7.0,
        "baseline_fallback": False,
        "candidate_fallback": True,
        "baseline_error": None,
        "candidate_error": None,
        "baseline_cost": 0.25,
        "candidate_cost": 0.5,
    }
    assert (good[0]["baseline_error"], good[0]["candidate_score"]) == ("timeout", 0.3)
    assert (good[0]["market"], good[0]["tier"], good[0]["arm"]) == ("DE", "(missing)", "baseline")
    assert good[0]["event_time"] == datetime(2026, 3, 1, 10)


def test_each_side_reads_the_rows_that_the_manifest_names(check_rows, make_release):
    """Both sides may read the same rows; those of further versions tell of the event, and of no score."""
    names = (("baseline", ("challenger", "m13")), ("candidate", ("challenger", "m13")))
    release = make_release(decisions=Source("decisions", layout="long", versions=names))
    rows = [
        row("e1", "baseline", 0.1, market=None), row("e1", "Challenger", 0.9), row("e2", "M13", 0.4), row("e3", "other", 0.5),
        row("e2", "challenger", 0.8),
    ]  # fmt: skip
    _, good, bad = check_rows(rows, release=release)
    assert [(one["event_id"], one["baseline_score"], one["candidate_score"], one["market"]) for one in good] == [
        ("e1", 0.9, 0.9, "DE"),
        ("e2", 0.4, 0.4, "DE"),
    ]
    assert sorted((one["row"], one["rule"]) for one in bad) == [
        (4, "no score from either version"),
        (5, "duplicate of row 3"),
    ]
    apart = (("baseline", ("challenger",)), ("candidate", ("recalibrated",)))
    release = make_release(decisions=Source("decisions", layout="long", versions=apart))
    _, good, bad = check_rows([*rows[:2], row("e1", "recalibrated", 0.7)], release=release)
    assert [(one["row"], one["baseline_score"], one["candidate_score"]) for one in good] == [(2, 0.9, 0.7)]
    assert bad == []


def test_long_and_wide_give_the_same_columns(check_rows, long_release, rows_of):
    _, wide, _ = check_rows([rows_of(1)])
    _, long, _ = check_rows([row("e1", "baseline", 0.25), row("e1", "candidate", 0.75)], release=long_release)
    assert list(wide[0]) == list(long[0])


def test_versions_may_be_the_model_ids_of_the_bundles(check_rows, long_release):
    rows = [row("e1", "M12", 0.2), row("e1", "m13", 0.4), row("e2", "m14", 0.4)]
    _, good, bad = check_rows(rows, release=long_release)
    assert [(one["baseline_score"], one["candidate_score"]) for one in good] == [(0.2, 0.4)]
    assert [(one["row"], one["column"], one["value"], one["rule"]) for one in bad] == [
        (3, "version", "m14", "unknown version")
    ]


def test_model_id_that_both_bundles_share_names_no_version(check_rows, make_release):
    same = Bundle("m12", "c12", "t13", "p12")
    release = make_release(decisions=Source("decisions", layout="long"), candidate=same)
    _, good, bad = check_rows([row("e1", "m12", 0.2), row("e2", "baseline", 0.2)], release=release)
    assert [one["event_id"] for one in good] == ["e2"]
    assert [one["rule"] for one in bad] == ["unknown version"]


def test_second_row_of_an_event_and_version_is_a_duplicate(check_rows, long_release):
    rows = [row("e1", "baseline", 0.2), row("e1", "candidate", 0.4), row("e1", "baseline", 0.3)]
    report, good, bad = check_rows(rows, release=long_release)
    assert [(one["row"], one["rule"]) for one in bad] == [(3, "duplicate of row 1")]
    assert good[0]["baseline_score"] == 0.2
    assert report.reasons == {"duplicate of an earlier row": 1}


def test_row_that_contradicts_the_event_is_quarantined(check_rows, long_release):
    rows = [
        row("e1", "baseline", 0.2, amount=5),
        row("e1", "candidate", 0.4, amount=6),
        row("e2", "baseline", 0.2, event_time="2026-03-01T10:00:00Z"),
        row("e2", "candidate", 0.4, event_time="2026-03-01T11:00:00Z"),
    ]
    report, good, bad = check_rows(rows, release=long_release)
    assert [(one["row"], one["column"], one["value"], one["rule"]) for one in bad] == [
        (2, "amount", "6.0", "contradicts row 1"),
        (4, "event_time", "2026-03-01 11:00:00", "contradicts row 3"),
    ]
    assert [(one["baseline_score"], one["candidate_score"]) for one in good] == [(0.2, None), (0.2, None)]
    assert report.reasons == {"contradicts an earlier row": 2}


def test_what_only_one_version_tells_of_the_event_is_kept(check_rows, long_release):
    rows = [row("e1", "baseline", 0.2, amount=None, entity_id="c1"), row("e1", "candidate", 0.4, market="")]
    _, good, bad = check_rows(rows, release=long_release)
    assert bad == []
    assert (good[0]["amount"], good[0]["entity_id"], good[0]["market"]) == (5.0, "c1", "DE")


def test_event_without_any_score_is_quarantined_with_all_its_rows(check_rows, long_release):
    rows = [
        row("e1", "baseline", None),
        row("e1", "candidate", None, error="timeout"),
        row("e2", "baseline", 0.1),
        row("e2", "candidate", None, error="timeout"),
    ]
    _, good, bad = check_rows(rows, release=long_release)
    assert [(one["row"], one["rule"]) for one in bad] == [
        (1, "no score from either version"),
        (2, "no score from either version"),
    ]
    assert [(one["candidate_score"], one["candidate_error"]) for one in good] == [(None, "timeout")]


def test_same_event_in_two_stages_is_two_events(check_rows, long_release):
    rows = [row("e1", "baseline", 0.2), row("e1", "baseline", 0.3, stage="shadow")]
    _, good, _ = check_rows(rows, release=long_release)
    assert [(one["stage"], one["baseline_score"]) for one in good] == [("replay", 0.2), ("shadow", 0.3)]


def test_long_log_without_a_version_is_refused(check_rows, long_release, rows_of):
    report, _, _ = check_rows([rows_of(1)], release=long_release)
    assert "no column version" in report.rejected.found
    assert "no column score" in report.rejected.found
