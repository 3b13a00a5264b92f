"""One gate and the cells of its family in, a verdict per segment out (DESIGN.md section 7).

Inside, everything is on the harm scale: larger is worse. U is an unadjusted one-sided upper bound, because
passing is an intersection; L is a lower bound adjusted by Holm over the family, because failing is a union.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.special import ndtr, stdtr

from release_core.frames import GateRow
from release_core.gates import unseen, words
from release_core.metrics import anytime, denominators, estimate, evaluated, outcomes, selective
from release_core.release import Comparison, Verdict
from release_core.stats import intervals, multiplicity
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array, Cells
    from release_core.gates.families import Family
    from release_core.metrics import Estimate, Lived, Metric
    from release_core.release import GateSpec

LEAST_POSITIVES = 5
ENOUGH_POSITIVES = 30
BASELINE, CANDIDATE, DIFFERENCE = range(3)
# Stands for a standard error of 0, so that what is counted and not sampled is certain.
CERTAIN = 1e-200
OBSERVED = "observe"
TWO_SIDED = {Comparison.EQUIVALENCE, Comparison.DRIFT, Comparison.CALIBRATION}
# Where a perfect candidate stands, and the scale on which the margin is meant.
TARGETS: dict[str, Callable[[Array], Array]] = {"oe_ratio": np.log, "calibration_slope": lambda value: value - 1}


@dataclass(frozen=True, slots=True)
class Harm:
    """Arrays [segment] on the harm scale: estimate, one-sided bounds, and the adjusted bounds towards harm and away."""

    value: Array
    low: Array
    high: Array
    low_adjusted: Array
    high_adjusted: Array
    margin: Array

    def moved(self, by: float) -> Harm:
        """Return the same with the estimate and its bounds moved `by`, the margin where it was."""
        bounds = self.low + by, self.high + by, self.low_adjusted + by, self.high_adjusted + by
        return Harm(self.value + by, *bounds, self.margin)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a row shows: the harm, the sign and column behind it, the metric's own values, two-sided 95% bounds.

    `counts` are the labelled events and positives [segment], `needed` the events that would decide a gate left open; `reach`
    is how far unseen outcomes could move the metric.
    """

    harm: Harm
    sign: int
    side: int
    raw: Array
    interval: tuple[Array, Array]
    counts: tuple[Array, Array]
    needed: Array
    reach: unseen.Reach | None


def judge(spec: GateSpec, metric: Metric, family: Family, min_events: int) -> list[GateRow]:
    """Return the rows of a gate for one family, in the order of its segments; segments that it misses are NODATA.

    A gate that only observes where there is no data (on_nodata) shows such rows, and they do not count.
    """
    rows = _judged(spec, metric, family, min_events)
    if spec.on_nodata == OBSERVED:
        rows = [replace(row, counts=row.counts and row.verdict is not Verdict.NODATA) for row in rows]
    return rows


def _judged(spec: GateSpec, metric: Metric, family: Family, min_events: int) -> list[GateRow]:
    missing = [words.absent(spec, metric, segment) for segment in family.absent]
    if not family.cells.segments:
        return missing
    if spec.at_least is not None and spec.at_most is not None:
        limits = (replace(spec, at_most=None), replace(spec, at_least=None))
        both = zip(*(_judged(limit, metric, family, min_events) for limit in limits), strict=True)
        return [max(pair, key=lambda row: row.verdict) for pair in both]
    one, counts, raw, reach = _read(spec, metric, family)
    side = _side(spec, one)
    harm, sign = _harm(spec, one, family, side)
    seen = [_verdict(spec, one, harm, n, min_events) for n in range(len(family.cells.segments))]
    shown = _Shown(harm, sign, side, raw, one.bounds(0.95), counts, _needed(spec, one, harm), reach)
    verdicts = [_agreed(spec, shown, n, verdict) for n, verdict in enumerate(seen)]
    rows = [_row(spec, one, family, shown, n, verdicts[n], seen[n]) for n in range(len(verdicts))]
    return rows + missing


