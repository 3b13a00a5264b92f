"""The tables of a manifest that describe the logs: sources, score, labels, costs, segments, watched inputs, origin."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from release_core.manifest.forms import (
    ABOVE_ZERO,
    ANY_NUMBER,
    COLUMN,
    DIMENSION,
    NAME,
    NOT_NEGATIVE,
    SHARE,
    SHARE_ABOVE_ZERO,
    TEXT,
    integer,
    matched,
    nearest,
    one_of,
    repeated,
)
from release_core.release import About, Costs, LabelRules, OutcomeMatch, Scale, Segments, Source, Watch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from release_core.manifest.fields import Fields

# The logs' own columns; the manifest may map them to other names.
SIDES = ("score", "action", "reason", "latency_ms", "fallback", "error", "cost")
DECISION_COLUMNS = (
    *("event_id", "event_time", "stage", "arm", "ramp_step", "entity_id", "replay_set", "amount", "action_taken"),
    *(f"{version}_{side}" for version in ("baseline", "candidate") for side in SIDES),
    "label_propensity",
)
LONG_COLUMNS = ("version", *SIDES)
OUTCOME_COLUMNS = ("event_id", "outcome", "value", "observed_at")
RUNTIME_COLUMNS = ("sampled_at", "stage", "arm", "name", "value")
# Names that a segment dimension cannot bear: it stands beside these, and beside working columns with a leading
# underscore, in the checked logs and in the cube's cells.
RESERVED = {
    *DECISION_COLUMNS,
    *LONG_COLUMNS,
    *OUTCOME_COLUMNS,
    "row",
    "n",
    "bin",
    "band",
    "label",
    "shard",
    "step",
    "window",
    "period",
}
# The one reserved name that is a dimension by itself.
REPLAY_SET = "replay_set"

STEP_WORDS = ("hour", "day", "week", "month")
LONGEST_STEPS = 64
_PAIR = matched("dimension=value", r"[^=\n]+=[^\n]+")


def sources(root: Fields, extra: Iterable[str]) -> tuple[Source, Source, Source]:
    """Return where decisions, outcomes and runtime samples are; `extra` columns of decisions may be mapped too."""
    table = root.table("source")
    decided = {*DECISION_COLUMNS, *LONG_COLUMNS, *extra}
    return (
        _source(table.table("decisions"), "decisions", decided),
        _source(table.table("outcomes"), "outcomes", set(OUTCOME_COLUMNS)),
        _source(table.table("runtime"), "runtime", set(RUNTIME_COLUMNS)),
    )


def _source(fields: Fields, log: str, known: set[str]) -> Source:
    columns = fields.mapping("columns", COLUMN)
    for name, _ in columns:
        if name not in known:
            remedy = nearest(name, known) or "Write ours = theirs, with a column of the log contract on the left."
            fields.problem(f"columns.{name}", f"a column of the {log} log, a dimension or a declared input", remedy)
    layout = fields.get("layout", one_of(("wide", "long")), "wide") if log == "decisions" else "wide"
    return Source(
        path=fields.get("path", NAME, f"{log}/**/*"),
        layout=layout,
        columns=columns,
        epoch_unit=fields.get("epoch_unit", one_of(("s", "ms", "us", "ns")), None),
        versions=_versions(fields, layout) if log == "decisions" else (),
    )


def _versions(fields: Fields, layout: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what the rows of each side are called, in lower case; names that sides share must all be shared.

    None: by the side's own name, or its model's.
    """
    if "versions" not in fields:
        return ()
    table = fields.table("versions")
    found = {side: tuple(name.casefold() for name in table.many(side, NAME)) for side in ("baseline", "candidate")}
    if layout != "long":
        fields.problem("versions", 'layout = "long", which has one row per event and version', "Remove versions.")
        return ()
    old, new = map(set, found.values())
    if old & new and old != new:
        shared = ", ".join(sorted(old & new))
        table.problem(f"{shared} on one side and on both", "names that differ, or the same ones", "Correct the names.")
    if old == new:
        found["candidate"] = found["baseline"]
    return tuple(found.items())


