"""Takes a release, the evidence and a request, and gives the record of the decision, or every reason to refuse it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from release_core.errors import LedgerError, Problem, SignOffRefused
from release_core.ledger import canonical
from release_core.ledger.brought import known
from release_core.ledger.decisions import NO_GO, allowed, read_verdict
from release_core.ledger.in_force import attempt, opening, signatures_since_stop
from release_core.ledger.refusals import NAME_LIMIT, Signing, refusals, text_problems
from release_core.ledger.signature import SignOff, SignOffRequest, same_person

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from release_core.ledger.book import Ledger
    from release_core.ledger.chain import Record
    from release_core.release import Release

T = TypeVar("T")
REQUIRED = ("release", "stage", "as_of", "verdict", "manifest_hash", "data_fingerprint", "changed", "gates")


def sign(ledger: Ledger, release: Release, evidence: Mapping[str, object], request: SignOffRequest) -> Record:
    """Append the decision and return its record; nothing that a page has checked is trusted.

    `evidence` is the answer of a check as it is now: release, stage, as_of, verdict, manifest_hash,
    data_fingerprint, changed (components that differ) and gates, and whatever else was shown.
    Raises SignOffRefused with every problem at once, LedgerError if the evidence is not usable.
    """
    seen = canonical.evidence(evidence)
    _require(seen)
    now = ledger.clock().astimezone(UTC)
    found = refusals(_signing(ledger, release, seen, request, now))
    if found:
        raise SignOffRefused(*found)
    signature = _signature(release, seen, request, now)
    return ledger.append(
        "sign_off",
        release.id,
        signature.stage,
        signature.payload(),
        unless=lambda records: _refuse_repetition(records, signature, now),
    )


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """What is recorded of a rollback: where it happened, why, and who ordered it."""

    stage: str
    reason: str
    signer: str
    role: str = ""


def roll_back(ledger: Ledger, release: Release, request: RollbackRequest) -> Record:
    """Append a rollback to the release's rollback point; no verdict, freeze or broken chain stops it.

    Raises SignOffRefused where the reason or the signer is missing.
    """
    found = (*text_problems("signer", request.signer, NAME_LIMIT), *text_problems("reason", request.reason))
    if found:
        raise SignOffRefused(*found)
    payload = {
        "reason": request.reason.strip(),
        "signer": request.signer.strip(),
        "role": request.role,
        "meaning": "rolled_back",
        "target": release.rollback.target,
        "how": release.rollback.how,
        "manifest_hash": release.manifest_hash,
        "code_version": code_version(),
    }
    return ledger.append("rollback", release.id, request.stage, payload)


@cache
def code_version() -> str:
    """Return 16 hexadecimal digits that name the source text of the package that judged and recorded."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.suffix in {".py", ".sql"}):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _require(seen: Mapping[str, object]) -> None:
    missing = [key for key in REQUIRED if seen.get(key) is None]
    if missing:
        remedy = "Sign the answer of a check, unshortened."
        raise LedgerError(Problem("evidence", f"no {', '.join(missing)}", ", ".join(REQUIRED), remedy))


def _listed(seen: Mapping[str, object], key: str, form: type[T]) -> list[T]:
    """Return a list of the evidence; raises LedgerError if it holds anything but `form`."""
    found = seen[key]
    if isinstance(found, list) and all(isinstance(entry, form) for entry in found):
        return found
    what = "names of components" if form is str else "maps"
    raise LedgerError(Problem(f"evidence {key}", str(found)[:80], f"a list of {what}", "Sign the answer of a check."))


def _signing(
    ledger: Ledger, release: Release, seen: Mapping[str, object], request: SignOffRequest, now: datetime
) -> Signing:
    """Return the request with what the verdict, the chain and the clock say about it."""
    changed, gates = _listed(seen, "changed", str), _listed(seen, "gates", dict)
    mixed = bool(set(changed) - {release.kind.component})
    records = known(ledger, release)
    tried = attempt(records, release, str(seen["stage"]), str(seen["data_fingerprint"]))
    opened = opening(records, release, str(seen["stage"]))
    needs = {need.decision: need for need in allowed(read_verdict(seen["verdict"]), mixed, gates, tried)}
    return Signing(release, request, seen, canonical.evidence_hash(seen), needs, ledger.verify(), opened, now)


def _signature(release: Release, seen: Mapping[str, object], request: SignOffRequest, now: datetime) -> SignOff:
    return SignOff(
        release=release.id,
        stage=str(seen["stage"]),
        decision=request.decision,
        reason=request.reason.strip(),
        signer=request.signer.strip(),
        role=request.role,
        meaning=request.meaning,
        as_of=str(seen["as_of"]),
        verdict=read_verdict(seen["verdict"]).name,
        manifest_hash=release.manifest_hash,
        data_fingerprint=str(seen["data_fingerprint"]),
        evidence=seen,
        evidence_hash=canonical.evidence_hash(seen),
        acceptances=request.acceptances,
        waivers=request.waivers,
        override=request.override,
        code_version=code_version(),
        expires=_expires(release, str(seen["stage"]), request, now),
    )


def _expires(release: Release, stage: str, request: SignOffRequest, now: datetime) -> str | None:
    """Return the earliest end of the evidence, the override and the waivers; None if nothing ends or for a no-go."""
    if request.decision == NO_GO:
        return None
    plan = next((plan for plan in release.stages if plan.name == stage), None)
    hours = [plan.evidence_ttl_hours if plan else None]
    hours += [release.signoff.override_expires_hours if request.override else None]
    ends = [now + timedelta(hours=length) for length in hours if length is not None]
    ends += [_end_of_day(waiver.expires) for waiver in request.waivers]
    return min(ends).isoformat(timespec="microseconds") if ends else None


def _end_of_day(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day) + timedelta(days=1), clock_time.min, UTC)


def _refuse_repetition(records: Sequence[Record], signature: SignOff, now: datetime) -> None:
    """Refuse what the same person already decided on the same evidence, such as a button pressed twice."""
    for record, earlier in signatures_since_stop(records, signature.release, signature.stage, now):
        same = (earlier.decision, earlier.evidence_hash) == (signature.decision, signature.evidence_hash)
        if same and same_person(earlier.signer, signature.signer):
            found = f"{earlier.signer} in record {record.seq}, with the same decision on the same evidence"
            remedy = "The decision stands; a further signature must come from another person."
            raise SignOffRefused(Problem("signer", found, "a person who has not signed this yet", remedy))
