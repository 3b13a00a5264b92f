"""The chain: every edit, gap, swap and insertion is found, in memory and in the stored file."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_core.errors import ChainBroken
from release_core.ledger import GENESIS, Record, check_chain
from release_core.ledger.chain import linked

FIELDS = [field.name for field in fields(Record)]


def chain(length: int) -> list[Record]:
    records: list[Record] = []
    head = (0, GENESIS)
    for number in range(length):
        what = ("rollback", "credit-model", "replay" if number % 2 else None)
        record = linked(
            head, f"2026-06-01T12:00:{number:02}.000000+00:00", what, f'{{"i":{number},"text":"é{number}"}}'
        )
        records.append(record)
        head = (record.seq, record.hash)
    return records


def stored(ledger, count: int = 4) -> None:
    for number in range(count):
        ledger.append("rollback", "credit-model", "replay", {"i": number, "text": "é"})


def execute(ledger, statement: str, *values: object) -> None:
    with sqlite3.connect(ledger.url.database) as connection:
        connection.execute(statement, values)
    connection.close()


def test_record_hash_is_the_documented_formula():
    first, second = chain(2)
    text = json.dumps(
        [2, second.at, second.type, second.release, "replay", second.payload], separators=(",", ":"), ensure_ascii=False
    )
    assert second.hash == hashlib.sha256((first.hash + text).encode()).hexdigest()
    assert first.previous_hash == "0" * 64


def test_check_whole_chain_holds():
    assert check_chain(chain(5)).ok
    assert check_chain([], (0, GENESIS)).ok


@given(
    place=st.integers(0, 3),
    field=st.sampled_from(FIELDS),
    at=st.integers(0, 200),
    byte=st.integers(0, 255),
)
def test_check_any_changed_byte_of_any_field_is_found(place, field, at, byte):
    records = chain(4)
    old = getattr(records[place], field)
    if old is None:
        new = chr(byte)
    else:
        raw = bytearray(str(old), "utf-8")
        raw[at % len(raw)] = byte
        new = raw.decode("utf-8", "surrogateescape")
        if isinstance(old, int):
            new = int(new) if new.isascii() and new.isdigit() else new
    changed = new != old
    records[place] = replace(records[place], **{field: new})
    check = check_chain(records)
    assert check.ok is not changed
    assert not changed or check.first_bad == place + 1


@given(st.permutations(range(5)))
def test_check_any_other_order_is_found(order):
    records = chain(5)
    assert check_chain([records[place] for place in order]).ok is (list(order) == [0, 1, 2, 3, 4])


@given(st.integers(0, 3))
def test_check_gap_before_the_end_is_found(place):
    records = chain(5)
    del records[place]
    check = check_chain(records)
    assert (check.ok, check.first_bad) == (False, place + 1)


def test_check_inserted_record_is_found():
    records = chain(3)
    extra = linked((1, records[0].hash), records[0].at, ("drill", "credit-model", None), "{}")
    assert check_chain([records[0], extra, *records[1:]]).first_bad == 3
    shifted = [replace(record, seq=record.seq + 1) for record in records[1:]]
    assert check_chain([records[0], extra, *shifted]).first_bad == 3


def test_check_rewritten_payload_that_is_not_canonical_is_found():
    record = linked((0, GENESIS), "2026-06-01T12:00:00.000000+00:00", ("drill", "r", None), '{"x": NaN}')
    assert "not canonical" in check_chain([record]).reason


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_check_cut_end_shows_against_the_published_head(kept):
    records = chain(4)
    head = (4, records[-1].hash)
    assert check_chain(records[:kept]).ok
    check = check_chain(records[:kept], head)
    assert (check.ok, check.first_bad) == (False, kept + 1)
    assert "cut off" in check.reason


def test_check_full_rewrite_shows_against_the_published_head():
    head = (3, chain(3)[-1].hash)
    other = [linked((0, GENESIS), "2026-01-01T00:00:00.000000+00:00", ("drill", "r", None), "{}")]
    while len(other) < 5:
        other.append(linked((other[-1].seq, other[-1].hash), other[-1].at, ("drill", "r", None), "{}"))
    assert check_chain(other).ok
    assert check_chain(other, head).first_bad == 3


def test_check_chain_that_grew_passes_through_the_published_head():
    records = chain(5)
    assert check_chain(records, (3, records[2].hash)).ok
    assert check_chain(records, (0, GENESIS)).ok
    assert not check_chain(records, (-1, GENESIS)).ok


def test_verify_names_the_record_that_was_edited_in_the_file(ledger):
    stored(ledger)
    execute(ledger, "update records set payload = replace(payload, '1', '9') where seq = 2")
    check = ledger.verify()
    assert (check.ok, check.records, check.first_bad) == (False, 4, 2)
    assert "record 2 was changed" in check.reason


@pytest.mark.parametrize("column", FIELDS)
@pytest.mark.parametrize("value", [b"\xff\x00", 7, "x", ""])
def test_verify_survives_any_kind_of_value_in_any_column(ledger, column, value):
    stored(ledger)
    if column == "seq":
        value = 9
    execute(ledger, f"update records set {column} = ? where seq = 3", value)
    assert ledger.verify().first_bad == 3


def test_verify_finds_damaged_text_encoding(ledger):
    stored(ledger)
    execute(ledger, "update records set payload = cast(x'7b22ff223a317d' as text) where seq = 1")
    assert ledger.verify().first_bad == 1


def test_verify_finds_deleted_and_swapped_records(ledger):
    stored(ledger)
    execute(ledger, "delete from records where seq = 2")
    assert (ledger.verify().ok, ledger.verify().first_bad) == (False, 2)
    execute(ledger, "update records set seq = 2 where seq = 3")
    assert ledger.verify().first_bad == 2


def test_verify_every_flipped_byte_of_a_stored_payload_is_found(ledger):
    record = ledger.append("drill", "credit-model", None, {"who": "Zoë", "minutes": 4.5})
    path, needle = Path(ledger.url.database), record.payload.encode()
    content = path.read_bytes()
    start = content.index(needle)
    for place in range(start, start + len(needle)):
        damaged = bytearray(content)
        damaged[place] ^= 0x01
        path.write_bytes(damaged)
        assert not ledger.verify().ok, place
    path.write_bytes(content)
    assert ledger.verify().ok


def test_verify_file_that_is_no_database_is_said_not_raised(ledger):
    Path(ledger.url.database).write_text("no database " * 500)
    check = ledger.verify()
    assert not check.ok
    assert "not a database" in check.reason


def test_content_of_a_damaged_record_is_an_error_in_words():
    record = linked((0, GENESIS), "", ("drill", "r", None), "{")
    with pytest.raises(ChainBroken, match="record 1"):
        _ = record.content
