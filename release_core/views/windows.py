"""A release's events in, windows out: which of them fit a map, which judge it, and their labelled bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core.cube import REPLAY_SET, WINDOW
from release_core.errors import NotFound, Problem
from release_core.frames import natural
from release_core.stats import recalibration as stats
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.frames import Array, Cells
    from release_core.views.view import View

CANDIDATE = 1
LATER = "all later"


class Bins(NamedTuple):
    """Labelled bins of some windows of the candidate's score: positives, events and mean log-odds [B], all events [B].

    Where outcomes were seen by chance, labels count by their inverse propensity; `seen` are the positives and negatives
    themselves.
    """

    positive: Array
    n: Array
    x: Array
    events: Array
    seen: tuple[float, float]

    @property
    def weighed(self) -> bool:
        """Return whether labels count by more than themselves."""
        return bool(abs(self.n.sum() - sum(self.seen)) > 1e-6)


@dataclass(frozen=True, slots=True)
class Windows:
    """Which windows fit and which judge; no event is in both."""

    dim: str
    fit: tuple[str, ...]
    judge: tuple[str, ...]


def dims(view: View) -> list[str]:
    """Return by what the events can be parted into windows: calendar windows, and replay sets where several are labelled."""
    found = [WINDOW]
    if REPLAY_SET not in dict(view.where) and len(labelled_windows(view, REPLAY_SET)) > 1:
        found.append(REPLAY_SET)
    return found if view.release.scale.name == "probability" else []


def labelled_windows(view: View, dim: str) -> list[str]:
    """Return the windows with labelled events, the earliest first."""
    if view.release.scale.name != "probability":
        return []
    cells = view.cells(*((dim,) if dim == WINDOW else (dim, WINDOW)))
    n = (cells.whole.positives + cells.whole.negatives)[:, CANDIDATE] if cells.segments else np.zeros(0)
    first: dict[str, tuple[Any, ...]] = {}
    for segment, count in zip(cells.segments, n, strict=True):
        if count:
            at = natural(segment[WINDOW])
            first[segment[dim]] = min(first.get(segment[dim], at), at)
    return sorted(first, key=lambda name: (first[name], natural(name)))


def fits(view: View, dim: str) -> list[str]:
    """Return the windows up to which (calendar) or on which (replay sets) a map can be fitted; the default stands first.

    The default is the first by which half of all positives have happened: earlier events fit, later ones judge.
    """
    names = labelled_windows(view, dim)
    offered = names[:-1] if dim == WINDOW else names
    if len(names) < 2:
        return []
    cells = view.cells(dim)
    positives = {s[dim]: float(p) for s, p in zip(cells.segments, cells.whole.positives[:, CANDIDATE], strict=True)}
    reached = np.cumsum([positives[name] for name in names]) >= sum(positives.values()) / 2
    first = offered[min(int(reached.argmax()), len(offered) - 1)]
    return [first, *(name for name in offered if name != first)]


def judges(view: View, dim: str, fit: str) -> list[str]:
    """Return what can judge a map that was fitted so: everything later, one later window, or another replay set."""
    names = labelled_windows(view, dim)
    place = names.index(fit)
    later, earlier = names[place + 1 :], names[:place] if dim != WINDOW else []
    return [*([LATER] if len(later) > 1 else []), *later, *earlier]


def windows(view: View, dim: str, fit: str, judge: str) -> Windows:
    """Return the windows that a choice names.

    Raises:
        NotFound: one of them is not offered, or nothing would be left to judge on.
    """
    names = labelled_windows(view, dim)
    if fit not in fits(view, dim) or judge not in judges(view, dim, fit):
        found = f"fitted on {fit!r}, judged on {judge!r}"
        required = f"two different windows with labels ({', '.join(names) or 'none has any'})"
        raise NotFound(Problem("windows", found, required, "Choose another window, or a later as-of time."))
    place = names.index(fit)
    fitted = names[: place + 1] if dim == WINDOW else [fit]
    return Windows(dim, tuple(fitted), tuple(names[place + 1 :]) if judge == LATER else (judge,))


def advised(view: View, dim: str, fit: str) -> str:
    """Return the method that the positives of the fitting windows support."""
    names = labelled_windows(view, dim)
    fitted = names[: names.index(fit) + 1] if dim == WINDOW else [fit]
    return stats.advised(float(bins_of(view.cells(dim), dim, fitted).seen[0]))


def bins_of(cells: Cells, dim: str, names: Sequence[str]) -> Bins:
    """Return the bins of the windows of these names; a bin without labels lies where its events do."""
    places = [place for place, segment in enumerate(cells.segments) if segment[dim] in names]
    whole = cells.whole
    positive, negative, more, less, logits, events, every = (
        getattr(whole, name)[places, CANDIDATE].sum(axis=0)
        for name in ("positive", "negative", "positive_excess", "negative_excess", "labelled_logit", "n", "logit")
    )
    n = positive + negative
    x = np.where(n > 0, ratio(logits, n), ratio(every, events))
    seen = (float(positive.sum()), float(negative.sum()))
    return Bins(positive + more, n + more + less, x, events, seen)
