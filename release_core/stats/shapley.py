"""The value of every coalition of players in; what each player contributes, and how far that depends on the others, out."""

from __future__ import annotations

from itertools import permutations
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, floats


class OrderRange(NamedTuple):
    """The least and the greatest contribution [..., player] over all orders in which the players can join."""

    low: Array
    high: Array


def players(values: ArrayLike) -> int:
    """Return how many players there are: bit k of a coalition's place [..., 2^players] says that player k is in it."""
    return int(np.shape(values)[-1]).bit_length() - 1


def shares(values: ArrayLike) -> Array:
    """Return the Shapley shares [..., player]: each player's contribution, averaged over all orders (Shapley 1953).

    They add up to the value of all players less that of none.

    >>> shares([0, 1, 2, 5])
    array([2., 3.])
    """
    value = floats(values)
    n = players(value)
    found = np.zeros((*value.shape[:-1], n))
    for player in range(n):
        for coalition in range(2**n):
            if not coalition >> player & 1:
                size = coalition.bit_count()
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                found[..., player] += weight * (value[..., coalition | 1 << player] - value[..., coalition])
    return found


def interactions(values: ArrayLike) -> Array:
    """Return the Moebius transform [..., coalition]: what a coalition adds beyond all its parts; place 0 is the start.

    >>> interactions([0, 1, 2, 5])
    array([0., 1., 2., 2.])
    """
    found = floats(values).copy()
    for player in range(players(found)):
        for coalition in range(found.shape[-1]):
            if coalition >> player & 1:
                found[..., coalition] -= found[..., coalition & ~(1 << player)]
    return found


def path(values: ArrayLike, order: tuple[int, ...] | None = None) -> Array:
    """Return the contributions [..., player] when the players join in `order` (default: by number), one after the other.

    >>> path([0, 1, 2, 5]), path([0, 1, 2, 5], (1, 0))
    (array([1., 4.]), array([3., 2.]))
    """
    value = floats(values)
    found, coalition = np.zeros((*value.shape[:-1], players(value))), 0
    for player in order or range(players(value)):
        joined = coalition | 1 << player
        found[..., player] = value[..., joined] - value[..., coalition]
        coalition = joined
    return found


def order_range(values: ArrayLike) -> OrderRange:
    """Return each player's least and greatest contribution over all orders.

    >>> order_range([0, 1, 2, 5])
    OrderRange(low=array([1., 2.]), high=array([3., 4.]))
    """
    every = np.stack([path(values, order) for order in permutations(range(players(values)))])
    return OrderRange(every.min(axis=0), every.max(axis=0))
