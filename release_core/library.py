"""Folders in, open releases out: finds releases, brings their cubes up to date, and keeps the ones in use loaded."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from release_core import contract, demo, manifest, memory
from release_core import cube as cubes
from release_core.errors import ManifestError, NotFound, Problem, ReleaseReviewError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.cube.cube import Cube
    from release_core.release import Release

ROOT = Path(__file__).parent.parent / "data"
RELEASES_VARIABLE = "RELEASE_REVIEW_RELEASES"
CACHE_VARIABLE = "RELEASE_REVIEW_CACHE"
OPEN_VARIABLE = "RELEASE_REVIEW_OPEN"
MANIFEST = "release.toml"


@dataclass(frozen=True, slots=True)
class Opened:
    """A release with its loaded cube; `key`, by which two are equal, names this manifest on these logs."""

    release: Release = field(compare=False)
    cube: Cube = field(compare=False)
    key: str


@dataclass(frozen=True, slots=True)
class Card:
    """A release in the list: its id, kind and title, or why it cannot be read."""

    id: str
    kind: str
    title: str
    folder: Path
    problem: str = ""


MOST_KEPT = 16
_lock = threading.Lock()
_kept: dict[str, Opened] = {}
# One build of a release at a time; others may be opened meanwhile.
_building: dict[Path, threading.Lock] = {}


def releases() -> Path:
    """Return the folder that holds the release folders."""
    return Path(os.environ.get(RELEASES_VARIABLE) or ROOT / "releases")


def folders() -> dict[str, Path]:
    """Return every release folder by its name: the one the dashboard was started with, the demo's in their order, others."""
    order = {name: place for place, name in enumerate(demo.IDS)}
    paths = sorted(releases().glob(f"*/{MANIFEST}"), key=lambda path: (order.get(path.parent.name, len(order)), path))
    found = {path.parent.name: path.parent for path in paths}
    named = os.environ.get(OPEN_VARIABLE)
    if named:
        folder = Path(named).resolve()
        found = {folder.name: folder} | {name: path for name, path in found.items() if name != folder.name}
    return found


def folder(name: str) -> Path:
    """Return the folder of a release: an id, or a folder that holds a release.toml.

    Raises:
        NotFound: neither exists.
    """
    known = folders()
    if name in known:
        return known[name]
    if (Path(name) / MANIFEST).exists():
        return Path(name).resolve()
    listed = ", ".join(known) or f"none; {releases()} holds no release"
    raise NotFound(
        Problem(
            "release",
            repr(name),
            f"one of the releases ({listed}) or a folder that holds a {MANIFEST}",
            "Correct the name, or make a manifest with `python -m release_core init LOGS --into FOLDER`.",
        )
    )


def cards() -> list[Card]:
    """Return every release in the list; one whose manifest cannot be read says so in `problem`."""
    return [_card(name, path) for name, path in folders().items()]


def _card(name: str, path: Path) -> Card:
    try:
        release = _manifest(path)
    except ManifestError as error:
        return Card(name, "", name, path, str(error))
    return Card(name, str(release.kind), release.title, path)


def _manifest(path: Path) -> Release:
    """Return the manifest of a folder, parsed again only when it or a house's gates have changed."""
    stamps = tuple(_stamp(file) for file in (path / MANIFEST, *manifest.house_files()))
    return _parsed(path, stamps)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _parsed(path: Path, stamps: tuple[tuple[int, int], ...]) -> Release:  # noqa: ARG001 - the key of the cache
    return manifest.load(path)


def cache_of(path: Path) -> Path:
    """Return the cache folder of a release folder."""
    base = Path(os.environ.get(CACHE_VARIABLE) or ROOT / "cache")
    return base / f"{path.name}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:10]}"


