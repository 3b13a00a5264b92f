"""One part of a release in; its decisions and outcomes as two Parquet files, and the sums that the truth needs, out.

A part depends on its own numbers alone (story, size, stage, place), so any number of workers writes the same bytes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core import worlds
from release_core.demo.fraud import decide, outcomes, population, runtime, scores, truth
from release_core.demo.fraud.decide import APPROVE, BLOCK, REVIEW
from release_core.demo.fraud.plan import STORIES
from release_core.demo.fraud.table import write_decisions, write_outcomes
from release_core.demo.mixing import uniform
from release_core.release import ACTIONS, VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from release_core.demo.fraud.plan import Span, Story
    from release_core.demo.fraud.population import Events
    from release_core.release import Release

    Array = NDArray[np.float64]
    Codes = NDArray[np.int8]

# Cases lost while the review queue overruns, and otherwise.
LOST_OVERRUN, LOST = 0.20, 0.005
OVERRUN_FROM = 0.25


@dataclass(frozen=True, slots=True)
class Task:
    """Which events of which release: the stage's place in the story, the ramp step's place (-1: none), and their numbers."""

    story: str
    size: int
    stage: int
    step: int
    events: tuple[int, int, int]
    name: str

    @property
    def span(self) -> Span:
        """Return the stage."""
        return STORIES[self.story].spans[self.stage]

    @property
    def share(self) -> float:
        """Return the candidate's share of the traffic; 0 where it does not act."""
        return self.span.ramp[self.step][0] if self.step >= 0 else 0.0


class Sums(NamedTuple):
    """What a part adds to the truth and to the gauges of its stage."""

    stage: int
    counts: Counter[tuple[str, ...]]
    histograms: dict[tuple[str, ...], Array]
    slots: dict[str, Array]


def scored(task: Task) -> tuple[np.random.Generator, Events, dict[str, Array]]:
    """Return the events of a part with both scores, and the generator from which everything else of it is drawn."""
    story = STORIES[task.story]
    rng = np.random.default_rng([story.seed, task.size, task.stage, task.step + 1, task.events[0]])
    events = population.draw(rng, task.span, task.events, task.size, story.listed_new)
    return rng, events, dict(zip(VERSIONS, scores.both(rng, story, events, live=task.span.live), strict=True))


def histograms(task: Task) -> dict[str, Array]:
    """Return the histogram of each version's scores; carried-over cutoffs are found from it."""
    return {version: truth.histogram(values) for version, values in scored(task)[2].items()}


def write(task: Task, release: Release, folder: Path) -> Sums:
    """Write a part's decisions and outcomes beneath `folder` and return its sums."""
    story, (rng, events, found) = STORIES[task.story], scored(task)
    decided = {version: decide.actions(release, worlds.own(release, version), events, found) for version in VERSIONS}
    actions = {version: codes for version, (codes, _) in decided.items()}
    arm = (uniform(events.customer, 1000 + 10 * task.stage + task.step) < task.share).astype(np.int8)
    meant = np.where(arm == 1, actions["candidate"], actions["baseline"]).astype(np.int8)
    taken = np.where((meant == BLOCK) & (rng.random(len(meant)) < outcomes.HOLD_OUT), APPROVE, meant).astype(np.int8)
    called = _calls(rng, story, task, events)
    told = outcomes.tell(rng, events, taken, rng.random(len(taken)) >= _lost(story, task), live=task.span.live)
    known = told.until(story.end * population.SECONDS)
    write_decisions(folder / "decisions" / task.name, task, events, (found, decided, called), (arm, meant, taken))
    write_outcomes(folder / "outcomes" / task.name, task, events, known)
    groups = {truth.EVERYONE: np.ones(len(arm), bool)}
    if story.segment:
        groups[truth.PLANTED] = events.matches(story.segment)
    counts, binned = truth.tally(task.span.stage, groups, events, found, actions)
    counts.update(_worlds(task, release, events, found))
    if task.span.live:
        counts.update(truth.arms(task.span.stage, groups, arm, _happened(events, taken, told.passed, known)))
    return Sums(task.stage, counts, binned, _slots(task, events, (arm, taken), called))


def _lost(story: Story, task: Task) -> float:
    return LOST_OVERRUN if story.handling > 1 and task.share >= OVERRUN_FROM else LOST


def _calls(rng: np.random.Generator, story: Story, task: Task, events: Events) -> dict[str, dict[str, NDArray[Any]]]:
    """Return what each version's call did; replays are computed, not served."""
    if task.span.stage == "replay":
        return {}
    state = runtime.serving(story, task.span)
    return {version: runtime.calls(rng, state, events.time, version) for version in VERSIONS}


def _worlds(task: Task, release: Release, events: Events, found: dict[str, Array]) -> Counter[tuple[str, ...]]:
    """Return how often each action is taken in each mixed world, in the replay of a release that changes several parts."""
    counts: Counter[tuple[str, ...]] = Counter()
    if task.span.stage == "replay" and len(release.named_changes) > 1 and not worlds.carried_over(release):
        for number, world in enumerate(worlds.combined(release)):
            codes, _ = decide.actions(release, world, events, found)
            for place, n in enumerate(np.bincount(codes, minlength=len(ACTIONS))):
                counts["world", str(number), "", ACTIONS[place]] += int(n)
    return counts


def _happened(
    events: Events, taken: Codes, passed: NDArray[np.bool_], known: tuple[NDArray[np.int64], Codes, Codes, Array]
) -> dict[str, Array]:
    """Return per event what its arm is answerable for: conversions, fraud that was let through, its amount, reviews."""
    event, kind, _, _ = known
    converted = np.zeros(len(taken))
    converted[event[kind == outcomes.KINDS.index("conversion")]] = 1.0
    through = events.fraud & passed
    return {
        "conversions": converted,
        "reviews": (taken == REVIEW).astype(float),
        "blocks": (taken == BLOCK).astype(float),
        "fraud_passed": through.astype(float),
        "fraud_passed_amount": np.where(through, events.amount, 0.0),
    }


def _slots(
    task: Task, events: Events, acted: tuple[Codes, Codes], called: dict[str, dict[str, NDArray[Any]]]
) -> dict[str, Array]:
    """Return per gauge slot of the stage: requests, failed calls and reviews of each arm."""
    if not called:
        return {}
    arm, taken = acted
    place, n = runtime.slot(task.span, events.time), runtime.slots(task.span)
    found = {}
    for number, version in enumerate(VERSIONS):
        # In the shadow the candidate is asked as often as the baseline, and acts on nothing.
        asked = (arm == number) if task.span.live else np.ones(len(arm), bool)
        failed = asked & (called[version]["error"] >= 0)
        reviewed = (arm == number) & (taken == REVIEW)
        for name, mask in (("requests", asked), ("failures", failed), ("reviews", reviewed)):
            found[f"{name}_{version}"] = np.bincount(place[mask], minlength=n).astype(float)
    return found
