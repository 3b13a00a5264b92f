"""Proofs of the slice search and of Shapley shares: rows with masks, every order of joining."""

from __future__ import annotations

from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from release_core.stats import slices
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, WEIGHTS, Kind, Proof

Array = Any
nan = float("nan")

# Slices: all events, markets a to e, one surface, and each market on it.


class Sliced(NamedTuple):
    """Rows: half, market (0 to 4), surface (0 or 1), and by how much each was harmed (-1, 0, 1); `large` slices."""

    half: Array
    market: Array
    surface: Array
    harm: Array
    large: Array


# The conditions 1 to 5 are the markets, 6 is the surface.
CONDITIONS = np.array([*([0, 0, k] for k in range(7)), *([0, k, 6] for k in range(1, 6))])
DIMS = np.array([0, 1, 1, 1, 1, 1, 2])
NAMES = slices.Names(CONDITIONS, DIMS)
PLACE = 1


def _sliced(n: int, rates: Any, seed: int = 1, markets: int = 5) -> Sliced:
    rng = np.random.default_rng(seed)
    market = np.arange(n) % markets
    harm = (rng.random(n) < np.array(rates)[market]).astype(float)
    here = [k < min(markets, n) for k in range(5)]
    large = np.array([False, *here, n > 0, *here])
    return Sliced(np.arange(n) // markets % 2, market, (np.arange(n) // markets // 2) % 2, harm, large)


def _hole(d: Sliced) -> Sliced:
    """Return the rows with a harm of market b that is not known."""
    return d._replace(harm=np.where(np.arange(len(d.harm)) == 1, np.nan, d.harm))


SLICES = Kind(
    {
        ONE_CLASS: (_sliced(400, [0.0] * 5), _sliced(400, [1.0] * 5)),
        TIES: (Sliced(*(np.tile(part, 10) if k < 4 else part for k, part in enumerate(_sliced(40, [0.4] * 5)))),),
        NAN: (_hole(_sliced(600, [0.3, 0.0, 0.1, 0.2, 0.0])),),
        NONE: (_sliced(0, [0.0] * 5),),
        ONE: (_sliced(1, [1.0] * 5),),
        FIVE: (_sliced(5, [1.0, 0.0, 1.0, 0.0, 1.0]),),
        RARE: (_sliced(20_000, [0.004, 0.0, 0.0005, 0.0, 0.0005]),),
    },
    {WEIGHTS: "The weight of a slice is the number of its events, of which harm is the mean."},
)


def _masks(d: Sliced) -> list[Array]:
    every = np.ones(len(d.half), bool)
    markets = [d.market == k for k in range(5)]
    return [every, *markets, d.surface == 1, *(one & (d.surface == 1) for one in markets)]


def _row(d: Sliced, mask: Array, half: int) -> tuple[float, float, float, float]:
    """Return mean, error, degrees of freedom and number of the rows of a slice in a half."""
    harm = d.harm[mask & (d.half == half)]
    if not len(harm):
        return nan, nan, nan, 0.0
    u = (harm - harm.mean()) / len(harm)
    return harm.mean(), np.sqrt((u**2).sum()), 31.0, float(len(harm))


def _halves(d: Sliced) -> slices.Halves:
    cells = np.array([[_row(d, mask, half) for half in (0, 1)] for mask in _masks(d)])
    return slices.Halves(*np.moveaxis(cells, -1, 0))


def _p(mean: float, se: float) -> float:
    if np.isnan(mean + se):
        return nan
    return float(scipy_stats.t.sf(mean / se, 31)) if se else float(mean <= 0)


def _left(d: Sliced, one: int, other: int, half: int) -> tuple[float, float, float]:
    """Return summed harm and error of what is left of slice `other` without slice `one`, and the summed harm of both."""
    whole, both = _row(d, _masks(d)[other], half), _row(d, _masks(d)[one] & _masks(d)[other], half)
    (m, s, _, n), (mb, sb, _, nb) = (np.nan_to_num(part) for part in (whole, both))
    return m * n - mb * nb, np.sqrt(max((s * n) ** 2 - (sb * nb) ** 2, 0)), mb * nb


def _inside(d: Sliced, outer: int, inner: int) -> bool:
    wanted = set(CONDITIONS[outer]) - {0}
    return wanted <= set(CONDITIONS[inner])


def _explained(d: Sliced, place: int, other: int) -> bool:
    (harm, *_), (mine, se, _, n) = (_row(d, _masks(d)[k], 0) for k in (place, other))
    if _inside(d, place, other):
        return bool(harm >= 0.8 * (mine - 1.645 * se))
    rest, noise, shared = _left(d, place, other, 0)
    return bool(shared > 0 and (rest <= 0.2 * mine * n or rest <= 1.645 * noise))


def _confirmed(d: Sliced, found: list[int]) -> list[float]:
    """Return each slice's p-value on the second half: harmed, and beyond each one before it."""
    values = []
    for number, one in enumerate(found):
        mean, se, *_ = _row(d, _masks(d)[one], 1)
        p = _p(mean, se)
        for before in found[:number]:
            if _inside(d, before, one):
                outer = _row(d, _masks(d)[before] & ~_masks(d)[one], 1)
                p = np.fmax(p, _p(mean - outer[0], np.hypot(se, outer[1])))
            elif _left(d, before, one, 1)[2] != 0:
                p = np.fmax(p, _p(*_left(d, before, one, 1)[:2]))
        values.append(1.0 if np.isnan(p) else p)
    return values


def _searched(d: Sliced) -> Any:
    rows = [_row(d, mask, 0) for mask in _masks(d)]
    tried = [k for k in range(len(CONDITIONS)) if d.large[k] and not np.isnan(_p(*rows[k][:2]))]
    waiting = [k for k in tried if _p(*rows[k][:2]) <= 0.05 and rows[k][0] > 0]
    passed, found = len(waiting), []
    for k in sorted(waiting, key=lambda k: -rows[k][0] * np.sqrt(rows[k][3])):
        if k in waiting:
            found.append(k)
            waiting = [j for j in waiting if j != k and not _explained(d, k, j)]
    again = _confirmed(d, found)
    sure = multipletests(again, 0.05, "holm")[0] if found else np.zeros(0)
    return np.array(found), np.array([_p(*rows[k][:2]) for k in found]), np.array(again), sure, len(tried), passed


SEARCH = (
    Proof("slices.search", SLICES, lambda f, d: f(_halves(d), CONDITIONS, DIMS, d.large), _searched),
    Proof("slices.explained", SLICES, lambda f, d: f(PLACE, _halves(d), NAMES), lambda d: np.array(
        [_explained(d, PLACE, k) for k in range(len(CONDITIONS))])),
    Proof("slices.confirm", SLICES, lambda f, d: f(np.array([1, 7, 6, 2]), _halves(d), NAMES),
          lambda d: np.array(_confirmed(d, [1, 7, 6, 2]))),
    Proof("slices.left_over", SLICES, lambda f, d: f(PLACE, _halves(d), NAMES, 0), lambda d: tuple(
        np.array(part) for part in zip(*(_left(d, PLACE, k, 0) for k in range(len(CONDITIONS))), strict=True)), near=1e-9),
)  # fmt: skip


# Causes.

EVERY = "A coalition has one value."
GAMES = Kind(
    {
        ONE_CLASS: (np.full(8, 0.7),),
        TIES: (np.array([0.0, 1, 1, 5, 1, 5, 5, 9]),),
        NAN: (np.array([0.0, 1, 2, np.nan, 4, 3, 2, 9]),),
        NONE: (np.array([0.3]),),
        ONE: (np.array([0.3, 0.1]),),
        FIVE: (np.random.default_rng(2).normal(size=32),),
        RARE: (0.001 + 1e-6 * np.random.default_rng(3).normal(size=8),),
    },
    {WEIGHTS: EVERY},
)


def _count(values: Array) -> int:
    return round(np.log2(len(values)))


def _orders(values: Array) -> Array:
    """Return [order, player] what each player adds on joining, by sets."""
    names = range(_count(values))
    rows = []
    for order in permutations(names):
        row, there = np.zeros(len(names)), set()
        for one in order:
            before = sum(1 << k for k in there)
            there = there | {one}
            row[one] = values[sum(1 << k for k in there)] - values[before]
        rows.append(row)
    return np.array(rows).reshape(len(rows), len(names))


def _moebius(values: Array) -> Array:
    """Return what each coalition adds beyond its parts: sum over its parts of (-1)^(missing) times their value."""
    size = len(values)
    return np.array([
        sum((-1) ** ((whole ^ part).bit_count()) * values[part] for part in range(size) if part & whole == part)
        for whole in range(size)
    ])  # fmt: skip


CAUSES = (
    Proof("shapley.players", GAMES, lambda f, v: f(v), lambda v: len(set(permutations(range(_count(v))).__next__()))),
    Proof("shapley.shares", GAMES, lambda f, v: f(v), lambda v: _orders(v).mean(0)),
    Proof("shapley.interactions", GAMES, lambda f, v: f(v), _moebius),
    Proof("shapley.path", GAMES, lambda f, v: f(v), lambda v: _orders(v)[0]),
    Proof("shapley.order_range", GAMES, lambda f, v: f(v), lambda v: (_orders(v).min(0), _orders(v).max(0))),
)  # fmt: skip

PROOFS = (*SEARCH, *CAUSES)
