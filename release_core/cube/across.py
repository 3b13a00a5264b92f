"""All parts in, what only all files together tell out: duplicates, early and pending outcomes, reversals, extent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from release_core.cube import steps
from release_core.cube.files import digest, replace_text, text
from release_core.cube.parts import FORMAT, Part
from release_core.release import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from release_core.release import Release
    from release_core.store import Cursor, Store

NO_OUTCOMES = (
    "select 0 as part, 0::bigint as row, '' as event_id, '' as outcome, '' as value, "
    "null::timestamp as observed_at where false"
)


def across(release: Release, store: Store, parts: dict[str, list[Part]], cache: Path) -> dict[str, Any]:
    """Return duplicates, early, pending and touching outcomes by part number, reversals, and the first and last step."""
    kept = (
        cache
        / f"across-{digest(FORMAT, release.kind, [p.key for log in ('decisions', 'outcomes') for p in parts[log]])}.json"
    )
    if not kept.exists():
        with store.cursor() as cursor:
            _load(cursor, parts)
            ranked = reversals(cursor) if release.kind is Kind.RECALIBRATION else {"reversals": None}
            answer = _duplicates(cursor) | _fates(cursor) | ranked | _extent(release, cursor)
        replace_text(kept, json.dumps(answer))
    return dict(json.loads(kept.read_text(encoding="utf-8")))


def _load(cursor: Cursor, parts: dict[str, list[Part]]) -> None:
    """Make the views `e` (all events) and `o` (all outcomes), each row with the number of its part."""
    for name, log, columns in (
        ("e", "decisions", "row, event_id, stage, event_time, baseline_risk, candidate_risk, both_scored, clustered"),
        ("o", "outcomes", "row, event_id, outcome, value, observed_at"),
    ):
        rows = [
            f"select {number} as part, {columns} from read_parquet({text(part.good)})"
            for number, part in enumerate(parts[log])
            if part.good
        ]
        cursor.execute(f"create or replace temp view {name} as {' union all '.join(rows) or NO_OUTCOMES}")


def _duplicates(cursor: Cursor) -> dict[str, Any]:
    """Return the rows that repeat an event of a file whose path sorts first, by part number."""
    found = cursor.rows(
        """
        with doubled as (select hash(stage, event_id) as h from e group by 1 having count(*) > 1),
        ranked as (
            select part, row, row_number() over (partition by stage, event_id order by part, row) as place
            from e where hash(stage, event_id) in (select h from doubled)
        )
        select part, list(row order by row) as rows from ranked where place > 1 group by part
        """
    )
    return {"duplicates": {str(row["part"]): row["rows"] for row in found}}


def _fates(cursor: Cursor) -> dict[str, Any]:
    """Return early outcomes by outcomes part, the number still pending, and a digest of what touches each decisions part."""
    cursor.execute(
        """
        create or replace temp table fate as
        select o.part, o.row, min(e.event_time) as first_event, any_value(o.observed_at) as observed_at
        from o left join e on e.event_id = o.event_id group by all
        """
    )
    early = cursor.rows(
        "select part, list(row order by row) as rows from fate where observed_at < first_event group by part"
    )
    pending = cursor.rows("select part, count(*) as n from fate where first_event is null group by part")
    touched = cursor.rows(
        """
        select e.part, count(*) as n, sum(hash(o.event_id, o.outcome, o.value, o.observed_at)) as mark
        from e join o on o.event_id = e.event_id group by e.part
        """
    )
    return {
        "early": {str(row["part"]): row["rows"] for row in early},
        "pending": {str(row["part"]): row["n"] for row in pending},
        "touched": {str(row["part"]): f"{row['n']}-{row['mark']}" for row in touched},
    }


def reversals(cursor: Cursor) -> dict[str, Any]:
    """Return how many events of `e` the candidate ranks below one that the baseline ranks lower."""
    row = cursor.rows(
        """
        with grouped as (
            select baseline_risk, min(candidate_risk) as least, max(candidate_risk) as most, count(*) as n
            from e where both_scored group by baseline_risk
        ),
        seen as (
            select *, max(most) over (
                order by baseline_risk rows between unbounded preceding and 1 preceding
            ) as before from grouped
        )
        select coalesce(sum(n) filter (where least < before), 0)::bigint as reversed,
            coalesce(sum(n), 0)::bigint as n,
            coalesce((select count(*) - count(distinct least) from grouped), 0)::bigint as tied
        from seen
        """
    )[0]
    return {"reversals": row}


def _extent(release: Release, cursor: Cursor) -> dict[str, Any]:
    """Return the first step with an event and the last with an event or an outcome."""
    unit = steps.unit_of(release.labels.steps)
    row = cursor.rows(
        f"""
        select min({steps.sql(unit, "event_time")}) as first,
            greatest(max({steps.sql(unit, "event_time")}), (select max({steps.sql(unit, "observed_at")}) from o)) as last,
            bool_or(clustered) as clustered
        from e
        """
    )[0]
    return dict(row)
