"""A review in, the evidence out that `check` prints and a sign-off stores: one plain map, the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from release_core import ledger

if TYPE_CHECKING:
    from release_core.frames import GateRow
    from release_core.review import Review

COUNTS = ("read", "accepted", "quarantined", "pending")


def evidence(review: Review) -> dict[str, Any]:
    """Return the review in plain JSON values, under the names that DESIGN.md section 8 gives them.

    Numbers are rounded to 12 significant digits; what is not known is null.
    """
    release, logs = review.release, review.facts["logs"]
    told = {
        "release": release.id,
        "kind": str(release.kind),
        "changed": [component for component, _ in review.changed],
        "stage": str(review.stage),
        "as_of": review.as_of.isoformat().replace("+00:00", "Z"),
        "verdict": review.verdict.name,
        "manifest_hash": release.manifest_hash,
        "data_fingerprint": review.fingerprint,
        "rows": _totals([report for reports in logs.values() for report in reports]),
        "logs": {log: _log(reports) for log, reports in logs.items()},
        "gates": [gate(row) for row in review.rows],
    }
    return ledger.evidence(told)


def _totals(reports: list[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(report[name] for report in reports) for name in COUNTS}


def _log(reports: list[dict[str, Any]]) -> dict[str, Any]:
    reasons: dict[str, int] = {}
    for report in reports:
        for rule, n in report["reasons"].items():
            reasons[rule] = reasons.get(rule, 0) + n
    rejected = [f"{report['file']}: {report['rejected']['found']}" for report in reports if report["rejected"]]
    return _totals(reports) | {"files": len(reports), "rejected": rejected, "reasons": reasons}


def gate(row: GateRow) -> dict[str, Any]:
    """Return a verdict row in plain values."""
    return {
        "id": row.gate,
        "metric": row.metric,
        "comparison": row.comparison,
        "level": row.level,
        "scope": row.scope,
        "segment": dict(row.segment),
        "verdict": row.verdict.name,
        "counts": row.counts,
        "baseline": row.baseline,
        "candidate": row.candidate,
        "difference": row.difference,
        "low": row.low,
        "high": row.high,
        "low_adjusted": row.low_adjusted,
        "high_adjusted": row.high_adjusted,
        "confidence": row.confidence,
        "method": row.method,
        "n": row.n,
        "positives": row.positives,
        "margin": row.margin,
        "unseen": row.unseen,
        "unseen_low": row.unseen_low,
        "unseen_high": row.unseen_high,
        "sentence": row.sentence,
    }
