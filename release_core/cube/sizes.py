"""Cells in, how many events each value of a dimension has, out: which values are crowded, and which there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.cube import grouped
from release_core.cube.files import listed
from release_core.cube.query import REPLAY_SET, WINDOW
from release_core.release import OTHER

if TYPE_CHECKING:
    from pathlib import Path

    from release_core.release import Release
    from release_core.store import Store

    # Events by dimension and value; the replay set and the calendar window count as dimensions.
    Sizes = dict[str, dict[str, int]]

# The smallest table that holds every event by every dimension.
SMALLEST = "age"


def of(store: Store, folders: list[Path]) -> Sizes:
    """Return how many events the cells of some folders hold of each value of a dimension."""
    files = [listed(found) for table in (SMALLEST, "checks") if (found := _files(folders, table))]
    if not files:
        return {}
    sql = f"""
select "by" as dim, v1 as value, sum(n)::bigint as n from read_parquet({files[0]})
where label < 0 and "by" <> '' and not contains("by", ',') group by all
union all
select '{REPLAY_SET}', replay_set, sum(n)::bigint from read_parquet({files[1]}) group by all"""
    sizes: Sizes = {}
    for row in store.rows(sql):
        sizes.setdefault(row["dim"], {})[row["value"]] = row["n"]
    return sizes


def _files(folders: list[Path], table: str) -> list[Path]:
    return [file for folder in folders for file in grouped.files(folder, table)]


def added(one: Sizes, other: Sizes) -> Sizes:
    """Return the events of two sets of cells.

    >>> added({"market": {"de": 2}}, {"market": {"de": 1, "fr": 1}})
    {'market': {'de': 3, 'fr': 1}}
    """
    return {
        dim: {
            value: one.get(dim, {}).get(value, 0) + other.get(dim, {}).get(value, 0)
            for value in dict.fromkeys((*one.get(dim, {}), *other.get(dim, {})))
        }
        for dim in dict.fromkeys((*one, *other))
    }


def crowded(release: Release, sizes: Sizes) -> dict[str, list[str]]:
    """Return the values beyond the cap of their dimension, by number of events; {} where all dimensions are within it."""
    cap, found = release.segments.cap, {}
    for dim, values in sizes.items():
        if dim not in (REPLAY_SET, WINDOW) and len(values) > cap:
            found[dim] = sorted(values, key=lambda value: (-values[value], value))[cap:]
    return found


def shown(sizes: Sizes, crowded: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the values of each dimension as cells name them: those that are crowded read "(other)"."""
    found = {}
    for dim, values in sizes.items():
        rare = set(crowded.get(dim, ()))
        found[dim] = [value for value, n in values.items() if n and value not in rare] + ([OTHER] if rare else [])
    return found
