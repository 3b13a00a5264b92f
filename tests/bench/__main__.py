"""Benchmarks: `python tests/bench [ROWS]` prints ratios measured in one run, so that they hold on any machine.

Figures in CPU seconds (user + system, all threads), best of three unless the work is done once.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from streamlit.testing.v1 import AppTest

from release_core import cube, demo, library, live, manifest, review
from release_core.store import Store
from release_core.views import recalibration, score_drift, transfer, windows
from release_core.views.cutoffs import Ask, cutoffs
from release_core.views.view import View
from tests.bench import generated

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION = 1_000_000
SCAN = """
select sum(baseline_score), sum(candidate_score), sum(amount), max(event_time),
    count(market), count(surface), count(risk_tier), count(cohort), count(entity_id), count(event_id)
from read_parquet($files)
"""

ARRIVALS = 5
LIVE_FROM = "select epoch(max(event_time)) - 86400 as moment from read_parquet($files, union_by_name = true)"


def cpu(work: Callable[[], object], times: int = 3) -> float:
    """Return the least CPU time of several runs, in seconds."""
    best = float("inf")
    for _ in range(times):
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best


def say(what: str, value: str) -> None:
    """Print one line of the table."""
    print(f"{what:<66}{value:>14}")  # noqa: T201


def build(rows: int, folder: Path) -> None:
    """Print the cube build against a plain scan of the same files, and what a new file costs."""
    release = manifest.load(generated.write(folder / "bench", rows))
    files = sorted(str(file) for file in (folder / "bench" / "decisions").glob("*.parquet"))
    with Store() as store:
        scan = cpu(lambda: store.query(SCAN, {"files": files}))
    cold = cpu(lambda: cube.build(release, folder / "cache"), 1)
    warm = cpu(lambda: cube.build(release, folder / "cache"))
    say(f"scan of {rows:,} rows, CPU s", f"{scan:.2f}")
    say("cube from nothing, CPU s", f"{cold:.2f}")
    say("cube / scan", f"{cold / scan:.1f}")
    say("nothing new to read, CPU ms", f"{1000 * warm:.1f}")
    opened = library.Opened(release, cube.Cube(release, cube.build(release, folder / "cache")), "bench")
    answers(opened)


def answers(opened: library.Opened) -> None:
    """Print what a new as-of time, segment or cutoff costs: cells, metrics, verdicts."""
    one, dims = opened.cube, opened.release.segments.dims
    stage, steps = one.stages()[0], one.steps
    fresh = iter([*steps[:-1]] * 4)
    split = ((dims[0],), ())
    say(
        "cells of a dimension at a new as-of time, CPU ms",
        f"{1000 * cpu(lambda: one.slice.__wrapped__(stage, next(fresh), (split,)).whole.n):.1f}",
    )
    say(
        "the same as decisions only, CPU ms",
        f"{1000 * cpu(lambda: one.slice.__wrapped__(stage, next(fresh), (split,)).whole.actions):.1f}",
    )
    view = View(opened, stage, steps[-1])
    view.cells()
    score_drift.score_drift(view)
    say("what moves at the cutoffs, CPU ms", f"{1000 * cpu(lambda: score_drift.score_drift(view)):.1f}")
    transfer.rows_of(view, dims[0])
    say(
        "threshold transfer by another rule, every segment, CPU ms",
        f"{1000 * cpu(lambda: transfer.rows_of(view, dims[0], 'fpr')):.1f}",
    )
    say("another cutoff, all its consequences, CPU ms", f"{1000 * cpu(lambda: cutoffs(view, Ask(review=0.1))):.1f}")
    say(
        "every verdict at a new as-of time, CPU ms",
        f"{1000 * cpu(lambda: review.review(opened, stage, next(fresh))):.0f}",
    )
    recalibrated(view)


def recalibrated(view: View) -> None:
    """Print what another choice of windows, and another method on the same windows, costs on the Calibration page."""
    dim = windows.dims(view)[0]
    fits = windows.fits(view, dim)
    judges = {fit: windows.judges(view, dim, fit)[0] for fit in fits}
    recalibration.recalibration(view, dim, fits[0], judges[fits[0]], "platt")
    rest = iter([*fits[1:]])
    say(
        "recalibration fitted on another window, all methods, CPU ms",
        f"{1000 * cpu(lambda: recalibration.recalibration(view, dim, fit := next(rest), judges[fit], 'beta'), len(fits) - 1):.1f}",
    )
    methods = iter(recalibration.TITLES)
    say(
        "another method on the same windows, CPU ms",
        f"{1000 * cpu(lambda: recalibration.recalibration(view, dim, fits[0], judges[fits[0]], next(methods)), 4):.1f}",
    )


def credit(folder: Path) -> None:
    """Print the demo's build and answers on real data."""
    before = time.process_time()
    demo.build(folder / "releases", only=["credit-model"])
    say("credit-model from the source file, CPU s", f"{time.process_time() - before:.1f}")
    release = manifest.load(folder / "releases" / "credit-model")
    cold = cpu(lambda: cube.build(release, folder / "credit"), 1)
    say("its cube (90,000 events, 5 dimensions, every pair), CPU s", f"{cold:.1f}")
    opened = library.Opened(release, cube.Cube(release, cube.build(release, folder / "credit")), "credit")
    answers(opened)


def fraud(folder: Path) -> None:
    """Print what the cube of a demo with live stages costs, and what each of a few small files adds as time passes."""
    demo.build(folder / "releases", only=["fraud-threshold"])
    source = manifest.load(folder / "releases" / "fraud-threshold")
    say("fraud-threshold, its cube, CPU s", f"{cpu(lambda: cube.build(source, folder / 'fraud'), 1):.1f}")
    into = folder / "arriving"
    with Store() as store:
        files = sorted(map(str, (source.folder / "decisions").rglob("*.parquet")))
        start = float(store.query(LIVE_FROM, {"files": files})["moment"][0])
    plan = live.prepared(source, into, live.Plan(live.source_of(source), start, 3600.0, 0.02))
    ticks = zip(range(ARRIVALS), live.feed(source, into, plan=plan), strict=False)
    took = [cpu(lambda: cube.build(manifest.load(into), folder / "arrived"), 1) for _ in ticks]
    say("a small file that arrives, its part in the cube, CPU ms", f"{1000 * min(took[1:]):.0f}")


def pages(folder: Path) -> None:
    """Print the CPU time of every page's script on the credit demo with warm caches."""
    os.environ[library.RELEASES_VARIABLE] = str(folder / "releases")
    root = Path(__file__).resolve().parents[2] / "pages"
    for page in sorted(root.glob("*.py")):
        app = AppTest.from_file(str(root / "frame" / "main.py"), default_timeout=120)
        if page.stem != "overview":
            app.switch_page(str(page))
        app.run()
        say(f"page script {page.stem}, warm, CPU ms", f"{1000 * cpu(app.run):.0f}")


def main() -> None:
    """Print the whole table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else MILLION
    with tempfile.TemporaryDirectory() as folder:
        os.environ[library.CACHE_VARIABLE] = f"{folder}/cache"
        say("credit demo, real data", "")
        credit(Path(folder))
        pages(Path(folder))
        say("fraud demo, made data", "")
        fraud(Path(folder))
        say("generated log", "")
        build(rows, Path(folder))


if __name__ == "__main__":
    main()
