"""Numbers of a verdict in, one sentence that a manager can read out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from release_core.frames import GateRow, segment_text
from release_core.metrics.lived import EARLY
from release_core.metrics.selective import AMOUNTS
from release_core.metrics.values import unmapped
from release_core.release import Comparison, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from release_core.frames import Segment
    from release_core.metrics import Estimate, Metric
    from release_core.release import GateSpec

MINUS = "\N{MINUS SIGN}"
REPLAY_SET = "replay_set"
# Comparisons that read the candidate's own value.
LEVELS = {Comparison.BUDGET, Comparison.CALIBRATION}
# Beyond this many times the events at hand, more of them are no answer.
HOPELESS = 100
# Sums of the same amounts or weights in another order differ by less than this.
ROUNDING = 1e-12


def number(value: float | None, unit: str, *, signed: bool = False) -> str:
    """Return a number in the unit that readers expect: shares as percent, scores with four digits.

    >>> number(0.1234, "share"), number(-0.0123, "score", signed=True), number(None, "share")
    ('12.3%', '−0.0123', 'not known')
    """
    if value is None or not np.isfinite(value):
        return "not known"
    text = f"{100 * value:.1f}%" if unit == "share" else f"{value:,.0f}" if unit == "count" else f"{value:.4f}"
    if unit == "hours":
        text = f"{value:.1f} hours" if value else "0 hours"
    elif unit not in {"share", "count"}:
        text = _short(value) + (" ms" if unit == "ms" else "")
    return ("+" + text if signed and value > 0 else text).replace("-", MINUS)


def _short(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"


def points(value: float, unit: str) -> str:
    """Return the size of a change: percentage points for shares, the metric's own unit otherwise."""
    return f"{100 * abs(value):.1f}" if unit == "share" else _short(abs(value))


def limit(value: float, unit: str, *, change: bool = False) -> str:
    """Return a limit as it was declared: as `number`, or as `points` for a change, but never with a digit rounded away.

    >>> limit(0.0075, "share", change=True), limit(0.02, "share", change=True), limit(0.0025, "share")
    ('0.75', '2.0', '0.25%')
    """
    if unit != "share":
        return points(value, unit) if change else number(value, unit)
    percents = f"{100 * abs(value):.10g}"
    text = percents if len(percents.partition(".")[2]) > 1 else f"{100 * abs(value):.1f}"
    return text if change else f"{MINUS if value < 0 else ''}{text}%"


def place(segment: Segment) -> str:
    """Return a segment in words, its replay set last.

    >>> place({"replay_set": "Jun-Jul", "age_band": "25 and under"})
    'age band 25 and under (Jun-Jul)'
    """
    dims = {dim: value for dim, value in segment.items() if dim != REPLAY_SET}
    name = segment_text(dims)
    return f"{name} ({segment[REPLAY_SET] or 'no replay set'})" if REPLAY_SET in segment else name


def idle(one: Estimate, n: int) -> bool:
    """Return whether a metric has nothing to worry about in a segment: events, and none in its denominator."""
    return bool(one.metric.idle and one.n[n].max() == 0)


def told(row: GateRow, spec: GateSpec, metric: Metric, interval: tuple[float, float]) -> str:
    """Return the sentence of a row; `interval` is the two-sided 95% interval of what the gate reads."""
    if row.verdict is Verdict.PASS and metric.idle and row.difference is None:
        return f"{metric.title} in {place(row.segment)}: {metric.idle}; {_evidence(row, metric)}."
    if row.verdict is Verdict.NODATA:
        return f"{metric.title} in {place(row.segment)}: {_lack(row, metric)}."
    body = _body(row, spec, metric, interval)
    return f"{body}; {_evidence(row, metric)}.{_hidden(row, spec, metric)}{_open_end(row)}"


def _lack(row: GateRow, metric: Metric) -> str:
    if metric.lack and row.candidate is None:
        return metric.lack
    if metric.value is unmapped:
        return "scores are points, for which no probability is declared"
    labelled = f"{row.n:,} labelled events, {row.positives:,} of them bad" if metric.labels else f"{row.n:,} events"
    return f"no verdict on {labelled}" if row.n else "no evidence: no labelled event" if metric.labels else "no event"


