"""Looking up event ids in the indices of parts finds the rows that a plain search finds."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from release_core.cube import ids
from release_core.cube.parts import Part
from release_core.store import Store

EVENTS = st.lists(st.integers(0, 30), max_size=40)


def parts_of(folder, logs):
    """Return parts that hold the events, one row each; a part without rows was set aside."""
    found = []
    for number, log in enumerate(logs):
        good = folder / f"good-{number}.parquet"
        pd.DataFrame({"row": np.arange(len(log)), "event_id": [f"e{one}" for one in log]}).to_parquet(good)
        found.append(Part(None, str(number), {}, good if log else None, None))
    return found


@given(st.lists(EVENTS, min_size=1, max_size=4), EVENTS)
@settings(max_examples=25)
def test_rows_of_sought_events_are_found_in_every_part(tmp_path_factory, logs, sought):
    parts = parts_of(tmp_path_factory.mktemp("parts"), logs)
    with Store(shared=True) as store, store.cursor() as cursor:
        listed = ", ".join(f"('e{one}')" for one in sought) or "(null)"
        hashes = ids.wanted(cursor, f"select event_id from (values {listed}) as v(event_id) where event_id is not null")
        found = ids.rows(cursor, list(enumerate(parts)), hashes)
        sql = ids.read(parts, found)
        read = cursor.rows(f"select part, row, event_id from ({sql})") if sql else []
    expected = {(part, row, f"e{one}") for part, log in enumerate(logs) for row, one in enumerate(log) if one in sought}
    assert {(row["part"], row["row"], row["event_id"]) for row in read} == expected
    assert len(read) == len(expected)


def test_many_rows_of_a_part_are_read_too(tmp_path, monkeypatch):
    monkeypatch.setattr(ids, "MOST_LISTED", 3)
    parts = parts_of(tmp_path, [[*range(10)]])
    with Store(shared=True) as store, store.cursor() as cursor:
        read = cursor.rows(f"select row from ({ids.read(parts, {0: np.array([1, 2, 5, 7])})})")
    assert {1, 2, 5, 7} <= {row["row"] for row in read}
