import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_core import contract

few = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NUMBER = st.floats() | st.integers(-(2**70), 2**70) | st.sampled_from([0.5, 0.1, 1, 0])
ANY = st.none() | TEXT | NUMBER | st.booleans()
ROW = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from(["e1", "e2", "e3", "e4"]) | TEXT,
        "event_time": st.sampled_from(["2026-03-01T10:00:00Z", "2026-03-01 10:00:00+02"]) | ANY,
        "stage": st.sampled_from(["replay", "shadow", "canary"]) | ANY,
        "arm": st.sampled_from(["baseline", "candidate", ""]) | ANY,
        "baseline_score": NUMBER | ANY,
        "candidate_score": NUMBER | ANY,
        "amount": NUMBER | ANY,
        "velocity": ANY,
        "vip": ANY,
        "market": ANY,
    }
)


@pytest.fixture
def account(cursor, make_release):
    """Return a function that reads bytes as a decisions log: the report and the row numbers of good and bad."""

    def accounted(content, ending):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"decisions/x{ending}")
            path.parent.mkdir()
            path.write_bytes(content)
            release = make_release(folder=Path(folder))
            (file,) = contract.files(release, "decisions")
            report = contract.read(cursor, release, file)
        good, bad = (sorted(cursor.query(f"select row from {name}")["row"].tolist()) for name in ("good", "bad"))
        assert report.read == report.accepted + report.quarantined
        assert (len(good), len(bad)) == (report.accepted, report.quarantined)
        assert sum(report.reasons.values()) == report.quarantined
        return report, good, bad

    return accounted


def as_csv(rows):
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


@few
@given(st.lists(ROW, min_size=1, max_size=12))
def test_every_row_of_any_values_is_good_or_bad_once(account, rows):
    for content, ending in (
        (as_csv(rows), ".csv"),
        ("".join(json.dumps(row) + "\n" for row in rows).encode(), ".jsonl"),
        (json.dumps(rows).encode(), ".json"),
    ):
        report, good, bad = account(content, ending)
        assert report.read == len(rows)
        assert sorted(good + bad) == list(range(1, len(rows) + 1))


@few
@given(st.lists(ROW, min_size=1, max_size=8), st.data())
def test_text_cut_or_changed_anywhere_never_raises(account, rows, data):
    content = bytearray(
        as_csv(rows) if data.draw(st.booleans()) else b"".join(json.dumps(r).encode() + b"\n" for r in rows)
    )
    ending = data.draw(st.sampled_from([".csv", ".jsonl", ".json", ".parquet", ".csv.gz"]))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        content = content or bytearray(b"x")
    account(bytes(content), ending)


@few
@given(st.binary(max_size=200), st.sampled_from([".csv", ".jsonl", ".json", ".parquet", ".csv.gz"]))
def test_garbage_never_raises(account, content, ending):
    account(content, ending)


@few
@given(st.text(st.sampled_from('ab,"\r\n '), max_size=60))
def test_csv_of_quotes_commas_and_line_ends_is_accounted_for(account, body):
    header = b"event_id,event_time,stage,baseline_score\n"
    report, _, _ = account(header + body.encode() + b"\ne9,2026-03-01T10:00:00Z,replay,0.5\n", ".csv")
    assert report.rejected is None or report.read > 0
    assert report.read >= 1
