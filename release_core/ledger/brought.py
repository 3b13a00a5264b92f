"""A release of generated data in, the records that came with its folder out: a demo's course, apart from everybody's ledger.

Only generated data may bring records. What was decided on real logs stands in the ledger alone, where its author cannot write.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from release_core.errors import ChainBroken, Problem
from release_core.ledger.chain import Record, check_chain

if TYPE_CHECKING:
    from pathlib import Path

    from release_core.ledger.book import Ledger
    from release_core.release import Release

FILE = "signed.jsonl"
GENERATED = "generated"


def brought(release: Release) -> list[Record]:
    """Return the records beside the manifest of generated data, in their order; none of real data, or where there are none.

    Raises:
        ChainBroken: the file was changed after it was written.
    """
    path = release.folder / FILE
    if release.about.data != GENERATED or not path.is_file():
        return []
    found = path.stat()
    return list(_read(path, (found.st_mtime_ns, found.st_size)))


def known(book: Ledger, release: Release, type: str | None = None) -> list[Record]:
    """Return all records of a release (of one type): those that came with it, then the ledger's."""
    came = [record for record in brought(release) if type in {None, record.type}]
    return came + book.records(release.id, type)


def text(records: list[Record]) -> str:
    """Return records as the file's text, one JSON map a line."""
    return "".join(json.dumps(record.as_dict(), ensure_ascii=False) + "\n" for record in records)


@lru_cache(maxsize=32)
def _read(path: Path, stamp: tuple[int, int]) -> tuple[Record, ...]:  # noqa: ARG001 - the key of the cache
    try:
        records = [Record(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, TypeError) as error:
        raise _broken(path, f"lines that are no records ({error})") from error
    check = check_chain(records)
    if not check.ok:
        raise _broken(path, check.reason)
    return tuple(records)


def _broken(path: Path, found: str) -> ChainBroken:
    remedy = "Build the demo again: python -m release_core demo --rebuild."
    return ChainBroken(Problem(f"{path.parent.name}/{path.name}", found, "the records as they were written", remedy))
