"""The search for the worst slices with known truth: `python tests/bench/searching.py [LOGS] [BUILT] [ROWS]`.

Prints how often a slice is confirmed, and how often the ranking flags one, where none is harmed: over LOGS logs as counts
of slices, independent events; over BUILT logs through contract, cube and page, three events a customer. Then how often a
planted slice of one, two or three dimensions stands on top and is confirmed, and what an answer costs on a log of ROWS
rows. Shares with exact 95% intervals: the error of the simulation.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from release_core import cube, library, manifest
from release_core.metrics import harm
from release_core.release import Stage
from release_core.stats import intervals, multiplicity, slices
from release_core.views import segments
from release_core.views import slices as page
from release_core.views.view import View
from tests import factory, sliced
from tests.bench import generated
from tests.bench.__main__ import cpu
from tests.bench.simulate import say, share

if TYPE_CHECKING:
    from release_core.release import Release

DIMS = {"market": ("a", "b", "c", "d"), "surface": ("x", "y"), "tier": ("1", "2", "3"), "age": ("o", "p", "q")}
PLANTS = (
    {"market": "c"},
    {"market": "b", "tier": "2"},
    {"surface": "x", "tier": "3", "age": "q"},
)
METRICS = ("recall", "precision", "alert_rate", "expected_cost")
COSTS = {"currency": "EUR", "false_positive": 5.0, "review": 2.0, "false_negative": {"fixed": 1.0, "amount_times": 0.9}}
ENOUGH, HALF = 30, 5


def found_in(
    release: Release, name: str, seed: int, rows: int, **planted: Any
) -> tuple[slices.Found, dict[str, str], bool, bool]:
    """Return what is found in a log of independent events, the slice on top, and whether flags or single tests accuse any."""
    rng = np.random.default_rng(seed)
    events = sliced.log(rng, rows, DIMS, **planted) | {"half": rng.integers(0, 2, rows)}
    known, measure = sliced.slices(events, DIMS), harm.measures(release)[name]
    one = harm.change(measure, known, release, halves=True)
    positives = known.measures("n").sum((2, 3))[..., 1]
    large = (positives.sum(1) >= ENOUGH) & (positives >= HALF).all(1)
    halves = slices.Halves(measure.sign * one.difference, one.se, one.df(), one.weight)
    found = slices.search(halves, known.conditions, known.dims, large)
    whole = harm.change(measure, known, release)
    p = intervals.p_above(measure.sign * whole.difference, whole.se, 0.0, whole.df())
    top = known.segment(int(found.place[0])) if len(found.place) else {}
    flags = multiplicity.benjamini_yekutieli(np.where(large, p, np.nan)[1:], page.FALSE_LEADS)
    return found, top, bool(flags.any()), bool((p[large] <= page.ALPHA).any())


def calm(release: Release, logs: int) -> None:
    """Print the error rate over logs without any effect."""
    for name in METRICS:
        runs = [found_in(release, name, 1000 + seed, 4000, rate=0.25) for seed in range(logs)]
        say(f"{name}: logs without any effect in which a slice is confirmed (at most 5%)",
            share(sum(bool(found.confirmed.any()) for found, *_ in runs), logs))  # fmt: skip
        say(f"{name}: the same, if every slice were tested by itself at 5% on all customers",
            share(sum(naive for *_, naive in runs), logs))  # fmt: skip
        say(f"{name}: logs without any effect in which the ranking flags a segment or intersection (at most 10%)",
            share(sum(flagged for _, _, flagged, _ in runs), logs))  # fmt: skip


def planted(release: Release, logs: int) -> None:
    """Print how often a planted slice is found, and how often anything else is confirmed beside it."""
    for where in PLANTS:
        runs = [
            found_in(release, "recall", 7000 + seed, 30_000, rate=0.15, where=where, lost=0.5) for seed in range(logs)
        ]
        title = " and ".join(f"{dim} {value}" for dim, value in where.items())
        top = sum(top == where and bool(found.confirmed[0]) for found, top, *_ in runs)
        say(f"half of the alerts on bad events lost in {title}: on top and confirmed", share(top, logs))
        say(
            "the same: another slice confirmed beside it",
            share(sum(found.confirmed.sum() > 1 for found, *_ in runs), logs),
        )


def built(logs: int) -> None:
    """Print the error rate through the whole pipeline, with several events a customer."""
    wrong = dict.fromkeys(("recall", "expected_cost"), 0)
    for seed in range(logs):
        with tempfile.TemporaryDirectory() as folder:
            rows = factory.decisions(6000, seed=seed, per_entity=3)
            rows["cohort"] = np.random.default_rng(seed).choice(["new", "old"], len(rows))
            dims = {"dims": ["market", "surface", "cohort"], "min_events": 50}
            one = factory.opened(
                factory.write(Path(folder) / "r", rows, factory.outcomes(rows), costs=COSTS, segments=dims)
            )
            view = View(one, Stage.REPLAY, one.cube.steps[-1])
            for name in wrong:
                wrong[name] += any(row["confirmed"] for row in page.searched(view, name).rows)
    for name, hits in wrong.items():
        say(f"{name}: the same through the page, three events a customer", share(hits, logs))


def answers(rows: int, folder: Path) -> None:
    """Print what the answers of the Segments page cost on a large log."""
    release = manifest.load(generated.write(folder / "bench", rows))
    opened = library.Opened(release, cube.Cube(release, cube.build(release, folder / "cache")), "bench")
    stage, steps = opened.cube.stages()[0], opened.cube.steps
    before = time.process_time()
    page.searched(View(opened, stage, steps[-1]), "recall")
    tried = len(opened.cube.slices(stage, steps[-1], ()).conditions)
    say(
        f"{rows:,} rows, {tried:,} slices: first search of a stage, CPU ms",
        f"{1000 * (time.process_time() - before):.0f}",
    )
    fresh = iter([*steps[:-1]] * 3)
    say(
        "search at a new as-of time, CPU ms",
        f"{1000 * cpu(lambda: page.searched(View(opened, stage, next(fresh)), 'recall'), 5):.0f}",
    )
    view = View(opened, stage, steps[-1])
    page.ranked(view, "recall")
    say("search, the cells at hand, CPU ms", f"{1000 * cpu(lambda: page.searched(view, 'recall')):.0f}")
    say("ranking, the cells at hand, CPU ms", f"{1000 * cpu(lambda: page.ranked(view, 'recall')):.0f}")
    for depth in (1, 2, 3):
        names, fresh = list(generated.DIMS)[:depth], iter(range(4))
        segments.drill(view, tuple((dim, f"{dim}-3") for dim in names))
        cost = cpu(lambda names=names, n=fresh: _looked_into(view, names, next(n)), 3)
        say(f"one slice of {depth} dimensions in detail, never looked into, CPU ms", f"{1000 * cost:.0f}")


def _looked_into(view: View, names: list[str], value: int) -> segments.Drill:
    return segments.drill(view, tuple((dim, f"{dim}-{value}") for dim in names))


def main() -> None:
    """Print the whole table."""
    given = [int(word) for word in sys.argv[1:4]]
    logs, small, rows = [*given, *(1000, 100, 1_000_000)[len(given) :]]
    with tempfile.TemporaryDirectory() as folder:
        os.environ[library.CACHE_VARIABLE] = f"{folder}/cache"
        release = manifest.load(factory.write(Path(folder) / "r", factory.decisions(20), costs=COSTS))
        if logs:
            calm(release, logs)
            planted(release, max(logs // 5, 1))
        if small:
            built(small)
        if rows:
            answers(rows, Path(folder))


if __name__ == "__main__":
    main()
