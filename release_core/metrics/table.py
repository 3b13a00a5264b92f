"""The table of metrics: one row each, with its unit, direction, definition, source and function.

Adding a metric is one row here (and one function in values.py if it is new in kind, and of bins one in errors.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from release_core.errors import NotFound, Problem
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.metrics import errors
from release_core.metrics import values as v
from release_core.release import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release_core.frames import Array, Tally
    from release_core.metrics.estimate import Estimate
    from release_core.metrics.lived import Lived
    from release_core.metrics.values import Value

ABOVE = "share_above"


class Outcome(NamedTuple):
    """What a metric of outcomes counts: events to which one of `hits` came within `hours`, of all events or those with `base`."""

    hours: int
    hits: tuple[str, ...]
    base: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    `base` is its denominator; `labels`: it needs them; `probability`: it needs scores that are probabilities;
    `error`: of what needs the distribution over bins, not only sums, the standard error if events were independent;
    `compared`: it exists only between the versions; `rate` names (actions, population) of a share of actions;
    `limits` are the least and greatest value that it can have. A metric that cells of scores do not tell has `measure`
    instead of `value`, and `needs` names the column of each version without which it is not known; `lack` says why a
    metric is not known where it is not. `counted` names what its evidence counts; `outcome` what a metric of outcomes
    does. `idle` says what it means that there are events and none in the denominator, where that is nothing to worry about.
    """

    name: str
    title: str
    family: str
    unit: str
    better: str
    definition: str
    source: str
    value: Value
    base: Value
    labels: bool = False
    probability: bool = False
    error: Value | None = None
    compared: bool = False
    rate: tuple[tuple[int, ...], int] | None = None
    limits: tuple[float, float] = (0.0, 1.0)
    measure: Callable[[Lived, Metric], Estimate] | None = None
    needs: str = ""
    lack: str = ""
    counted: str = "events"
    outcome: Outcome | None = None
    idle: str = ""

    @property
    def bins(self) -> bool:
        """Return whether it needs the distribution over bins."""
        return self.error is not None

    def independent(self, tally: Tally) -> Array:
        """Return the standard error if events were independent; NaN where the metric has none of its own."""
        return (self.error or v.unmapped)(tally)

    def of(self, tally: Tally) -> Array:
        """Return the metric's value of a tally, computed once."""
        return tally.once(self.value, lambda: self.value(tally))


# Comparisons that are shares, and of what.
SHARED: dict[str, Value] = {"disagreement_rate": v.both_decided, "explained_share": v.disagreements}
IDLE = {"explained_share": "no decision differs, so there is nothing to explain"}
NO_LIMIT = (float("-inf"), float("inf"))
UP = (0.0, float("inf"))
SUMS = "exact from sums (METHODS a8)"
BINS = "from 1/64 log-odds bins (METHODS 0.9)"


def _actions(names: Sequence[str]) -> tuple[int, ...]:
    return tuple(number for number, name in enumerate(names) if name != "approve")


ALERT, BLOCK = _actions(ACTIONS), (ACTIONS.index("block"),)


def _rate(name: str, title: str, better: str, actions: tuple[int, ...], population: int, words: str) -> Metric:
    labels = population != EVERYONE
    return Metric(
        name,
        title,
        "quality" if labels else "decisions",
        "share",
        better,
        words,
        "counts (METHODS b5, h1)",
        v.rate(actions, population),
        lambda tally: v.decided(tally, population),
        labels=labels,
        rate=(actions, population),
    )


def _ranking(name: str, title: str, value: Value, error: Value, words: str, source: str) -> Metric:
    return Metric(name, title, "quality", "score", "higher", words, source, value, v.labelled, labels=True, error=error)


def _calibration(name: str, title: str, value: Value, words: str, source: str, error: Value | None = None) -> Metric:
    return Metric(
        name,
        title,
        "calibration",
        "number",
        "target",
        words,
        source,
        value,
        v.labelled,
        labels=True,
        probability=True,
        error=error,
        limits=UP if name == "oe_ratio" else NO_LIMIT,
    )


