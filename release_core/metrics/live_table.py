"""The rows of METRICS that are measured on live stages: runtime, what customers did, and what was learned later.

Every outcome is compared at equal age: within so many hours of its event, over events at least that old in both arms.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.frames import NEGATIVE, POSITIVE
from release_core.metrics import late, lived, samples
from release_core.metrics import values as v
from release_core.metrics.table import Metric, Outcome
from release_core.release import ACTIONS
from release_core.stats.arrays import ratio
from release_core.stats.cutoffs import UnitCosts, action_cost

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array, Tally
    from release_core.metrics.estimate import Estimate
    from release_core.metrics.lived import Lived
    from release_core.release import Costs

    Measure = Callable[[Lived, Metric], Estimate]

DAY = 24
NO_LIMIT = (float("-inf"), float("inf"))
UP = (0.0, float("inf"))
THOUSAND = 1000.0
APPROVE, BLOCK = ACTIONS.index("approve"), ACTIONS.index("block")
UNTOLD = "no sample of it is in the runtime log"
NOT_ACTED = (
    "in replay and shadow nothing acts; in a live stage no outcome of it was told, or no event is old enough yet"
)


def _served(name: str, title: str, unit: str, words: str, source: str, measure: Measure, **more: str) -> Metric:
    """Return a metric of how events were served; less of it is better."""
    made = _measured(name, title, ("runtime", unit, "lower"), (words, source), measure, **more)
    return made if unit == "share" else replace(made, limits=UP)


def _measured(
    name: str, title: str, kind: tuple[str, str, str], said: tuple[str, str], measure: Measure, **more: Any
) -> Metric:
    """Return a metric with `measure`; `kind` is its family, unit and better direction, `said` its definition and source."""
    counted = "samples" if said[1] == "gauges" else "events"
    return Metric(name, title, *kind, *said, v.events, v.events, measure=measure, counted=counted, **more)


def _latency(percent: int) -> Metric:
    return _served(
        f"latency_p{percent}",
        f"Latency p{percent}",
        "ms",
        f"Milliseconds within which {percent}% of the events were served; each version on the events that it acted on.",
        "1/16-of-a-doubling bins, order-statistic interval",
        lived.latency(percent / 100),
        lack="no latency is in the decisions log",
    )


def _outcome(
    name: str,
    title: str,
    kind: tuple[str, str],
    hours: int,
    hits: tuple[str, ...],
    words: str,
    base: tuple[str, ...] = (),
) -> Metric:
    family, better = kind
    ages = f"{hours // DAY} days" if hours > DAY else f"{hours} hours"
    return _measured(
        name,
        title,
        (family, "share", better),
        (
            f"{words} within {ages} of the event, over events at least that old in both arms; what really happened, by arm.",
            "outcomes at equal age",
        ),
        lived.outcome(hours, hits, base),
        lack=NOT_ACTED,
        outcome=Outcome(hours, hits, base),
    )


ROWS = (
    *(_latency(percent) for percent in (50, 95, 99)),
    _served("error_rate", "Error rate", "share", "Events at which a dependency failed / events that the version was asked for.",
            "counts", lived.share(lambda s: s.errors.sum(0), lambda s: s.served), needs="error",
            lack="no error column is in the decisions log"),
    _served("fallback_rate", "Fallback rate", "share", "Events answered by the fallback / events for which that is logged.",
            "counts", lived.share(lambda s: s.fallback, lambda s: s.fallback_known), needs="fallback",
            lack="no fallback column is in the decisions log"),
    _served("serving_cost", "Serving cost per 1,000", "money", "Cost of serving 1,000 events, of those with a logged cost.", "sums",
            lived.cost, lack="no serving cost is in the decisions log"),
    _served("dependency_failures", "Dependency failures per 1,000", "number",
            "Failed calls to dependencies per 1,000 requests over the stage, from the runtime log.", "gauges",
            samples.failures, lack=UNTOLD),
    _served("utilisation", "Resource utilisation", "share",
            "Greatest hourly mean, over the last day, of the busiest resource (names that end in _utilisation).", "gauges",
            samples.gauge(samples.UTILISATION, samples.busiest), lack=UNTOLD),
    _served("queue_depth", "Queue depth", "count", "Greatest depth of the serving queue over the last day.", "gauges",
            samples.gauge("queue_depth", samples.deepest), lack=UNTOLD),
    _served("review_queue_depth", "Review queue depth", "count",
            "Greatest number of cases that waited for a manual review over the last day; the arms share the team.", "gauges",
            samples.gauge(samples.QUEUE, samples.deepest), lack=UNTOLD),
    _measured("review_queue_hours_to_limit", "Hours to review overflow", ("runtime", "hours", "higher"),
              ("(limit - cases waiting) / growth of the last day; the limit is review_queue_limit of the runtime log, else what "
              "the team clears in a day; a year (8,760) where the queue does not grow. The arms share the team, so only the "
              "candidate's side has a number.", "gauges"), samples.hours_to_limit, limits=(0.0, 8760.0),
              lack="no depth of the review queue and capacity of the team is in the runtime log"),
    _outcome("conversion_rate", "Conversion rate", ("business", "higher"), DAY, ("conversion",), "Events that converted"),
    _outcome("complaint_rate", "Complaint rate", ("business", "lower"), 72, ("complaint",), "Events with a complaint"),
    _outcome("support_rate", "Support contacts", ("business", "lower"), 72, ("support_contact",),
             "Events with a contact to support"),
    _outcome("resolved_rate", "Resolved cases", ("delayed", "higher"), 168, ("resolved",),
             "Complaints and support contacts resolved", ("complaint", "support_contact")),
    _outcome("review_fraud_share", "Reviews that find fraud", ("delayed", "higher"), 48, ("review_result=fraud",),
             "Manual reviews that said fraud", ("review_result",)),
    _outcome("chargeback_rate", "Chargeback rate", ("delayed", "lower"), 720, ("chargeback",), "Events charged back"),
    _outcome("confirmed_fraud_rate", "Confirmed fraud", ("delayed", "lower"), 720, ("confirmed_fraud",),
             "Events that the customer confirmed as fraud"),
    replace(_measured("late_label_share", "Share of late labels", ("delayed", "share", "lower"),
                      ("Known bad labels of mature events that came after maturity / all known bad labels of mature events: until "
                       "they came these events counted as good, or as not known.", "counts by as-of time"), late.share,
                      lack=late.NONE), counted="known bad labels"),
    _outcome("retention_rate", "Retention", ("delayed", "higher"), 1080, ("retained",),
             "Customers who stayed, of those of whom that is known,", ("retained", "retained=no", "retained=false")),
)  # fmt: skip


def table(costs: Costs | None) -> dict[str, Metric]:
    """Return the metrics of live stages by name, and those of money, which are not known without declared costs."""
    return {metric.name: metric for metric in (*ROWS, *_money(costs))}


def _money(costs: Costs | None) -> tuple[Metric, ...]:
    """Return the metrics of money per 1,000 labelled events: of fraud that got through, of wrong alerts, of both together."""
    unit = UnitCosts(
        *(getattr(costs, name, None) or 0.0 for name in ("false_positive", "review", "false_negative", "amount_times"))
    )

    def wrong(counts: Array, amounts: Array) -> Array:
        del amounts
        legit = counts[..., NEGATIVE]
        handled = legit.sum(-1) - legit[..., APPROVE] - legit[..., BLOCK]
        return np.asarray(unit.false_positive * legit[..., BLOCK] + unit.review * handled)

    def missed(counts: Array, amounts: Array) -> Array:
        del counts
        return np.asarray(amounts[..., APPROVE, POSITIVE])

    def total(counts: Array, amounts: Array) -> Array:
        return action_cost(counts, amounts[..., APPROVE, POSITIVE], unit, (APPROVE, BLOCK))

    def saved(counts: Array, amounts: Array) -> Array:
        positive, money = counts[..., POSITIVE].sum(-1), amounts[..., POSITIVE].sum(-1)
        through = unit.amount_times * money + unit.false_negative * positive
        return np.asarray(through - total(counts, amounts))

    declared = costs is not None
    return (
        _worth("fraud_loss", "Fraud loss", "lower", missed,
               "Amount of approved positives per 1,000 labelled events.", declared=True),
        _worth("false_positive_cost", "False-positive cost", "lower", wrong,
               "Cost of blocking and of reviewing negatives per 1,000 labelled events, at the declared unit costs.",
               declared=declared),
        _worth("net_value", "Net value", "higher", saved,
               "What the decisions save against approving everything, less reviews and wrong blocks, per 1,000 labelled "
               "events at the declared unit costs.", declared=declared),
    )  # fmt: skip


def _worth(
    name: str, title: str, better: str, value: Callable[[Array, Array], Array], words: str, *, declared: bool
) -> Metric:
    def each(tally: Tally) -> Array:
        labelled = tally.actions[..., [POSITIVE, NEGATIVE]].sum((-2, -1))
        found = THOUSAND * ratio(value(tally.actions, tally.action_amounts), labelled)
        return found if declared else np.full_like(found, np.nan)

    def base(tally: Tally) -> Array:
        return np.asarray(tally.actions[..., [POSITIVE, NEGATIVE]].sum((-2, -1)))

    lack = "" if declared else "the manifest declares no costs"
    return Metric(
        name, title, "business", "money", better, words, "METHODS d1, on labelled events", each, base, labels=True,
        limits=NO_LIMIT if name == "net_value" else UP, lack=lack,
    )  # fmt: skip
