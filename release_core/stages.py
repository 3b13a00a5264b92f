"""A stage in, what it proves, what it does not prove and what it asks before the next one, in words (RELEASE.md A)."""

from __future__ import annotations

from dataclasses import dataclass

from release_core.release import Stage


@dataclass(frozen=True, slots=True)
class Account:
    """What a stage is called, what it can show, what it cannot, and its gate to the next stage."""

    title: str
    proves: str
    does_not_prove: str
    gate: str


ACCOUNTS = {
    Stage.REPLAY: Account(
        "Replay",
        "How scores, calibration, decisions and segments would have changed on labelled history, and that no invariant or "
        "known case breaks.",
        "Latency, queues or side effects; how customers and fraudsters react; the outcome of events that the old version "
        "stopped.",
        "Every mandatory segment keeps its quality within the margin, calibration holds, invariants and the regression suite "
        "pass.",
    ),
    Stage.SHADOW: Account(
        "Shadow",
        "The same on today's traffic: that online inputs equal offline ones, and what the new path costs in time and money.",
        "What happens when the candidate acts; feedback; the load on reviewers; peak capacity if only a sample is mirrored.",
        "Inputs and actions agree, disagreement is explained, latency, errors and cost stay within budget.",
    ),
    Stage.CANARY: Account(
        "Canary",
        "That live decisions on a small share are safe: queue, escalations, complaints, dependencies, and the way back.",
        "Small or delayed effects; quality in single segments, which have too few labels yet; the long run.",
        "No stop rule fired, the traffic split is as planned, the queue has room, and a rollback was rehearsed in this stage.",
    ),
    Stage.AB: Account(
        "A/B test",
        "The causal effect on business and delayed outcomes against a control that runs at the same time.",
        "Rare segments; effects between the arms (a shared queue, fraud that moves over); drift after the test.",
        "The declared primary decision holds, every segment is not worse by more than its margin, labels are mature or waived.",
    ),
    Stage.FULL: Account(
        "Full rollout",
        "That the effect lasts at full traffic, over seasons, and against adversaries who adapt.",
        "That it will stay good: monitoring goes on.",
        "A review after 30 and 90 days; the old version is retired only when the hold-back has closed.",
    ),
}