def _body(row: GateRow, spec: GateSpec, metric: Metric, interval: tuple[float, float]) -> str:
    where, unit = place(row.segment), metric.unit
    if spec.comparison is Comparison.CALIBRATION:
        return f"{metric.title} in {where} is {number(row.candidate, unit)}{_calibrated(spec, metric, interval)}"
    if spec.comparison is Comparison.BUDGET:
        value = row.difference if metric.compared else row.candidate
        return f"{_level(metric, where, 'is', value, interval)}; {_budget(spec, unit)} required"
    change = row.difference if row.difference is not None and abs(row.difference) > ROUNDING else 0.0
    moved = "did not change" if change == 0 else f"{'rose' if change > 0 else 'fell'} by {points(change, unit)}"
    size = " points" if unit == "share" and change else ""
    return (
        f"{metric.title} in {where} {moved}{size} ({_between(change, interval, unit)}); {_allowed(row, spec, metric)}"
    )


def _budget(spec: GateSpec, unit: str) -> str:
    """Return what a budget allows."""
    if spec.at_least is not None:
        return f"at least {limit(spec.at_least, unit)}"
    return f"at most {'not known' if spec.at_most is None else limit(spec.at_most, unit)}"


def _level(metric: Metric, where: str, verb: str, value: float | None, interval: tuple[float, float]) -> str:
    """Return what a metric is or was; of the hours to the limit of the review queue, whether it is full or grows at all."""
    span = _span(interval, metric.unit)
    if metric.unit != "hours" or value is None or not np.isfinite(value):
        return f"{metric.title} in {where} {verb} {number(value, metric.unit)} ({span})"
    hours = f"{number(value, 'hours')} from its limit"
    told = "at its limit" if value <= 0 else "not growing" if value >= metric.limits[1] else hours
    return f"The review queue {verb} {told}{'' if span == 'counted' else f' ({span})'}"


def _calibrated(spec: GateSpec, metric: Metric, interval: tuple[float, float]) -> str:
    low, high = (np.exp(bound) if metric.name == "oe_ratio" else bound + 1 for bound in interval)
    margin = float(spec.margin or 0.0)
    least, most = (np.exp(-margin), np.exp(margin)) if metric.name == "oe_ratio" else (1 - margin, 1 + margin)
    return f" ({low:.2f} to {high:.2f}); {least:.2f} to {most:.2f} required"


def _span(interval: tuple[float, float], unit: str) -> str:
    low, high = interval
    if not (np.isfinite(low) and np.isfinite(high)):
        return "no interval"
    return "counted" if low == high else f"{number(low, unit)} to {number(high, unit)}"


def _between(change: float, interval: tuple[float, float], unit: str) -> str:
    """Return the 95% interval in the direction of the change, so that it reads beside an unsigned size."""
    low, high = interval
    if not (np.isfinite(low) and np.isfinite(high)):
        return "no interval"
    ends = (low, high) if change >= 0 else (-high, -low)
    return " to ".join((MINUS if end < -ROUNDING else "") + points(end, unit) for end in ends)


def _allowed(row: GateRow, spec: GateSpec, metric: Metric) -> str:
    # Of a relative margin the row holds what it comes to here, which nobody declared: it is rounded.
    allowed = row.margin or 0.0
    margin = points(allowed, metric.unit) if spec.unit == "rel" else limit(allowed, metric.unit, change=True)
    match spec.comparison:
        case Comparison.SUPERIORITY:
            return "an improvement is required"
        case Comparison.NO_HARM:
            return "no harm allowed"
        case Comparison.EQUIVALENCE | Comparison.DRIFT:
            return f"at most {margin} either way allowed"
    return f"at most {margin} allowed"


def _evidence(row: GateRow, metric: Metric) -> str:
    return f"{row.positives:,} labelled bad" if metric.labels else f"{row.n:,} {metric.counted}"


def _hidden(row: GateRow, spec: GateSpec, metric: Metric) -> str:
    """Return what outcomes that cannot be seen could do to the number that the gate reads."""
    if not row.unseen:
        return ""
    after = " or ".join(row.unseen_after)
    hidden = f"An amount of {row.unseen:,}" if metric.name == AMOUNTS else f"{row.unseen:,} events"
    return f" {hidden} can have no outcome (after {after}): {_ranged(row, spec, metric)}."


def _ranged(row: GateRow, spec: GateSpec, metric: Metric) -> str:
    low, high = row.unseen_low, row.unseen_high
    if low is None or high is None:
        return f"without it {metric.title.lower()} is not known of all events"
    what = "the change" if row.difference is not None and spec.comparison not in LEVELS else "the number"
    if spec.comparison is Comparison.CALIBRATION:
        ends = [float(np.exp(end)) if metric.name == "oe_ratio" else end + 1 for end in (low, high)]
        return f"whatever they would have been, the number lies between {ends[0]:.2f} and {ends[1]:.2f}"
    ends_said = [number(end, metric.unit, signed=what == "the change") for end in (low, high)]
    if what == "the change" and metric.unit == "share":
        ends_said = [end.removesuffix("%") for end in ends_said]
        ends_said[1] += " points"
    return f"whatever they would have been, {what} lies between {ends_said[0]} and {ends_said[1]}"


