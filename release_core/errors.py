"""Everything that can go wrong and be explained, and how it is put into words.

ReleaseReviewError
├── ManifestError        the manifest cannot be used; carries every problem found
├── SourceError          a log cannot be found or read at all
│   └── LimitReached     a query ran out of its memory or its time; the log itself may be sound
├── NotFound             a release, stage, segment or metric that does not exist
├── Unanswerable         a fair question that the cube cannot answer, with the reason
└── LedgerError          a record cannot be written or the chain does not hold
    ├── SignOffRefused   the rules do not allow this decision
    └── ChainBroken      a stored record does not match its hash
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in four parts: where, what was found, what is required, what to do."""

    where: str
    found: str
    required: str
    remedy: str

    def __str__(self) -> str:
        """Return the problem as one line."""
        return f"{self.where}: found {self.found}; required: {self.required}. {self.remedy}"


class ReleaseReviewError(Exception):
    """Base of every error that is shown to the user in words; `problems` is never empty."""

    def __init__(self, *problems: Problem | str) -> None:
        """Keep the problems; a plain string is a complete sentence already."""
        self.problems: tuple[Problem | str, ...] = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class ManifestError(ReleaseReviewError):
    """The manifest cannot be used; carries every problem found."""


class SourceError(ReleaseReviewError):
    """A log cannot be found or read at all."""


class LimitReached(SourceError):
    """A query ran out of its memory or its time; the log itself may be sound."""


class NotFound(ReleaseReviewError):
    """A release, stage, segment or metric that does not exist."""


class Unanswerable(ReleaseReviewError):
    """A fair question that the cube cannot answer, with the reason."""


class LedgerError(ReleaseReviewError):
    """A record cannot be written or the chain does not hold."""


class SignOffRefused(LedgerError):
    """The rules do not allow this decision."""


class ChainBroken(LedgerError):
    """A stored record does not match its hash."""
