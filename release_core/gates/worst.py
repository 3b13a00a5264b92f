"""Verdicts in, the worst verdict out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.release import Level, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from release_core.frames import GateRow


def counted(row: GateRow) -> Verdict | None:
    """Return what a row contributes to its stage: nothing if it is only observed, at most MARGINAL if it only warns."""
    if not row.counts or row.level == Level.OBSERVE:
        return None
    return min(row.verdict, Verdict.MARGINAL) if row.level == Level.WARN else row.verdict


def worst(rows: Iterable[GateRow]) -> Verdict:
    """Return the worst counting verdict; NODATA where nothing counts, since no evidence is never a pass."""
    return max((verdict for row in rows if (verdict := counted(row)) is not None), default=Verdict.NODATA)
