"""Takes a requested signature with everything it must agree with and gives every reason to refuse it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from release_core.errors import Problem
from release_core.ledger.decisions import DECISIONS, PERMITTING
from release_core.ledger.signature import same_person

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from release_core.ledger.chain import Check
    from release_core.ledger.decisions import Needs
    from release_core.ledger.in_force import Opening
    from release_core.ledger.signature import SignOffRequest, Waiver
    from release_core.release import Release

TEXT_LIMIT = 4000
NAME_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Signing:
    """One request in its surroundings: what was seen, what the verdict asks for, the chain's state and the time."""

    release: Release
    request: SignOffRequest
    seen: Mapping[str, object]
    seen_hash: str
    needs: Mapping[str, Needs]
    chain: Check
    opening: Opening
    now: datetime

    @property
    def permits(self) -> bool:
        """Return whether the request asks to go on."""
        return self.request.decision in PERMITTING


def refusals(signing: Signing) -> tuple[Problem, ...]:
    """Return every reason to refuse the request; none means that it may be recorded."""
    found = [*_wording(signing.request), *_words_known(signing), *_evidence(signing), *_freeze(signing)]
    if signing.permits:
        found += [*_chain(signing), *_opened(signing), *_signer(signing), *_decision(signing)]
    return tuple(found)


def text_problems(where: str, text: str, limit: int = TEXT_LIMIT) -> Iterator[Problem]:
    """Yield what is wrong with a text that must be there and must fit `limit` characters."""
    if not text.strip():
        yield Problem(where, "nothing", "some text", f"Fill in the {where}.")
    if len(text) > limit:
        yield Problem(where, f"{len(text)} characters", f"at most {limit}", "Shorten it, or link to a document.")


def _wording(request: SignOffRequest) -> Iterator[Problem]:
    yield from text_problems("signer", request.signer, NAME_LIMIT)
    yield from text_problems("reason", request.reason)
    if len(request.role) > NAME_LIMIT:
        yield from text_problems("role", request.role, NAME_LIMIT)
    for acceptance in request.acceptances:
        yield from text_problems(f"acceptance of {acceptance.gate}", acceptance.note)


def _words_known(signing: Signing) -> Iterator[Problem]:
    request, meanings = signing.request, signing.release.signoff.meanings
    if request.decision not in DECISIONS:
        yield Problem("decision", request.decision or "nothing", ", ".join(DECISIONS), "Choose one of them.")
    if request.meaning not in meanings:
        yield Problem("meaning", request.meaning or "nothing", ", ".join(meanings), "Choose one of them.")


def _evidence(signing: Signing) -> Iterator[Problem]:
    reload = "Open the sign-off again and read the numbers as they are now."
    if signing.request.evidence_hash != signing.seen_hash:
        yield Problem(
            "evidence",
            f"the hash {signing.request.evidence_hash[:12] or 'nothing'} of what was on screen",
            f"the hash {signing.seen_hash[:12]} of the evidence as it is now",
            reload,
        )
    for key, declared in (("release", signing.release.id), ("manifest_hash", signing.release.manifest_hash)):
        if signing.seen[key] != declared:
            yield Problem(f"evidence {key}", str(signing.seen[key])[:64], declared, reload)


def _freeze(signing: Signing) -> Iterator[Problem]:
    today, decision = signing.now.date(), signing.request.decision
    for freeze in signing.release.freezes:
        if freeze.start <= today <= freeze.end and decision not in freeze.allow:
            yield Problem(
                "freeze",
                f"{decision} on {today}",
                f"only {', '.join(freeze.allow) or 'a rollback'} from {freeze.start} to {freeze.end}",
                "Wait until the freeze is over.",
            )


def _chain(signing: Signing) -> Iterator[Problem]:
    if not signing.chain.ok:
        yield Problem("ledger", signing.chain.reason, "an unbroken chain", "Restore the ledger before a go is signed.")


def _opened(signing: Signing) -> Iterator[Problem]:
    if not signing.opening.open:
        before = signing.opening.before
        yield Problem(
            f"stage {signing.seen['stage']}",
            f"no go at {before}: {signing.opening.reason}",
            f"a signed go at {before}, since a stage opens only after the one before",
            f"Sign {before} first.",
        )


