"""Both distributions of a choice in, how far they are apart out: PSI with its groups, KS, Jensen-Shannon, Wasserstein."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts.digits import count, number
from release_core.cube import WINDOW
from release_core.cube.reference import ENOUGH
from release_core.frames import natural
from release_core.metrics import values
from release_core.stats import drift
from release_core.views.boundary import STABLE, WATCH
from release_core.views.view import known, shown_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_core.frames import Array, Cells
    from release_core.views.view import View

    Row = dict[str, Any]

# PSI of fewer events than this is noise (METHODS c1).
FEWEST = 500


def distances(view: View, cells: Cells) -> list[Row]:
    """Return PSI, KS, Jensen-Shannon and Wasserstein: value, definition, and how to read it here."""
    if not cells.segments:
        return []
    old, new = cells.whole.n[0]
    found = _psi(cells)
    limit = float(found.null_high)
    return [
        _row(
            "PSI",
            found.total,
            "sum over groups of (a - e) ln(a / e), a and e the shares of candidate and baseline, counts + 0.5; "
            "groups at tenths of the baseline, fixed with the release",
            verdict(found, float(old.sum())),
        ),
        _row(
            "PSI beyond chance",
            found.net,
            "PSI less what it is on average without any drift: (groups - 1) (1/n + 1/m)",
            f"Without drift PSI stays below {number(known(limit), 2)} in 95 of 100 samples of this size. "
            "On the same events, as here, it stays below it more often.",
        ),
        _row(
            "KS distance",
            drift.ks_drift(old, new),
            "largest gap between the shares of events below any score",
            "0 equal, 1 disjoint; found where most events are, seldom at the cutoff.",
        ),
        _row(
            "Jensen-Shannon distance",
            drift.jensen_shannon(old, new),
            "square root of the mean divergence of both from their mixture, base 2",
            "0 equal, 1 disjoint.",
        ),
        _wasserstein(view, cells),
    ]


def _psi(cells: Cells) -> drift.Psi:
    return drift.Psi(*(part[0] for part in values.score_groups(cells.whole)))


def groups_note(view: View) -> str:
    """Return where PSI's groups come from, in one sentence."""
    fixed = view.opened.cube.facts["score_groups"]
    if not fixed["edges"]:
        return ""
    first, last = fixed["windows"]
    when = first if first == last else f"{first} to {last}"
    return (
        f"Groups: tenths of the baseline's scores in {fixed['stage']}, {when} ({count(fixed['n'])} events), stored with the "
        "release: the same at every as-of time, in every stage and segment."
        f"{_moving(view, fixed)}"
    )


def _moving(view: View, fixed: Mapping[str, Any]) -> str:
    """Return that the groups still move with every file that arrives, where they do: they rest on events still to come."""
    few = fixed["n"] < ENOUGH
    if not few and fixed["windows"][-1] != max(view.opened.cube.values(WINDOW), key=natural, default=""):
        return ""
    why = f"fewer than {count(ENOUGH)} events are logged" if few else "the last of these windows still fills"
    return (
        f" They are not final: {why}, and they are found anew as more arrive. Until then a PSI of today does not compare "
        "with one that was noted or signed earlier."
    )


def verdict(found: drift.Psi, n: float) -> str:
    """Return what PSI says, by its usual limits and by what chance alone gives."""
    total = float(found.total)
    if np.isnan(total):
        return "Not known: a version has no scores."
    if n < FEWEST:
        return f"Too few events ({n:,.0f}; {FEWEST} needed): not to be used."
    if total <= float(found.null_high):
        return "Stable: no more than chance gives."
    if float(found.net) <= STABLE:
        return f"Stable by the usual limit of {STABLE:.2f}, though more than chance gives."
    return "Drift." if total >= WATCH else f"A closer look is due ({STABLE:.2f} to {WATCH:.2f})."


def _wasserstein(view: View, cells: Cells) -> Row:
    grid, scale = cells.whole.grid, view.release.scale
    if grid.per_unit:
        positions, unit = (grid.ids - 0.5) / grid.per_unit, "log-odds"
    else:
        positions, unit = grid.ids * (scale.step or 1.0), "points"
    old, new = cells.whole.n[0]
    value = drift.wasserstein(old, new, positions)
    mean = (new * positions).sum() / max(new.sum(), 1) - (old * positions).sum() / max(old.sum(), 1)
    way = "riskier" if mean > 0 else "safer"
    words = (
        f"Scores moved by {number(known(float(value)))} {unit} on average; "
        f"the mean became {way} by {number(known(abs(float(mean))))}."
    )
    words = words if value else "Scores did not move."
    return _row("Wasserstein distance", value, f"mean distance that scores would have to move, in {unit}", words)


def _row(name: str, value: Array, definition: str, meaning: str) -> Row:
    return {"measure": name, "value": known(float(value)), "definition": definition, "meaning": meaning}


def psi_groups(view: View, cells: Cells) -> list[Row]:
    """Return PSI's parts per baseline decile, under the column names that scorecard users know, and their sum."""
    if not cells.segments:
        return []
    baseline, candidate = cells.whole.n[0]
    inner = values.inner_edges(cells.whole)
    inner = inner[0] if inner.ndim > 1 else inner
    found = _psi(cells)
    inside = [int(edge) for edge in inner if edge < len(baseline)]
    bounds = [0, *inside, len(baseline)]
    edges = shown_scores(view.release, np.append(cells.whole.grid.lower, 1.0))
    parts = [k for k in range(len(found.part)) if np.isfinite(found.part[k])]
    rows = [
        {
            "Bin": _named(edges, low, high, len(baseline)),
            "Count A": int(candidate[low:high].sum()),
            "Count E": int(baseline[low:high].sum()),
            "Count A %": known(100 * float(found.current[k])),
            "Count E %": known(100 * float(found.reference[k])),
            "PSI": known(float(found.part[k])),
        }
        for k, low, high in zip(parts, bounds[:-1], bounds[1:], strict=False)
    ]
    total = {"Count A": int(candidate.sum()), "Count E": int(baseline.sum()), "Count A %": 100.0, "Count E %": 100.0}
    return [*rows, {"Bin": "all", **total, "PSI": known(float(found.total))}] if rows else []


def _named(edges: list[float], low: int, high: int, last: int) -> str:
    """Return a group's bounds; the outermost are open, since later scores may lie beyond those seen."""
    start, end = (f"{edges[place]:.4g}" for place in (low, high))
    if low == 0 and high == last:
        return "all scores"
    if low == 0:
        return f"below {end}" if edges[0] <= edges[-1] else f"above {end}"
    return (
        (f"{start} and above" if edges[0] <= edges[-1] else f"{start} and below")
        if high == last
        else f"{start} to {end}"
    )