def scale(fields: Fields) -> Scale:
    """Return the unit of the score; the names min, max and step belong to points alone."""
    name = fields.get("scale", one_of(("probability", "points")), "probability")
    safer = fields.get("higher_is", one_of(("riskier", "safer")), "riskier") == "safer"
    riskier = "lower" if safer else "higher"
    if name == "probability":
        for key in ("min", "max", "step"):
            if fields.raw(key) is not None:
                fields.problem(f"{key} for a probability", "a range only for points", f'Remove {key}, or say "points".')
        return Scale(riskier=riskier)
    step = fields.get("step", ABOVE_ZERO, None)
    low, high = (_end(fields, key) for key in ("min", "max"))
    if low is None or high is None:
        # A range without its ends accepts every cutoff: the missing end is the one problem to report.
        return Scale(name, -math.inf, math.inf, step, riskier)
    if low >= high:
        fields.problem(f"min = {low:g}, max = {high:g}", "min below max", "Exchange or correct them.")
    return Scale(name, low, high, step, riskier)


def _end(fields: Fields, key: str) -> float | None:
    if key not in fields:
        fields.missing(key, f"a finite number, because the score is in {fields.raw('scale')}")
    return fields.get(key, ANY_NUMBER, None)


def labels(fields: Fields) -> LabelRules:
    """Return what makes an event positive or negative, when silence speaks, and the as-of steps."""
    positive, negative = fields.many("positive", NAME), fields.many("negative", NAME)
    if "positive" not in fields or fields.raw("positive") == []:
        fields.problem("no positive outcome", "at least one in positive", 'Add positive = ["chargeback"] or the like.')
    for both in sorted(set(positive) & set(negative)):
        fields.problem(f"{both!r} in positive and in negative", "one meaning per outcome", "Remove one of the two.")
    unobserved, holdout = fields.many("unobserved", NAME), fields.get("holdout", SHARE_ABOVE_ZERO, None)
    if holdout is not None and not unobserved:
        required = 'the actions that it was let through instead of, e.g. unobserved = ["block"]'
        fields.problem("holdout without unobserved", required, "Add unobserved, or remove holdout.")
    return LabelRules(
        positive=tuple(_outcome(text) for text in positive),
        negative=tuple(_outcome(text) for text in negative),
        silence=fields.get("silence", one_of(("negative", "unknown")), "unknown"),
        maturity_days=fields.get("maturity_days", NOT_NEGATIVE, 0.0),
        steps=_steps(fields),
        unobserved=unobserved,
        holdout=holdout,
    )


def _outcome(text: str) -> OutcomeMatch:
    outcome, equals, value = text.partition("=")
    return OutcomeMatch(outcome.strip(), value.strip() if equals else None)


def _steps(fields: Fields) -> str | tuple[float, ...]:
    if not isinstance(fields.raw("steps"), list):
        return fields.get("steps", one_of(STEP_WORDS), "day")
    hours = fields.many("steps", NOT_NEGATIVE)
    if not 1 <= len(hours) <= LONGEST_STEPS:
        required = f"1 to {LONGEST_STEPS} hours"
        fields.problem(f"{len(hours)} usable items in steps", required, "Leave out what no one looks at.")
    if any(late <= early for early, late in pairwise(hours)):
        fields.problem("steps out of order", "hours from the start, rising", "Sort them and remove repetitions.")
    return hours


