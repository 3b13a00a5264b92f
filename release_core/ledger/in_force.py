"""Takes ledger records and says what they amount to: which decision stands, and how often was it tried on the same data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from release_core.ledger.decisions import NO_GO
from release_core.ledger.signature import SignOff, distinct_people
from release_core.release import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.ledger.chain import Record
    from release_core.release import Release


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at a stage: the latest decision (go, conditional_go, no_go, rollback, None), and if it is in force.

    `go` is True when the stage may be left; `signers` are those whose go is in force; `reason` is a sentence.
    """

    decision: str | None
    go: bool
    signers: tuple[str, ...]
    record: Record | None
    reason: str


def go_signed(
    records: Sequence[Record],
    release: str,
    stage: str,
    manifest_hash: str,
    *,
    distinct: int = 1,
    now: datetime | None = None,
) -> bool:
    """Return whether the latest decision of the stage is a go in force, signed by `distinct` people."""
    return standing(records, release, stage, manifest_hash, distinct=distinct, now=now).go


def standing(
    records: Sequence[Record],
    release: str,
    stage: str,
    manifest_hash: str,
    *,
    distinct: int = 1,
    now: datetime | None = None,
) -> Standing:
    """Return what stands at the stage at `now` (None: the present) under the manifest with this hash.

    Signatures count from the last no-go or rollback on, while they have not expired and were given
    for this very manifest. Raises ChainBroken for a record whose payload cannot be read.
    """
    now = now or datetime.now(UTC)
    last = next((record for record in reversed(records) if _decides(record, release, stage)), None)
    if last is None:
        return Standing(None, go=False, signers=(), record=None, reason="Nobody has decided yet.")
    decision, ended = _ended(last, manifest_hash, now)
    if ended:
        return Standing(decision, go=False, signers=(), record=last, reason=ended)
    valid = signatures_since_stop(records, release, stage, now)
    signers = distinct_people(tuple(s.signer for _, s in valid if s.manifest_hash == manifest_hash))
    names = ", ".join(signers)
    if len(signers) < distinct:
        reason = f"Signed by {names}; {distinct - len(signers)} more signature(s) needed."
        return Standing(decision, go=False, signers=signers, record=last, reason=reason)
    return Standing(decision, go=True, signers=signers, record=last, reason=f"Signed by {names}.")


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether a stage is open: the planned stage before it (None: it is the first) has a signed go; `reason` in words."""

    open: bool
    before: str | None
    reason: str


def opening(records: Sequence[Record], release: Release, stage: str) -> Opening:
    """Return whether the stage is open: the last decision at the planned stage before it is a go by enough people.

    That go opens the stage for good: it is no matter whether its evidence has expired since, but a no-go, a rollback
    or an edited manifest closes the stage again. A stage that the manifest does not plan is as open as the first.
    """
    planned = [str(plan.name) for plan in sorted(release.stages, key=lambda plan: list(Stage).index(plan.name))]
    place = planned.index(stage) if stage in planned else 0
    if not place:
        return Opening(open=True, before=None, reason="It is the first stage.")
    before = planned[place - 1]
    last = next((record for record in reversed(records) if _decides(record, release.id, before)), None)
    then = None if last is None else datetime.fromisoformat(last.at)
    found = standing(
        records, release.id, before, release.manifest_hash, distinct=max(release.signoff.distinct, 1), now=then
    )
    return Opening(found.go, before, found.reason)


def signatures_since_stop(
    records: Sequence[Record], release: str, stage: str, now: datetime
) -> list[tuple[Record, SignOff]]:
    """Return the unexpired signatures of the stage from its last change of mind on.

    A go counts from the last no-go or rollback on, a no-go from the last go or rollback on.
    """
    found: list[tuple[Record, SignOff]] = []
    for record in reversed([record for record in records if _decides(record, release, stage)]):
        if record.type == "rollback":
            break
        signature = SignOff.read(record)
        if found and (signature.decision == NO_GO) != (found[0][1].decision == NO_GO):
            break
        if not _expired(signature, now):
            found.append((record, signature))
    return found[::-1]


def attempt(records: Sequence[Record], release: Release, stage: str, fingerprint: str) -> int:
    """Return which attempt at a stage's decision on the same data this manifest is; the first is 1.

    Every other manifest of the release that was decided on at this stage, on data with this fingerprint, is one before.
    """
    decided = [SignOff.read(r) for r in records if r.type == "sign_off" and _decides(r, release.id, stage)]
    tried = {one.manifest_hash for one in decided if one.data_fingerprint == fingerprint}
    return len(tried | {release.manifest_hash})


def _decides(record: Record, release: str, stage: str) -> bool:
    return record.release == release and record.stage == stage and record.type in {"sign_off", "rollback"}


def _ended(record: Record, manifest_hash: str, now: datetime) -> tuple[str, str]:
    """Return the decision of a record and why it is no go in force; an empty reason if it is one."""
    if record.type == "rollback":
        return "rollback", "Rolled back."
    signature = SignOff.read(record)
    reason = ""
    if signature.decision == NO_GO:
        reason = f"No-go by {signature.signer}."
    elif signature.manifest_hash != manifest_hash:
        reason = "The manifest was edited after the signature, which is void."
    elif _expired(signature, now):
        reason = f"The signature expired at {str(signature.expires)[:16].replace('T', ' ')} UTC."
    return signature.decision, reason


def _expired(signature: SignOff, now: datetime) -> bool:
    return signature.expires is not None and datetime.fromisoformat(signature.expires) <= now
