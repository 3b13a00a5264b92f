"""A choice in; what its events say of every cutoff, segment by segment, out: counts per bin, and calibrated chances."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import expit

from release_core.frames import segment_text
from release_core.memory import of_cube
from release_core.release import CUTOFF_ACTIONS, VERSIONS
from release_core.stats import cutoff_pairs, intervals, logistic, offsets
from release_core.stats.arrays import at_or_above, ratio
from release_core.views.view import shown_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_core.frames import Array, Cells, Tally
    from release_core.release import CutoffTable, Release
    from release_core.stats.cutoff_pairs import ActionCosts
    from release_core.stats.cutoffs import UnitCosts
    from release_core.views.view import View

EVERYTHING = "all events"
BASELINE, CANDIDATE = range(len(VERSIONS))
EVERY = slice(None)
# METHODS d5: from so many positives on a segment's own cheapest cutoff ties with the closed form; e7: mean of amounts.
OWN_FROM = 2500
FEW = 30


class Reached(NamedTuple):
    """Sums over what reaches a cutoff: events, labelled events, positives, their amount, scores of labelled events."""

    n: Array
    labelled: Array
    positive: Array
    amount: Array
    score: Array


@dataclass(frozen=True, eq=False)
class Grounds:
    """Cells by segment [segment, version, bin] with what calibrates them.

    `line` [version, 3] is the intercept and slope of all events' log-odds, and the slope's standard error; `shifts` are
    each segment's offsets from it, by version. `edges` are the scores of the B + 1 bin edges in the score's own unit.
    """

    view: View
    by: str
    cells: Cells
    names: tuple[str, ...]
    edges: list[float]
    line: Array
    shifts: tuple[offsets.Offsets, ...]
    widened: float

    @property
    def whole(self) -> Tally:
        """Return the cells [segment, version, bin]."""
        return self.cells.whole

    @cached_property
    def labelled(self) -> Array:
        """Return the labelled events [segment, version, bin]."""
        return self.whole.positive + self.whole.negative

    @cached_property
    def positives(self) -> Array:
        """Return the labelled positives [segment, version]."""
        return self.whole.positive.sum(-1)

    @cached_property
    def reached(self) -> Reached:
        """Return the sums at and above every bin edge, [segment, version, B + 1] each."""
        sums = (self.whole.n, self.labelled, self.whole.positive, self.whole.positive_amount, self.whole.labelled_score)
        return Reached(*map(at_or_above, sums))

    def at_edge(self, place: int, version: int, edge: int) -> Reached:
        """Return the sums of a segment and version at and above a bin edge."""
        return Reached(*(part[place, version, edge] for part in self.reached))

    def at_cutoff(self, place: int, version: int, name: str) -> Reached:
        """Return the sums of a segment and version at and above a registered cutoff: exact, whatever the grid."""
        k, t = self.cells.cutoffs.index(name), self.whole
        parts = (t.above, t.above_labelled, t.above_positive, t.above_amount, t.above_score)
        return Reached(*(part[place, version, k] for part in parts))

    def edge(self, score: float) -> int:
        """Return the bin edge nearest to a cutoff."""
        return int(np.abs(self._edges - score).argmin())

    @cached_property
    def _edges(self) -> Array:
        return np.array(self.edges)

    def chances(self, versions: slice = EVERY, reach: float = 0.0) -> Array:
        """Return the calibrated chance [segment, version, bin]: the line of all events and the segment's shrunken shift.

        `reach` adds so many standard errors to its log-odds: of the shrunken shift, and of the line's slope, which counts
        the more the farther a score is from where the labels tell most (Hosmer, Lemeshow and Sturdivant 2013, 1.4: variance of
        a fitted logit; shift and slope are uncorrelated there).
        """
        shift, se = (
            np.stack([getattr(one, name) for one in self.shifts[versions]], axis=-1)[..., None]
            for name in ("shrunk", "shrunk_se")
        )
        line = self._on_line[:, versions]
        chance: Array = expit(line + shift)
        if not reach:
            return chance
        told = self.labelled[:, versions] * chance * (1 - chance)
        centre = np.nan_to_num(ratio((told * line).sum(-1), told.sum(-1)))[..., None]
        slope = np.sqrt(self.widened) * (self.line[:, 2] / self.line[:, 1])[versions, None]
        found: Array = expit(line + shift + reach * np.hypot(se, slope * (line - centre)))
        return found

    @cached_property
    def _on_line(self) -> Array:
        return _on_line(self.whole, self.line)

    @cached_property
    def own(self) -> Array:
        """Return [segment, version]: whether a segment has so many positives that its own counts set its cutoff."""
        known: Array = (self.positives >= OWN_FROM) | (self.view.release.scale.name != "probability")
        return known

    @cached_property
    def mean_amount(self) -> Array:
        """Return the mean amount of a positive [segment]: its own from 30 positives on, else that of all segments."""
        amount, n = self.whole.positive_amount[:, CANDIDATE].sum(-1), self.positives[:, CANDIDATE]
        every = np.nan_to_num(ratio(amount.sum(), n.sum()))
        return np.where(n >= FEW, ratio(amount, n), every)

    @cached_property
    def amounts(self) -> Array:
        """Return the amount to expect of a positive [segment, version, bin].

        All events tell how amounts change with the score, the positives by how much theirs differ (the segment's own
        from 30 positives on, else those of all).
        """
        usual = np.nan_to_num(ratio(self.whole.amount, self.whole.n))
        told, n = self.whole.positive_amount.sum(-1), self.positives
        as_usual = (self.whole.positive * usual).sum(-1)
        every = np.nan_to_num(ratio(told.sum(0), as_usual.sum(0)))
        times = np.where(n >= FEW, np.nan_to_num(ratio(told, as_usual)), every)
        found: Array = usual * times[..., None]
        return found

    def observed(self, units: UnitCosts) -> ActionCosts:
        """Return what each bin's labelled events cost by action [segment, version, bin], as counted."""
        return cutoff_pairs.by_action(self.whole.positive, self.whole.negative, self.whole.positive_amount, units)

    def expected(self, units: UnitCosts, versions: slice = EVERY, reach: float = 0.0) -> ActionCosts:
        """Return the same by calibrated chances (see there); as counted where a segment speaks for itself (`own`)."""
        seen = self._foreseen if versions == EVERY and not reach else self._foresee(versions, reach)
        return cutoff_pairs.by_action(*seen, costs=units)

    def expected_of(self, place: int, version: int, units: UnitCosts) -> ActionCosts:
        """Return the same of one segment and version, [bin]."""
        positive, negative, amount = (part[place, version] for part in self._foreseen)
        return cutoff_pairs.by_action(positive, negative, amount, units)

    @cached_property
    def _foreseen(self) -> tuple[Array, Array, Array]:
        return self._foresee(EVERY, 0.0)

    def _foresee(self, versions: slice, reach: float) -> tuple[Array, Array, Array]:
        """Return positives, negatives and the positives' amount to expect, [segment, version, bin]."""
        own, labelled = self.own[:, versions, None], self.labelled[:, versions]
        positive = np.where(own, self.whole.positive[:, versions], self.chances(versions, reach) * labelled)
        amount = np.where(own, self.whole.positive_amount[:, versions], positive * self.amounts[:, versions])
        return positive, labelled - positive, amount

    def per_thousand(self, total: Array) -> Array:
        """Return costs [segment, version, ...] per 1,000 labelled events of the segment."""
        events = self.labelled.sum(-1)
        return 1000 * ratio(total, events.reshape(events.shape + (1,) * (np.ndim(total) - 2)))