def costs(root: Fields) -> Costs | None:
    """Return the costs per event, or None where the manifest declares none."""
    fields = root.table("costs")
    if "costs" not in root:
        return None
    fixed, times = _false_negative(fields)
    return Costs(
        currency=fields.get("currency", NAME, ""),
        false_positive=fields.get("false_positive", NOT_NEGATIVE, None),
        review=fields.get("review", NOT_NEGATIVE, None),
        false_negative=fixed,
        amount_times=times,
        review_capacity_per_day=fields.get("review_capacity_per_day", NOT_NEGATIVE, None),
        review_detection=fields.get("review_detection", SHARE, 1.0),
        friction=fields.get("friction", NOT_NEGATIVE, 0.0),
    )


def _false_negative(fields: Fields) -> tuple[float | None, float | None]:
    if not isinstance(fields.raw("false_negative"), dict):
        return fields.get("false_negative", NOT_NEGATIVE, None), None
    table = fields.table("false_negative")
    fixed, times = table.get("fixed", NOT_NEGATIVE, None), table.get("amount_times", NOT_NEGATIVE, None)
    if not table.keys:
        table.problem("nothing", "amount_times, fixed, or both", "Write { amount_times = 0.9 } or a plain number.")
    return fixed, times


def segments(fields: Fields) -> Segments:
    """Return the declared dimensions and the segments that must be there."""
    dims, observe = fields.many("dims", DIMENSION), fields.many("observe", DIMENSION)
    # The store compares names of columns without regard to case.
    folded = [name.casefold() for name in dims + observe]
    for name in repeated(folded):
        fields.problem(f"the dimension {name!r} twice", "each dimension once in dims or observe", "Remove one.")
    for name in dims + observe:
        if name.casefold() in RESERVED or name.startswith("_"):
            remedy = f"It is there by itself: remove {name}." if name == REPLAY_SET else "Give the column another name."
            fields.problem(f"the dimension {name!r}", "a name that the log contract does not use itself", remedy)
    return Segments(
        dims=dims,
        observe=observe,
        mandatory=_mandatory(fields, dims, observe),
        min_events=fields.get("min_events", integer(1), 200),
        cap=fields.get("cap", integer(1), 50),
        personal=_personal(fields, dims + observe),
    )


def _personal(fields: Fields, dims: tuple[str, ...]) -> tuple[str, ...]:
    found = fields.many("personal", DIMENSION)
    for dim in found:
        if dim not in dims:
            remedy = nearest(dim, dims) or "Remove it: columns that are no dimension are never shown."
            fields.problem(f"personal {dim!r}", "a declared dimension", remedy)
    return found


def _mandatory(fields: Fields, dims: tuple[str, ...], observe: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    entries = fields.many("mandatory", _PAIR)
    for entry in repeated(entries):
        fields.problem(f"mandatory {entry!r} twice", "each segment once", "Remove one.")
    pairs = [(dim.strip(), value.strip()) for dim, _, value in (entry.partition("=") for entry in entries)]
    for dim, value in pairs:
        if dim in observe:
            found = f"mandatory {dim}={value}, which is only observed"
            fields.problem(found, "a judged dimension", f"Move {dim} from observe to dims.")
        elif dim not in {*dims, REPLAY_SET}:
            remedy = nearest(dim, dims) or f"Add {dim} to dims."
            fields.problem(f"mandatory {dim}={value}", "a dimension of dims", remedy)
    return tuple(pairs)


def watches(root: Fields) -> tuple[Watch, ...]:
    """Return the inputs whose code shares are watched."""
    rows = root.rows("watch")
    found = tuple(Watch(row.need("column", NAME), row.need("max_shift", SHARE_ABOVE_ZERO)) for row in rows)
    for column in repeated(watch.column for watch in found if watch.column):
        root.problem(f"[[watch]] {column} twice", "each column once", "Remove one.")
    return found


def about(fields: Fields) -> About:
    """Return what a page must say of the data."""
    return About(
        data=fields.get("data", one_of(("real", "generated")), ""),
        source=fields.get("source", TEXT, ""),
        simulated=fields.many("simulated", NAME),
        note=fields.get("note", TEXT, ""),
    )
