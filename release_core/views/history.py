"""The History page: what was decided, on which numbers, and whether the record is intact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from release_core.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.ledger import Check, Ledger, Record
    from release_core.views.view import View

Row = dict[str, Any]
CAME = (
    "Records that came with this demo release: {n}. A fictional reviewer signed the evidence of that day when the demo was "
    "built. They are chained like all others, and stand beside the manifest, not in your ledger. Yours follow on them."
)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """What the page shows: the chain's check, its head, one row per record, newest first, and whose records came along."""

    check: Check
    head: str
    rows: list[Row]
    came: str = ""

    @property
    def said(self) -> str:
        """Whether the record is intact, in one sentence."""
        if not self.check.ok:
            return f"The chain is broken at record {self.check.first_bad}: {self.check.reason}"
        one = "its only record matches its hash" if self.check.records == 1 else ""
        many = f"every one of {self.check.records:,} records matches its hash and its predecessor"
        return f"The chain holds: {one or many}."


def history(book: Ledger, release: str | None = None, came: Sequence[Record] = ()) -> HistoryPage:
    """Return the page for one release (None: all); `came` are records that came with it and stand in no ledger."""
    seq, mark = book.head()
    own, others = rows(book.records(release=release)), rows(came)
    for row in others:
        row["seq"] = f"demo {row['seq']}"
    return HistoryPage(book.verify(), f"{seq}:{mark}", own + others, CAME.format(n=len(others)) if others else "")


def since(view: View, row: Row) -> str:
    """Return what has become of the manifest and the data that a record of this release was signed on; "" for others."""
    if row["release"] != view.release.id or not row["manifest_hash"]:
        return ""
    same = {
        "manifest": row["manifest_hash"] == view.release.manifest_hash,
        "data": row["data_fingerprint"] == view.opened.cube.fingerprint,
    }
    kept = " and ".join(f"the {name} {'is unchanged' if one else 'HAS CHANGED'}" for name, one in same.items())
    return f"Since then {kept}."


def rows(records: Sequence[Record]) -> list[Row]:
    """Return the records as table rows, newest first; one that cannot be read says so."""
    return [_row(record) for record in reversed(records)]


def _row(record: Record) -> Row:
    row: Row = {
        "seq": record.seq,
        "at": record.at[:19].replace("T", " "),
        "type": record.type.replace("_", " "),
        "release": record.release,
        "stage": record.stage or "",
        "hash": record.hash[:12],
    }
    try:
        content: Row = dict(record.content)
    except LedgerError as error:
        return row | {"decision": "unreadable", "verdict": None, "signer": "", "reason": str(error), "gates": []}
    seen = content.get("evidence") or {}
    return row | {
        "decision": str(content.get("decision", record.type)).replace("_", " "),
        "verdict": content.get("verdict"),
        "signer": " ".join(
            filter(None, (content.get("signer"), f"({content['role']})" if content.get("role") else ""))
        ),
        "reason": content.get("reason", ""),
        "as_of": str(content.get("as_of", ""))[:10],
        "manifest": str(content.get("manifest_hash", ""))[:12],
        "data": str(content.get("data_fingerprint", ""))[:12],
        "manifest_hash": content.get("manifest_hash"),
        "data_fingerprint": content.get("data_fingerprint"),
        "override": (content.get("override") or {}).get("reason", ""),
        "gates": [gate for gate in seen.get("gates", []) if gate.get("counts", True)],
    }
