"""Ids and a size in, built fraud releases out: parts written side by side, then gauges, truth and manifest."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.special import expit

from release_core import manifest
from release_core.demo import publish, stamp
from release_core.demo.fraud import part, plan, population, runtime, scores, truth
from release_core.demo.fraud.table import write_runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from release_core.demo.fraud.part import Sums, Task
    from release_core.demo.fraud.plan import Story
    from release_core.release import Release

    Tell = Callable[[float, str], None]

T = TypeVar("T")
HERE = Path(__file__).parent
PART = 250_000
# Below this size starting worker processes costs more than they save.
WORTH_WORKERS = 600_000
REVIEW, BLOCK = 0.035, 0.09
# Of the events of the replay: a segment with so many has some forty bad ones. Of all events: cardholders in an A/B.
QUALITY_SHARE, EXPECT_SHARE = 0.06, 0.1
# A segment is judged by itself from so many days of the portfolio on.
LEAST_DAYS = 0.16
TRUTH = "truth.json"
# Who changes the score answers for every market; elsewhere small markets, with a handful of frauds, are only watched.
MARKETS_JUDGED = ("fraud-model", "fraud-mixed")
DIMS = (
    'dims = ["surface", "risk_tier", "cohort"]\nobserve = ["market"]',
    'dims = ["market", "surface", "risk_tier", "cohort"]',
)


def build(
    root: Path, ids: Sequence[str], builder: str, tell: Tell, size: int | None = None, workers: int | None = None
) -> None:
    """Build the releases `ids` under `root`, stamped with `builder`.

    `size`: decisions of each release (None: each story's own). `workers`: processes that write parts (None: as many as
    the machine has, where it is worth it); the files do not depend on it. `tell` hears the share done, 0 to 1.
    """
    for number, name in enumerate(ids):
        story = plan.STORIES[name]

        def heard(share: float, start: int = number, name: str = name) -> None:
            tell((start + share) / len(ids), f"generating {name}")

        heard(0.0)
        _build(root / name, story, builder, (size or story.size, workers), heard)


def _build(
    folder: Path, story: Story, builder: str, how: tuple[int, int | None], tell: Callable[[float], None]
) -> None:
    size, workers = how
    tasks = parts(story, size)
    cutoffs = _cutoffs(story, tasks, size, workers)
    text = _manifest(story, size, cutoffs)

    def write_logs(fresh: Path) -> None:
        (fresh / stamp.MANIFEST).write_text(text, encoding="utf-8")
        release = manifest.load(fresh)
        for log in ("decisions", "outcomes", "runtime"):
            (fresh / log).mkdir()
        sums = []
        for done in _each(partial(part.write, release=release, folder=fresh), tasks, size, workers):
            sums.append(done)
            tell(len(sums) / len(tasks))
        _finish(fresh, story, release, size, sums)

    publish.publish(folder, text, builder, write_logs)


def parts(story: Story, size: int) -> list[Task]:
    """Return the parts of a release of `size` decisions, in order of time; no part crosses a step of the ramp."""
    found = []
    for stage, (span, total) in enumerate(zip(story.spans, plan.counts(story, size), strict=True)):
        ends = np.cumsum([days for _, days in span.ramp] or [span.days])
        hours = population.clock(span, np.linspace(0, 1, total + 1)) / population.SECONDS - span.start
        edges = [0, *(int(np.searchsorted(hours, end - 1e-9)) for end in ends[:-1]), total]
        for step, (first, last) in enumerate(pairwise(edges)):
            for number, start in enumerate(range(first, last, PART)):
                name = f"{stage + 1}-{span.stage}-{step + 1}-{number + 1:04}.parquet"
                place = (start, min(start + PART, last), total)
                found.append(part.Task(story.id, size, stage, step if span.ramp else -1, place, name))
    return found


def _each(work: Callable[[Task], T], tasks: Sequence[Task], size: int, workers: int | None) -> Iterator[T]:
    """Yield what `work` makes of every task, in their order."""
    most = workers or ((os.cpu_count() or 1) if size >= WORTH_WORKERS else 1)
    if most == 1:
        yield from map(work, tasks)
        return
    with ProcessPoolExecutor(min(most, len(tasks)), multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(work, tasks)


def _cutoffs(story: Story, tasks: Sequence[Task], size: int, workers: int | None) -> dict[str, float]:
    """Return the candidate's review and block cutoffs where they are carried over to its scores; else none."""
    if story.id == "fraud-recalibration":
        return {action: scores.recalibrated(story.sides, cutoff) for action, cutoff in _raw(story).items()}
    if story.id != "fraud-model":
        return {}
    replay = [task for task in tasks if task.span.stage == "replay"]
    binned = truth.added({(v,): n for v, n in one.items()} for one in _each(part.histograms, replay, size, workers))
    baseline, candidate = (np.cumsum(binned[version,][::-1])[::-1] for version in ("baseline", "candidate"))
    found = {}
    for action, cutoff in _raw(story).items():
        edge = (np.log(cutoff / (1 - cutoff)) + truth.CLIP) * truth.PER_UNIT
        alerts = baseline[round(edge)]
        place = int(np.searchsorted(-candidate, -alerts))
        found[action] = float(expit(place / truth.PER_UNIT - truth.CLIP))
    return found


