"""All guesses in, one manifest out."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from release_core import manifest
from release_core.contract.files import ENDINGS
from release_core.errors import Problem, ReleaseReviewError, SourceError
from release_core.guess.decisions import decisions
from release_core.guess.files import LOGS, classified, path_of
from release_core.guess.made import Guess
from release_core.guess.outcomes import outcomes
from release_core.guess.scores import cutoffs, score
from release_core.store import Store

if TYPE_CHECKING:
    from release_core.guess.made import Table

DEFAULT_MATURITY = 30


def guess(logs: Path, into: Path) -> Guess:
    """Return a manifest for the log files under `logs`, to stand in the folder `into`.

    Raises:
        SourceError: there is no file of decisions, or it cannot be read.
    """
    found = classified(logs)
    if not found["decisions"]:
        raise SourceError(_no_decisions(logs))
    made = Guess(_skeleton(into.resolve().name))
    for log in LOGS:
        if found[log]:
            made.tables["source"][log] = {"path": path_of(logs, found[log], into)}
            made.said.append(f"{log}: {len(found[log])} files such as {found[log][0].relative_to(logs)}")
    with Store() as store, store.cursor() as cursor, TemporaryDirectory() as folder:
        decisions(cursor, found["decisions"], Path(folder), made)
        if found["outcomes"]:
            outcomes(cursor, found["outcomes"], Path(folder), made)
        score(cursor, made)
        cutoffs(cursor, made)
    return made


def _no_decisions(logs: Path) -> Problem:
    return Problem(
        str(logs),
        "no log file that looks like decisions",
        f"files ending in {', '.join(ENDINGS)} in a folder `decisions`, or with scores and a time per event",
        "Name the folder that holds the logs.",
    )


def _skeleton(name: str) -> Table:
    identifier = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "release"
    common = {"calibration": "c1", "thresholds": "t1", "policy": "p1"}
    return {
        "schema": 1,
        "release": {
            "id": identifier,
            "kind": "model",
            "title": identifier,
            "from": {"model": "baseline", **common},
            "to": {"model": "candidate", **common},
        },
        "rollback": {"target": "baseline", "how": "describe here what is restored, and how"},
        "source": {},
        "labels": {"positive": ["positive"], "silence": "unknown", "maturity_days": DEFAULT_MATURITY, "steps": "day"},
        "thresholds": {"t1": {"default": {"review": 0.5}}},
        "policy": {"p1": {}},
        "segments": {"dims": [], "min_events": 200},
        "stage": [{"name": "replay"}],
    }


def write(made: Guess, into: Path) -> Path:
    """Write the manifest into the folder `into`, the guesses as comments above it, and return its path.

    Raises:
        ReleaseReviewError: there is one already.
    """
    path = into / "release.toml"
    if path.exists():
        raise ReleaseReviewError(
            Problem(str(path), "a manifest", "a folder without one", "Move it away, or choose another folder.")
        )
    into.mkdir(parents=True, exist_ok=True)
    comments = "".join(f"#   {line}\n" for line in made.said)
    head = f"# Guessed from the logs; check each line:\n{comments}\n"
    path.write_text(head + manifest.render(made.tables), encoding="utf-8")
    return path