def _read(
    spec: GateSpec, metric: Metric, family: Family
) -> tuple[Estimate, tuple[Array, Array], Array, unseen.Reach | None]:
    """Return the estimate, the evidence shown with it, the values as they are, and how far the unseen could move it."""
    if metric.measure is not None:
        one = _measured(spec, metric, cast("Lived", family.cells))
        return one, (one.evidence, one.positives[:, CANDIDATE]), one.value[:, :DIFFERENCE], None
    plain = cast("Cells", family.cells)
    transform = TARGETS.get(metric.name) if spec.comparison is Comparison.CALIBRATION else None
    cells = selective.weighed(plain) if selective.weighs(metric, plain) else plain
    one, counts = _estimated(spec, (plain, cells), metric, transform)
    return one, counts, metric.of(cells.whole), unseen.reach(metric, cells, transform)


def _measured(spec: GateSpec, metric: Metric, lived: Lived) -> Estimate:
    """Return the estimate of a metric of serving or outcomes; outcomes of two arms are read continuously."""
    asked = spec.method in {"auto", "anytime"} and metric.outcome is not None and lived.live
    return outcomes.continuous(lived, metric, spec.expect_n or anytime.EXPECTED) if asked else estimate(lived, metric)


def _estimated(
    spec: GateSpec, both: tuple[Cells, Cells], metric: Metric, transform: Callable[[Array], Array] | None
) -> tuple[Estimate, tuple[Array, Array]]:
    """Return the estimate, and the labelled events and positives [segment] that are shown with it.

    `both` are the cells as they are and, where label propensities are logged, weighted by them: evidence then counts as
    many events as say as much without weights. Arms of a live stage are read continuously.
    """
    plain, cells = both
    found = _continuous(spec, cells, metric) if continuous(spec, cells, metric) else estimate(cells, metric, transform)
    seen = (evaluated(metric, plain.whole), denominators(metric, plain.whole)[1].min(1))
    if cells is plain:
        return found, seen
    evidence, positives = selective.effective(plain.whole)
    weighted = replace(
        found,
        evidence=evidence,
        positives=np.broadcast_to(positives[:, None], found.positives.shape),
        closed=None,
        spread_name=f"Hajek, {found.spread_name}",
    )
    return weighted, seen


def continuous(spec: GateSpec, cells: Cells, metric: Metric) -> bool:
    """Return whether a gate's bounds must hold at every look: of the arms of a live stage, by cells without bins.

    A comparison of both versions on the same events is no difference of arms: it is read as in a replay.
    """
    asked = spec.method in {"auto", "anytime"} and spec.comparison is not Comparison.CALIBRATION
    return bool(cells.arms is not None and asked and not metric.bins and not metric.compared)


def _continuous(spec: GateSpec, cells: Cells, metric: Metric) -> Estimate:
    arms = cells.arms()  # type: ignore[misc]  # `continuous` has seen that there are some
    known = (arms.whole, arms.before)
    return anytime.estimate(arms.tally, arms.treated, metric, spec.expect_n or anytime.EXPECTED, known)


def _agreed(spec: GateSpec, shown: _Shown, n: int, verdict: Verdict) -> Verdict:
    """Return the verdict that holds whatever the unseen outcomes were: that of both ends, or INCONCLUSIVE.

    At either end the sampling error is that of what is seen: the two uncertainties are not mixed (METHODS 0.8).
    """
    reach, harm = shown.reach, shown.harm
    if reach is None or verdict in {Verdict.NODATA, Verdict.INCONCLUSIVE} or not reach.hidden[n]:
        return verdict
    ends = [shown.sign * end[n, shown.side] for end in (reach.low, reach.high)]
    found = [_lattice(spec, harm.moved(end - harm.value[n]), n) for end in ends]
    apart = spec.comparison in TWO_SIDED and min(ends) < 0 < max(ends)
    if Verdict.INCONCLUSIVE in found or not all(np.isfinite(ends)) or (apart and Verdict.FAIL in found):
        return Verdict.INCONCLUSIVE
    return max(found) if max(found) < Verdict.INCONCLUSIVE or set(found) == {Verdict.FAIL} else Verdict.INCONCLUSIVE


