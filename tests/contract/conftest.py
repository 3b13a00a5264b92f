"""A release to read logs for, and log files of every format from the same rows."""

import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from release_core import contract
from release_core.release import (
    Bundle,
    Condition,
    Kind,
    LabelRules,
    OutcomeMatch,
    Policy,
    PolicyRule,
    Release,
    Rollback,
    Scenario,
    Segments,
    Source,
    Watch,
)
from release_core.store import Store

BUNDLE = Bundle("m12", "c12", "t12", "p12")


@pytest.fixture(scope="session")
def shared_store():
    with Store(threads=2) as store:
        yield store


@pytest.fixture
def cursor(shared_store):
    with shared_store.cursor() as cursor:
        yield cursor


@pytest.fixture
def make_release(tmp_path):
    """Return a factory of releases in `tmp_path`: segments market and tier, a watched code, typed inputs."""

    def make(**changes):
        hold = PolicyRule((Condition("velocity", ">", 3.0), Condition("vip", "=", value=True)), "hold", "fast")
        known = {
            "id": "r1",
            "kind": Kind.MODEL,
            "title": "A release",
            "baseline": BUNDLE,
            "candidate": Bundle("m13", "c12", "t12", "p12"),
            "rollback": Rollback("m12", "flag"),
            "labels": LabelRules((OutcomeMatch("chargeback"),)),
            "decisions": Source("decisions"),
            "outcomes": Source("outcomes"),
            "runtime": Source("runtime"),
            "tables": {},
            "policies": {"p12": Policy("p12", (hold,))},
            "gates": (),
            "folder": tmp_path,
            "manifest_hash": "0" * 64,
            "segments": Segments(dims=("market", "tier")),
            "watches": (Watch("pay_status", 0.05),),
            "scenarios": (Scenario("s1", where=(Condition("device", "in", ("ios", "web")),), action="review"),),
        }
        return Release(**(known | changes))

    return make


@pytest.fixture
def release(make_release):
    return make_release()


def decision(number, **changes):
    """Return one decision as the log contract names its columns."""
    row = {
        "event_id": f"e{number}",
        "event_time": f"2026-03-01T10:00:{number % 60:02d}Z",
        "stage": "replay",
        "entity_id": f"c{number % 7}",
        "market": "DE",
        "tier": "low",
        "amount": 10.5 + number,
        "baseline_score": 0.25,
        "candidate_score": 0.75,
    }
    return row | changes


def write(path, rows, *, columns=None):
    """Write rows (dictionaries) in the format that the path's ending names, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    if path.suffix == ".parquet":
        pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)
    elif path.suffix in {".jsonl", ".ndjson"}:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as sink:
            writer = csv.DictWriter(sink, names)
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.fixture
def rows_of():
    """Return the maker of one decision."""
    return decision


@pytest.fixture
def write_rows():
    """Return the writer of log files."""
    return write


@pytest.fixture
def check(cursor):
    """Return a function that reads the one file of a log, giving its report, its good and its bad rows."""

    def checked(release, log="decisions"):
        (file,) = contract.files(release, log)
        report = contract.read(cursor, release, file)
        good, bad = (cursor.rows(f'select * from "{name}" order by row') for name in ("good", "bad"))
        assert report.read == report.accepted + report.quarantined
        assert len(bad) == report.quarantined == sum(report.reasons.values())
        return report, good, bad

    return checked


@pytest.fixture
def check_rows(check, release, tmp_path):
    """Return a function that writes rows as one file and reads it with the release of the tests."""

    def checked(rows, *, name="decisions/day.csv", release=release, columns=None):
        path = write(Path(tmp_path, name), rows, columns=columns)
        result = check(release, name.partition("/")[0])
        path.unlink()
        return result

    return checked