def _signer(signing: Signing) -> Iterator[Problem]:
    rules, request, owner = signing.release.signoff, signing.request, signing.release.owner
    second = (request.override.second or "") if request.override else ""
    if not rules.author_may_sign and owner:
        for where, name in (("signer", request.signer), ("second signer", second)):
            if name and same_person(name, owner):
                required = "somebody who did not prepare the release"
                yield Problem(where, f"{name}, its owner", required, "Ask another person to sign.")
    approvers = _approvers(signing)
    if approvers and request.role not in approvers:
        yield Problem("role", request.role or "nothing", ", ".join(approvers), "Ask somebody in this role to sign.")


def _approvers(signing: Signing) -> tuple[str, ...]:
    """Return the roles that may sign: those of the stage, and those of an override where one is used."""
    stage = next((plan for plan in signing.release.stages if plan.name == signing.seen["stage"]), None)
    approve = stage.approve if stage else ()
    return (*approve, *signing.release.signoff.override_roles) if approve and signing.request.override else approve


def _decision(signing: Signing) -> Iterator[Problem]:
    request, needs = signing.request, signing.needs[signing.request.decision]
    if not needs.possible:
        yield Problem("decision", request.decision, "a decision that the verdict allows", needs.why)
        return
    yield from _acceptances(request, needs)
    yield from _waivers(signing, needs)
    yield from _override(signing, needs)


def _acceptances(request: SignOffRequest, needs: Needs) -> Iterator[Problem]:
    accepted = {acceptance.gate for acceptance in request.acceptances}
    for gate in needs.acceptances:
        if gate not in accepted:
            yield Problem(f"gate {gate}", "no acceptance", "an acceptance by name with a note", needs.why)


def _waivers(signing: Signing, needs: Needs) -> Iterator[Problem]:
    waived = {waiver.gate for waiver in signing.request.waivers}
    for gate in needs.waivers:
        if gate not in waived:
            yield Problem(f"gate {gate}", "no waiver", "a waiver with an owner and an expiry", needs.why)
    for waiver in signing.request.waivers:
        yield from text_problems(f"owner of the waiver for {waiver.gate}", waiver.owner, NAME_LIMIT)
        yield from _expiry(waiver, signing.now.date())
        if len(waiver.note) > TEXT_LIMIT:
            yield from text_problems(f"note of the waiver for {waiver.gate}", waiver.note)


def _expiry(waiver: Waiver, today: date) -> Iterator[Problem]:
    where, remedy = f"expiry of the waiver for {waiver.gate}", "Give the last day on which the waiver holds."
    try:
        expires = date.fromisoformat(waiver.expires)
    except ValueError:
        yield Problem(where, waiver.expires or "nothing", "a date such as 2026-01-31", remedy)
        return
    if expires < today:
        yield Problem(where, waiver.expires, f"{today} or later", remedy)


def _override(signing: Signing, needs: Needs) -> Iterator[Problem]:
    override, rules, signer = signing.request.override, signing.release.signoff, signing.request.signer
    if not needs.override:
        if override is not None:
            yield Problem("override", "an override", "none: the verdict allows the decision", "Remove the override.")
        return
    if override is None:
        yield Problem("override", "no override", "a reason for going against the verdict", needs.why)
        return
    length = len(override.reason.strip())
    if not rules.override_reason_min_chars <= length <= TEXT_LIMIT or not length:
        required = f"{max(1, rules.override_reason_min_chars)} to {TEXT_LIMIT} characters"
        yield Problem("override reason", f"{length} characters", required, "Say why the verdict does not stand.")
    second = override.second or ""
    if rules.override_second and (not second.strip() or same_person(second, signer)):
        yield Problem("override second signer", second or "nobody", "another person's name", "Ask a second person.")
    roles = rules.override_roles
    if roles and not {signing.request.role, override.second_role} & set(roles):
        found = signing.request.role or "no role"
        yield Problem("override role", found, " or ".join(roles), "Ask somebody in this role to sign.")