def _side(spec: GateSpec, one: Estimate) -> int:
    """Return which column a gate reads: the comparison itself, the candidate, or the difference."""
    if one.metric.compared:
        return 0
    return CANDIDATE if spec.comparison in {Comparison.BUDGET, Comparison.CALIBRATION} else DIFFERENCE


def _harm(spec: GateSpec, one: Estimate, family: Family, side: int) -> tuple[Harm, int]:
    """Return the harm arrays and the sign that turns the metric's scale into the harm scale."""
    sign = _sign(spec, one.metric)
    value, margin = sign * one.value[:, side], _margin(spec, one, sign)
    low, high = _signed(one, 1 - spec.alpha, side, sign)
    levels = _levels(spec, one, family, (value, low, high, margin))
    adjusted = _signed(one, 1 - levels, side, sign)
    return Harm(value, low, high, *adjusted, margin), sign


def _sign(spec: GateSpec, metric: Metric) -> int:
    """Return -1 where less of the metric is worse: a budget's own limit says so, else the metric's direction."""
    if spec.comparison is Comparison.BUDGET:
        return -1 if spec.at_least is not None else 1
    return -1 if metric.better == "higher" and spec.comparison not in TWO_SIDED else 1


def _signed(one: Estimate, confidence: float | Array, side: int, sign: int) -> tuple[Array, Array]:
    low, high = (bound[:, side] for bound in one.bounds(confidence, sides=1))
    return (low, high) if sign > 0 else (-high, -low)


def _margin(spec: GateSpec, one: Estimate, sign: int) -> Array:
    """Return what is allowed, [segment], on the harm scale."""
    if spec.comparison is Comparison.BUDGET:
        limit = spec.at_least if spec.at_least is not None else spec.at_most
        return np.full(len(one.value), sign * float(limit or 0.0))
    margin = np.full(len(one.value), float(spec.margin or 0.0))
    return margin * np.abs(one.value[:, BASELINE]) if spec.unit == "rel" else margin


def _levels(spec: GateSpec, one: Estimate, family: Family, harm: tuple[Array, Array, Array, Array]) -> Array:
    """Return the level [segment] of each adjusted bound: Holm over the segments that count and can be judged."""
    value, low, high, margin = harm
    if isinstance(one, anytime.Anytime):
        # Bounds that hold at every look have no p-values to be ranked: alpha is divided.
        judged = np.array(family.counts) & np.isfinite(value) & (one.evidence > 0)
        return np.full(len(value), spec.alpha / max(int(judged.sum()), 1))
    reach = intervals.critical(1 - spec.alpha, 1, np.where(one.df > 0, one.df, np.inf))
    beyond = np.abs(value) - margin if spec.comparison in TWO_SIDED else value - margin
    se = np.where(beyond + margin >= 0, value - low, high - value)
    se = ratio(np.where(se == 0, CERTAIN, se), reach)
    p = 1 - _student(beyond / se, one.df)
    p = np.where(np.array(family.counts) & np.isfinite(value), p, np.nan)
    levels = multiplicity.holm_levels(p, spec.alpha)
    return np.where(np.isfinite(levels), levels, spec.alpha)


def _student(t: Array, df: Array) -> Array:
    safe = np.clip(np.nan_to_num(t, nan=0.0), -1e9, 1e9)
    return np.where(df > 0, stdtr(np.where(df > 0, df, 1.0), safe), ndtr(safe))


def _verdict(spec: GateSpec, one: Estimate, harm: Harm, n: int, min_events: int) -> Verdict:
    needed = spec.min_events if spec.min_events is not None else min_events
    if one.evidence[n] >= needed and words.idle(one, n):
        return Verdict.PASS
    positives = float(one.positives[n].min()) if one.metric.labels else np.inf
    if one.evidence[n] < needed or positives < LEAST_POSITIVES or not np.isfinite(harm.value[n]):
        return Verdict.NODATA
    found = _lattice(spec, harm, n)
    if positives < ENOUGH_POSITIVES and found is not Verdict.FAIL:
        return Verdict.INCONCLUSIVE
    return found


