"""An open demo release in; the course that it took so far, signed by a fictional reviewer, beside its manifest, out.

Every record is made as a real one is: the evidence is that of the as-of time at which it is dated, the same rules refuse it,
and the records are chained. They are written into the demo's own folder and into no ledger.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from release_core import ledger, review
from release_core.demo.fraud.plan import ORIGIN
from release_core.evidence import evidence
from release_core.ledger.brought import FILE, brought, text
from release_core.release import Stage

if TYPE_CHECKING:
    from release_core.ledger import Needs, Record
    from release_core.library import Opened

SIGNER, SECOND, DRILLER = "R. Example (demo)", "M. Sample (demo)", "J. Specimen (demo)"
ANALYST, MANAGER = "risk_analyst", "release_manager"
# Evidence is read in the evening, and signed on the next morning.
MORNING = timedelta(hours=9)
WAIVED = timedelta(days=60)
GO, CONDITIONAL, NO_GO = ledger.DECISIONS
MEANINGS = {GO: "approved", CONDITIONAL: "risk_accepted", NO_GO: "rejected"}


@dataclass(frozen=True, slots=True)
class Signed:
    """One decision: at which stage, on evidence of which day from the first event, by whom, and why.

    `override` is why a go was given against the verdict; without it a go that the verdict refuses is not signed.
    """

    stage: str
    day: float
    role: str
    reason: str
    decision: str = GO
    override: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One rehearsed rollback: at which stage, on which day from the first event, and how many minutes it took."""

    stage: str
    day: float
    minutes: float


def _usual(why: str) -> tuple[Signed | Rehearsed, ...]:
    """Return the course through replay, shadow and canary of a release that nothing speaks against."""
    return (
        Signed("replay", 77, ANALYST, f"Labels of the replay are mature. {why}"),
        Signed("shadow", 84, ANALYST, "A week of shadow: parity, latency and cost as planned; its labels come in May."),
        Rehearsed("canary", 85.5, 4.0),
        Signed(
            "canary", 91, MANAGER, "Three ramp steps without an alarm, the queue has room, the way back was rehearsed."
        ),
    )


COURSES: dict[str, tuple[Signed | Rehearsed, ...]] = {
    "fraud-model": (
        Signed(
            "replay",
            77,
            ANALYST,
            "AUC and recall rise on all events together. Recall in one market falls.",
            override="The market is a tenth of the events; it is watched in the canary, and its loss is borne until then.",
        ),
        Signed("shadow", 84, ANALYST, "A week of shadow: parity, latency and cost as planned; its labels come in May."),
        Rehearsed("canary", 85.5, 6.0),
    ),
    "fraud-threshold": _usual("The same events are alerted, fewer of them blocked."),
    "fraud-policy": (
        *_usual("Only new customers on the list are decided otherwise."),
        Signed(
            "ab", 105, MANAGER, "More new customers convert, and nothing else moves. Chargebacks are not known yet."
        ),
    ),
    "fraud-recalibration": (
        *_usual("No rank and no action changes."),
        Signed("ab", 154, MANAGER, "Labels and chargebacks of the A/B test are mature: nothing moves."),
    ),
    "fraud-mixed": (
        Signed("replay", 77, ANALYST, "Three components changed at once: split it, as proposed.", decision=NO_GO),
    ),
}


def current(opened: Opened) -> bool:
    """Return whether what stands beside the manifest was signed for this manifest on these logs; True for other releases."""
    if opened.release.id not in COURSES:
        return True
    signed = [record.content for record in brought(opened.release) if record.type == "sign_off"]
    now = (opened.release.manifest_hash, opened.cube.fingerprint)
    return bool(signed) and all((one["manifest_hash"], one["data_fingerprint"]) == now for one in signed)


def write(opened: Opened) -> list[Record]:
    """Write the course of a demo release beside its manifest, in place of what stands there, and return its records.

    The course ends before the first decision that the verdict does not allow, as it may be in a demo of another size.
    """
    path = opened.release.folder / FILE
    path.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        records = _records(opened, Path(folder) / "ledger.sqlite")
        draft = path.with_suffix(".draft")
        draft.write_text(text(records), encoding="utf-8")
        os.replace(draft, path)  # noqa: PTH105 - atomically, over what may be there
    return records


def _records(opened: Opened, file: Path) -> list[Record]:
    book = ledger.Ledger(file, lambda: moment[0])
    moment = [ORIGIN]
    for one in COURSES[opened.release.id]:
        moment[0] = ORIGIN + timedelta(days=one.day) + MORNING
        if isinstance(one, Rehearsed):
            drill = ledger.Drill(moment[0].isoformat(), one.minutes, DRILLER, "rehearsed on the canary's traffic")
            moment[0] += timedelta(minutes=one.minutes)
            ledger.record_drill(book, opened.release.id, drill, one.stage)
        elif not _sign(opened, book, one):
            break
    return book.records()


def _sign(opened: Opened, book: ledger.Ledger, one: Signed) -> bool:
    """Sign one decision as its verdict allows it; return whether it did."""
    step = _step(opened, one.day)
    if one.stage not in opened.cube.stages() or step is None:
        return False
    seen = evidence(review.review(opened, Stage(one.stage), step))
    mixed = bool(set(seen["changed"]) - {opened.release.kind.component})
    needs = {need.decision: need for need in ledger.allowed(_verdict(seen), mixed, seen["gates"])}
    chosen = needs[one.decision]
    if one.decision == GO and chosen.override and not one.override:
        chosen = needs[CONDITIONAL]
    if not chosen.possible or (chosen.override and not one.override):
        return False
    ledger.sign(book, opened.release, seen, _request(one, chosen, seen, book.clock()))
    return True


def _verdict(seen: dict[str, Any]) -> Any:  # noqa: ANN401 - a Verdict
    return ledger.read_verdict(seen["verdict"])


def _step(opened: Opened, day: float) -> int | None:
    """Return the last as-of step that ends by a day; None where there is none."""
    by = ORIGIN.astimezone(UTC) + timedelta(days=day)
    return max((step for step in opened.cube.steps if opened.cube.end(step) <= by), default=None)


def _request(one: Signed, needs: Needs, seen: dict[str, Any], now: datetime) -> ledger.SignOffRequest:
    until = str((now + WAIVED).date())
    return ledger.SignOffRequest(
        needs.decision,
        one.reason,
        SIGNER,
        ledger.evidence_hash(seen),
        MEANINGS[needs.decision],
        one.role,
        tuple(ledger.Acceptance(gate, "Within the margin.") for gate in needs.acceptances),
        tuple(ledger.Waiver(gate, SIGNER, until, "Labels are still to come.") for gate in needs.waivers),
        ledger.Override(one.override, SECOND) if needs.override else None,
    )
