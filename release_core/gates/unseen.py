"""Cells of which some outcomes cannot be seen in; how far those could move what a gate reads, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core.metrics import selective

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array, Cells
    from release_core.metrics import Metric


class Reach(NamedTuple):
    """The least and greatest values [segment, side] over all outcomes that could hide behind the actions `after`.

    `hidden` [segment] is how many events (or, for a metric of amounts, how much) that is.
    """

    low: Array
    high: Array
    hidden: Array
    after: tuple[str, ...]


def reach(metric: Metric, cells: Cells, transform: Callable[[Array], Array] | None) -> Reach | None:
    """Return how far outcomes that cannot be seen could move the metric; None where none is hidden."""
    if not selective.concerns(metric, cells):
        return None
    low, high = selective.extremes(metric, cells)
    if transform:
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = transform(low), transform(high)
    return Reach(low, high, selective.unseen(metric, cells.whole), cells.unseen)


def told(found: Reach | None, segment: int, side: int) -> dict[str, Any]:
    """Return what a row says of outcomes that cannot be seen: how many, after what, and the range that they leave."""
    if found is None or not found.hidden[segment]:
        return {}
    low, high = (
        float(end[segment, side]) if np.isfinite(end[segment, side]) else None for end in (found.low, found.high)
    )
    n = round(float(found.hidden[segment]))
    return {"unseen": n, "unseen_low": low, "unseen_high": high, "unseen_after": found.after}
