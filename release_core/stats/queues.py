"""Cases waiting, arriving and cleared in; how fast a queue grows, when it overflows, and how far it may go out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from release_core.stats.arrays import Array, floats, ratio
from release_core.stats.intervals import Interval

# Beyond a year nobody waits for a queue to overflow: later times are said as this many hours.
LONGEST = 8760.0


class Growth(NamedTuple):
    """Cases an hour by which a queue grows (arrivals less clearances), and its standard error."""

    value: Array
    se: Array


def growth(before: ArrayLike, now: ArrayLike, arrivals: ArrayLike, hours: ArrayLike) -> Growth:
    """Return how fast a queue grew over the last `hours`, from its depth then and now.

    The growth is lambda - c mu as it really was, whatever a case takes; its standard error is that of the Poisson
    `arrivals` in that time, sqrt(arrivals) / hours: how many more or fewer might as well have come.

    >>> [part.round(3).item() for part in growth(100, 148, 144, 24)]
    [2.0, 0.5]
    """
    return Growth(ratio(floats(now) - floats(before), hours), ratio(np.sqrt(np.maximum(floats(arrivals), 1.0)), hours))


def hours_to(limit: ArrayLike, depth: ArrayLike, rate: ArrayLike) -> Array:
    """Return in how many hours a queue of `depth` that grows by `rate` an hour reaches `limit`: (Qmax - Q) / rate.

    0 where it is there, a year where it does not grow or grows too slowly (RELEASE.md B.6).

    >>> hours_to(120, [100, 130, 100, 100], [5, -1, 0, -1]).tolist()
    [4.0, 0.0, 8760.0, 8760.0]
    """
    room, speed = floats(limit) - floats(depth), floats(rate)
    wait = np.where(speed > 0, ratio(room, np.where(speed > 0, speed, 1.0)), LONGEST)
    found = np.where(room <= 0, 0.0, np.minimum(wait, LONGEST))
    return np.where(np.isfinite(room) & np.isfinite(speed), found, np.nan)


def fan(depth: float, found: Growth, arrivals_per_hour: float, hours: ArrayLike, confidence: float) -> Interval:
    """Return between which depths the queue will be after `hours`, if it goes on as it did; never below 0.

    Variance: that of the growth, times hours squared, and that of as many Poisson arrivals as will come.
    """
    ahead = floats(hours)
    spread = np.sqrt((found.se * ahead) ** 2 + arrivals_per_hour * ahead)
    middle, reach = depth + found.value * ahead, float(ndtri((1 + confidence) / 2)) * spread
    return Interval(np.maximum(middle - reach, 0.0), np.maximum(middle + reach, 0.0))
