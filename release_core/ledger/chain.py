"""Takes ledger records in their stored order and says whether each follows from the one before."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from release_core.errors import ChainBroken, LedgerError, Problem
from release_core.ledger.canonical import canonical_json, sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

GENESIS = "0" * 64
TYPES = ("sign_off", "rollback", "drill")


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the ledger; `hash` covers every other field and the hash of the entry before.

    `seq` counts from 1 without a gap; `at` is UTC in ISO 8601 with microseconds; `stage` is None where the
    entry concerns the whole release; `payload` is canonical JSON text.
    """

    seq: int
    at: str
    type: str
    release: str
    stage: str | None
    payload: str
    previous_hash: str
    hash: str

    @property
    def content(self) -> dict[str, object]:
        """Return the payload as a map; raises ChainBroken if it is none, which only an edit can cause."""
        try:
            content = json.loads(self.payload)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise self.damage("a payload that is no JSON map")
        return content

    def damage(self, found: str) -> ChainBroken:
        """Return the error for a record that the ledger cannot have written like this."""
        return ChainBroken(
            Problem(
                f"ledger record {self.seq}", found, "what was recorded", "Run the ledger's check; restore the file."
            )
        )

    def as_dict(self) -> dict[str, object]:
        """Return the fields as they are stored, enough to check the chain elsewhere."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Check:
    """What a check of the chain found: `records` were read; `first_bad` is the first seq that does not hold."""

    ok: bool
    records: int
    first_bad: int | None
    reason: str


def linked(head: tuple[int, str], at: str, what: tuple[str, str, str | None], payload: str) -> Record:
    """Return the record that follows `head` (seq, hash); `what` is type, release, stage."""
    seq, previous_hash = head[0] + 1, head[1]
    return Record(seq, at, *what, payload, previous_hash, record_hash(seq, at, what, payload, previous_hash))


def record_hash(seq: int, at: str, what: tuple[str, str, str | None], payload: str, previous_hash: str) -> str:
    """Return SHA-256 of the previous hash followed by the canonical JSON list of the other fields in their order."""
    stored = json.dumps([seq, at, *what, payload], separators=(",", ":"), ensure_ascii=False)
    return sha256(previous_hash + stored)


def check_chain(records: Sequence[Record], expected_head: tuple[int, str] | None = None) -> Check:
    """Check every record, then that the chain passes through `expected_head`, a head published elsewhere.

    Without a published head a cut tail or a rewrite of the whole chain cannot be seen.
    """
    head = (0, GENESIS)
    for record in records:
        reason = _fault(record, head)
        if reason:
            return Check(ok=False, records=len(records), first_bad=head[0] + 1, reason=reason)
        head = (record.seq, record.hash)
    if expected_head is not None:
        return _against(records, expected_head)
    return Check(ok=True, records=len(records), first_bad=None, reason=f"all {len(records)} records hold")


def _fault(record: Record, head: tuple[int, str]) -> str:
    """Return why `record` does not follow `head`, or an empty text."""
    due = head[0] + 1
    if record.seq != due or not isinstance(record.seq, int):
        return f"record {due} is missing: record {record.seq} stands in its place"
    texts = (record.at, record.type, record.release, record.payload, record.previous_hash, record.hash)
    if not all(isinstance(text, str) for text in texts) or not isinstance(record.stage, str | None):
        return f"record {due} holds a value that the ledger never writes"
    if record.previous_hash != head[1]:
        return f"record {due} does not follow record {head[0]}: it names another previous hash"
    what = (record.type, record.release, record.stage)
    if record.hash != record_hash(record.seq, record.at, what, record.payload, record.previous_hash):
        return f"record {due} was changed after it was written: its content does not match its hash"
    if not _is_canonical(record.payload):
        return f"record {due} holds a payload that is not canonical JSON"
    return ""


def _is_canonical(payload: str) -> bool:
    try:
        content = json.loads(payload)
        return isinstance(content, dict) and canonical_json(content) == payload
    except (ValueError, LedgerError):
        return False


def _against(records: Sequence[Record], expected_head: tuple[int, str]) -> Check:
    seq, expected = expected_head
    count = len(records)
    if not 0 <= seq <= count:
        reason = f"the end was cut off: {count} records are left of the {seq} that were published"
        return Check(ok=False, records=count, first_bad=count + 1, reason=reason)
    found = records[seq - 1].hash if seq else GENESIS
    if found != expected:
        reason = f"record {seq} is not the published one: the chain up to it was rewritten"
        return Check(ok=False, records=count, first_bad=seq, reason=reason)
    reason = f"all {count} records hold and pass through the published head {seq}"
    return Check(ok=True, records=count, first_bad=None, reason=reason)
