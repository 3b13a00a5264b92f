"""A release's events in, windows out: which of them fit a map, which judge it, and their labelled bins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core.cube import REPLAY_SET, WINDOW
from release_core.errors import NotFound, Problem
from release_core.frames import natural
from release_core.memory import of_cube
from release_core.stats import recalibration as stats
from release_core.stats.arrays import ratio
from release_core.views.view import said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from release_core.frames import Array, Cells, Tally
    from release_core.views.view import View

CANDIDATE = 1
LATER = "all later"
# Within two dimensions the cube keeps no calendar windows of scores: events are parted by when their label was known.
KNOWN = "known"
BY, SINCE = "labels known by ", "labels known since "
MOST_STEPS = 8
MOST_DEEP = 2
CALENDAR = WINDOW
SPOKEN = {WINDOW: "time", KNOWN: "when labels became known", REPLAY_SET: "replay set"}
EXCESS = ("positive_excess", "negative_excess")
SUMS = ("positive", "negative", *EXCESS, "labelled_logit", "n", "logit")


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
    """Return by what the events can be parted into windows: calendar windows, and replay sets where several are labelled.

    Within two dimensions by when labels became known, in place of calendar windows.
    """
    found = [KNOWN if _deep(view) else WINDOW]
    sets = () if REPLAY_SET in dict(view.where) else view.opened.cube.values(REPLAY_SET)
    if sets and len(labelled_windows(view, REPLAY_SET)) > 1:
        found.append(REPLAY_SET)
    return found if view.release.scale.name == "probability" else []


@of_cube(64)
def labelled_windows(view: View, dim: str) -> list[str]:
    """Return the windows with labelled events, the earliest first."""
    if view.release.scale.name != "probability":
        return []
    if dim == KNOWN:
        return [*_known(view)]
    if _deep(view):
        cells = view.cells(dim)
        n = (cells.whole.positives + cells.whole.negatives)[:, CANDIDATE] if cells.segments else np.zeros(0)
        return sorted((s[dim] for s, count in zip(cells.segments, n, strict=True) if count), key=natural)
    cells = view.cells(*((dim,) if dim == WINDOW else (dim, WINDOW)))
    n = (cells.whole.positives + cells.whole.negatives)[:, CANDIDATE] if cells.segments else np.zeros(0)
    first: dict[str, tuple[Any, ...]] = {}
    for segment, count in zip(cells.segments, n, strict=True):
        if count:
            at = natural(segment[WINDOW])
            first[segment[dim]] = min(first.get(segment[dim], at), at)
    return sorted(first, key=lambda name: (first[name], natural(name)))


def split_of(dim: str) -> tuple[str, ...]:
    """Return by what cells are split for the windows of a dimension."""
    return () if dim == KNOWN else (dim,)


def filtered(view: View) -> list[str]:
    """Return the dimensions of the filter that count: all but the replay set."""
    return [dim for dim, _ in view.where if dim != REPLAY_SET]


def _deep(view: View) -> bool:
    """Return whether the filter is so deep that scores are not kept by calendar window within it."""
    return len(filtered(view)) > 1


@of_cube(32)
def _known(view: View) -> dict[str, int]:
    """Return some as-of steps before the chosen one, by name, at each of which more labels were known; its last has later ones."""
    steps = [step for step in view.opened.cube.steps if step < view.step]
    chosen = steps[:: -(-len(steps) // MOST_STEPS)] if steps else []
    found: dict[str, int] = {}
    before, last = 0.0, _labelled(view, view.step)
    for step in chosen:
        seen = _labelled(view, step)
        if before < seen < last:
            found[f"{BY}{said(view.opened, step)}"] = step
            before = seen
    return found


def _labelled(view: View, step: int) -> float:
    whole = replace(view, step=step).cells().whole
    return float((whole.positives + whole.negatives)[:, CANDIDATE].sum())


def since(view: View, fit: str) -> str:
    """Return the name of what became known after a window that fits."""
    return f"{SINCE}{said(view.opened, _known(view)[fit])}"


@of_cube(64)
def fits(view: View, dim: str) -> list[str]:
    """Return the windows up to which (calendar) or on which (replay sets) a map can be fitted; the default stands first.

    The default is the first by which half of all positives have happened: earlier events fit, later ones judge.
    """
    names = labelled_windows(view, dim)
    if dim == KNOWN:
        every = float(binned(view, dim, ()).seen[0])
        first = next((name for name in names if binned(view, dim, (name,)).seen[0] >= every / 2), "")
        return [*([first] if first else []), *(name for name in names if name != first)]
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
    if dim == KNOWN:
        return [since(view, fit)]
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
    if dim == KNOWN:
        return Windows(dim, (fit,), (judge,))
    place = names.index(fit)
    fitted = names[: place + 1] if dim == WINDOW else [fit]
    return Windows(dim, tuple(fitted), tuple(names[place + 1 :]) if judge == LATER else (judge,))


def advised(view: View, dim: str, fit: str) -> str:
    """Return the method that the positives of the fitting windows support."""
    names = labelled_windows(view, dim)
    fitted = names[: names.index(fit) + 1] if dim == WINDOW else [fit]
    return stats.advised(float(binned(view, dim, fitted).seen[0]))


def binned(view: View, dim: str, names: Sequence[str]) -> Bins:
    """Return the bins of the windows of these names; by when labels were known: what was known then, or since (none: all)."""
    if dim != KNOWN:
        # The cells of all windows at once: those that fit and those that judge are sums over some of them.
        return _bins(_sums(view.cells(dim), dim, names))
    name, every = (*names, "")[0], view.cells()
    if not name:
        return _bins(_sums(every))
    day = name.removeprefix(BY).removeprefix(SINCE)
    then = replace(view, step=next(at for at in _known(view).values() if said(view.opened, at) == day)).cells()
    return _bins(_sums(then)) if name.startswith(BY) else _since(then, every)


def within(view: View, dim: str, names: Sequence[str]) -> Cells:
    """Return the cells of all windows of these names together; by when labels were known: of the whole choice."""
    if dim == KNOWN:
        return view.cells()
    among = ((dim, tuple(names)),)
    return view.opened.cube.slice(view.stage, view.step, (((), view.where),), mature=True, among=among)


def sums_of(tally: Tally, *, weighted: bool, names: Sequence[str] = SUMS) -> dict[str, Array]:
    """Return sums of the candidate's bins [..., bin]; without logged propensities nothing counts by more than itself."""
    found = {name: getattr(tally, name)[..., CANDIDATE, :] for name in names if weighted or name not in EXCESS}
    return dict.fromkeys(EXCESS, np.zeros_like(found["positive"])) | found