def _lattice(spec: GateSpec, harm: Harm, n: int) -> Verdict:
    """Return the verdict of one segment with enough evidence."""
    low, high, margin = harm.low[n], harm.high[n], harm.margin[n]
    worse, better = harm.low_adjusted[n], harm.high_adjusted[n]
    if not (np.isfinite(low) and np.isfinite(high)):
        return Verdict.INCONCLUSIVE
    match spec.comparison:
        case Comparison.SUPERIORITY:
            return Verdict.PASS if high < 0 else Verdict.FAIL if worse > 0 else Verdict.INCONCLUSIVE
        case Comparison.NO_HARM:
            return Verdict.FAIL if worse > 0 else Verdict.PASS
        case Comparison.BUDGET:
            return Verdict.PASS if high <= margin else Verdict.FAIL if worse > margin else Verdict.INCONCLUSIVE
        case Comparison.EQUIVALENCE | Comparison.DRIFT | Comparison.CALIBRATION:
            outside = worse > margin or better < -margin
            return (
                Verdict.FAIL if outside else Verdict.PASS if -margin < low and high < margin else Verdict.INCONCLUSIVE
            )
    if worse > margin:
        return Verdict.FAIL
    if high < margin:
        return Verdict.MARGINAL if worse > 0 else Verdict.PASS
    return Verdict.INCONCLUSIVE


def _row(
    spec: GateSpec, one: Estimate, family: Family, shown: _Shown, n: int, verdict: Verdict, seen: Verdict
) -> GateRow:
    harm, side, raw = shown.harm, shown.side, shown.raw[n]
    low, high = _unsigned(harm.low[n], harm.high[n], shown.sign)
    low_adjusted, high_adjusted = _unsigned(harm.low_adjusted[n], harm.high_adjusted[n], shown.sign)
    compared = one.metric.compared
    # Compared within ramp steps, or less what scores before treatment foretell, arms differ by what the bounds are around.
    change = raw if compared else raw[CANDIDATE] - raw[BASELINE]
    apart = one.value[n, DIFFERENCE] if isinstance(one, anytime.Anytime) else change
    fields: dict[str, Any] = dict(
        gate=spec.id,
        title=spec.title or one.metric.title,
        metric=one.metric.name,
        comparison=str(spec.comparison),
        level=str(spec.level),
        scope=spec.scope,
        segment=family.cells.segments[n],
        verdict=verdict,
        counts=family.counts[n],
        baseline=None if compared else _known(raw[BASELINE]),
        candidate=None if compared else _known(raw[CANDIDATE]),
        difference=_known(apart),
        low=_known(low),
        high=_known(high),
        low_adjusted=_known(low_adjusted),
        high_adjusted=_known(high_adjusted),
        confidence=1 - spec.alpha,
        method=one.method(n, side),
        n=round(float(shown.counts[0][n])),
        positives=round(float(shown.counts[1][n])),
        margin=_known(abs(harm.margin[n])),
        needed=_whole(shown.needed[n]) if seen is Verdict.INCONCLUSIVE else None,
        **unseen.told(shown.reach, n, side),
    )
    metric = replace(one.metric, lack=one.note) if one.note else one.metric
    interval = shown.interval[0][n, side], shown.interval[1][n, side]
    told = words.told(GateRow(**fields, sentence=""), spec, metric, interval)
    return GateRow(**fields, sentence=told)


def _unsigned(low: float, high: float, sign: int) -> tuple[float, float]:
    """Return bounds of the harm scale on the metric's own scale."""
    return (low, high) if sign > 0 else (-high, -low)


def _needed(spec: GateSpec, one: Estimate, harm: Harm) -> Array:
    """Return the events still needed to prove the margin (METHODS e2), [segment]; NaN or 0 where more events would not help."""
    reach = intervals.critical(1 - spec.alpha, 1, np.where(one.df > 0, one.df, np.inf))
    value = np.abs(harm.value) if spec.comparison in TWO_SIDED else harm.value
    return intervals.events_needed(one.evidence, value, (harm.high - harm.value) / reach, harm.margin)


def _whole(more: float) -> int | None:
    return round(float(more)) if isfinite(more) and more > 0 else None


def _known(value: float) -> float | None:
    return float(value) if isfinite(value) else None
