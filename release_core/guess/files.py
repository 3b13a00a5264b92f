"""Paths in, logs out: which file belongs to which log, and how a manifest names them."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from release_core import manifest
from release_core.contract.files import LogFile, ending
from release_core.contract.raw import open_raw
from release_core.errors import SourceError
from release_core.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.contract.columns import Log
    from release_core.guess.made import Table
    from release_core.release import Release
    from release_core.store import Cursor

LOGS: tuple[Log, ...] = ("decisions", "outcomes", "runtime")
SAMPLE_FILES = 8


def classified(logs: Path) -> dict[Log, list[Path]]:
    """Return the log files by log: by the name of a folder or of the file, otherwise by their columns."""
    found: dict[Log, list[Path]] = {log: [] for log in LOGS}
    with Store() as store, store.cursor() as cursor, TemporaryDirectory() as folder:
        for path in sorted(path for path in logs.rglob("*") if path.is_file() and ending(path)):
            if not path.name.startswith((".", "_")):
                found[_log_of(cursor, logs, path, Path(folder))].append(path)
    return found


def _log_of(cursor: Cursor, logs: Path, path: Path, folder: Path) -> Log:
    words = " ".join(path.relative_to(logs).parts).lower()
    for log in LOGS:
        if log.rstrip("s") in words:
            return log
    try:
        names = {name.lower() for name in open_raw(cursor, file_of(path), folder).types}
    except SourceError:
        return "decisions"
    if "sampled_at" in names or ({"name", "value"} <= names and "event_id" not in names):
        return "runtime"
    return (
        "outcomes"
        if names & {"outcome", "observed_at", "label", "y_true", "target", "actual_label", "ground_truth"}
        and not any("score" in name or "proba" in name for name in names)
        else "decisions"
    )


def file_of(path: Path, log: Log = "decisions") -> LogFile:
    """Return a path as a log file whose content is not fingerprinted."""
    return LogFile(path, path.name, log, path.stat().st_size, 0, "")


def path_of(logs: Path, files: Sequence[Path], into: Path) -> str:
    """Return the glob of a log's files: from the manifest's folder if they lie in it, else absolute."""
    shared = Path(os.path.commonpath([str(file.resolve().parent) for file in files]))
    listed = files[0].resolve() if len(files) == 1 else shared / "**" / "*"
    inside = into.resolve() in shared.parents or into.resolve() == shared
    del logs
    return listed.relative_to(into.resolve()).as_posix() if inside else listed.as_posix()


def provisional(tables: Table) -> Release:
    """Return the release that the manifest so far describes."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "release.toml").write_text(manifest.render(tables), encoding="utf-8")
        return manifest.load(Path(folder))


def spread(files: Sequence[Path]) -> list[Path]:
    """Return at most a few files, the first and the last among them."""
    last = len(files) - 1
    places = {round(last * k / (SAMPLE_FILES - 1)) for k in range(SAMPLE_FILES)}
    return [files[place] for place in sorted(places)]
