"""A release in; the worlds out that its two bundles can be mixed to, for telling what a change of several parts did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from release_core.release import COMPONENTS, VERSIONS

if TYPE_CHECKING:
    from release_core.release import Release

PLAYERS = 3


@dataclass(frozen=True, slots=True)
class World:
    """Components that decide together, whether or not they ever were in force: whose score, which table, which policy."""

    version: str
    thresholds: str
    policy: str


def players(release: Release) -> tuple[str, str, str]:
    """Return the names of what can be taken from either bundle: the score, the cutoffs, the policy.

    A score is named after what changed it: only whole scores are logged, so a model and its calibration that
    change together cannot be told apart.
    """
    changed = [component for component in COMPONENTS[:2] if component in release.named_changes]
    return (" and ".join(changed) or COMPONENTS[0], COMPONENTS[2], COMPONENTS[3])


def carried_over(release: Release) -> bool:
    """Return whether the candidate's cutoff table only carries the baseline's over to another score."""
    return release.tables[release.candidate.thresholds].carried_from == release.baseline.thresholds


def combined(release: Release) -> tuple[World, ...]:
    """Return the eight worlds: bit k of a world's number says that player k is the candidate's.

    Cutoffs that are carried over follow the score: they are the baseline's cutoffs on another scale.
    """
    sides, follow = (release.baseline, release.candidate), carried_over(release)
    found = []
    for number in range(2**PLAYERS):
        score, thresholds, policy = (number >> player & 1 for player in range(PLAYERS))
        table = sides[score if follow else thresholds].thresholds
        found.append(World(VERSIONS[score], table, sides[policy].policy))
    return tuple(found)


def different(release: Release) -> tuple[World, ...]:
    """Return the different ones among the eight worlds, in their order."""
    return tuple(dict.fromkeys(combined(release)))


def own(release: Release, version: str) -> World:
    """Return the world of a version's own bundle."""
    bundle = release.bundle(version)
    return World(version, bundle.thresholds, bundle.policy)
