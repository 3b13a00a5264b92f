"""Rows of pairs in, sums by action and population out: of both versions jointly, and of each."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from release_core.cube.encode import SCALED, SQUARED, WEIGHTED
from release_core.cube.places import MATURED, POPULATIONS, FixedPlaces, Size, coded, population
from release_core.cube.rows import beside, rows_of
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.release import MINOR_UNITS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from release_core.frames import Array
    from release_core.release import Release

    Columns = Mapping[str, Array]

UNITS = {
    "n": 1,
    "amount": MINOR_UNITS,
    "weight": WEIGHTED,
    "weight2": SQUARED,
    "amount2": 1,
    "explained": 1,
    "weighted": 1,
    "unlogged": 1,
}
UNITS |= {"excess": WEIGHTED, "excess2": SQUARED, "excess_capped": WEIGHTED}
# Counts and amounts by action: whether of both versions jointly, and the column that is summed.
ACTED = {
    "actions": (False, "n"),
    "action_amounts": (False, "amount"),
    "action_squares": (False, "amount2"),
    "joint": (True, "n"),
    "joint_amounts": (True, "amount"),
    "joint_squares": (True, "amount2"),
    "joint_explained": (True, "explained"),
}
# Sums of weights by action: the same, and the column of what the weights exceed the counts by.
WEIGHED = {
    "action_weights": (False, "excess"),
    "action_weights2": (False, "excess2"),
    "action_capped": (False, "excess_capped"),
    "joint_weights": (True, "excess"),
    "joint_weights2": (True, "excess2"),
    "joint_capped": (True, "excess_capped"),
}
HIDDEN = {"unseen", "unseen_amounts", "joint_unseen", "joint_unseen_amounts", "unseen_scores"}
EVERY = {*ACTED, *WEIGHED, *HIDDEN}


def counted(
    release: Release, size: Size, columns: Callable[[], Columns], unseen: Sequence[str] = (), *, paired: bool
) -> Callable[[str], Array]:
    """Return what counts by action [*size, ...], by the names of EVERY, from rows of pairs with the number of each row's segment.

    `unseen` names the actions after which no outcome can be seen. HIDDEN are the mature events after these: no label tells of
    them, and no logged propensity stands for them.
    """
    acts = cache(lambda: _Acts(release, size, columns(), paired=paired))

    @cache
    def hidden() -> _Acts:
        pair = columns()
        alone = {"unlogged": pair["n"] - pair["weighted"]}
        alone |= {name: pair[name] * (alone["unlogged"] / pair["n"]) for name in (f"{v}_score" for v in VERSIONS)}
        return _Acts(release, size, beside(pair, alone), paired=paired, unseen=unseen)

    def fetch(name: str) -> Array:
        if name in ACTED:
            return acts().of(*ACTED[name])
        if name in WEIGHED:
            jointly, column = WEIGHED[name]
            return acts().of(jointly, "n") + acts().of(jointly, column)
        if name == "unseen_scores":
            return hidden().scores()
        return _unlabelled(hidden().of(name.startswith("joint"), "amount" if name.endswith("amounts") else "unlogged"))

    return fetch


def _unlabelled(sums: Array) -> Array:
    found: Array = sums[..., EVERYONE] - sums[..., POSITIVE] - sums[..., NEGATIVE]
    return found


class _Acts:
    """Rows of pairs by what the versions decided; or, with `unseen`, the mature ones after those actions."""

    def __init__(
        self, release: Release, size: Size, pair: Columns, *, paired: bool, unseen: Sequence[str] | None = None
    ) -> None:
        self._pair, self._paired, self._size = rows_of(pair), paired, size
        self._actions = len(release.actions)
        self._unseen = None if unseen is None else tuple(release.actions.index(action) for action in unseen)
        self._places = cache(self._placed)
        self._sums = cache(self._summed)

    def of(self, jointly: bool, column: str) -> Array:  # noqa: FBT001 - the two kinds of sums
        """Return sums of both versions jointly, or of each, in the column's unit."""
        found, unit = self._jointly(column) if jointly else self._each(column), UNITS.get(column, SCALED)
        return found if unit == 1 else found / unit

    def scores(self) -> Array:
        """Return the sums of the scores of events without a label, [*size, version]."""
        sides = [_unlabelled(self._jointly(f"{version}_score").sum((-3, -2))) for version in VERSIONS]
        return np.stack(sides, axis=-1) / SCALED

    def _jointly(self, column: str) -> Array:
        """Return sums [*size, baseline's action, candidate's action, population]."""
        return self._sums(VERSIONS, column)

    def _each(self, column: str) -> Array:
        """Return sums [*size, version, action, population]."""
        return np.stack([self._sums((version,), column) for version in VERSIONS], axis=-3)

    def _summed(self, who: tuple[str, ...], column: str) -> Array:
        """Return the sums [*size, ...] by the actions of the versions `who`, and population."""
        return np.moveaxis(self._places(who).sums(self._pair[column]), 0, -1)

    def _placed(self, who: tuple[str, ...]) -> FixedPlaces:
        """Return where rows go in these sums; in live stages each version alone answers for the events on which it acted."""
        shape, axes = (*self._size.shape, *(self._actions for _ in who)), self._size.axes
        both = self._paired or who == VERSIONS

        def make(keys: Columns) -> Array:
            acted = {version: keys[f"{version}_action"] for version in VERSIONS}
            keep = np.logical_and.reduce([acted[version] >= 0 for version in (VERSIONS if both else who)])
            keep &= keys["both_scored"] != 0 if both else keys["arm"] == VERSIONS.index(who[0])
            index = [*(keys[axis] for axis in axes[1:]), *(np.maximum(acted[version], 0) for version in who)]
            return coded(np.where(keep, self._whose(keys), POPULATIONS), shape[1:], index)

        code = self._pair.made(f"{who} acted by {axes}, {self._unseen}, {both}", make)
        return FixedPlaces(shape, self._size.first(self._pair), code)

    def _whose(self, keys: Columns) -> Array:
        """Return the population of each row, one behind the last where it counts for nothing."""
        found = population(keys["label"])
        if self._unseen is None:
            return found
        mature = np.where(keys["label"] == MATURED, EVERYONE, np.where(found == EVERYONE, POPULATIONS, found))
        return np.where(np.isin(keys["taken"], self._unseen), mature, POPULATIONS)
