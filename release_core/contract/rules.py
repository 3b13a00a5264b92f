"""The sources of a log's columns in, the rules out that a row must keep: each a SQL condition and a short sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from release_core.contract.casts import EARLIEST, LATEST
from release_core.store import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from release_core.contract.casts import Source
    from release_core.release import Scale

NOT_OF_KIND = {"number": "not a number", "flag": "not true or false", "time": "not a time"}
# When every row of a file breaks the same one of these, the file is wrong, not its rows.
WHOLESALE = {*NOT_OF_KIND.values(), "not valid JSON", "not a JSON object", "not UTF-8"}
STEP_TOLERANCE = 1e-9
# So that the square of one, in whole units of the currency, fits 64 bits; the cube refuses sums that do not.
LARGEST_AMOUNT = 1_000_000_000
TOO_LARGE = f"amount above {LARGEST_AMOUNT:,}: log amounts in a larger unit"


@dataclass(frozen=True, slots=True)
class Rule:
    """`broken` is the SQL that is true for a row that breaks the rule; `given` holds the offending value."""

    column: str
    words: str
    broken: str
    given: str


def rules(sources: Sequence[Source], scale: Scale, *, wide: bool) -> list[Rule]:
    """Return the rules in the order in which they are tried; the first that a row breaks is its reason.

    `wide`: the rows hold the scores of both versions, so one of the two must be there.
    """
    found: list[Rule] = [Rule("", "", "_fault is not null", "_text")]
    for source in sources:
        found.extend(_kind_rules(source))
        found.extend(_range_rules(source, scale))
        if source.column.name == "arm" and source.column.missing is None:
            found.extend(_arm_rules(source))
        if wide and source.column.name == "candidate_score":
            neither = "baseline_score is null and candidate_score is null"
            found.append(Rule("baseline_score", "no score from either version", neither, source.given))
    return found


def scale_params(scale: Scale) -> dict[str, object]:
    """Return what the score rules bind."""
    bounds: dict[str, object] = {"minimum": float(scale.minimum), "maximum": float(scale.maximum)}
    return bounds | ({"step": float(scale.step)} if scale.levels and scale.step else {})


def _kind_rules(source: Source) -> Iterator[Rule]:
    name, typed = source.column.name, quote(source.column.name)
    if source.column.needed:
        yield Rule(name, f"no {name}", f"{source.given} is null", source.given)
    if source.column.kind == "text" or source.lenient:
        return
    words = NOT_OF_KIND.get(source.column.kind, f"unknown {'action' if 'action' in name else name}")
    missing = f" and not isnan({source.given})" if source.column.free and source.family == "float" else ""
    if source.column.free and source.is_text and source.column.kind == "number":
        missing = f" and not coalesce(isnan(try_cast({source.given} as double)), false)"
    yield Rule(name, words, f"{source.given} is not null and {typed} is null{missing}", source.given)


def _range_rules(source: Source, scale: Scale) -> Iterator[Rule]:
    name, typed = source.column.name, quote(source.column.name)
    if source.column.kind == "time":
        outside = f"{typed} < timestamp '{EARLIEST}' or {typed} >= timestamp '{LATEST}'"
        yield Rule(name, f"time outside {EARLIEST[:4]} to {LATEST[:4]}", outside, source.given)
    elif source.column.field == "score":
        yield from _score_rules(source, scale)
    elif source.column.field == "latency_ms" or name == "amount":
        yield Rule(name, f"{source.column.field or name} negative or not finite", _not_positive(typed), source.given)
        if name == "amount":
            yield Rule(name, TOO_LARGE, f"{typed} > {LARGEST_AMOUNT}", source.given)
    elif source.column.field == "cost" or (name == "value" and source.column.kind == "number"):
        yield Rule(name, f"{source.column.field or name} not finite", f"not isfinite({typed})", source.given)
    elif name == "label_propensity":
        yield Rule(name, f"{name} not above 0 and at most 1", f"not ({typed} > 0 and {typed} <= 1)", source.given)


def _not_positive(typed: str) -> str:
    return f"not (isfinite({typed}) and {typed} >= 0)"


def _score_rules(source: Source, scale: Scale) -> Iterator[Rule]:
    name, score = source.column.name, quote(source.column.name)
    yield Rule(name, "score NaN or infinite", f"not isfinite({score})", source.given)
    outside = f"not ({score} >= $minimum::double and {score} <= $maximum::double)"
    yield Rule(name, f"score outside {scale.minimum:g} to {scale.maximum:g}", outside, source.given)
    if scale.levels and scale.step:
        level = f"(({score} - $minimum::double) / $step::double)"
        off = f"abs({level} - round({level})) > {STEP_TOLERANCE} * greatest(1, abs({level}))"
        yield Rule(name, f"score not on a step of {scale.step:g}", off, source.given)


def _arm_rules(source: Source) -> Iterator[Rule]:
    live = "stage in ('canary', 'ab', 'full') and arm is null"
    yield Rule("arm", "no arm in a live stage", live, source.given)
    silent = "stage in ('replay', 'shadow') and arm = 'candidate'"
    yield Rule("arm", "the candidate cannot act in replay or shadow", silent, source.given)
