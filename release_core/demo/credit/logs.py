"""Takes scored account-months and gives the decision and outcome logs of one credit release, by month."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from release_core.demo import mixing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

REPLAY_SETS = {
    "2005-04": "Apr-May in time",
    "2005-05": "Apr-May in time",
    "2005-06": "Jun-Jul",
    "2005-07": "Jun-Jul",
    "2005-08": "Aug",
    "2005-09": "Sep no labels yet",
}
JUDGED_SET = "Jun-Jul"
SEX = {1: "1 male", 2: "2 female"}
EDUCATION = {
    0: "0 undocumented",
    1: "1 graduate",
    2: "2 university",
    3: "3 high school",
    4: "4 other",
    5: "5 undocumented",
    6: "6 undocumented",
}
MARRIAGE = {0: "0 undocumented", 1: "1 married", 2: "2 single", 3: "3 other"}
AGE_BANDS = {25.0: "25 and under", 35.0: "26-35", 45.0: "36-45", 60.0: "46-60", np.inf: "over 60"}
LIMIT_TIERS = {50e3: "up to 50k", 100e3: "50-100k", 200e3: "100-200k", 300e3: "200-300k", np.inf: "over 300k"}
# Every month has these days, and the 28th plus 30 days of maturity is still inside the next month.
DAYS = 28
DAY_SECONDS = 86_400


def events(scored: pd.DataFrame) -> pd.DataFrame:
    """Return one row per reviewed account-month: what all four releases log alike, and `late`, and the scores.

    Real: client, month, segments, amount (the bill, never below 0: what the bank is owed), status code.
    Simulated: the day, the same for a client in every month, as a statement day is, and the second.
    """
    key = scored["client"].to_numpy(np.uint64)
    in_month = key * np.uint64(100) + scored["month"].str[-2:].astype("uint64").to_numpy()
    day = mixing.mixed(key, 1) % np.uint64(DAYS)
    frame = pd.DataFrame(
        {
            "event_id": scored["client"].astype("str") + "-" + scored["month"],
            "event_time": _instants(scored["month"], day, in_month, salt=2),
            "stage": "replay",
            "replay_set": scored["month"].map(REPLAY_SETS),
            "entity_id": scored["client"].astype("str"),
            "month": scored["month"],
            "age_band": _banded(scored["age"], AGE_BANDS),
            "sex": scored["sex"].map(SEX),
            "education": scored["education"].map(EDUCATION),
            "marriage": scored["marriage"].map(MARRIAGE),
            "limit_tier": _banded(scored["limit"], LIMIT_TIERS),
            "pay_status": scored["pay"].astype("str"),
            "amount": scored["bill"].clip(lower=0.0),
            "late": scored["late"],
            "in_month": in_month,
        }
    )
    return pd.concat([frame, scored[["lr", "hgb", "balanced", "recalibrated"]]], axis=1)


def decisions(
    events: pd.DataFrame, scores: tuple[str, str], actions: tuple[NDArray[np.str_], NDArray[np.str_]]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (month, decision log) with the baseline's and candidate's score columns and actions filled in."""
    shared = events.drop(columns=["late", "in_month", "lr", "hgb", "balanced", "recalibrated"])
    log = shared.assign(
        baseline_score=events[scores[0]],
        candidate_score=events[scores[1]],
        baseline_action=actions[0],
        candidate_action=actions[1],
    )
    for month, rows in log.groupby("month"):
        yield str(month), rows.sort_values(["event_time", "event_id"])


def outcomes(events: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (month of arrival, outcome log); the exact day and second of arrival are simulated."""
    labelled = events[events["late"].notna()]
    following = labelled["month"].map(dict(pairwise(REPLAY_SETS)))
    in_month = labelled["in_month"].to_numpy()
    log = pd.DataFrame(
        {
            "event_id": labelled["event_id"],
            "outcome": "repayment_status",
            "value": np.where(labelled["late"] == 1.0, "late", "on_time"),
            "observed_at": _instants(following, mixing.mixed(in_month, 3) % np.uint64(DAYS), in_month, salt=4),
        }
    )
    for month, rows in log.groupby(following):
        yield str(month), rows.sort_values(["observed_at", "event_id"])


def _banded(values: pd.Series, bands: dict[float, str]) -> pd.Series:
    """Return the name of the first band whose upper end is not below the value."""
    ends = np.array(list(bands))
    return pd.Series(np.array(list(bands.values()))[np.searchsorted(ends, values)], index=values.index)


def _instants(months: pd.Series, day: NDArray[np.uint64], key: NDArray[np.uint64], salt: int) -> pd.Series:
    second = (mixing.mixed(key, salt) % np.uint64(DAY_SECONDS)).astype("int64")
    start = pd.to_datetime(months + "-01", utc=True).astype("datetime64[us, UTC]")
    return start + pd.to_timedelta(day.astype("int64") * DAY_SECONDS + second, unit="s").astype("timedelta64[us]")
