"""A published cube in, its tables under their names and the texts of dimension values out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.cube import cells as tables
from release_core.cube import query
from release_core.cube.files import listed
from release_core.frames import natural

if TYPE_CHECKING:
    from pathlib import Path

    from release_core.frames import Array
    from release_core.release import Release
    from release_core.store import Store

CODED = ("v1", "v2", "v3", query.REPLAY_SET)


def load(
    store: Store, release: Release, folder: Path, published: dict[str, list[str]]
) -> tuple[Array, dict[str, tuple[str, ...]]]:
    """Open the tables; return the text of every dimension value at its code, by which slices group, and those of each dimension.

    The large tables stay on disk: what is asked of them is read by dimension, in which order they were written.
    """
    files = {t: f"read_parquet({listed([folder.parent / name for name in names])})" for t, names in published.items()}
    singles = [one.name for one in tables.cuboids(release) if len(one.columns) == 1]
    sql = f'select distinct "by", v1 as v from {files["pair"]} where "by" in (select unnest($singles))'
    found = store.query(sql, {"singles": singles})
    sets = store.query(f"select distinct replay_set as v from {files['checks']}")["v"]
    values: dict[str, set[str]] = {}
    for dim, value in zip(found["by"], found["v"], strict=True):
        values.setdefault(str(dim), set()).add(str(value))
    names = sorted({"", *map(str, sets), *(value for some in values.values() for value in some)}, key=natural)
    store.execute("create type code as enum (select unnest($names))", {"names": names})
    for table, file in files.items():
        coded = [f"{column}::code as {column}" for column in CODED if column in tables.KEYS.get(table, "")]
        replaced = f"replace ({', '.join(coded)})" if coded else ""
        kind = "view" if table in query.SLICED else "table"
        store.execute(f"create {kind} {table} as select * {replaced} from {file}")
    known = store.query("select unnest(enum_range(null::code))::varchar as v")["v"]
    return known, {dim: tuple(sorted(some, key=natural)) for dim, some in values.items()}
