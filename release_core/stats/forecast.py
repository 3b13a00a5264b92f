"""Counts seen so far and events still to come in; when there will be enough of something, with its range, out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc

from release_core.stats.arrays import Array, floats, only


class When(NamedTuple):
    """The first time at which something is as likely as not, and at which it is possible (2.5%) and sure (97.5%).

    Times are places in the course that was asked for; None: not within it.
    """

    likely: int | None
    earliest: int | None
    latest: int | None


def chance(need: ArrayLike, seen: ArrayLike, events: ArrayLike, more: ArrayLike) -> Array:
    """Return the chance that at least `need` further positives come among `more` events, after `seen` among `events`.

    Negative binomial: Poisson counts at a rate with Jeffreys' prior, Gamma(seen + 1/2, events). 1 where none is needed. NaN
    where a number is not known, or where no event tells of the rate.

    >>> chance([0, 5, 50], 10, 1000, 1000).round(3)
    array([1.   , 0.927, 0.   ])
    """
    wanted, others = floats(need), floats(more)
    share = floats(events) / np.maximum(floats(events) + others, 1e-300)
    some = 1 - betainc(floats(seen) + 0.5, np.maximum(wanted, 1.0), share)
    told = np.where(others == 0, 0.0, only(some, floats(events) > 0))
    return only(np.where(wanted <= 0, 1.0, told), ~np.isnan(wanted + others + floats(seen)))


def when(chances: ArrayLike) -> When:
    """Return when a rising course of chances [time] reaches 50, 2.5 and 97.5%.

    >>> when([0.0, 0.1, 0.6, 0.7])
    When(likely=2, earliest=1, latest=None)
    """
    course = floats(chances)
    places = [np.flatnonzero(course >= level) for level in (0.5, 0.025, 0.975)]
    return When(*(int(place[0]) if len(place) else None for place in places))
