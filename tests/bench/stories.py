"""`python tests/bench/stories.py [FOLDER]` prints how soon each planted harm was found, beside an oracle that knows the truth.

The product waits for labels, watches every segment and every rule, and may be read at every look. The oracle knows
where, when and how large the harm is, and every event's truth at once: Wald's sequential probability-ratio test of the
planted size against none, at an error of 5%. No honest method is faster on average, so the distance is what not
knowing costs.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pyarrow.parquet as pq

from release_core import cube, demo, library, manifest, review
from release_core.demo.fraud import part, plan, population, releases
from release_core.release import Stage, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ALPHA = 0.05
LOSS = "new_customer_chargebacks"
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Found:
    """One planted harm: what found it, and how many days after the stage began; `oracle` in days likewise."""

    release: str
    harm: str
    rule: str
    place: str
    days: float
    oracle: float


def sprt(moments: Array, bad: Array, rates: tuple[float, float]) -> float:
    """Return the instant at which Wald's test decides for the greater rate; infinite where it never does.

    `moments` and `bad` are of the events that could be harmed, in order of time; `rates` without the harm and with it.
    """
    low, high = (min(max(rate, 1e-6), 1 - 1e-6) for rate in rates)
    steps = np.where(bad, np.log(high / low), np.log((1 - high) / (1 - low)))
    over = np.flatnonzero(np.cumsum(steps) >= np.log(1 / ALPHA))
    return float(moments[over[0]]) if len(over) else NEVER


def events(root: Path, name: str, stage: str) -> dict[str, Any]:
    """Return the events of a stage in order of time: what the logs say of them, and the truth that the generator knows."""
    release = manifest.load(root / name)
    size = sum(pq.read_metadata(path).num_rows for path in (root / name / "decisions").glob("*.parquet"))
    found: dict[str, list[Any]] = {"time": [], "fraud": [], "listed": [], "arm": [], "baseline": [], "candidate": []}
    dims: dict[str, list[Any]] = {dim: [] for dim in release.segments.all}
    for task in releases.parts(plan.STORIES[name], size):
        if task.span.stage != stage:
            continue
        _, drawn, _ = part.scored(task)
        rows = pq.read_table(root / name / "decisions" / task.name).to_pydict()
        for key, values in (("time", drawn.time), ("fraud", drawn.fraud), ("listed", drawn.listed)):
            found[key].append(values)
        found["arm"].append(np.array(rows.get("arm", ["baseline"] * len(drawn.time))))
        for version in ("baseline", "candidate"):
            found[version].append(np.array(rows[f"{version}_action"]))
        for dim, values in dims.items():
            values.append(np.array(rows[dim]))
    return {key: np.concatenate(values) for key, values in (found | dims).items()}


def opened(root: Path, name: str, cache: Path) -> library.Opened:
    """Return an open release of a folder of releases."""
    release = manifest.load(root / name)
    return library.Opened(release, cube.Cube(release, cube.build(release, cache)), name)


def failed(one: library.Opened, stage: Stage, gate: str) -> tuple[float, str]:
    """Return (days from the stage's first event, segment) at which a gate failed first; infinite where it never did."""
    began = one.cube.began(stage)
    for step in one.cube.steps:
        if one.cube.end(step) < began:
            continue
        for row in review.review(one, stage, step).rows:
            if row.gate == gate and row.verdict is Verdict.FAIL:
                return (one.cube.end(step) - began) / timedelta(days=1), _place(row.segment)
    return NEVER, ""


def alarmed(one: library.Opened, stage: Stage, rule: str) -> tuple[float, str]:
    """Return (days from the stage's first event, segment) at which a stop rule fired first; infinite where it never did."""
    found = [alarm for alarm in review.alarms(one, stage, one.cube.steps[-1]) if alarm.rule == rule]
    return ((found[0].at - one.cube.began(stage)) / timedelta(days=1), found[0].place) if found else (NEVER, "")


def _place(segment: dict[str, str]) -> str:
    return ", ".join(f"{dim} {value}" for dim, value in segment.items()) or "all events"


def _days(moment: float, stage: str, name: str) -> float:
    start = next(span.start for span in plan.STORIES[name].spans if span.stage == stage)
    return moment / population.SECONDS - start


def recall_in_segment(root: Path) -> float:
    """Return when an oracle knows that the new model misses more fraud in the planted segment, in days."""
    log = events(root, "fraud-model", "replay")
    mine = log["fraud"] & (log["market"] == "ES") & (log["surface"] == "web")
    differ = mine & ((log["baseline"] == "approve") != (log["candidate"] == "approve"))
    lost = log["candidate"][differ] == "approve"
    return _days(sprt(log["time"][differ], lost, (0.5, float(lost.mean()))), "replay", "fraud-model")


def approvals(root: Path) -> float:
    """Return when an oracle knows that the new model approves less, in days."""
    log = events(root, "fraud-model", "canary")
    acts = log["arm"] == "candidate"
    refused = log["candidate"][acts] != "approve"
    rates = float((log["baseline"] != "approve").mean()), float(refused.mean())
    return _days(sprt(log["time"][acts], refused, rates), "canary", "fraud-model")


def overflow(one: library.Opened, hours: float = 8.0) -> float:
    """Return when an oracle that sees the queue of the next hours knows that it overflows within `hours`, in days."""
    gauges = {gauge.name: gauge for gauge in one.cube.gauges(Stage.CANARY) if gauge.arm == ""}
    depth, capacity = gauges["review_queue_depth"], gauges["review_capacity_per_hour"]
    over = np.flatnonzero(depth.high >= 24 * capacity.mean.mean())
    if not len(over):
        return NEVER
    began = one.cube.began(Stage.CANARY).timestamp()
    return float(depth.start[over[0]] - began) / population.SECONDS - hours / 24


def let_through(root: Path) -> float:
    """Return when an oracle knows that more fraud of new customers is let through, in days."""
    log = events(root, "fraud-policy", "ab")
    new = log["cohort"] == "new"
    through = {version: log["fraud"] & (log[version] != "block") for version in ("baseline", "candidate")}
    mine = new & (log["arm"] == "candidate")
    rates = float(through["baseline"][new].mean()), float(through["candidate"][new].mean())
    return _days(sprt(log["time"][mine], through["candidate"][mine], rates), "ab", "fraud-policy")


def table(root: Path, cache: Path) -> list[Found]:
    """Return what was found of every planted harm, for releases built in `root`."""
    model, policy, mixed = (opened(root, name, cache) for name in ("fraud-model", "fraud-policy", "fraud-mixed"))
    rows = [
        (model, "recall in ES, web", "gate recall", failed(model, Stage.REPLAY, "recall"), recall_in_segment(root)),
        (model, "approvals, live inputs", "stop_approve_rate", alarmed(model, Stage.CANARY, "stop_approve_rate"), approvals(root)),
        (model, "review queue overruns", "stop_queue", alarmed(model, Stage.CANARY, "stop_queue"), overflow(model)),
        (policy, "fraud of new customers", "stop_chargebacks", alarmed(policy, Stage.AB, "stop_chargebacks"), let_through(root)),
        (policy, "fraud of new customers", f"gate {LOSS}", failed(policy, Stage.AB, LOSS), let_through(root)),
        (mixed, "three components at once", "gate one_kind", failed(mixed, Stage.REPLAY, "one_kind"), 0.0),
    ]  # fmt: skip
    return [Found(one.release.id, harm, rule, place, days, oracle) for one, harm, rule, (days, place), oracle in rows]


def quiet(root: Path, cache: Path, name: str) -> int:
    """Return how many stop rules fired and gates failed, at any look of any stage, in a release without planted harm."""
    one = opened(root, name, cache)
    alarms = sum(len(review.alarms(one, stage, one.cube.steps[-1])) for stage in one.cube.stages())
    return alarms + sum(
        row.verdict is Verdict.FAIL
        for stage in one.cube.stages()
        for row in review.review(one, stage, one.cube.steps[-1]).rows
    )


def main() -> None:
    """Build the demo at its own size, where it is not there, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "releases"
        demo.build(root, only=demo.FRAUD)
        print(f"{'release':<18}{'planted harm':<26}{'found by':<32}{'in':<16}{'days':>7}{'oracle':>8}")  # noqa: T201
        for row in table(root, Path(folder) / "cache"):
            print(f"{row.release:<18}{row.harm:<26}{row.rule:<32}{row.place:<16}{row.days:>7.1f}{row.oracle:>8.1f}")  # noqa: T201
        for name in ("fraud-threshold", "fraud-recalibration"):
            found = quiet(root, Path(folder) / "cache", name)
            print(f"{name:<18}{'nothing':<26}{f'{found} alarms and failed gates':<32}")  # noqa: T201


if __name__ == "__main__":
    main()
