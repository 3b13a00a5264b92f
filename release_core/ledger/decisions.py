"""Takes a stage's verdict and its judged gates and gives what each decision would need, as data for page and check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from release_core.errors import LedgerError, Problem
from release_core.release import Level, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GO = "go"
CONDITIONAL_GO = "conditional_go"
NO_GO = "no_go"
DECISIONS = (GO, CONDITIONAL_GO, NO_GO)
PERMITTING = (GO, CONDITIONAL_GO)
REPEATED = "repeated_replay"
STAGE = "stage"
FREE_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Needs:
    """What one decision needs: `acceptances` and `waivers` name gates, each once; a reason is always needed.

    `possible` is False where nothing makes the decision possible. `why` is a sentence for the page.
    """

    decision: str
    why: str
    possible: bool = True
    acceptances: tuple[str, ...] = ()
    waivers: tuple[str, ...] = ()
    override: bool = False


def allowed(
    verdict: Verdict,
    mixed: bool,  # noqa: FBT001 - the facts that decide, in the order in which they do
    gates: Sequence[Mapping[str, object]],
    attempt: int = 1,
) -> tuple[Needs, ...]:
    """Return what go, conditional_go and no_go need, in this order.

    `gates` are the judged gates of the evidence (`id`, `verdict`, `level`, `counts`); `attempt` is which
    attempt on the same data it is (see in_force); the third and later need an acceptance named `repeated_replay`. Where the
    verdict is not carried by any single gate, the name `stage` stands for it.

    >>> allowed(Verdict.MARGINAL, False, [{"id": "recall", "verdict": "MARGINAL", "level": "stop"}])[0].acceptances
    ('recall',)
    """
    repeated = (REPEATED,) if attempt > FREE_ATTEMPTS else ()
    no_go = Needs(NO_GO, "A no-go is always possible; say why.")
    if mixed:
        why = "The release changes more than one kind of component; split it."
        return (*(Needs(decision, why, possible=False) for decision in PERMITTING), no_go)
    marginal = _named(gates, {Verdict.MARGINAL})
    undecided = _named(gates, {Verdict.INCONCLUSIVE, Verdict.NODATA})
    return (_go(verdict, marginal, repeated), _conditional(verdict, marginal, undecided, repeated), no_go)


def read_verdict(word: object) -> Verdict:
    """Return the verdict that `word` names, in any case; raises LedgerError for an unknown word."""
    try:
        return word if isinstance(word, Verdict) else Verdict[str(word).upper()]
    except KeyError:
        required = ", ".join(verdict.name for verdict in Verdict)
        raise LedgerError(
            Problem("evidence verdict", repr(word), required, "Give the verdict as the gates give it.")
        ) from None


def _go(verdict: Verdict, marginal: tuple[str, ...], repeated: tuple[str, ...]) -> Needs:
    if verdict == Verdict.PASS:
        return Needs(GO, "Every gate that counts passes." + _repeats(repeated), acceptances=repeated)
    if verdict == Verdict.MARGINAL:
        why = "Worse, but within the margin: accept each such gate by name." + _repeats(repeated)
        return Needs(GO, why, acceptances=(marginal or (STAGE,)) + repeated)
    found = "A gate fails" if verdict == Verdict.FAIL else "The evidence does not decide"
    why = f"{found}: a go needs an override with a reason.{_repeats(repeated)}"
    return Needs(GO, why, acceptances=repeated, override=True)


def _conditional(
    verdict: Verdict, marginal: tuple[str, ...], undecided: tuple[str, ...], repeated: tuple[str, ...]
) -> Needs:
    if verdict in {Verdict.PASS, Verdict.MARGINAL}:
        return Needs(CONDITIONAL_GO, "Nothing is left open that a condition could cover.", possible=False)
    if verdict == Verdict.FAIL:
        why = f"A gate fails: a conditional go needs an override with a reason.{_repeats(repeated)}"
        return Needs(CONDITIONAL_GO, why, acceptances=repeated, override=True)
    why = f"Not decided yet: one waiver with an owner and an expiry for each open gate.{_repeats(repeated)}"
    return Needs(CONDITIONAL_GO, why, acceptances=marginal + repeated, waivers=undecided or (STAGE,))


def _repeats(repeated: tuple[str, ...]) -> str:
    return " These events were judged before: accept the repetition by name, or bring new events." if repeated else ""


def _named(gates: Sequence[Mapping[str, object]], verdicts: set[Verdict]) -> tuple[str, ...]:
    """Return the ids of the gates with one of `verdicts` as they count towards the stage, each once."""
    return tuple(dict.fromkeys(_id(gate) for gate in gates if _counted(gate) in verdicts))


def _id(gate: Mapping[str, object]) -> str:
    """Return the id of a judged gate; raises LedgerError if it has none."""
    if not gate.get("id"):
        found = f"a gate with {', '.join(gate) or 'nothing'}"
        raise LedgerError(Problem("evidence gates", found, "an id", "Sign the answer of a check, unshortened."))
    return str(gate["id"])


def _counted(gate: Mapping[str, object]) -> Verdict:
    """Return what a gate adds to its stage: nothing where it is only shown, at most MARGINAL where it warns."""
    verdict = read_verdict(gate.get("verdict"))
    level = gate.get("level", Level.STOP)
    if level == Level.OBSERVE or not gate.get("counts", True):
        return Verdict.PASS
    return min(verdict, Verdict.MARGINAL) if level == Level.WARN else verdict
