"""An open release in, what its logs alone say at any as-of step out: judged once, then read from a file beside the cube.

Judging a stage takes a tenth of a second and more, reading its verdicts a few thousandths. Each file names the release, cube,
code and libraries that made it; one that was made otherwise, or cannot be read, is made anew.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import threading
import zlib
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from release_core import changes, stops, verdicts
from release_core.frames import GateRow
from release_core.memory import of_cube
from release_core.release import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from release_core.library import Opened
    from release_core.release import Stage

    Rows = dict[str, tuple[GateRow, ...]]

FOLDER = "verdicts"
COLUMNS = tuple(field.name for field in fields(GateRow))
# Files are read more often than written: the least effort shortens them most of the way.
EFFORT = 1


def _code() -> str:
    """Return what names the program as it was loaded: all of its files, and the libraries that it computes with."""
    found = hashlib.sha256(repr((sys.version_info, np.__version__, scipy.__version__)).encode())
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()


CODE = _code()


def rows(opened: Opened, stage: Stage, step: int) -> Rows:
    """Return the rows of each gate of a stage as of a step, by its id, but those of what is no matter of the logs."""

    def judged() -> dict[str, list[list[Any]]]:
        found = verdicts.rows(opened.release, opened.cube, stage, step)
        return {gate: [[getattr(row, name) for name in COLUMNS] for row in mine] for gate, mine in found.items()}

    kept = _kept(opened, f"{stage}-{step}", judged)
    return {gate: tuple(map(_row, mine)) for gate, mine in kept.items()}


def _row(values: list[Any]) -> GateRow:
    row = GateRow(*values)
    return replace(row, verdict=Verdict(row.verdict), unseen_after=tuple(row.unseen_after))


@of_cube(32)
def alarms(opened: Opened, stage: Stage) -> tuple[stops.Alarm, ...]:
    """Return the alarms of a stage over all as-of steps, but those of what is no matter of the logs."""

    def fired() -> list[dict[str, Any]]:
        return [asdict(alarm) | {"at": None} for alarm in stops.fired(opened.release, opened.cube, stage)]

    kept = _kept(opened, f"{stage}-alarms", fired)
    return tuple(stops.Alarm(**one | {"at": opened.cube.end(one["step"])}) for one in kept)


@of_cube(32)
def changed(opened: Opened) -> tuple[tuple[str, str], ...]:
    """Return (component, what changed) for every component that differs between the bundles."""
    kept = _kept(opened, "changed", lambda: changes.changed(opened.release, opened.cube))
    return tuple((component, why) for component, why in kept)


def fill(opened: Opened, steps: Sequence[int] = ()) -> Iterator[None]:
    """Judge whatever is not judged yet of some as-of steps (none: of all), the latest first; pause after each."""
    changed(opened)
    for stage in opened.cube.stages():
        alarms(opened, stage)
        yield
    for step in reversed(steps or opened.cube.steps):
        for stage in opened.cube.stages():
            if _read(_file(opened, f"{stage}-{step}"), _made(opened)) is None:
                rows(opened, stage, step)
                yield


def _kept(opened: Opened, name: str, compute: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
    """Return what the file of that name holds; else what `compute` returns, which it then holds."""
    file, made = _file(opened, name), _made(opened)
    found = _read(file, made)
    if found is None:
        _write(file, text := json.dumps([made, compute()], separators=(",", ":")))
        found = json.loads(text)[1]
    return found


def _file(opened: Opened, name: str) -> Path:
    return opened.cube.folder / FOLDER / f"{name}.json.gz"


@of_cube(32)
def _made(opened: Opened) -> str:
    """Return what names all that verdicts of a release are made of: it, the cells of its cube, and the code."""
    return hashlib.sha256(f"{opened.cube.name} {CODE} {opened.release!r}".encode()).hexdigest()


def _read(file: Path, made: str) -> Any:  # noqa: ANN401 - JSON
    """Return what a file holds; None if it is missing, broken, or made otherwise."""
    try:
        named, found = json.loads(gzip.decompress(file.read_bytes()))
    except (OSError, EOFError, zlib.error, ValueError, TypeError):
        return None
    return found if named == made else None


def _write(file: Path, text: str) -> None:
    """Write a file whole, or not at all where the cache cannot be written: verdicts are then made anew each time."""
    unfinished = file.with_name(f"_{file.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        file.parent.mkdir(exist_ok=True)
        unfinished.write_bytes(gzip.compress(text.encode(), EFFORT))
        unfinished.replace(file)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