def _open_end(row: GateRow) -> str:
    if row.verdict is not Verdict.INCONCLUSIVE:
        return ""
    if row.unseen and row.needed is None:
        return " More events would not decide it: let some of those through by lot, and log label_propensity."
    if row.needed is None:
        return " Not enough evidence either way."
    if row.needed > HOPELESS * row.n:
        return " The estimate lies too close to the limit for more events to decide it."
    return f" About {float(f'{row.needed:.2g}'):,.0f} more events would decide it."


def awaited(row: GateRow, metric: Metric, days: float, first: datetime) -> GateRow:
    """Return the row of a metric of labels without a labelled event, which says when there will be the first."""
    if row.verdict is not Verdict.NODATA or row.n or not metric.labels:
        return row
    when = (
        f"a label counts {days:g} days after its event, and the first event is that old on {first:%Y-%m-%d %H:%M} UTC"
    )
    return replace(row, sentence=f"{metric.title} in {place(row.segment)}: {EARLY}: {when}.")


def early(row: GateRow) -> bool:
    """Return whether a row has no data because what it judges happens, or is learned, later."""
    return row.verdict is Verdict.NODATA and EARLY in row.sentence


def unknown(spec: GateSpec) -> GateRow:
    """Return the row of a gate that asks for what this version cannot compute: it is no pass."""
    return GateRow(
        gate=spec.id,
        title=spec.title or spec.metric,
        metric=spec.metric,
        comparison=str(spec.comparison),
        level=str(spec.level),
        scope=spec.scope,
        segment={},
        verdict=Verdict.NODATA,
        sentence=f"No metric named {spec.metric} can be judged by {spec.comparison} in this version, so the gate has no answer.",
    )


def alarm(
    spec: GateSpec, metric: Metric, segment: Segment, told: tuple[float, float, float], n: int, since: str = ""
) -> str:
    """Return the sentence of a stop rule that fired, from the value and the bounds that it read at that look.

    `since`: the day from which on they were read, where not from the beginning.
    """
    value, low, high = told
    where, unit = place(segment), metric.unit
    if spec.comparison is Comparison.BUDGET:
        when = f" since {since}" if since else ""
        seen = f"{_level(metric, where, 'was', value, (low, high))}{when}"
        return f"{seen}; {_budget(spec, unit)} required; {n:,} {metric.counted}."
    size = " points" if unit == "share" else ""
    allowed = (
        f"{100 * float(spec.margin or 0):g}%"
        if spec.unit == "rel"
        else limit(float(spec.margin or 0), unit, change=True)
    )
    return (
        f"{metric.title} in {where} {'rose' if value > 0 else 'fell'} by {points(value, unit)}{size} "
        f"({_between(value, (low, high), unit)}); at most {allowed} allowed; {n:,} {metric.counted}."
    )


def rare(spec: GateSpec, metric: Metric, segment: Segment, cases: Sequence[float], seen: tuple[float, float]) -> str:
    """Return the sentence of a stop rule on rare cases: those of the baseline's arm and of the candidate's (`cases`).

    `seen` is by what factor, at least, the worse arm's rate is the other's, and by what it may be.
    """
    low, limit = seen
    more = "lower" if metric.better == "higher" else "higher"
    told = "" if spec.margin is None else f"; at most {limit:.2f} times allowed"
    whose = " A customer counts in the segment of the first event in the stage." if segment else ""
    who = f"{cases[1]:,.0f} customer{'' if cases[1] == 1 else 's'}"
    return (
        f"{metric.title} in {place(segment)} is {more}: first cases came to {who} of the candidate's arm and "
        f"{cases[0]:,.0f} of the baseline's, which for their shares of the traffic is at least {low:.2f} times {more}{told}.{whose}"
    )


def absent(spec: GateSpec, metric: Metric, segment: Segment) -> GateRow:
    """Return the row of a segment that must be judged, mandatory or named by the gate, without a single event."""
    return GateRow(
        gate=spec.id,
        title=spec.title or metric.title,
        metric=metric.name,
        comparison=str(spec.comparison),
        level=str(spec.level),
        scope=spec.scope,
        segment=segment,
        verdict=Verdict.NODATA,
        sentence=f"{metric.title} in {place(segment)}: no event of this segment is in the logs.",
        confidence=1 - spec.alpha,
        margin=spec.margin,
    )
