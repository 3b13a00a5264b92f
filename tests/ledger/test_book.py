"""The stored ledger: appends from threads and processes stay one chain, and every failure is said in words."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from release_core.errors import LedgerError
from release_core.ledger import GENESIS, Ledger, Record
from release_core.ledger import book as stored


def append_many(path: str, who: str, count: int) -> None:
    ledger = Ledger(path)
    for number in range(count):
        ledger.append("rollback", "credit-model", "replay", {"who": who, "i": number})


def test_append_returns_what_is_stored(ledger):
    record = ledger.append("drill", "credit-model", None, {"b": 0.1, "a": "Zoë"})
    assert record.payload == '{"a":"Zoë","b":0.1}'
    assert record.at == "2026-06-01T12:00:00.000000+00:00"
    assert (record.seq, record.previous_hash) == (1, GENESIS)
    assert ledger.records() == [record]
    assert ledger.head() == (1, record.hash)
    assert ledger.verify((1, record.hash)).ok


def test_records_by_release_and_type(ledger):
    for release, type in (("a", "drill"), ("b", "drill"), ("a", "rollback")):
        ledger.append(type, release, "replay", {})
    assert [record.seq for record in ledger.records()] == [1, 2, 3]
    assert [record.seq for record in ledger.records("a")] == [1, 3]
    assert [record.seq for record in ledger.records(type="drill")] == [1, 2]
    assert [record.seq for record in ledger.records(release="a", type="drill")] == [1]


def test_export_is_enough_to_check_the_chain_elsewhere(ledger):
    ledger.append("drill", "a", None, {"x": 1})
    ledger.append("drill", "b", "canary", {"x": 2})
    assert [Record(**entry) for entry in ledger.export()] == ledger.records()


def test_reading_an_absent_ledger_is_empty_and_creates_nothing(ledger):
    assert (ledger.records(), ledger.head(), ledger.export()) == ([], (0, GENESIS), [])
    assert ledger.verify().ok
    assert not ledger.verify((2, "f" * 64)).ok
    assert not Path(ledger.url.database).exists()


def test_append_from_two_processes_is_one_chain(tmp_path):
    path = str(tmp_path / "ledger.sqlite")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(path, who, 60)) for who in ("Ann", "Bob")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    ledger = Ledger(path)
    assert ledger.verify().records == 120
    assert ledger.verify().ok
    for who in ("Ann", "Bob"):
        assert [r.content["i"] for r in ledger.records() if r.content["who"] == who] == list(range(60))


def test_append_from_threads_of_one_ledger_is_one_chain(ledger):
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda i: ledger.append("drill", "a", None, {"i": i}), range(80)))
    assert sorted(record.seq for record in written) == list(range(1, 81))
    assert ledger.verify(ledger.head()).ok
    assert sorted(record.content["i"] for record in ledger.records()) == list(range(80))


def test_append_waits_for_another_writer(ledger):
    ledger.append("drill", "a", None, {})
    other = sqlite3.connect(ledger.url.database, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    release = threading.Timer(0.3, lambda: other.execute("rollback"))
    release.start()
    assert ledger.append("drill", "a", None, {}).seq == 2
    release.join()
    other.close()


def test_append_says_that_the_ledger_stayed_locked(ledger, monkeypatch):
    monkeypatch.setattr(stored, "WAIT_SECONDS", 0.05)
    ledger.append("drill", "a", None, {})
    blocked = Ledger(ledger.url.database)
    other = sqlite3.connect(ledger.url.database, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(LedgerError, match="locked"):
        blocked.append("drill", "a", None, {})
    other.close()
    assert len(ledger.records()) == 1


def test_append_overtaken_by_another_writer_tries_again(ledger, monkeypatch):
    first = ledger.append("drill", "a", None, {"i": 0})
    heads = iter([(0, GENESIS), (first.seq, first.hash)])
    monkeypatch.setattr(stored, "_head", lambda _: next(heads))
    assert ledger.append("drill", "a", None, {"i": 1}).seq == 2
    assert ledger.verify().ok


def test_append_always_overtaken_says_so(ledger, monkeypatch):
    ledger.append("drill", "a", None, {})
    monkeypatch.setattr(stored, "_head", lambda _: (0, GENESIS))
    monkeypatch.setattr(stored, "ATTEMPTS", 2)
    with pytest.raises(LedgerError, match="Nothing was recorded"):
        ledger.append("drill", "a", None, {})


def test_append_refusal_inside_the_transaction_writes_nothing(ledger):
    def refuse(records):
        raise LedgerError(f"{len(records)} records already")

    ledger.append("drill", "a", None, {})
    ledger.append("drill", "b", None, {})
    with pytest.raises(LedgerError, match="1 records already"):
        ledger.append("drill", "a", None, {}, unless=refuse)
    assert len(ledger.records()) == 2
    ledger.append("drill", "a", None, {})


def test_append_keeps_an_earlier_record(ledger):
    first = ledger.append("drill", "a", None, {"i": 1})
    assert ledger.append("drill", "a", None, {"i": 2}, unless=lambda records: records[0]) == first
    assert ledger.records() == [first]


def test_append_to_a_file_that_was_moved_away_starts_a_new_one(ledger, tmp_path):
    ledger.append("drill", "a", None, {})
    Path(ledger.url.database).rename(tmp_path / "archive.sqlite")
    assert ledger.append("drill", "a", None, {}).seq == 1
    assert len(Ledger(tmp_path / "archive.sqlite").records()) == 1


@pytest.mark.parametrize(
    ("type", "payload", "message"),
    [
        ("signoff", {}, "Did you mean sign_off"),
        ("party", {}, "sign_off, rollback, drill"),
        ("drill", {"x": float("nan")}, "cannot be written as JSON"),
        ("drill", {"x": "\ud800"}, "cannot be written as JSON"),
        ("drill", {"x": object()}, "cannot be written as JSON"),
    ],
)
def test_append_refuses_what_cannot_be_recorded(ledger, type, payload, message):
    with pytest.raises(LedgerError, match=message):
        ledger.append(type, "a", None, payload)
    assert ledger.records() == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("sqlite://", "forgets every decision"),
        (":memory:", "forgets every decision"),
        ("nope://host/name", "nope"),
        ("://", "ledger ://"),
    ],
)
def test_ledger_target_that_cannot_be_used(target, message):
    with pytest.raises(LedgerError, match=message):
        Ledger(target)


def test_ledger_in_an_absent_folder_says_which(tmp_path):
    with pytest.raises(LedgerError, match="unable to open database file"):
        Ledger(tmp_path / "absent" / "ledger.sqlite").append("drill", "a", None, {})


def test_ledger_place_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RELEASE_REVIEW_LEDGER", str(tmp_path / "elsewhere.sqlite"))
    Ledger().append("drill", "a", None, {})
    assert (tmp_path / "elsewhere.sqlite").exists()
    monkeypatch.setenv("RELEASE_REVIEW_LEDGER", f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    assert len(Ledger().records()) == 1
    monkeypatch.delenv("RELEASE_REVIEW_LEDGER")
    assert Path(Ledger().url.database).parts[-2:] == ("data", "ledger.sqlite")
