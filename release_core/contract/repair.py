"""Lines of a damaged CSV or JSONL file in, a sound CSV file out in which every faulty row is marked and kept."""

from __future__ import annotations

import csv
import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    Record = tuple[str | None, str | None, list[str]]

LONGEST_LINE = 2_000_000
LONGEST_TEXT = 120
# A quoted field may run over lines; beyond this many the quote is taken for a stray one.
MOST_LINES_PER_ROW = 100
# Bytes that are not UTF-8 arrive as lone surrogates.
UNDECODABLE = re.compile("[\ud800-\udfff]")


def repair_table(lines: Iterable[str], target: Path, width: int, delimiter: str) -> None:
    """Write `_row, _fault, _text, c0, c1, ...` for every row after the header, in order.

    A row that is ragged, wrongly quoted or not UTF-8 gets a fault in words and the start of its text. A quote
    that is never closed costs its own line only: the lines after it are read again as rows of their own.
    """
    header = ["_row", "_fault", "_text", *(f"c{number}" for number in range(width))]
    _write(target, header, _rows(iter(lines), width, delimiter), width)


def repair_lines(lines: Iterable[str], target: Path) -> None:
    """Write `_row, _fault, _text, c0` for every line that is not empty; one that is not UTF-8 gets a fault."""
    _write(target, ["_row", "_fault", "_text", "c0"], map(_line, filter(None, map(_content, lines))), 1)


def _write(target: Path, header: list[str], rows: Iterable[Record], width: int) -> None:
    with target.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink, quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        for number, (fault, text, fields) in enumerate(rows, start=1):
            writer.writerow([number, fault, _legible(text), *(fields or [""] * width)])


def _rows(lines: Iterator[str], width: int, delimiter: str) -> Iterator[Record]:
    """Yield each row after the header as fault, text and fields."""
    next(lines, None)
    ahead: list[str] = []
    while _read_ahead(lines, ahead, 1):
        if not _content(ahead[0]):
            del ahead[0]
            continue
        fields, used = _record(lines, ahead, delimiter)
        fault = _fault(fields, ahead[:used], width)
        if fault is None:
            yield None, None, fields
            del ahead[:used]
        else:
            yield fault, _content(ahead.pop(0)), []


def _record(lines: Iterator[str], ahead: list[str], delimiter: str) -> tuple[list[str], int]:
    """Return the fields of the first record ahead and how many lines it takes; no fields if its quotes do not match."""
    for used in range(1, MOST_LINES_PER_ROW + 1):
        if not _read_ahead(lines, ahead, used):
            break
        try:
            return next(csv.reader(ahead[:used], delimiter=delimiter, strict=True)), used
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                break
    return [], 1


def _read_ahead(lines: Iterator[str], ahead: list[str], count: int) -> bool:
    ahead.extend(islice(lines, max(count - len(ahead), 0)))
    return len(ahead) >= count


def _line(line: str) -> Record:
    fault = _encoding_fault(line)
    return (fault, line, []) if fault else (None, None, [line])


def _content(line: str) -> str:
    return line.rstrip("\r\n")


def _fault(fields: list[str], lines: list[str], width: int) -> str | None:
    wrong = next(filter(None, map(_encoding_fault, lines)), None)
    if wrong or len(fields) == width:
        return wrong
    return f"{len(fields)} fields instead of {width}" if fields else "quotes that do not match"


def _encoding_fault(text: str) -> str | None:
    if len(text) > LONGEST_LINE // 4:
        return "line too long"
    return "not UTF-8" if UNDECODABLE.search(text) else None


def _legible(text: str | None) -> str | None:
    """Return the start of the text with every byte that is no UTF-8 replaced by the sign for it."""
    if text is None:
        return None
    return text[:LONGEST_TEXT].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
