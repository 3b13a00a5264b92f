"""A cache in, what no cube needs any more removed from it: neither the newest, nor one that is in use or has just come."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING

from release_core.cube import leases

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# What a feed leaves behind (cubes, cells of changes) is kept so many seconds; all else, such as that of another manifest, a day.
PASSING, DAY = 600, 86_400
# Between two looks at the cache; and a file in the folder of cells that are a change.
EVERY = 300
CHANGE, USES, LOOKED = "change", "uses.json", "pruned"
KINDS = {"cube", "cells", "good", "bad", "part", "across", "gauge", "ids"}


def note(cube: Path, names: Iterable[str]) -> None:
    """Note in the folder of a cube which entries of the cache it needs."""
    (cube / USES).write_text(json.dumps(sorted(set(names))), encoding="utf-8")


def prune(cache: Path, newest: str) -> None:
    """Remove what is old and what no cube needs that is the newest, in use, or young."""
    looked, now = cache / LOOKED, time.time()
    if looked.exists() and now - looked.stat().st_mtime < EVERY:
        return
    looked.touch()
    ages = {entry: now - moment for entry in cache.iterdir() if (moment := _moment(entry)) is not None}
    kept = {newest, *leases.used(cache)}
    kept |= {entry.name for entry, age in ages.items() if entry.name.startswith("cube-") and age < PASSING}
    used = {name for cube in kept for name in (cube, *_uses(cache / cube))}
    for entry, age in ages.items():
        if entry.name not in used and age > _lasts(entry):
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)


def _moment(entry: Path) -> float | None:
    """Return when an entry was written; None if another process has just removed it."""
    try:
        return entry.stat().st_mtime
    except OSError:
        return None


def _uses(cube: Path) -> list[str]:
    try:
        return [str(name) for name in json.loads((cube / USES).read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        return []


def _lasts(entry: Path) -> float:
    """Return for how many seconds an entry that no cube needs is kept."""
    kind = entry.name.split("-", 1)[0]
    if kind.startswith("_"):
        return PASSING  # a builder was killed while it wrote this
    if kind not in KINDS:
        return float("inf")
    return PASSING if kind == "cube" or (entry / CHANGE).exists() else DAY
