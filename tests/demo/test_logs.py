import pandas as pd
import pytest

from release_core import demo


@pytest.fixture(scope="module")
def log(joined):
    return joined("credit-model")


def month_of(instants):
    return instants.dt.strftime("%Y-%m")


def test_log_has_one_row_per_reviewed_client_and_month(log):
    assert len(log) == 90_000
    assert log["event_id"].is_unique
    assert log["entity_id"].nunique() == 15_000
    assert (log["event_id"] == log["entity_id"] + "-" + log["month"]).all()


def test_decisions_of_a_file_are_of_its_month_and_in_order_of_time(root):
    for path in sorted((root / "credit-model" / "decisions").glob("*.parquet")):
        times = pd.read_parquet(path)["event_time"]
        assert (month_of(times) == path.stem).all()
        assert times.is_monotonic_increasing
        assert times.dt.day.max() == 28


def test_outcomes_of_a_file_arrive_in_its_month(root):
    for path in sorted((root / "credit-model" / "outcomes").glob("*.parquet")):
        assert (month_of(pd.read_parquet(path)["observed_at"]) == path.stem).all()


def test_labels_arrive_and_mature_in_the_following_month(log):
    known = log[log["value"].notna()]
    assert len(known) == 75_000
    following = month_of(known["event_time"] + pd.offsets.MonthBegin())
    assert (month_of(known["observed_at"]) == following).all()
    matured = known["event_time"] + pd.Timedelta(days=30)
    assert (month_of(matured) <= following).all()


def test_september_has_no_label(log):
    assert set(log.loc[log["value"].isna(), "month"]) == {"2005-09"}


def test_replay_sets_are_four(log):
    sets = log.groupby("replay_set")["month"].unique().map(sorted).to_dict()
    assert sets == {
        "Apr-May in time": ["2005-04", "2005-05"],
        "Jun-Jul": ["2005-06", "2005-07"],
        "Aug": ["2005-08"],
        "Sep no labels yet": ["2005-09"],
    }


def test_simulated_days_are_spread_evenly(log):
    days = log.drop_duplicates("entity_id")["event_time"].dt.day.value_counts()
    assert len(days) == 28
    assert days.between(400, 680).all()  # 15,000 / 28 = 536, six standard deviations of 23 either side


def test_nothing_is_missing_and_money_is_not_negative(log):
    assert not log.drop(columns=["value", "observed_at", "late"]).isna().any().any()
    assert (log["amount"] >= 0).all()


def test_all_releases_log_the_same_events_and_outcomes(joined, log):
    shared = ["event_id", "event_time", "amount", "age_band", "limit_tier", "pay_status", "value", "observed_at"]
    for release in demo.CREDIT:
        pd.testing.assert_frame_equal(joined(release)[shared], log[shared])