def _sums(cells: Cells, dim: str = "", names: Sequence[str] = ()) -> dict[str, Array]:
    """Return the sums [B] of the candidate's bins, with a dimension over its values of these names; 0 without events."""
    places = [place for place, segment in enumerate(cells.segments) if not dim or segment[dim] in names]
    return {name: part[places].sum(axis=0) for name, part in sums_of(cells.whole, weighted=cells.weighted).items()}


def _since(then: Cells, now: Cells) -> Bins:
    """Return the bins of the labels that became known between two as-of steps, and of all events by then.

    A label that changed in between counts as it is now: the old one cannot be taken back from a bin that has none. The
    bin then lies where all of its events do.
    """
    new, old = _sums(now), _sums(then)
    ids, place = now.whole.grid.ids, then.whole.grid.ids - now.whole.grid.ids[0]
    inside = (place >= 0) & (place < len(ids))
    found = {}
    for name in SUMS:
        before = np.zeros(len(ids))
        before[place[inside]] = old[name][inside]
        found[name] = new[name] - before
    changed = (found["positive"] < 0) | (found["negative"] < 0)
    for name in ("positive", "negative"):
        found[name] = np.maximum(found[name], 0.0)
    usual = np.nan_to_num(ratio(new["logit"], new["n"]))
    labelled = found["positive"] + found["negative"]
    found["labelled_logit"] = np.where(changed, labelled * usual, found["labelled_logit"])
    return _bins(found | {name: new[name] for name in ("n", "logit")})


def _bins(sums: Mapping[str, Array]) -> Bins:
    positive, negative, more, less, logits, events, every = (sums[name] for name in SUMS)
    n = positive + negative
    x = np.where(n > 0, ratio(logits, n), ratio(every, events))
    seen = (float(positive.sum()), float(negative.sum()))
    return Bins(positive + more, n + more + less, x, events, seen)