def _raw(story: Story) -> dict[str, float]:
    """Return the baseline's cutoffs: the usual ones, on the scale of its scores."""
    sides = story.sides
    return {
        name: round(float(expit(sides.stretch * np.log(cutoff / (1 - cutoff)) + sides.shift)), 6)
        for name, cutoff in (("review", REVIEW), ("block", BLOCK))
    }


def _manifest(story: Story, size: int, cutoffs: dict[str, float]) -> str:
    name = story.id.removeprefix("fraud-")
    pieces = (HERE / "manifests" / f"{piece}.toml" for piece in (name, "common"))
    steps = '"day"' if size > plan.MOST_FOR_HOURS else str(plan.hours(story))
    text = Template("".join(piece.read_text(encoding="utf-8") for piece in pieces)).substitute(
        **{f"old_{action}": repr(value) for action, value in _raw(story).items()},
        **{f"new_{action}": repr(value) for action, value in cutoffs.items()},
        steps=steps,
        size=f"{size:,}",
        maturity=plan.MATURITY_DAYS,
        per_day=f"{plan.PORTFOLIO_PER_DAY:,}",
        capacity=round(plan.per_day(story, size) * 0.04),
        min_events=max(200, round(plan.per_day(story, size) * LEAST_DAYS)),
        quality_events=max(200, round(plan.counts(story, size)[0] * QUALITY_SHARE)),
        expect_n=max(500, round(size * EXPECT_SHARE)),
        drilled=_drilled(story),
        dims=DIMS[story.id in MARKETS_JUDGED],
    )
    return f"{stamp.size_line(size)}\n{text}"


def _drilled(story: Story) -> str:
    """Return when the way back was last rehearsed, as TOML writes it; "" where it never was."""
    if story.drilled is None:
        return ""
    return f"{plan.ORIGIN + timedelta(days=story.drilled, hours=9):%Y-%m-%dT%H:%M:%SZ}"


def _finish(folder: Path, story: Story, release: Release, size: int, sums: Sequence[Sums]) -> None:
    """Write the gauges of every served stage, and the planted truth."""
    counts: Counter[tuple[str, ...]] = Counter()
    for one in sums:
        counts.update(one.counts)
    binned = truth.added(one.histograms for one in sums)
    reviewed = sum(n for key, n in counts.items() if key[1:] == (truth.EVERYONE, "baseline", "review"))
    usual = reviewed / size
    for number, span in enumerate(story.spans):
        slots = truth.added({(k,): v for k, v in one.slots.items()} for one in sums if one.stage == number)
        if slots:
            loads = {key[0]: values for key, values in slots.items()}
            gauges = runtime.gauges(story, span, loads, plan.per_day(story, size), usual)
            times = span.start * population.SECONDS + 60.0 * runtime.SLOT_MINUTES * np.arange(
                runtime.slots(span), dtype=float
            )
            write_runtime(folder / "runtime" / f"{number + 1}-{span.stage}.parquet", span.stage, times, gauges)
    told = truth.document(story, release, size, counts, binned)
    (folder / TRUTH).write_text(json.dumps(told, indent=1), encoding="utf-8")
