"""The Sign-off page: what would be signed, what each decision needs, and the one call that records it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from release_core import ledger, review
from release_core.evidence import evidence
from release_core.release import Stage
from release_core.stages import ACCOUNTS
from release_core.views.overview import early, headline
from release_core.views.view import version_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.ledger import Ledger, Needs, Record, SignOffRequest, Standing
    from release_core.views.view import View


@dataclass(frozen=True, slots=True)
class SignOffPage:
    """What the page shows. `evidence` is what would be stored, `mark` its hash; `needs` one per decision.

    `early` says that a go would come before some of its evidence.
    """

    verdict: str
    answer: str
    early: str
    facts: dict[str, str]
    evidence: dict[str, Any]
    mark: str
    needs: tuple[Needs, ...]
    open_items: list[dict[str, Any]]


def sign_off(view: View, attempt: int = 1) -> SignOffPage:
    """Return the page for a choice; the segment filter does not matter, the whole release is signed.

    `attempt` is which attempt on the same data it is (see `attempt`).
    """
    found = review.review(view.opened, view.stage, view.step)
    seen = evidence(found)
    baseline, candidate = version_ids(view.release)
    mark = ledger.evidence_hash(seen)
    return SignOffPage(
        found.verdict.name,
        headline(found.verdict, found.rows),
        early(found.rows),
        {
            "Release": view.release.id,
            "Stage": str(view.stage),
            "From": baseline,
            "To": candidate,
            "As of": view.as_of,
            "Manifest": found.release.manifest_hash[:12],
            "Data": found.fingerprint[:12],
            "Evidence": mark[:12],
            "Judged by": view.release.house.title,
            **({"Attempt": f"{attempt} on this data"} if attempt > 1 else {}),
        },
        seen,
        mark,
        ledger.allowed(found.verdict, found.mixed, seen["gates"], attempt),
        _open_items(view, seen["gates"]),
    )


def _open_items(view: View, judged: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the judged rows that count and do not pass, each with its gate's title."""
    titles = {spec.id: spec.title or spec.id for spec in view.release.gates}
    return [
        gate | {"title": titles.get(gate["id"], gate["id"])}
        for gate in judged
        if gate["counts"] and gate["level"] != "observe" and gate["verdict"] != "PASS"
    ]


def attempt(view: View, records: Sequence[Record]) -> int:
    """Return which attempt on this data the manifest is: one more for each other manifest decided on it at this stage."""
    return ledger.attempt(records, view.release, str(view.stage), view.opened.cube.fingerprint)


def standing(view: View, records: Sequence[Record]) -> Standing:
    """Return what stands at this stage now."""
    release = view.release
    return ledger.standing(
        records, release.id, str(view.stage), release.manifest_hash, distinct=max(release.signoff.distinct, 1)
    )


def opening(view: View, records: Sequence[Record]) -> str:
    """Return why the stage is not open yet, or nothing."""
    found = ledger.opening(records, view.release, str(view.stage))
    if found.open:
        return ""
    name, before = ACCOUNTS[view.stage].title, ACCOUNTS[Stage(str(found.before))].title.lower()
    return f"{name} is not open: a stage opens only after a signed go at the one before, here {before}. {found.reason}"


def record(view: View, book: Ledger, request: SignOffRequest) -> Record:
    """Sign on the evidence of this moment; refused if it is no longer the one that the request names.

    Raises:
        SignOffRefused: the rules do not allow it; carries every reason.
    """
    now = evidence(review.review(view.opened, view.stage, view.step))
    return ledger.sign(book, view.release, now, request)
