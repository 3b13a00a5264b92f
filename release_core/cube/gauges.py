"""Runtime samples in, gauge cells out: per name, stage, arm and bucket of time their number, sum, extremes and last.

Buckets are finer than the as-of steps: minutes where steps are hours, else hours. The last value is that of the latest
sample, the larger of two at the same instant; so cells of any two files add.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.cube import steps
from release_core.cube.files import copy, listed, text

if TYPE_CHECKING:
    from pathlib import Path

    from release_core.cube.parts import Part
    from release_core.store import Cursor

# Seconds of a bucket by the unit of the steps; sums are in millionths.
SECONDS = {"hour": 60}
HOUR = 3600
SCALED = 1_000_000
KEYS = "name, stage, arm, bucket"


def seconds(unit: str) -> int:
    """Return the length of a bucket in seconds."""
    return SECONDS.get(unit, HOUR)


def publish(cursor: Cursor, parts: list[Part], unit: str, cache: Path, target: Path) -> dict[str, list[str]]:
    """Write the gauge cells of all runtime parts into `target` and return the files by table; {} without samples."""
    files = []
    for part in parts:
        if part.good:
            files.append(cache / f"gauge-{part.key}.parquet")
            if not files[-1].exists():
                copy(cursor, _counted(text(part.good), unit), files[-1])
    if not files:
        return {}
    copy(cursor, _added(listed(files)), target / "gauge.parquet")
    return {"gauge": ["gauge.parquet"]}


def _counted(good: str, unit: str) -> str:
    width = seconds(unit)
    return f"""
select name, stage, arm, (floor(epoch(sampled_at) / {width})::bigint * {width}) as bucket, {steps.sql(unit, "min(sampled_at)")} as entry,
    count(*) as n, sum(round(value * {SCALED}))::bigint as total, min(value) as low, max(value) as high,
    max(epoch_us(sampled_at)) as moment, arg_max(value, (epoch_us(sampled_at), value)) as last
from read_parquet({good}) group by name, stage, arm, bucket"""


def _added(files: str) -> str:
    return f"""
select {KEYS}, min(entry) as entry, sum(n)::bigint as n, sum(total)::bigint as total, min(low) as low, max(high) as high,
    max(moment) as moment, arg_max(last, (moment, last)) as last
from read_parquet({files}) group by {KEYS} order by name, bucket"""