@of_cube(32)
def grounds(view: View, by: str = "") -> Grounds:
    """Return the grounds of a choice, by the values of a dimension ("": all events in one)."""
    split = (by,) if by else ()
    cells = view.cells(*split)
    edges = shown_scores(view.release, np.append(cells.whole.grid.lower, 1.0)) if cells.segments else []
    line, widened = _calibrating(view)
    log_odds = _on_line(cells.whole, line)
    n = cells.whole.positive + cells.whole.negative
    shifts = tuple(
        offsets.offsets(cells.whole.positive[:, v], n[:, v], log_odds[:, v], widened) for v in range(len(VERSIONS))
    )
    names = tuple(segment[by] if by else EVERYTHING for segment in cells.segments)
    return Grounds(view, by, cells, names, edges, line, shifts, widened)


@of_cube(32)
def _calibrating(view: View) -> tuple[Array, float]:
    """Return the line of all events of a choice, and by how much clustering widens the variance of a shift from it."""
    every = view.cells()
    line = _line(every)
    return line, _widened(every, line)


def _line(every: Cells) -> Array:
    """Return intercept, slope and its error [version, 3] of the log-odds of all events; (0, 1, 0) where not to be estimated."""
    if not every.segments:
        return np.array([[0.0, 1.0, 0.0]] * len(VERSIONS))
    t = every.whole.take(0)
    n = t.positive + t.negative
    found = logistic.cox(t.positive, n, ratio(t.labelled_logit, n))
    known = np.isfinite(found.slope) & (found.slope > 0)
    parts = ((found.intercept, 0.0), (found.slope, 1.0), (found.se_slope, 0.0))
    return np.stack([np.where(known, value, otherwise) for value, otherwise in parts], axis=-1)


