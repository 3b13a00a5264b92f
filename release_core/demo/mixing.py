"""Whole numbers in, evenly spread numbers out: draws that a machine, a file or an order of events cannot change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mixed(key: NDArray[np.uint64], salt: int) -> NDArray[np.uint64]:
    """Return evenly spread 64-bit numbers, the same on every machine (SplitMix64; Steele, Lea, Flood 2014)."""
    z = key + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(key: NDArray[np.uint64], salt: int) -> NDArray[np.float64]:
    """Return the key's draw from [0, 1) under a salt: the same key and salt always draw the same number."""
    return (mixed(key, salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53
