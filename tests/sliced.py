"""Raw events in, every slice counted directly out: what the cube's slices must be, and how simulations get theirs."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.frames import Slices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACTIONS = ("approve", "review", "block")


def slices(events: Mapping[str, Any], dims: Mapping[str, Sequence[str]], *, paired: bool = True) -> Slices:
    """Return every slice of up to three dimensions of events with arrays baseline, candidate (numbers of ACTIONS), half,
    label (1, 0, -1 unknown), amount, and one array of value numbers per dimension; `arm` (0, 1) where not `paired`.
    """
    values = tuple((dim, value) for dim, every in dims.items() for value in every)
    places, found = [()], [np.ones(len(events["half"]), bool)]
    for depth in (1, 2, 3):
        for chosen in combinations(dims, depth):
            for picked in product(*(range(len(dims[dim])) for dim in chosen)):
                here = np.all([events[dim] == n for dim, n in zip(chosen, picked, strict=True)], axis=0)
                if here.any():
                    places.append(tuple(values.index((d, dims[d][n])) + 1 for d, n in zip(chosen, picked, strict=True)))
                    found.append(here)
    conditions = np.array([(0,) * (3 - len(place)) + tuple(sorted(place)) for place in places])
    axes = (events["baseline"], events["candidate"])
    if not paired:
        axes = (events["arm"], np.where(events["arm"] == 1, events["candidate"], events["baseline"]))
    shape = (2, len(ACTIONS) if paired else 2, len(ACTIONS))
    cell = np.ravel_multi_index((events["half"], *axes), shape)
    size = int(np.prod(shape))
    powers = {"n": 0, "amount": 1, "amount2": 2}

    def measured(name: str) -> np.ndarray[Any, Any]:
        worth = np.asarray(events["amount"], float) ** powers[name]
        worth = np.round(worth) if name == "amount2" else worth
        population = [np.ones(len(worth), bool), events["label"] == 1, events["label"] == 0]
        counted = [
            [np.bincount(cell[here & keep], worth[here & keep], size).reshape(shape) for keep in population]
            for here in found
        ]
        return np.moveaxis(np.array(counted), 1, -1)

    return Slices(values, conditions, ACTIONS, paired, cache(measured), 0)


def log(rng: np.random.Generator, rows: int, dims: Mapping[str, Sequence[str]], **planted: Any) -> dict[str, Any]:
    """Return events of customers with about two events each, on which the versions err alike unless something is planted.

    Args:
        rng: the source of randomness.
        rows: the number of events.
        dims: the dimensions and their values.
        planted: `where` (dimension to value), and `lost`, the share of the baseline's alerts on positives that the
            candidate does not give there; `rate`, the share of positives (default 5%).
    """
    customers = max(rows // 2, 1)
    customer = rng.integers(0, customers, rows)
    label = (rng.random(rows) < planted.get("rate", 0.05)).astype(int)
    # What a customer is like moves both versions, and each version a little by itself.
    taste = rng.normal(0, 0.7, (customers, 3))[customer]
    signal = rng.normal(-1.6, 1, rows) + 2.2 * label + taste[:, 0]
    scores = [signal + 0.5 * (rng.normal(size=rows) + taste[:, n]) for n in (1, 2)]
    actions = [(score > 0.6).astype(int) + (score > 2.2) for score in scores]
    events = {dim: rng.integers(0, len(values), customers)[customer] for dim, values in dims.items()}
    if "where" in planted:
        here = np.all([events[dim] == dims[dim].index(value) for dim, value in planted["where"].items()], axis=0)
        lost = here & (label == 1) & (rng.random(rows) < planted["lost"])
        actions[1] = np.where(lost, 0, actions[1])
    half = rng.integers(0, 2, customers)[customer]
    amount = np.round(rng.lognormal(3, 1.2, rows), 2)
    return events | {
        "baseline": actions[0], "candidate": actions[1], "label": label, "half": half, "amount": amount, "customer": customer,
    }  # fmt: skip