def _on_line(tally: Tally, line: Array) -> Array:
    """Return the calibrated log-odds [..., version, bin] of each bin; 0 where a bin is empty."""
    mean = np.nan_to_num(ratio(tally.logit, tally.n))
    found: Array = line[:, 0, None] + line[:, 1, None] * mean
    return found


def _widened(every: Cells, line: Array) -> float:
    """Return by how much clustering widens the variance of the candidate's shift of log-odds; at least 1."""
    if not every.segments or not every.shards.binned:
        return 1.0
    whole, left = (t.take(0) for t in (every.shards.sum(1), every.left_out))

    def shift(tally: Tally) -> logistic.Shift:
        positive, n = tally.positive[..., CANDIDATE, :], (tally.positive + tally.negative)[..., CANDIDATE, :]
        return logistic.calibration_intercept(positive, n, _on_line(tally, line)[..., CANDIDATE, :])

    full = shift(whole)
    spread = intervals.jackknife(full.value, shift(left).value, every.shards.positives[0, :, CANDIDATE] > 0)
    effect = float(ratio(spread.se, full.se) ** 2)
    return max(effect, 1.0) if np.isfinite(effect) else 1.0


def cutoffs_there(table: CutoffTable) -> str:
    """Return which cutoffs a table has: both, or one of them, as `cutoff_pairs` names it."""
    found = {action for row in (table.default, *(row.cutoffs for row in table.segments)) for action, _ in row}
    return next((action for action in CUTOFF_ACTIONS if found == {action}), cutoff_pairs.BOTH)


def uniform(table: CutoffTable, place: Mapping[str, str], action: str) -> bool:
    """Return whether all events with these dimension values have one cutoff for an action."""
    for row in table.segments:
        where = dict(row.where)
        apart = any(place.get(dim, value) != value for dim, value in where.items())
        within = all(place.get(dim) == value for dim, value in where.items())
        if action in dict(row.cutoffs) and not apart and not within:
            return False
    return True


def place_text(view: View, by: str, name: str) -> str:
    """Return a segment of a split in words, the filter included."""
    return segment_text(dict(view.where) | ({by: name} if by and name else {}))


def riskier_first(release: Release) -> bool:
    """Return whether scores fall as risk rises."""
    return release.scale.riskier != "higher"
