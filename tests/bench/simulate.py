"""Whole live stages with known truth, looked at every hour: `python tests/bench/simulate.py [RELEASES]`.

Prints the share of harmless releases that any stop rule halts, of harmful ones that get a go at the end, and how long
harm beyond the margin is not noticed, beside an oracle that knows the truth. Entities have 5 events on average; one in a
hundred is seen in both arms, and is left out once it is.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import beta

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from release_core.frames import Before, Grid, Tally
from release_core.gates import alarms
from release_core.metrics import anytime
from release_core.metrics.table import METRICS
from release_core.release import Comparison, GateSpec, Stage
from release_core.stats import sequential
from tests.bench import arms

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

SEGMENTS, RULES, ALPHA, MARGIN = 4, 3, 0.05, 0.02
# Of so many entities one suffers the rare harm; of each hundred one is seen in both arms.
SUFFER, CROSSING = 200, 0.01
WEEKS_HOURS, PER_ENTITY = 14 * 24, 5.0
STOP = GateSpec("stop", "approve_rate", Comparison.NON_INFERIORITY, tuple(Stage), margin=MARGIN, alpha=ALPHA)
# As the house's rule on complaints, chargebacks and confirmed fraud.
RARE = replace(STOP, metric="complaint_rate", margin=0.5, unit="rel")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one release: the first look at which each rule fired (-1: never), and whether it got a go.

    `places` are where the rule on rare harms fired: 0 all events, then the segments.
    """

    approvals: int
    harms: int
    places: tuple[int, ...]
    split: int
    go: bool
    knew: int

    @property
    def stopped(self) -> bool:
        """Return whether any rule fired."""
        return max(self.approvals, self.harms, self.split) >= 0


def run(truth: arms.Truth, seed: int, harm: float = 1.0, tilt: float = 0.0) -> Outcome:
    """Return the outcome of one release of SEGMENTS segments, of which the first one is harmed as `truth` says.

    `harm` is the ratio of the rates of a rare harm in that segment, `tilt` what the split of entities is off the plan.
    """
    calm = replace(truth, effect=0.0)
    each = [arms.scored(truth if place == 0 else calm, SEGMENTS * seed + place) for place in range(SEGMENTS)]
    counts, entities = (np.stack([found[part] for found in each]) for part in (0, 1))
    shares = np.array(truth.shares)
    metric, expected = METRICS["approve_rate"], SEGMENTS * truth.entities
    found = anytime.estimate(tally(counts), entities, metric, expected)
    # All events together are compared less what the baseline's first score foretells (CUPED).
    known = (0, before([one[2] for one in each]))
    whole = anytime.estimate(tally(counts.sum(0)[None]), entities.sum(0)[None], metric, expected, known)
    alpha = alarms.level(STOP, RULES, SEGMENTS + 1)
    hurt = alarms.rare(RARE, rare(truth, harm, seed), alpha).fired
    fired = np.concatenate([alarms.breached(STOP, one, alpha) for one in (found, whole)])
    split = alarms.uneven(tilted(entities.sum(axis=0), tilt, seed), shares, ALPHA / RULES)
    return Outcome(
        earliest(fired),
        earliest(hurt),
        tuple(np.flatnonzero(hurt.any(axis=1)).tolist()),
        int(sequential.first_alarm(split)),
        go(found) and go(whole),
        oracle(counts, truth),
    )


def before(each: list[Before]) -> Before:
    """Return what was known before treatment of the entities of all segments together."""
    return Before(*(sum(getattr(one, name) for one in each) for name in ("n", "x", "xx", "y", "xy")))


def tally(counts: Array) -> Tally:
    """Return cells that hold actions alone."""
    return Tally.of(Grid(np.arange(1), None, np.zeros(1)), {"actions": counts})


def rare(truth: arms.Truth, harm: float, seed: int) -> alarms.Cases:
    """Return who suffered a rare harm, of all entities and in every segment; in the first one it is `harm` times as frequent.

    About one entity in 200 of the baseline's arm, with risk spread as alerts are.
    """
    found = []
    for place in range(SEGMENTS):
        own = SEGMENTS * seed + place
        rows = arms.drawn(truth, own)
        ratio = harm if place == 0 else 1.0
        first = arms.first_cases(truth, rows, own, 1 / SUFFER / PER_ENTITY, ratio)
        found.append((first, arms.entered(truth, rows)))
    first, entered = (np.stack(part) for part in zip(*found, strict=True))
    every = (np.concatenate([part.sum(0)[None], part]) for part in (first, entered))
    return alarms.Cases(*every, np.array(truth.shares), PER_ENTITY)