def _loss(name: str, title: str, value: Value, words: str, source: str, error: Value | None = None) -> Metric:
    return Metric(
        name,
        title,
        "calibration",
        "loss",
        "lower",
        words,
        source,
        value,
        v.labelled,
        labels=True,
        probability=True,
        error=error,
        limits=UP,
    )


def _compared(
    name: str,
    title: str,
    value: Value,
    words: str,
    source: str,
    limits: tuple[float, float],
    error: Value | None = None,
) -> Metric:
    base = SHARED.get(name, lambda tally: v.events(tally)[..., 0])
    unit = "share" if name in SHARED else "number"
    return Metric(
        name,
        title,
        "drift",
        unit,
        "higher" if name == "explained_share" else "lower",
        words,
        source,
        value,
        base,
        compared=True,
        error=error,
        limits=limits,
        idle=IDLE.get(name, ""),
    )


def _precision(name: str, title: str, actions: tuple[int, ...], words: str) -> Metric:
    return Metric(
        name,
        title,
        "quality",
        "share",
        "higher",
        words,
        "counts (METHODS b5)",
        v.precision(actions),
        v.acted(actions),
        labels=True,
    )


def _amount_recall(actions: tuple[int, ...]) -> Metric:
    return Metric(
        "amount_recall",
        "Bad amount caught",
        "business",
        "share",
        "higher",
        "Amount of positives with an alert / amount of positives.",
        "METHODS b9",
        v.amount_recall(actions),
        v.positives,
        labels=True,
    )


ROWS = (
    Metric("events", "Events", "quality", "count", "", "Events scored by both versions.", "count", v.events, v.events, limits=UP),
    Metric(
        "labelled_share", "Labelled share", "quality", "share", "", "Events with a label / events.", "counts",
        v.labelled_share, v.events,
    ),
    Metric(
        "base_rate", "Base rate", "quality", "share", "", "Positives / labelled events.", "counts", v.base_rate, v.labelled,
        labels=True,
    ),
    Metric(
        "mean_score", "Mean score", "calibration", "score", "", "Mean score of all events, labelled or not.", SUMS,
        v.mean_score, v.events, probability=True,
    ),
    _ranking("auc", "AUC", v.auc, errors.auc,
             "Chance that a positive scores above a negative, ties counting half. The interval allows for positives that score below every "
             "negative, that of a difference for such that one version alone puts there (unless both are one model that ranks all events "
             "alike): of a kind that is 3 in n, n events may show none.", f"Mann-Whitney {BINS}, b1"),
    _ranking("average_precision", "Average precision", v.average_precision, errors.average_precision,
             "Precision averaged over the positives in the order of their scores.", f"step rule {BINS}, b2"),
    _ranking("ks_separation", "KS separation", v.ks_separation, errors.ks_separation,
             "Largest gap between recall and false-positive rate over all cutoffs.", f"{BINS}, b4"),
    _loss("brier", "Brier score", v.brier, "Mean of (score - label) squared over labelled events.", SUMS),
    _loss("log_loss", "Log loss", v.log_loss, "Mean of -ln(probability given to what happened), in nats.", SUMS),
    _calibration("oe_ratio", "Observed / expected", v.oe_ratio, "Positives / sum of scores of labelled events; 1 is right.",
                 "METHODS a3"),
    _calibration("calibration_intercept", "Calibration intercept", v.calibration_intercept,
                 "Log-odds by which all scores must move so that expected equals observed, slope fixed at 1; 0 is right.",
                 "logistic regression with offset (METHODS a3)", errors.calibration_intercept),
    _calibration("cox_intercept", "Cox intercept", v.cox_intercept,
                 "Intercept of the logistic regression of the label on the score's log-odds; 0 is right.", "Cox 1958 (a4)",
                 errors.cox_intercept),
    _calibration("calibration_slope", "Calibration slope", v.calibration_slope,
                 "Slope of the same regression; below 1 the scores are too extreme, above 1 too timid.", "Cox 1958 (a4)",
                 errors.calibration_slope),
    _loss("mcb_log_loss", "Miscalibration, log loss", v.mcb_log_loss,
          "How much log loss isotonic recalibration would remove, in nats.", "CORP (Dimitriadis et al. 2021, a1)", errors.mcb_log_loss),
    _loss("mcb_brier", "Miscalibration, Brier", v.mcb_brier,
          "How much Brier score isotonic recalibration would remove.", "CORP (Dimitriadis et al. 2021, a1)", errors.mcb_brier),
    _precision("precision", "Precision", ALERT, "Positive alerts / labelled alerts; an alert is any action but approve."),
    _rate("recall", "Recall", "higher", ALERT, POSITIVE, "Positive alerts / positives."),
    _rate("fpr", "False-positive rate", "lower", ALERT, NEGATIVE, "Negative alerts / negatives."),
    _precision("precision_block", "Precision of blocks", BLOCK, "Positive blocks / labelled blocks."),
    _rate("recall_block", "Recall of blocks", "higher", BLOCK, POSITIVE, "Positive blocks / positives."),
    _rate("fpr_block", "False-positive rate of blocks", "lower", BLOCK, NEGATIVE, "Negative blocks / negatives."),
    _rate("alert_rate", "Alert rate", "", ALERT, EVERYONE, "Events with any action but approve / events."),
    _rate("approve_rate", "Approval rate", "higher", (0,), EVERYONE, "Approved events / events."),
    _rate("review_rate", "Review rate", "lower", (1,), EVERYONE, "Reviewed events / events."),
    _rate("block_rate", "Block rate", "lower", BLOCK, EVERYONE, "Blocked events / events."),
    _rate("escalation_rate", "Escalation rate", "lower", (3,), EVERYONE, "Escalated events / events."),
    _amount_recall(ALERT),
    _compared("disagreement_rate", "Disagreement", v.disagreement_rate, "Events on which the two actions differ / events.",
              "counts", (0.0, 1.0)),
    _compared("explained_share", "Explained disagreement", v.explained_share,
              "Disagreements with a reason code on every side that does more than approve / disagreements.", "counts", (0.0, 1.0)),
    _compared("psi", "PSI", v.psi, "Population stability index, candidate against baseline, in fixed groups at tenths of the baseline, "
              "counts + 0.5.", "METHODS c1", UP, errors.psi),
    _compared("ks_drift", "KS drift", v.ks_drift, "Largest gap between the two score distributions.", "METHODS c2", (0.0, 1.0),
              errors.ks_drift),
)  # fmt: skip
METRICS = {metric.name: metric for metric in ROWS}


