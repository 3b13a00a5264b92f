"""Cells of scores in, the score groups that PSI compares out: tenths of the baseline, fixed once for a release.

They are found when a cube is published and stored with it. They are those of the earliest events, so they stay as they are
when the as-of time moves and when more events arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.cube import dense
from release_core.cube.encode import FINE
from release_core.cube.files import listed
from release_core.cube.query import WINDOW
from release_core.frames import natural
from release_core.release import Stage
from release_core.stats import drift

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from release_core.release import Release
    from release_core.store import Cursor

# The earliest calendar windows that hold so many events are the reference; all of the stage where it has fewer.
ENOUGH = 10_000


def groups(release: Release, cursor: Cursor, files: Sequence[Path]) -> dict[str, Any]:
    """Return the edges of the score groups (in risk order, on [0, 1]) and which baseline scores they are the tenths of.

    The first stage with events is asked, which is the replay where there is one. No edges where no score was logged.
    """
    nothing: dict[str, Any] = {"stage": "", "windows": [], "n": 0, "edges": []}
    if not files:
        return nothing
    rows = cursor.rows(
        'select stage, v1 as "window", bin, sum(n)::bigint as n '
        f"from read_parquet({listed(list(files))}) where \"by\" = '{WINDOW}' and version = 0 and label < 0 and bin >= 0 "
        "group by all having sum(n) > 0 order by all"
    )
    stage = next((str(stage) for stage in Stage if any(row["stage"] == stage for row in rows)), None)
    if stage is None:
        return nothing
    mine = [row for row in rows if row["stage"] == stage]
    sizes: dict[str, int] = {}
    for row in mine:
        sizes[row["window"]] = sizes.get(row["window"], 0) + row["n"]
    names = sorted(sizes, key=natural)
    reached = np.cumsum([sizes[name] for name in names])
    chosen = names[: int((reached < ENOUGH).sum()) + 1]
    ids = dense.ids_of(np.array([row["bin"] for row in mine]))
    counts = np.zeros(len(ids))
    for row in mine:
        counts[row["bin"] - ids[0]] += row["n"] if row["window"] in chosen else 0
    inner = drift.quantile_groups(counts)
    lower = dense.grid_of(release, ids, FINE).lower
    edges = [float(lower[edge]) for edge in inner if edge < len(ids)]
    return {"stage": stage, "windows": [chosen[0], chosen[-1]], "n": int(counts.sum()), "edges": edges}
