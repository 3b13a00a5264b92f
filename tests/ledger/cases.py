"""A release, its evidence, a request to sign it, and a clock that can be set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from release_core.ledger import SignOffRequest, evidence_hash
from release_core.release import Bundle, Kind, LabelRules, Release, Rollback, SignOffRules, Source

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **length: float) -> None:
        self.now += timedelta(**length)


def a_release(**changes: Any) -> Release:
    declared = Release(
        id="credit-model",
        kind=Kind.MODEL,
        title="",
        baseline=Bundle("m1", "c1", "t1", "p1"),
        candidate=Bundle("m2", "c1", "t1", "p1"),
        rollback=Rollback("m1", "point the alias back"),
        labels=LabelRules(()),
        decisions=Source("decisions"),
        outcomes=None,
        runtime=None,
        tables={},
        policies={},
        gates=(),
        folder=Path(),
        manifest_hash="a" * 64,
        owner="O. Wner",
        signoff=SignOffRules(),
    )
    return replace(declared, **changes)


def gate(name: str, verdict: str, level: str = "stop", **numbers: float) -> dict[str, Any]:
    return {"id": name, "verdict": verdict, "level": level, "segment": {}, **numbers}


def seen(verdict: str = "PASS", *gates: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "release": "credit-model",
        "stage": "replay",
        "as_of": "2026-05-31T00:00:00",
        "verdict": verdict,
        "manifest_hash": "a" * 64,
        "data_fingerprint": "d" * 64,
        "changed": ["model"],
        "gates": list(gates) or [gate("recall", verdict, difference=-0.0561, low=-0.0789)],
        **changes,
    }


def ask(evidence: dict[str, Any], decision: str = "go", **changes: Any) -> SignOffRequest:
    plain = {"reason": "The numbers hold.", "signer": "A. Lee", "evidence_hash": evidence_hash(evidence)}
    return SignOffRequest(decision=decision, **{**plain, **changes})
