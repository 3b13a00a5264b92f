"""TOML text to nested dictionaries and back, and the fingerprint of what was read."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from release_core.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUSE_GATES = Path(__file__).resolve().parents[2] / "data" / "gates.toml"
_POSITION = re.compile(r" \(at line (\d+), column (\d+)\)$")
_LONGEST_LINE = 80


def read(path: Path, problems: list[Problem]) -> dict[str, object]:
    """Return the tables of the TOML file at `path`; where it cannot be read, add the reason and return nothing."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.append(_unreadable(path, error))
    except UnicodeDecodeError as error:
        problems.append(_not_utf8(path.name, error))
    else:
        return _parsed(path.name, text, problems)
    return {}


def _parsed(name: str, text: str, problems: list[Problem]) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        problems.append(_not_toml(name, text, str(error)))
    except RecursionError:
        found, remedy = "tables or lists nested too deeply", "Remove the surplus brackets."
        problems.append(Problem(name, found, "a TOML file", remedy))
    return {}


def _unreadable(path: Path, error: OSError) -> Problem:
    found = f"no file that can be read ({error.strerror or error}) in {path.parent}"
    return Problem(path.name, found, "a TOML file", f"Check the folder, or write a {path.name} into it.")


def _not_utf8(name: str, error: UnicodeDecodeError) -> Problem:
    before = error.object[: error.start]
    line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
    found = f"the byte 0x{error.object[error.start]:02x}, which is not UTF-8"
    return Problem(_place(name, line, column), found, "text in UTF-8", "Save the file as UTF-8.")


def _not_toml(name: str, text: str, message: str) -> Problem:
    lines = text.split("\n")
    position = _POSITION.search(message)
    line, column = (int(position[1]), int(position[2])) if position else (len(lines), len(lines[-1]) + 1)
    reason = _POSITION.sub("", message).removesuffix(" (at end of document)")
    found = f"{reason} in {lines[line - 1][:_LONGEST_LINE].strip()!r}"
    return Problem(_place(name, line, column), found, "valid TOML", "Correct the text at this place.")


def _place(name: str, line: int, column: int) -> str:
    return f"{name}, line {line}, column {column}"


def render(manifest: Mapping[str, object]) -> str:
    """Return the nested tables of a manifest as TOML text, which `load` reads back to the same values.

    A key whose value is None is left out, because TOML has no null.
    """
    return tomli_w.dumps(_without_none(manifest), indent=2)


def _without_none(table: Mapping[str, object]) -> dict[str, object]:
    return {key: _cleaned(value) for key, value in table.items() if value is not None}


def _cleaned(value: object) -> object:
    if isinstance(value, dict):
        return _without_none(value)
    return [_cleaned(item) for item in value] if isinstance(value, list | tuple) else value


def fingerprint(manifest: Mapping[str, object], house: Mapping[str, object]) -> str:
    """Return the SHA-256 of both files' values in canonical JSON: blind to layout, comments, and 5 against 5.0."""
    values = {"manifest": _canonical(manifest), "house": _canonical(house)}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: object) -> object:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.isoformat() if isinstance(value, date) else value