def table(
    actions: Sequence[str] = ACTIONS, cutoffs: Sequence[str] = (), *, probability: bool = True
) -> dict[str, Metric]:
    """Return the metrics by name, with one `share_above:<cutoff id>` per registered cutoff.

    Actions that a policy adds count as alerts. Where scores are no probabilities, metrics that need them are not known.
    """
    above = {f"{ABOVE}:{name}": _share_above(name, number) for number, name in enumerate(cutoffs)}
    found = {metric.name: metric for metric in _with_actions(tuple(actions))} | above
    if probability:
        return found
    return {name: replace(m, value=v.unmapped, error=None) if m.probability else m for name, m in found.items()}


def _with_actions(actions: tuple[str, ...]) -> tuple[Metric, ...]:
    if actions == ACTIONS:
        return ROWS
    alert = _actions(actions)
    changed = {
        "precision": _precision("precision", "Precision", alert, METRICS["precision"].definition),
        "amount_recall": _amount_recall(alert),
    }
    for name in ("recall", "fpr", "alert_rate"):
        old = METRICS[name]
        population = old.rate[1] if old.rate else EVERYONE
        changed[name] = _rate(name, old.title, old.better, alert, population, old.definition)
    return tuple(changed.get(metric.name, metric) for metric in ROWS)


def _share_above(name: str, number: int) -> Metric:
    return Metric(
        f"{ABOVE}:{name}",
        f"Share above {name}",
        "drift",
        "share",
        "",
        f"Events whose score reaches the cutoff {name} / events.",
        "counts by band, exact (METHODS c3)",
        v.share_above(number),
        v.events,
        error=errors.share_above(v.share_above(number)),
    )


def find(metrics: dict[str, Metric], name: str) -> Metric:
    """Return the metric of that name.

    Raises:
        NotFound: there is none.
    """
    if name not in metrics:
        raise NotFound(Problem("metric", repr(name), f"one of {', '.join(metrics)}", "Correct the name."))
    return metrics[name]
