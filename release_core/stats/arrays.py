"""Arrays with any leading axes in, arrays out: the few operations that every statistic shares."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.int64]


def floats(values: ArrayLike) -> Array:
    """Return the values as float64 (a view where they are that already)."""
    return np.asarray(values, dtype=np.float64)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """Return numerator / denominator elementwise, NaN where the denominator is 0 or NaN.

    >>> ratio([1.0, 1.0], [2.0, 0.0])
    array([0.5, nan])
    """
    bottom = floats(denominator)
    if np.count_nonzero(bottom) < bottom.size:
        bottom = np.where(bottom == 0, np.nan, bottom)
    return np.asarray(floats(numerator) / bottom)


def only(values: ArrayLike, where: ArrayLike) -> Array:
    """Return the values, NaN where the condition does not hold.

    >>> only([1.0, 2.0], [True, False])
    array([ 1., nan])
    """
    return np.where(where, floats(values), np.nan)


def or_zero(values: ArrayLike) -> Array:
    """Return the values, 0 where they are NaN; infinities stay, unlike with `numpy.nan_to_num`, which also takes longer.

    >>> or_zero([1.0, np.nan])
    array([1., 0.])
    """
    known = floats(values)
    return np.where(np.isnan(known), 0.0, known)


def below(counts: ArrayLike) -> Array:
    """Return for every bin the sum of the bins before it (same shape).

    >>> below([1, 2, 3])
    array([0., 1., 3.])
    """
    values = floats(counts)
    sums = np.zeros(values.shape)
    np.cumsum(values[..., :-1], axis=-1, out=sums[..., 1:])
    return sums


def above(counts: ArrayLike) -> Array:
    """Return for every bin the sum of the bins after it (same shape).

    >>> above([1, 2, 3])
    array([5., 3., 0.])
    """
    return below(floats(counts)[..., ::-1])[..., ::-1]


def at_or_above(counts: ArrayLike) -> Array:
    """Return [..., B + 1]: the sum of the bins from each lower edge on; the last entry, "none", is 0.

    >>> at_or_above([1, 2, 3])
    array([6., 5., 3., 0.])
    """
    values = floats(counts)
    sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values[..., ::-1], axis=-1, out=sums[..., -2::-1])
    return sums
