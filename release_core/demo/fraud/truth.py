"""What really happened in every part of a release in; sums that add, and the file of planted truth, out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logit

from release_core import worlds
from release_core.demo.fraud.decide import APPROVE, BLOCK, REVIEW
from release_core.demo.fraud.population import COHORTS, MARKETS, SURFACES, TIERS
from release_core.release import ACTIONS, VERSIONS
from release_core.stats import shapley

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from release_core.demo.fraud.plan import Story
    from release_core.demo.fraud.population import Events
    from release_core.release import Release

    Array = NDArray[np.float64]
    Codes = NDArray[np.int8]
    Mask = NDArray[np.bool_]
    Key = tuple[str, ...]

EVERYONE, PLANTED = "all", "planted"
# Log-odds bins for the true AUC, and as fine as carried-over cutoffs need them.
PER_UNIT, CLIP = 256, 16
EFFECTS = ("alert_rate", "approve_rate", "review_rate", "block_rate")


def histogram(scores: Array) -> Array:
    """Return how many scores fall into each log-odds bin of 1/256 on [-16, 16)."""
    places = np.floor((logit(scores) + CLIP) * PER_UNIT).astype(np.int64)
    return np.bincount(np.clip(places, 0, 2 * CLIP * PER_UNIT - 1), minlength=2 * CLIP * PER_UNIT).astype(float)


def tally(
    stage: str,
    groups: Mapping[str, Mask],
    events: Events,
    scores: Mapping[str, Array],
    actions: Mapping[str, Codes],
) -> tuple[Counter[Key], dict[Key, Array]]:
    """Return counts by (stage, group, version, name) and histograms by (stage, group, version, class)."""
    found: Counter[Key] = Counter()
    binned: dict[Key, Array] = {}
    for group, mask in groups.items():
        fraud = events.fraud & mask
        found[stage, group, "", "events"] += int(mask.sum())
        found[stage, group, "", "fraud"] += int(fraud.sum())
        for version in VERSIONS:
            for action, name in ((APPROVE, "approve"), (REVIEW, "review"), (BLOCK, "block")):
                found[stage, group, version, name] += int((mask & (actions[version] == action)).sum())
                found[stage, group, version, f"{name}_fraud"] += int((fraud & (actions[version] == action)).sum())
            binned[stage, group, version, "fraud"] = histogram(scores[version][fraud])
            binned[stage, group, version, "legitimate"] = histogram(scores[version][mask & ~events.fraud])
    return found, binned


def arms(stage: str, groups: Mapping[str, Mask], arm: Codes, happened: Mapping[str, Array]) -> Counter[Key]:
    """Return sums by (stage, group, arm, name) of what happened in each arm."""
    found: Counter[Key] = Counter()
    for group, mask in groups.items():
        for number, version in enumerate(VERSIONS):
            here = mask & (arm == number)
            found[stage, group, version, "arm_events"] += int(here.sum())
            for name, values in happened.items():
                found[stage, group, version, f"arm_{name}"] += round(float(values[here].sum()), 2)  # type: ignore[assignment]
    return found


def document(
    story: Story, release: Release, size: int, counts: Counter[Key], binned: Mapping[Key, Array]
) -> dict[str, Any]:
    """Return the file of planted truth: what was planted, and what it did, counted over the events themselves."""
    stages = [span.stage for span in story.spans]
    groups = [EVERYONE, PLANTED] if story.segment else [EVERYONE]
    told: dict[str, Any] = {
        "release": story.id,
        "size": size,
        **story.planted,
        "segment": story.segment,
        "segments": {"market": MARKETS, "surface": SURFACES, "risk_tier": TIERS, "cohort": COHORTS},
        "effects": {stage: {group: _effects(stage, group, counts, binned) for group in groups} for stage in stages},
    }
    if any(key[0] == "world" for key in counts):
        told["attribution"] = _attribution(release, counts)
    return told


def _effects(stage: str, group: str, counts: Counter[Key], binned: Mapping[Key, Array]) -> dict[str, Any]:
    def n(version: str, name: str) -> float:
        return counts[stage, group, version, name]

    events, fraud = n("", "events"), n("", "fraud")
    told: dict[str, Any] = {"events": events, "fraud": fraud}
    for version in VERSIONS:
        alerts = n(version, "review") + n(version, "block")
        caught = n(version, "review_fraud") + n(version, "block_fraud")
        told[version] = {
            "auc": auc(*(binned[stage, group, version, kind] for kind in ("fraud", "legitimate"))),
            "alert_rate": _share(alerts, events),
            "approve_rate": _share(n(version, "approve"), events),
            "review_rate": _share(n(version, "review"), events),
            "block_rate": _share(n(version, "block"), events),
            "recall": _share(caught, fraud),
            "precision": _share(caught, alerts),
            "fpr": _share(alerts - caught, events - fraud),
        }
        own = n(version, "arm_events")
        if own:
            sums = {
                key[3].removeprefix("arm_"): value
                for key, value in counts.items()
                if _of_arm(key, stage, group, version)
            }
            told[version]["arm"] = sums | {"conversion_rate": _share(sums.get("conversions", 0.0), own)}
    told["difference"] = {
        name: _less(told["candidate"][name], told["baseline"][name]) for name in told["baseline"] if name != "arm"
    }
    return told


def _of_arm(key: Key, stage: str, group: str, version: str) -> bool:
    return key[:3] == (stage, group, version) and key[3].startswith("arm_")


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def auc(fraud: Array, legitimate: Array) -> float | None:
    """Return the area under the ROC curve of two histograms on the same bins, ties counting half; None without both."""
    if not fraud.sum() or not legitimate.sum():
        return None
    below = np.cumsum(legitimate) - legitimate / 2
    return float((fraud * below).sum() / (fraud.sum() * legitimate.sum()))


def _attribution(release: Release, counts: Counter[Key]) -> dict[str, Any]:
    """Return the Shapley shares of every component in the change of each rate, from all mixed worlds."""
    order = range(len(worlds.combined(release)))
    by_action = np.array([[counts["world", str(world), "", action] for action in ACTIONS] for world in order], float)
    rates = by_action / by_action.sum(1, keepdims=True)
    approve, review, block = (rates[:, ACTIONS.index(name)] for name in ("approve", "review", "block"))
    values = dict(zip(EFFECTS, (1 - approve, approve, review, block), strict=True))
    players = worlds.players(release)
    return {
        name: {"difference": float(value[-1] - value[0])}
        | dict(zip(players, shapley.shares(value).tolist(), strict=True))
        for name, value in values.items()
    }


def added(parts: Iterable[Mapping[Key, Array]]) -> dict[Key, Array]:
    """Return the sum of histograms by key."""
    found: dict[Key, Array] = {}
    for part in parts:
        for key, values in part.items():
            found[key] = found[key] + values if key in found else values
    return found
