import pytest

from release_core.release import Segments, Source


def renamed(row, **names):
    """Return the row with ours -> theirs renamed."""
    return {names.get(key, key): value for key, value in row.items()}


LONG = Source("decisions", layout="long")
EVENT = {"event_time": "2026-03-01T10:00:00Z", "stage": "replay"}


def long_rows(event_id, event_time, version, score, action=None):
    one = {event_id: "e1", event_time: "2026-03-01T10:00:00Z", "stage": "replay", version: "baseline", score: 0.2}
    rows = [one, one | {version: "candidate", score: 0.4}]
    return [row | {action: "block"} for row in rows] if action else rows


@pytest.mark.parametrize(
    ("event_id", "event_time", "version", "score", "action"),
    [
        pytest.param(
            "prediction_id", "prediction_ts", "model_version", "prediction_score", "prediction_label", id="arize"
        ),
        pytest.param("event_id_col", "event_ts_col", "version", "outputs", "decisions", id="fiddler"),
        pytest.param("id", "timestamp", "version", "prediction_probas", "prediction_labels", id="evidently"),
        pytest.param("identifier", "Timestamp", "version", "y_pred_proba", "y_pred", id="nannyml"),
        pytest.param(
            "eventId", "inferenceTime", "VariantName", "probability_attribute", "inference_attribute", id="sagemaker"
        ),
        pytest.param("INFERENCEID", "capture_time", "variant_name", "probability", "decision", id="any-case"),
    ],
)
def test_vendor_names_map_by_themselves(check_rows, make_release, event_id, event_time, version, score, action):
    rows = long_rows(event_id, event_time, version, score, action)
    report, good, _ = check_rows(rows, release=make_release(decisions=LONG))
    assert [(row["event_id"], row["baseline_score"], row["candidate_score"]) for row in good] == [("e1", 0.2, 0.4)]
    assert (good[0]["baseline_action"], good[0]["candidate_action"]) == ("block", "block")
    expected = {"event_id": event_id, "event_time": event_time, "version": version, "score": score, "action": action}
    assert report.mapped == {ours: theirs for ours, theirs in expected.items() if ours != theirs}
    assert report.ignored == []


@pytest.mark.parametrize(
    ("event_id", "label", "observed_at"),
    [
        ("prediction_id", "actual_label", "timestamp"),
        ("event_id_col", "targets", "event_ts_col"),
        ("id", "target", "datetime"),
        ("join_column", "y_true", "timestamp"),
        ("inferenceId", "ground_truth_attribute", "observed_at"),
    ],
)
def test_vendor_tables_of_labels_are_outcomes_named_label(check_rows, event_id, label, observed_at):
    rows = [{event_id: "e1", label: 1, observed_at: "2026-03-02T00:00:00Z"}]
    report, good, _ = check_rows(rows, name="outcomes/x.csv")
    assert [(row["event_id"], row["outcome"], row["value"]) for row in good] == [("e1", "label", "1")]
    assert report.mapped["value"] == label
    assert report.notes == ['no column outcome: every row is read as the outcome "label" with the value of its label']


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        ("champion_score", "challenger_score"),
        ("score_baseline", "score_candidate"),
        ("Champion_Prediction_Score", "CHALLENGER_PREDICTION_SCORE"),
        ("y_pred_proba_champion", "y_pred_proba_challenger"),
    ],
)
def test_names_of_both_versions_map_in_the_wide_layout(check_rows, rows_of, baseline, candidate):
    rows = [renamed(rows_of(1), baseline_score=baseline, candidate_score=candidate)]
    report, good, _ = check_rows(rows)
    assert (good[0]["baseline_score"], good[0]["candidate_score"]) == (0.25, 0.75)
    assert report.mapped == {"baseline_score": baseline, "candidate_score": candidate}


@pytest.mark.parametrize("name", ["score", "prediction_score", "y_pred_proba"])
def test_one_score_without_a_version_is_refused_in_the_wide_layout(check_rows, name):
    report, good, _ = check_rows([EVENT | {"event_id": "e1", name: 0.5}])
    assert good == []
    assert report.rejected.remedy == (
        f'{name} does not say whose score it is: for one row per event and version set layout = "long" in '
        f'[source.decisions], else columns = {{ candidate_score = "{name}" }}.'
    )


def test_one_score_is_usable_when_the_manifest_says_whose_it_is(check_rows, make_release):
    release = make_release(decisions=Source("decisions", columns=(("candidate_score", "score"),)))
    report, good, _ = check_rows([EVENT | {"event_id": "e1", "score": 0.5}], release=release)
    assert (good[0]["baseline_score"], good[0]["candidate_score"]) == (None, 0.5)
    assert report.mapped == {"candidate_score": "score"}


