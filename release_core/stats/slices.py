"""Harm of many overlapping slices in two independent halves in; the few worst slices, found on one and confirmed on the other, out.

A slice is named by up to three conditions, numbers from 1 on, rising, filled up with 0 in front; arrays [slice, 3].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from release_core.stats import intervals, multiplicity
from release_core.stats.arrays import Array, Flags, Indices, ratio

FIND, CONFIRM = 0, 1
# To be looked at on the other half, a slice must be this unlikely to be harmless on the first (unadjusted).
GATE = 0.05
MOST_FOUND = 10
# The share of a slice's harm from which on another slice explains it, and how sure what is left must be to stand alone.
EXPLAINED, LEFT = 0.8, 1.645
ABSENT = -1
# Slices by their places; every one.
Some: TypeAlias = Indices | slice
EVERY = slice(None)


@dataclass(frozen=True)
class Halves:
    """Per slice and half: harm (more is worse), standard error, degrees of freedom, and weight (events that it is a mean of)."""

    harm: Array
    se: Array
    df: Array
    weight: Array

    @cached_property
    def sums(self) -> tuple[Array, Array]:
        """Return the summed harm of each slice and its variance, [slice, half]; 0 where they are not known."""
        return np.nan_to_num(self.harm * self.weight), np.nan_to_num((self.se * self.weight) ** 2)


class Found(NamedTuple):
    """The slices found, those that stand out most first: their places, their p-values on both halves, and whether they are confirmed.

    `tried` counts the slices that were large enough to be tried, `passed` those beyond `GATE` on the first half.
    """

    place: Indices
    p_find: Array
    p_confirm: Array
    confirmed: Flags
    tried: int
    passed: int


def search(halves: Halves, conditions: Indices, dims: Indices, large: Flags, alpha: float = 0.05) -> Found:
    """Return the worst slices, each one that no other explains, found on half 0 and confirmed on half 1 (METHODS e4).

    If no slice is harmed at all, the chance that any is confirmed is at most alpha: at most ten slices are taken over to
    the other half, whose customers had no part in their choice, and Holm's adjustment counts them. What is confirmed is
    that a slice is harmed beyond what those before it explain, see `confirm`.

    Args:
        halves: arrays [slice, half]; the first slice is the one that holds all others.
        conditions: [slice, 3], see above.
        dims: [condition + 1] the dimension of each condition, 0 for none.
        large: [slice] which slices are large enough to be tried.
        alpha: the error rate.
    """
    harm, se, df, weight = (array[:, FIND] for array in (halves.harm, halves.se, halves.df, halves.weight))
    p = np.full(len(harm), np.nan)
    p[large] = intervals.p_above(harm[large], se[large], 0.0, df[large])
    large = large & ~np.isnan(p)
    waiting = large & (p <= GATE) & (harm > 0)
    passed = int(waiting.sum())
    kept: list[int] = []
    names = Names(conditions, dims)
    # Harm x sqrt(weight) is how far a slice stands out if all events vary alike: unlike its own z, which hardly changes when
    # unharmed events are added to a harmed slice, it is greatest where the slice holds the harm and little else.
    order = np.argsort(-np.nan_to_num(harm * np.sqrt(weight)), kind="stable")
    for place in order:
        if len(kept) == MOST_FOUND or not waiting.any():
            break
        if waiting[place]:
            kept.append(int(place))
            among = np.flatnonzero(waiting)
            waiting[among] = ~explained(int(place), halves, names, among)
            waiting[place] = False
    found = np.array(kept, dtype=np.int64)
    again = confirm(found, halves, names)
    return Found(found, p[found], again, multiplicity.holm(again, alpha), int(large.sum()), passed)


def explained(place: int, halves: Halves, names: Names, among: Some = EVERY) -> Flags:
    """Return which slices of some the slice at `place` explains, on the first half.

    A slice inside it: unless its harm is, beyond noise, more than 1 / 0.8 times as high. Any other: if at least 80% of
    its harm lies in what both share, or if what is left is within noise.
    """
    harm, se, weight = (array[among, FIND] for array in (halves.harm, halves.se, halves.weight))
    inside = names.inside(place, among)
    parent = inside & (halves.harm[place, FIND] >= EXPLAINED * (harm - LEFT * se))
    rest = left_over(place, halves, names, FIND, among)
    little = (rest.harm <= (1 - EXPLAINED) * harm * weight) | (rest.harm <= LEFT * rest.se)
    return np.asarray(parent | (~inside & (rest.shared > 0) & little), dtype=np.bool_)


def confirm(found: Indices, halves: Halves, names: Names) -> Array:
    """Return the p-value of each slice on the second half: that it is harmed, and beyond what those before it explain.

    A slice inside an earlier one must be worse than that one, any other must be harmed outside it: the largest of these
    p-values counts. A slice that the second half knows nothing of was taken over all the same, and has a p-value of 1.
    """
    harm, se, df = (array[:, CONFIRM] for array in (halves.harm, halves.se, halves.df))
    p = intervals.p_above(harm[found], se[found], 0.0, df[found])
    for number, before in enumerate(found):
        later = found[number + 1 :]
        rest, inside = left_over(int(before), halves, names, CONFIRM, later), names.inside(int(before), later)
        excess, noise = _excess(int(before), later, halves)
        value = np.where(inside, excess, rest.harm)
        again = intervals.p_above(value, np.where(inside, noise, rest.se), 0.0, df[later])
        apart = ~inside & (rest.shared == 0)
        p[number + 1 :] = np.maximum(p[number + 1 :], np.where(apart, 0.0, again))
    return np.where(np.isnan(p), 1.0, p)


def _excess(outer: int, inner: Indices, halves: Halves) -> tuple[Array, Array]:
    """Return by how much slices inside another are more harmed than the rest of it, on the second half, and its error."""
    harm, se, weight = (array[:, CONFIRM] for array in (halves.harm, halves.se, halves.weight))
    total, variance = harm * weight, (se * weight) ** 2
    others = weight[outer] - weight[inner]
    rest = ratio(total[outer] - total[inner], others)
    spread = ratio(np.maximum(variance[outer] - variance[inner], 0.0), others**2)
    return harm[inner] - rest, np.sqrt(se[inner] ** 2 + spread)


class Rest(NamedTuple):
    """What is left of slices without what they share with one: summed harm and its error; and the summed harm shared."""

    harm: Array
    se: Array
    shared: Array


def left_over(place: int, halves: Halves, names: Names, half: int, among: Some = EVERY) -> Rest:
    """Return what is left of some slices without what each shares with the one at `place`, on a half."""
    part = names.part(place, halves.weight[:, half], among)
    total, variance = (sums[:, half] for sums in halves.sums)
    shared, spread = (
        np.where(part.place >= 0, sums[part.place], sums[place] * part.share) * ~part.empty
        for sums in (total, variance)
    )
    return Rest(total[among] - shared, np.sqrt(np.maximum(variance[among] - spread, 0.0)), shared)


class Part(NamedTuple):
    """What slices share with one: the place of the intersection (ABSENT where none is known), else its share of the one.

    `empty`: two values of one dimension exclude each other.
    """

    place: Indices
    share: Array
    empty: Flags


class Names:
    """Finds slices by their conditions."""

    def __init__(self, conditions: Indices, dims: Indices) -> None:
        """Take the conditions [slice, 3] and the dimension of each, see `search`."""
        self.conditions, self.dims = conditions, dims
        self._size = len(dims) + 1
        keys = self._key(conditions)
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def _key(self, conditions: Indices) -> Indices:
        return np.asarray((conditions[:, 0] * self._size + conditions[:, 1]) * self._size + conditions[:, 2])

    def inside(self, place: int, among: Some = EVERY) -> Flags:
        """Return which slices of some lie wholly in the one at `place`, itself included."""
        wanted, some = self.conditions[place][self.conditions[place] > 0], self.conditions[among]
        flags = [(some == number).any(axis=1) for number in wanted]
        return np.asarray(np.all(flags, axis=0) if flags else np.ones(len(some), bool), dtype=np.bool_)

    def part(self, place: int, weight: Array, among: Some = EVERY) -> Part:
        """Return what each of some slices shares with the one at `place`.

        An intersection of more than three conditions is not counted by itself. It is taken for a proportional part: the
        conditions that the slice at `place` does not name split it as they split all events. An intersection of three
        that is not known holds too few events to be one, and has a share of 0.
        """
        some = self.conditions[among]
        own = np.broadcast_to(self.conditions[place], some.shape)
        both = np.sort(np.concatenate([own, some], axis=1), axis=1)
        both[:, 1:][both[:, 1:] == both[:, :-1]] = 0
        both = np.sort(both, axis=1)
        dims = self.dims[both]
        empty = ((dims[:, 1:] == dims[:, :-1]) & (dims[:, 1:] > 0)).any(axis=1)
        deep = both[:, -4] > 0
        keys = self._key(both[:, -3:])
        at = np.searchsorted(self._keys, keys).clip(0, len(self._keys) - 1)
        found = np.where((self._keys[at] == keys) & ~deep, self._order[at], ABSENT)
        new = np.where((some[:, :, None] == self.conditions[place]).any(axis=2), 0, some)
        share = self._shares(weight)[new].prod(axis=1)
        return Part(found, np.where(deep, share, 0.0), empty)

    @cached_property
    def _single(self) -> tuple[Indices, Indices]:
        """Return the places of the slices that have one condition more than the one that holds all, and those conditions."""
        new = np.where((self.conditions[:, :, None] == self.conditions[0]).any(axis=2), 0, self.conditions)
        single = np.flatnonzero((new > 0).sum(axis=1) == 1)
        return single, new[single].max(axis=1)

    def _shares(self, weight: Array) -> Array:
        """Return [condition + 1] the share of all events that meet a condition; 1 for no condition."""
        shares, (single, number) = np.ones(len(self.dims)), self._single
        share = ratio(weight[single], weight[0])
        shares[number] = np.where(np.isnan(share), 0.0, share)
        return shares
