"""Takes what a signer asks for and gives the frozen forms in which a decision is requested and recorded."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from release_core.ledger.canonical import evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_core.ledger.chain import Record


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A named gate that is worse within its margin, accepted with a note."""

    gate: str
    note: str


@dataclass(frozen=True, slots=True)
class Waiver:
    """A gate that is not decided yet: who answers for it, and until the end of which UTC day (ISO date)."""

    gate: str
    owner: str
    expires: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Override:
    """A go against the verdict: why, and who else stands for it in which role."""

    reason: str
    second: str | None = None
    second_role: str | None = None


@dataclass(frozen=True, slots=True)
class SignOffRequest:
    """What the signer asks to be recorded; `evidence_hash` is that of the evidence that was on the screen."""

    decision: str
    reason: str
    signer: str
    evidence_hash: str
    meaning: str = "approved"
    role: str = ""
    acceptances: tuple[Acceptance, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    override: Override | None = None


@dataclass(frozen=True, slots=True)
class SignOff:
    """One signature: who decided what, why, on which evidence, and until when it holds (None: no end).

    `evidence` is the canonical evidence itself, so that the record can be judged again without the logs.
    """

    release: str
    stage: str
    decision: str
    reason: str
    signer: str
    role: str
    meaning: str
    as_of: str
    verdict: str
    manifest_hash: str
    data_fingerprint: str
    evidence: Mapping[str, object]
    evidence_hash: str
    acceptances: tuple[Acceptance, ...]
    waivers: tuple[Waiver, ...]
    override: Override | None
    code_version: str
    expires: str | None = None

    @property
    def gates(self) -> list[dict[str, object]]:
        """Return the judged gates that the signer saw."""
        gates: Any = self.evidence["gates"]
        return list(gates)

    def payload(self) -> dict[str, object]:
        """Return the signature as the map that the ledger stores."""
        plain = evidence({name: getattr(self, name) for name in self.__slots__ if name != "evidence"})
        del plain["not_known"]
        return {**plain, "evidence": dict(self.evidence)}

    @classmethod
    def read(cls, record: Record) -> SignOff:
        """Return the signature that a record of type sign_off stores; raises ChainBroken if fields are missing."""
        stored: dict[str, Any] = dict(record.content)
        try:
            stored["acceptances"] = tuple(Acceptance(**entry) for entry in stored["acceptances"])
            stored["waivers"] = tuple(Waiver(**entry) for entry in stored["waivers"])
            stored["override"] = None if stored["override"] is None else Override(**stored["override"])
            return cls(**stored)
        except (KeyError, TypeError) as error:
            raise record.damage(f"a signature without its fields ({error})") from error


def same_person(one: str, other: str) -> bool:
    """Return whether two names are the same but for case, spacing and form of the letters."""
    return _folded(one) == _folded(other)


def distinct_people(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in their order, each person once."""
    return tuple({_folded(name): name for name in reversed(names)}.values())[::-1]


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