def tilted(entities: Array, tilt: float, seed: int) -> Array:
    """Return the entities of all segments with a share of the candidate's lost, as a broken assignment would."""
    lost = np.random.default_rng(seed).binomial(entities[..., 1].astype(np.int64), tilt)
    return entities - np.stack([np.zeros_like(lost), lost], axis=-1)


def earliest(fired: Array) -> int:
    """Return the first look at which any segment fires, -1 if none ever does."""
    return int(sequential.first_alarm(fired.any(axis=0)))


def go(found: anytime.Anytime) -> bool:
    """Return whether at the last look every segment is proven to be within the margin (no adjustment: all must pass)."""
    low, _ = found.bounds(1 - ALPHA, sides=1)
    return bool((low[:, -1, alarms.DIFFERENCE] > -MARGIN).all())


def oracle(counts: Array, truth: arms.Truth) -> int:
    """Return the look at which one who knows where to look, once, and what the rates are would have known.

    A fixed one-sided z-test at ALPHA with power 1/2 on independent events of the harmed segment.
    """
    if truth.effect <= MARGIN:
        return -1
    decided = counts[0].sum(axis=(1, 2))[..., arms.EVERYONE].sum(-1)
    variance = truth.alerted * (1 - truth.alerted) * (1 / np.maximum(decided, 1)).sum(-1)
    return int(sequential.first_alarm((truth.effect - MARGIN) / np.sqrt(variance) > 1.645))


def share(hits: int, n: int) -> str:
    """Return a share with its exact 95% interval."""
    low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return f"{100 * hits / n:5.1f}%  ({100 * low:.1f} to {100 * high:.1f})"


def hours(values: list[int]) -> str:
    """Return the median and the 90th percentile of delays in hours, or that there are none."""
    found = [value for value in values if value >= 0]
    return f"{np.median(found):.0f} h (9 in 10 by {np.quantile(found, 0.9):.0f} h)" if found else "never"


def say(what: str, value: str) -> None:
    """Print one line of the table."""
    print(f"| {what:<88} | {value:>30} |")  # noqa: T201


def main() -> None:
    """Print the whole table."""
    releases = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    canary = arms.Truth(entities=3000, looks=WEEKS_HOURS, shares=(0.01, 0.05, 0.10), crossing=CROSSING)
    ab = arms.Truth(entities=6000, looks=WEEKS_HOURS, shares=(0.5,), crossing=CROSSING)
    for name, truth in (("canary", canary), ("A/B", ab)):
        calm = [run(truth, seed) for seed in range(releases)]
        say(f"{name}: harmless releases halted by any rule at any of {truth.looks} looks (alpha 5%)",
            share(sum(one.stopped for one in calm), releases))  # fmt: skip
    say("A/B: harmless releases that get a go at the end", share(sum(one.go for one in calm), releases))
    harmed = replace(ab, effect=MARGIN)
    edge = [run(harmed, seed) for seed in range(releases)]
    say(
        "A/B: releases at the margin in one segment that get a go (alpha 5%)",
        share(sum(one.go for one in edge), releases),
    )
    harmed = replace(ab, effect=0.06)
    bad = [run(harmed, seed) for seed in range(releases)]
    say(
        "A/B: releases 4 points beyond the margin in one segment that get a go", share(sum(o.go for o in bad), releases)
    )
    say("A/B: the same halted by the approvals rule", share(sum(one.approvals >= 0 for one in bad), releases))
    say("A/B: the same, hours until the rule fires", hours([one.approvals for one in bad]))
    say(
        "A/B: the same, hours until an oracle knows (one look, right segment, known rates)",
        hours([o.knew for o in bad]),
    )
    rare_bad = [run(ab, seed, harm=4.0) for seed in range(releases)]
    say(
        "A/B: a rare harm four times as frequent in one segment, halted",
        share(sum(o.harms >= 0 for o in rare_bad), releases),
    )
    say("A/B: the same, told of another segment", share(sum(max(o.places, default=0) > 1 for o in rare_bad), releases))
    say("A/B: the same, hours until the rule fires", hours([one.harms for one in rare_bad]))
    lost = [run(ab, seed, tilt=0.1) for seed in range(releases)]
    say(
        "A/B: a tenth of the candidate's entities lost, seen as a wrong split",
        share(sum(o.split >= 0 for o in lost), releases),
    )
    say("A/B: the same, hours until it is seen", hours([one.split for one in lost]))


if __name__ == "__main__":
    main()
