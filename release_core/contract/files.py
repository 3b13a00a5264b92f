"""A release's source in, its log files out: in the order of their paths, each with the SHA-256 of its content."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import time
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release_core.contract.columns import Log
    from release_core.release import Release

ENDINGS = (".parquet", ".csv", ".csv.gz", ".jsonl", ".ndjson", ".json")
MEMO = "fingerprints.json"
# A file changed again within its clock's grain keeps size and time, so a young file is always hashed.
SETTLED_SECONDS = 2.0
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log; `relative` is its path from the release folder, `fingerprint` the SHA-256 of its content."""

    path: Path
    relative: str
    log: Log
    size: int
    mtime_ns: int
    fingerprint: str

    @property
    def ending(self) -> str:
        """Return the ending in lower case; `.csv.gz` counts as one."""
        return ending(self.path)

    @property
    def folder_values(self) -> dict[str, str]:
        """Return what folders named `key=value` say, always as text."""
        parts = (part.partition("=") for part in self.relative.split("/")[:-1])
        pairs = {key: unquote(value) for key, equals, value in parts if equals and key}
        return {key: value for key, value in pairs.items() if value != HIVE_NULL}


def ending(path: Path) -> str:
    """Return the ending of `path` that decides how it is read, or the empty text if none does."""
    name = path.name.lower()
    return next((end for end in sorted(ENDINGS, key=len, reverse=True) if name.endswith(end)), "")


def files(release: Release, log: Log, cache: Path | None = None) -> list[LogFile]:
    """Return the files of one log, sorted by relative path; none if the release declares no such log.

    `release.<log>.path` is a file, a folder or a glob (`**` goes down), relative to the release folder or
    absolute. Names that start with a dot or an underscore or end in `.tmp` are somebody's unfinished work and
    are passed over. With `cache` (a folder) contents that have not changed are not hashed again.
    """
    source = getattr(release, log)
    if source is None:
        return []
    base, paths = _matches(release.folder, source.path)
    memo = _Memo(cache)
    found = [_log_file(path, _relative(path, release.folder, base), log, memo) for path in paths]
    memo.save()
    return sorted(found, key=lambda file: file.relative)


def stamp(release: Release, logs: tuple[Log, ...] = ("decisions", "outcomes", "runtime")) -> tuple[str, float]:
    """Return what changes with any log file's path, size or time, and when the newest was written (seconds since 1970).

    Opens no file: a look at a thousand files takes milliseconds. The time is 0 where there is no file.
    """
    found, newest = hashlib.sha256(), 0.0
    for source in (getattr(release, log) for log in logs):
        for path in sorted(_matches(release.folder, source.path)[1]) if source else ():
            try:
                stat = path.stat()
            except OSError:
                continue  # it has just been replaced; the next look sees the new one
            found.update(f"{path}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
            newest = max(newest, stat.st_mtime)
    return found.hexdigest(), newest


def _matches(folder: Path, pattern: str) -> tuple[Path, list[Path]]:
    """Return the folder in which the pattern starts and every log file that it reaches."""
    literal = folder / pattern
    if literal.exists():
        base, hits = literal, [literal]
    else:
        base = folder.joinpath(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
        # Only the pattern may hold wildcards; the release folder may be called anything.
        hits = [Path(hit) for hit in glob.glob(str(Path(glob.escape(str(folder))) / pattern), recursive=True)]  # noqa: PTH207
    reached = {path for hit in hits for path in ([hit] if hit.is_file() else _walk(hit))}
    return base, [path for path in reached if ending(path) and _finished(path, base)]


def _walk(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)


def _finished(path: Path, base: Path) -> bool:
    parts = path.relative_to(base).parts if path.is_relative_to(base) else path.parts
    return not any(part.startswith((".", "_")) or part.endswith(".tmp") for part in parts or (path.name,))


def _relative(path: Path, folder: Path, base: Path) -> str:
    """Return the path from the release folder; for logs elsewhere from the folder in which the pattern starts."""
    start = folder if path.is_relative_to(folder) else base if path != base else base.parent
    return path.relative_to(start).as_posix() if path.is_relative_to(start) else path.as_posix()


def _log_file(path: Path, relative: str, log: Log, memo: _Memo) -> LogFile:
    stat = path.stat()
    return LogFile(path, relative, log, stat.st_size, stat.st_mtime_ns, memo.fingerprint(path, stat))


class _Memo:
    """Fingerprints by path, size and modification time, kept in one JSON file."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / MEMO if folder else None
        self._known = self._load()
        self._changed = False

    def fingerprint(self, path: Path, stat: os.stat_result) -> str:
        """Return the SHA-256 of the file's content, from memory if neither size nor time has changed."""
        key = f"{path.resolve().as_posix()}|{stat.st_size}|{stat.st_mtime_ns}"
        if key in self._known:
            return self._known[key]
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if time.time() - stat.st_mtime > SETTLED_SECONDS:
            self._known[key] = digest
            self._changed = True
        return digest

    def save(self) -> None:
        """Write what was learned, under another name first so that no reader sees half a file."""
        if self._path is None or not self._changed:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(f".{os.getpid()}.tmp")
        unfinished.write_text(json.dumps(self._known), encoding="utf-8")
        unfinished.replace(self._path)

    def _load(self) -> dict[str, str]:
        """Return what is remembered; an unreadable memory is only a slower start."""
        try:
            known = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}
