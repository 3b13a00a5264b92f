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
from release_core.stats.arrays import at_or_above, or_zero, ratio
from release_core.views.view import shown_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_core.frames import Array, Cells, Tally
    from release_core.release import CutoffTable, Release
    from release_core.views.view import View

EVERYTHING = "all events"
BASELINE, CANDIDATE = range(len(VERSIONS))
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
    """Cells by segment [segment, version, bin] with what calibrates them; of either version's score, `sides` tell the rest.

    `line` [version, 3] is the intercept and slope of all events' log-odds, and the slope's standard error; `widened` is by how
    much clustering widens the variance of a segment's shift from it. `edges` are the scores of the B + 1 bin edges in the
    score's own unit.
    """

    view: View
    by: str
    cells: Cells
    names: tuple[str, ...]
    edges: list[float]
    line: Array
    widened: float

    @property
    def whole(self) -> Tally:
        """Return the cells [segment, version, bin]."""
        return self.cells.whole

    @cached_property
    def sides(self) -> tuple[Side, ...]:
        """Return what the cells say of each version's score."""
        by_chance = self.view.release.scale.name == "probability"
        of = [(version, tuple(line), self.widened, by_chance) for version, line in enumerate(self.line.tolist())]
        return tuple(Side(self.whole, *one) for one in of)

    @cached_property
    def alike_edges(self) -> list[float]:
        """Return the scores of the edges of the shards' grid; none where the shards have no bins."""
        binned = bool(self.cells.segments) and self.cells.shards.binned
        return shown_scores(self.view.release, np.append(self.cells.shards.grid.lower, 1.0)) if binned else []

    @cached_property
    def labelled(self) -> Array:
        """Return the labelled events [segment, version, bin]."""
        return self.whole.positive + self.whole.negative

    @cached_property
    def told(self) -> list[bool]:
        """Return, by segment, whether any event has a label, without which no cutoff is cheapest."""
        return [bool(segment.any()) for segment in self.labelled]

    @cached_property
    def reached(self) -> Reached:
        """Return the sums at and above every bin edge, [segment, version, B + 1] each."""
        sums = (self.whole.n, self.labelled, self.whole.positive, self.whole.positive_amount, self.whole.labelled_score)
        return Reached(*map(at_or_above, sums))

    def at_edge(self, place: int | slice, version: int, edge: int) -> Reached:
        """Return the sums of a segment and version at and above a bin edge."""
        return Reached(*(part[place, version, edge] for part in self.reached))

    def at_cutoff(self, place: int | slice, version: int, name: str) -> Reached:
        """Return the sums of a segment (or of several) and version at and above a registered cutoff: exact, whatever the grid."""
        k, t = self.cells.cutoffs.index(name), self.whole
        parts = (t.above, t.above_labelled, t.above_positive, t.above_amount, t.above_score)
        return Reached(*(part[place, version, k] for part in parts))

    def edge(self, score: float) -> int:
        """Return the bin edge nearest to a cutoff."""
        return int(np.abs(self._edges - score).argmin())

    @cached_property
    def _edges(self) -> Array:
        return np.array(self.edges)

    @cached_property
    def mean_amount(self) -> Array:
        """Return the mean amount of a positive [segment]: its own from 30 positives on, else that of all segments."""
        side = self.sides[CANDIDATE]
        amount, n = side.positive_amount.sum(-1), side.positives
        every = or_zero(ratio(amount.sum(), n.sum()))
        return np.where(n >= FEW, ratio(amount, n), every)


