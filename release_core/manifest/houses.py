"""The name of a house and the usual house gates in, the gates of that house out: the usual ones, with what it changes.

An installation may hold several houses (fraud and credit do not risk the same): one file each in `houses` beside the usual
gates. A release says which it belongs to, and may tighten that house's gates, never loosen them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from release_core.errors import Problem
from release_core.manifest.forms import nearest, repeated
from release_core.manifest.text import HOUSE_GATES, read

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "houses"
ROWS = ("gate", "stop")


def files(usual: Path = HOUSE_GATES) -> tuple[Path, ...]:
    """Return the usual gates' file and those of all houses."""
    return (usual, *sorted((usual.parent / FOLDER).glob("*.toml")))


def named(manifest: dict[str, object]) -> str | None:
    """Return the name of the house that a manifest asks for; None where it asks for none."""
    head = manifest.get("release")
    name = head.get("house") if isinstance(head, dict) else None
    return name if isinstance(name, str) else None


def rules(usual: Path, name: str | None, problems: list[Problem]) -> dict[str, object]:
    """Return the tables of the usual gates, with the changes of the house `name` (None: as they are).

    A row of the house replaces the keys that it names of the usual row with its id; a row with a new id is added. What is
    wrong is added to `problems`.
    """
    found = read(usual, problems)
    if name is None:
        return found
    folder = usual.parent / FOLDER
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        required = f"a house of this installation ({', '.join(known) or 'there is none'})"
        remedy = nearest(name, known) or f"Correct the name, or write {FOLDER}/{name}.toml beside {usual.name}."
        problems.append(Problem("release.toml [release]", f"house = {name!r}", required, remedy))
        return found
    own = read(folder / f"{name}.toml", problems)
    for key in ROWS:
        rows = own.get(key, [])
        ids = [str(row.get("id")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        wrong = [f"{one} twice in [[{key}]]" for one in repeated(ids)] if isinstance(rows, list) else [f"[{key}]"]
        required = f"a list of tables [[{key}]], each id once"
        problems += [Problem(f"{FOLDER}/{name}.toml", one, required, "Correct the file.") for one in wrong]
    if problems:
        return found
    return found | own | {key: _changed(found.get(key), own.get(key)) for key in ROWS}


def _changed(usual: object, own: object) -> list[Any]:
    """Return the usual rows with those of the house in place of, or behind, them; what is no list of tables stays."""
    before, after = (rows if isinstance(rows, list) else [] for rows in (usual, own))
    changes = {row["id"]: row for row in after if isinstance(row, dict) and isinstance(row.get("id"), str)}
    kept = [row | changes.get(row.get("id"), {}) if isinstance(row, dict) else row for row in before]
    there = {str(row.get("id")) for row in before if isinstance(row, dict)}
    return kept + [row for row in after if not isinstance(row, dict) or str(row.get("id")) not in there]
