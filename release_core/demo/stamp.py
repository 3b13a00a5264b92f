"""Takes the files that decide a build and gives its builder's short name, and the line that a built release carries."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MANIFEST = "release.toml"


def builder(files: Iterable[Path]) -> str:
    """Return 12 hexadecimal digits that change with any of `files` and with scikit-learn's version."""
    digest = hashlib.sha256(version("scikit-learn").encode())
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def line(builder: str) -> str:
    """Return the first line of a built release's manifest."""
    return f"# Built by `python -m release_core demo` ({builder}); another builder replaces this folder."


def size_line(size: int) -> str:
    """Return the second line of a generated release's manifest."""
    return f"# {size} decisions"


def is_current(folder: Path, builder: str, size: int | None = None) -> bool:
    """Return whether `folder` holds a release that this builder finished, of `size` decisions (None: of any size)."""
    try:
        with (folder / MANIFEST).open(encoding="utf-8") as manifest:
            first, second = (manifest.readline().rstrip("\n") for _ in range(2))
    except FileNotFoundError:
        return False
    return first == line(builder) and (size is None or second == size_line(size))