@dataclass(frozen=True, eq=False)
class Side:
    """What the cells of the grounds say of one version's score: each array is computed when it is first asked for.

    `line` and `widened` are the version's of the grounds; `by_chance`: whether scores are probabilities. The grounds themselves
    are not held: each holding the other, only a full collection by Python would free the arrays.
    """

    whole: Tally
    version: int
    line: tuple[float, ...]
    widened: float
    by_chance: bool

    def _part(self, name: str) -> Array:
        part: Array = getattr(self.whole, name)[:, self.version]
        return part

    @cached_property
    def positive(self) -> Array:
        """Return the labelled positives [segment, bin]."""
        return self._part("positive")

    @cached_property
    def labelled(self) -> Array:
        """Return the labelled events [segment, bin]."""
        return self.positive + self._part("negative")

    @cached_property
    def positive_amount(self) -> Array:
        """Return the amount of the labelled positives [segment, bin]."""
        return self._part("positive_amount")

    @cached_property
    def positives(self) -> Array:
        """Return the labelled positives [segment]."""
        return self.positive.sum(-1)

    @cached_property
    def events(self) -> Array:
        """Return the labelled events [segment]."""
        return self.labelled.sum(-1)

    @cached_property
    def _on_line(self) -> Array:
        """Return the log-odds [segment, bin] by the line of all events; that of an empty bin is the line's intercept."""
        intercept, slope, _ = self.line
        found: Array = intercept + slope * or_zero(ratio(self._part("logit"), self._part("n")))
        return found

    @cached_property
    def shift(self) -> offsets.Offsets:
        """Return each segment's offset from the line of all events."""
        return offsets.offsets(self.positive, self.labelled, self._on_line, self.widened)

    @cached_property
    def own(self) -> Array:
        """Return whether a segment [segment] has so many positives that its own counts set its cutoff."""
        known: Array = (self.positives >= OWN_FROM) | (not self.by_chance)
        return known

    @cached_property
    def borrowing(self) -> Array:
        """Return the places of the other segments that have labels: their cutoffs rest on what all events say too."""
        return np.flatnonzero(~self.own & (self.events != 0))

    def chances(self, reach: float = 0.0) -> Array:
        """Return the calibrated chance [borrowing segment, bin]: the line of all events and the segment's shrunken shift.

        `reach` adds so many standard errors to its log-odds: of the shrunken shift, and of the line's slope, which counts
        the more the farther a score is from where the labels tell most (Hosmer, Lemeshow and Sturdivant 2013, 1.4: variance of
        a fitted logit; shift and slope are uncorrelated there).
        """
        shifted = self._on_line[self.borrowing] + self.shift.shrunk[self.borrowing, None]
        chance: Array = expit(shifted + reach * self._error if reach else shifted)
        return chance

    @cached_property
    def _error(self) -> Array:
        """Return the standard error of the calibrated log-odds [borrowing segment, bin]."""
        line, chance, (_, slope, error) = self._on_line[self.borrowing], self.chances(), self.line
        told = self.labelled[self.borrowing] * chance * (1 - chance)
        centre = or_zero(ratio((told * line).sum(-1), told.sum(-1)))[:, None]
        own = self.shift.shrunk_se[self.borrowing, None]
        return np.hypot(own, np.sqrt(self.widened) * (error / slope) * (line - centre))

    @cached_property
    def _amounts(self) -> Array:
        """Return the amount to expect of a positive [borrowing segment, bin].

        All events tell how amounts change with the score, the positives by how much theirs differ (the segment's own
        from 30 positives on, else those of all).
        """
        usual = or_zero(ratio(self._part("amount"), self._part("n")))
        told, as_usual = self.positive_amount.sum(-1), (self.positive * usual).sum(-1)
        every = or_zero(ratio(told.sum(), as_usual.sum()))
        times = np.where(self.positives >= FEW, or_zero(ratio(told, as_usual)), every)
        return usual[self.borrowing] * times[self.borrowing, None]

    @cached_property
    def counted(self) -> Array:
        """Return the running sums of the labelled events [3, segment, B + 1] as counted: see `cutoff_pairs.running`."""
        return cutoff_pairs.running(self.positive, self._part("negative"), self.positive_amount)

    @cached_property
    def expected(self) -> Array:
        """Return the same by calibrated chances (see there); as counted where a segment speaks for itself (`own`)."""
        if not len(self.borrowing):
            return self.counted
        sums = self.counted.copy()
        sums[:, self.borrowing] = self.foreseen()
        return sums

    def foreseen(self, reach: float = 0.0) -> Array:
        """Return the same of the `borrowing` segments alone, by chances that reach so many standard errors up."""
        labelled = self.labelled[self.borrowing]
        positive = self.chances(reach) * labelled
        return cutoff_pairs.running(positive, labelled - positive, positive * self._amounts)

    def per_thousand(self, total: Array) -> Array:
        """Return costs [segment, ...] per 1,000 labelled events of the segment."""
        return 1000 * ratio(total, self.events.reshape(self.events.shape + (1,) * (np.ndim(total) - 1)))


@of_cube(8)
def grounds(view: View, by: str = "") -> Grounds:
    """Return the grounds of a choice, by the values of a dimension ("": all events in one)."""
    split = (by,) if by else ()
    cells = view.cells(*split)
    edges = shown_scores(view.release, np.append(cells.whole.grid.lower, 1.0)) if cells.segments else []
    names = tuple(segment[by] if by else EVERYTHING for segment in cells.segments)
    return Grounds(view, by, cells, names, edges, *_calibrating(view))


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


def _widened(every: Cells, line: Array) -> float:
    """Return by how much clustering widens the variance of the candidate's shift of log-odds; at least 1."""
    if not every.segments or not every.shards.binned:
        return 1.0
    parts = (getattr(every.shards, name)[0, :, CANDIDATE] for name in ("positive", "negative", "logit", "n"))
    # All events first, then those without each of the shards.
    rows = (np.concatenate([part.sum(0, keepdims=True), part.sum(0) - part]) for part in parts)
    positive, negative, logit, n = rows
    log_odds = line[CANDIDATE, 0] + line[CANDIDATE, 1] * or_zero(ratio(logit, n))
    value, se = logistic.calibration_intercept(positive, positive + negative, log_odds)
    spread = intervals.jackknife(value[0], value[1:], every.shards.positives[0, :, CANDIDATE] > 0)
    effect = float(ratio(spread.se, se[0]) ** 2)
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
