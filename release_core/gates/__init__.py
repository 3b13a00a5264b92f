"""Estimates and facts in, verdicts out: one row per gate and segment with a sentence, and the worst of many."""

from release_core.gates.families import Family, families
from release_core.gates.invariants import STANDING, Facts, Standing, check, scenario, stands
from release_core.gates.judge import judge
from release_core.gates.readiness import Moment, Rehearsal, age_days, last, readiness
from release_core.gates.words import alarm as alarm_sentence
from release_core.gates.words import awaited, early, unknown
from release_core.gates.words import rare as rare_sentence
from release_core.gates.worst import counted, worst

__all__ = [
    "STANDING",
    "Facts",
    "Family",
    "Moment",
    "Rehearsal",
    "Standing",
    "age_days",
    "alarm_sentence",
    "awaited",
    "check",
    "counted",
    "early",
    "families",
    "judge",
    "last",
    "rare_sentence",
    "readiness",
    "scenario",
    "stands",
    "unknown",
    "worst",
]
