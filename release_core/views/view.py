"""A reader's choice in, the cells and captions of that choice out: what every page starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import review
from release_core.charts.chart import Caption
from release_core.charts.digits import count
from release_core.charts.style import Score
from release_core.cube import REPLAY_SET
from release_core.frames import segment_text
from release_core.memory import of_cube
from release_core.release import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from release_core.frames import Array, Cells, MetricRow
    from release_core.library import Opened
    from release_core.metrics import Metric
    from release_core.release import Release, Stage

    Row = dict[str, Any]


# Scores below this are shown as 0: the lower edge of the lowest bin is the smallest number there is.
TINY = 1e-12
# Units of as-of steps that end with a day.
WHOLE_DAYS = {"day", "week", "month"}


@dataclass(frozen=True, slots=True)
class View:
    """A release, a stage, an as-of step and a segment filter (dimension, value)."""

    opened: Opened
    stage: Stage
    step: int
    where: tuple[tuple[str, str], ...] = ()

    @property
    def release(self) -> Release:
        """Return the release."""
        return self.opened.release

    @property
    def as_of(self) -> str:
        """Return the as-of time in words."""
        return said(self.opened, self.step)

    @property
    def place(self) -> str:
        """Return the segment filter in words."""
        return segment_text(dict(self.where))

    @property
    def currency(self) -> str:
        """Return the currency of the manifest's costs; "" where it declares none."""
        return self.release.costs.currency if self.release.costs else ""

    @property
    def none(self) -> str:
        """Return the words with which a sentence on the absence of events begins."""
        return f"No event of {self.place}" if self.where else "No event"

    @property
    def days(self) -> float:
        """Return over how many days the events of the choice entered; 0 without events."""
        return self.opened.cube.days(self.stage, self.step, dict(self.where).get(REPLAY_SET))

    def cells(self, *by: str) -> Cells:
        """Return the cells of the choice, split by up to two dimensions (filter and split together)."""
        return self.opened.cube.slice(self.stage, self.step, ((by, self.where),), mature=True)

    @of_cube(64)
    def sql(self, table: str, *by: str) -> str:
        """Return the SQL behind `cells`."""
        return self.opened.cube.sql(table, self.stage, self.step, (by, self.where))

    def known(self) -> dict[str, Metric]:
        """Return the metrics of this release by name."""
        return review.known_metrics(self.release)

    def rows(self, names: Sequence[str], *by: str) -> list[MetricRow]:
        """Return the metric rows of the choice."""
        return review.measured(self.opened, self.stage, self.step, by=by, where=dict(self.where), names=names)

    def caption(self, n: float, *, table: str = "score", by: Sequence[str] = (), takeaway: str = "") -> Caption:
        """Return what a chart says of its origin: versions, n, as-of, segment, and the SQL of `table`."""
        baseline, candidate = _ids(self.opened)
        evidence = f"n = {count(n)} · as of {self.as_of} · baseline {baseline} vs candidate {candidate} · {self.place}"
        return Caption(baseline, candidate, evidence, takeaway, self.sql(table, *by))


def said(opened: Opened, step: int) -> str:
    """Return an as-of step as readers say it: the day, with the time where steps are parts of a day."""
    end = opened.cube.end(step)
    return f"{end:%Y-%m-%d}" if opened.cube.unit in WHOLE_DAYS else f"{end:%Y-%m-%d %H:%M} UTC"


@of_cube(1)
def _ids(opened: Opened) -> tuple[str, str]:
    """Return how charts name the two versions of an open release."""
    return version_ids(opened.release)


def version_ids(release: Release) -> tuple[str, str]:
    """Return how charts name the two versions: by the components that differ, else by the model."""
    changed = [c for c in release.named_changes if c != "thresholds" or release.kind.component == c] or ["model"]
    names = ["+".join(getattr(release.bundle(version), c) for c in changed) for version in VERSIONS]
    return (names[0], names[1]) if names[0] != names[1] else (f"{names[0]} (baseline)", f"{names[1]} (candidate)")


def axis(release: Release) -> Score:
    """Return the axis on which a release's scores are shown."""
    return Score() if release.scale.name == "probability" else Score("points", "score (points)")


def shown_scores(release: Release, lower: Array) -> list[float]:
    """Return positions on the risk axis [0, 1] in the score's own unit."""
    scale = release.scale
    lower = np.where(lower < TINY, 0.0, lower)
    if scale.name == "probability":
        shown = lower if scale.riskier == "higher" else 1 - lower
    else:
        span = scale.maximum - scale.minimum
        shown = scale.minimum + span * lower if scale.riskier == "higher" else scale.maximum - span * lower
    return list(shown.tolist())


def cutoff_marks(release: Release) -> list[Row]:
    """Return the default cutoffs in force, for chart marks: label, score, version."""
    marks = []
    for version in VERSIONS:
        table = release.tables[release.bundle(version).thresholds]
        marks += [{"label": f"{table.id} {action}", "score": at, "version": version} for action, at in table.default]
    return marks


def known(value: float) -> float | None:
    """Return the value, None where it is not finite."""
    return float(value) if isfinite(value) else None


def paired_rows(rows: Iterable[MetricRow]) -> list[Row]:
    """Return one row per metric and segment with both versions' values, their difference and its interval."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Row] = {}
    for row in rows:
        key = (row.metric, tuple(row.segment.items()))
        one = found.setdefault(
            key, {"metric": row.metric, "segment": segment_text(row.segment), "where": dict(row.segment)}
        )
        one[row.version] = row.value
        one[f"{row.version}_low"], one[f"{row.version}_high"] = row.low, row.high
        if row.version == "difference":
            one |= {
                "low": row.low,
                "high": row.high,
                "n": row.n,
                "positives": row.positives,
                "method": row.method,
                "reason": row.reason,
            }
    return list(found.values())


def segment_key(segment: Mapping[str, str]) -> str:
    """Return a segment as text that a link can carry and `where_of` reads back: dim=value, joined by " | "."""
    return " | ".join(f"{dim}={value}" for dim, value in segment.items())


def single_view(view: View) -> tuple[View, str]:
    """Return the view with at most one dimension in its filter, as some cells are kept, and a sentence if that left any out."""
    dims = [pair for pair in view.where if pair[0] != REPLAY_SET]
    if len(dims) <= 1:
        return view, ""
    kept = tuple(pair for pair in view.where if pair not in dims[1:])
    left = ", ".join(f"{dim.replace('_', ' ')} {value}" for dim, value in dims[1:])
    return replace(view, where=kept), f"This page filters by one dimension: {left} is left out of the filter here."