def test_declared_names_come_before_the_same_and_known_names(check_rows, make_release, rows_of):
    release = make_release(decisions=Source("decisions", columns=(("event_id", "tx"), ("market", "country code"))))
    rows = [rows_of(1) | {"tx": "t1", "country code": "FR", "prediction_id": "p1"}]
    report, good, _ = check_rows(rows, release=release)
    assert (good[0]["event_id"], good[0]["market"]) == ("t1", "FR")
    assert report.mapped == {"event_id": "tx", "market": "country code"}
    assert report.ignored == ["event_id", "market", "prediction_id"]


def test_one_column_may_be_declared_to_serve_twice(check_rows, make_release, rows_of):
    release = make_release(decisions=Source("decisions", columns=(("entity_id", "event_id"),)))
    _, good, _ = check_rows([rows_of(1)], release=release)
    assert (good[0]["event_id"], good[0]["entity_id"]) == ("e1", "e1")


def test_a_guess_never_takes_a_column_that_serves_already(check_rows, make_release, rows_of):
    release = make_release(segments=Segments(dims=("timestamp",)))
    row = renamed(rows_of(1, timestamp="evening"), event_time="event_ts")
    report, good, _ = check_rows([row], release=release)
    assert (good[0]["timestamp"], good[0]["event_time"].hour) == ("evening", 10)
    assert report.mapped == {"event_time": "event_ts"}


def test_predicted_classes_that_are_no_actions_are_passed_over_and_counted(check_rows, make_release):
    rows = long_rows("id", "timestamp", "version", "y_pred_proba")
    rows = [row | {"y_pred": 1} for row in rows]
    report, good, _ = check_rows(rows, release=make_release(decisions=LONG))
    assert (good[0]["baseline_action"], good[0]["candidate_action"]) == (None, None)
    assert "2 values of y_pred are no actions: the action is computed from the bundle" in report.notes


def test_unused_columns_are_listed(check_rows, rows_of):
    report, _, _ = check_rows([rows_of(1, zebra=1, alpha=2)])
    assert report.ignored == ["zebra", "alpha"]


@pytest.mark.parametrize(
    "name", ['say "hi"', "it's", "a.b", "a/b~c", "$x", "x;drop table good", "Größe", "select", "[0]"]
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_columns_may_have_any_name(check_rows, make_release, rows_of, name, ending):
    release = make_release(segments=Segments(dims=(name,)))
    _, good, _ = check_rows([rows_of(1, **{name: "it's; --"})], name=f"decisions/x.{ending}", release=release)
    assert good[0][name] == "it's; --"


@pytest.mark.parametrize("name", ["Amount", "ROW", "event_ID", "stage"])
def test_segments_named_like_a_contract_column_do_not_make_it_twice(check_rows, make_release, rows_of, name):
    report, good, _ = check_rows([rows_of(1)], release=make_release(segments=Segments(dims=(name, "market", "Market"))))
    assert report.rejected is None
    assert len(good) == 1


def test_declared_columns_that_are_missing_are_noted(check_rows, rows_of):
    row = rows_of(1)
    del row["tier"]
    report, good, _ = check_rows([row])
    assert (good[0]["tier"], good[0]["pay_status"], good[0]["velocity"]) == ("(missing)", None, None)
    assert report.notes == [
        "no column tier: every value is (missing)",
        "no column pay_status: every value is missing",
        "no column velocity: every value is missing",
        "no column vip: every value is missing",
        "no column device: every value is missing",
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_missing_mandatory_columns_are_all_named(check_rows, rows_of, ending):
    row = rows_of(1)
    for name in ("event_id", "stage", "baseline_score", "candidate_score"):
        del row[name]
    report, good, bad = check_rows([row], name=f"decisions/x.{ending}")
    assert (good, bad, report.read) == ([], [], 0)
    assert "no column event_id or stage" in report.rejected.found
    assert "no column baseline_score or candidate_score" in report.rejected.found
    assert '[source.decisions] columns = { event_id = "..." }' in report.rejected.remedy


def test_folder_names_give_columns_and_stay_text(check_rows, make_release, rows_of):
    row = rows_of(1)
    del row["stage"], row["market"]
    release = make_release(segments=Segments(dims=("market", "tier", "day")))
    report, good, _ = check_rows(
        [row], name="decisions/stage=replay/market=01/day=2026-03-01/x.parquet", release=release
    )
    assert (good[0]["stage"], good[0]["market"], good[0]["day"]) == ("replay", "01", "2026-03-01")
    assert "stage read from the name of the folder (stage = replay)" in report.notes


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_value_in_the_file_wins_over_the_folder(check_rows, rows_of, ending):
    rows = [rows_of(1, stage="shadow"), rows_of(2, stage=None)]
    _, good, _ = check_rows(rows, name=f"decisions/stage=replay/x.{ending}")
    assert [row["stage"] for row in good] == ["shadow", "replay"]


def test_unknown_stage_in_the_folder_is_quarantined_by_row(check_rows, rows_of):
    row = rows_of(1)
    del row["stage"]
    _, _, bad = check_rows([row], name="decisions/stage=prod/x.csv")
    assert (bad[0]["value"], bad[0]["rule"]) == ("prod", "unknown stage")