def open_release(name: str, progress: Callable[[float, str], None] | None = None) -> Opened:
    """Return a release with its cube, brought up to date with the logs; unchanged ones come from memory.

    Raises:
        NotFound: there is no such release.
        ManifestError: its manifest cannot be used.
        SourceError: its logs cannot be used.
    """
    path = folder(name)
    with _lock:
        turn = _building.setdefault(path, threading.Lock())
    with turn:
        release = _manifest(path)
        published = cubes.build(release, cache_of(path), progress)
        key = f"{published.name}-{release.manifest_hash[:16]}"
        before = next((one.cube for one in list(_kept.values())[::-1] if one.release.folder == path), None)
        opened = _kept.get(key) or Opened(release, cubes.Cube(release, published, before), key)
        del before
    with _lock:
        for old in [old for old, one in _kept.items() if one.release.folder == path and old != key]:
            del _kept[old]
        while key not in _kept and len(_kept) >= MOST_KEPT:
            del _kept[next(iter(_kept))]
        return _kept.setdefault(key, opened)


def kept() -> list[Opened]:
    """Return the releases that are open, the latest last; without those whose files come in all the time."""
    now = time.monotonic()
    fed = {id(one.opened) for one in list(_followed.values()) if now - one.changed < FEED_SECONDS}
    with _lock:
        return [one for one in _kept.values() if id(one) not in fed]


def stamp(name: str) -> tuple[str, float]:
    """Return what changes with a release's manifest or any of its log files, and when the newest file was written.

    Raises:
        NotFound: there is no such release.
        ManifestError: its manifest cannot be used.
    """
    path = folder(name)
    release = _manifest(path)
    found, newest = contract.stamp(release)
    return f"{release.manifest_hash}-{found}", newest


@dataclass(slots=True)
class _Followed:
    """A release as it was opened last: of which files, who brings it up to date, and until when nobody does so again."""

    stamp: str
    opened: Opened
    changed: float = float("-inf")
    rests: float = float("-inf")
    worker: threading.Thread | None = None
    failed: tuple[str, ReleaseReviewError] | None = None


_followed: dict[Path, _Followed] = {}
# Files that change again within so many seconds are a feed: nobody waits for each of them.
FEED_SECONDS = 120.0
# What was asked within so many seconds of the last question is on readers' screens, or a reader may come back to it.
SHOWN, LATELY = 10.0, 60.0
# After so many seconds what failed for no reason that lies in the logs is tried again.
AGAIN = 10.0


def follow(name: str) -> Opened:
    """Return a release as `open_release` does, but never wait for a feed: what was open stays until the new is ready.

    It is ready when what readers look at has been answered anew: no page waits for what an arrival changes.

    Raises:
        ReleaseReviewError: as `open_release`.
    """
    mark, path = stamp(name)[0], folder(name)
    known = _followed.get(path)
    if known is None:
        # Files that come while it is opened differ from the mark, so the next look sees them.
        known = _followed[path] = _Followed(mark, open_release(name))
    now = time.monotonic()
    if mark != known.stamp and now > known.rests and (known.worker is None or not known.worker.is_alive()):
        waits, known.changed = now - known.changed > FEED_SECONDS, now
        known.worker = threading.Thread(target=_refresh, args=(name, mark, known, waits), daemon=True)
        known.worker.start()
        if waits:
            known.worker.join()
    if known.failed and known.failed[0] == mark:
        raise known.failed[1]
    return known.opened


def _refresh(name: str, mark: str, known: _Followed, waited_for: bool) -> None:  # noqa: FBT001 - a thread's arguments
    """Bring a release up to date, then rest as long as that took: a feed may have half of the machine's time."""
    memory.spare()
    began, before = time.monotonic(), known.opened
    try:
        newer = open_release(name)
        if not waited_for:
            memory.ask_again(newer, before, SHOWN)
        known.opened, known.failed = newer, None
    except ReleaseReviewError as error:
        known.failed = (mark, error)
    except Exception as error:
        # A full disk, say: readers are told, and it is tried again although no file may have changed by then.
        logging.getLogger(__name__).exception("%s cannot be brought up to date", name)
        known.failed, known.rests = (mark, _unexpected(name, error)), time.monotonic() + AGAIN
        return
    known.stamp, known.rests = mark, 2 * time.monotonic() - began
    if not (waited_for or known.failed):
        memory.ask_again(known.opened, before, LATELY, known.rests)
    del before
    memory.settle()


def _unexpected(name: str, error: Exception) -> SourceError:
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    need = "logs that can be counted, and a cache that can be written"
    return SourceError(
        Problem(name, text, need, f"It is tried again every {AGAIN:g} seconds; the server's log says more.")
    )
