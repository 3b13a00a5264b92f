"""A seeded log of any size for benchmarks: fraud-like scores, four segment dimensions, clustered entities, late labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from release_core import manifest

if TYPE_CHECKING:
    from pathlib import Path

DIMS = {"market": 12, "surface": 4, "risk_tier": 4, "cohort": 5}
DAYS = 28
EVENTS_PER_ENTITY = 5
POSITIVE_RATE = 0.0125
START = np.datetime64("2026-03-01T00:00:00", "us")
CUTOFFS = {"review": 0.08, "block": 0.4}


def write(folder: Path, rows: int, seed: int = 1) -> Path:
    """Write `rows` decisions in 28 daily files with their outcomes and a manifest; return the release folder."""
    rng = np.random.default_rng(seed)
    for name in ("decisions", "outcomes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for day, size in enumerate(np.diff(np.linspace(0, rows, DAYS + 1).astype(int))):
        decisions, outcomes = _day(rng, day, int(size), max(rows // EVENTS_PER_ENTITY, 1))
        pq.write_table(decisions, folder / "decisions" / f"{day:02}.parquet", compression="zstd")
        pq.write_table(outcomes, folder / "outcomes" / f"{day:02}.parquet", compression="zstd")
    (folder / "release.toml").write_text(manifest.render(_manifest()), encoding="utf-8")
    return folder


def _day(rng: np.random.Generator, day: int, size: int, entities: int) -> tuple[pa.Table, pa.Table]:
    bad = rng.random(size) < POSITIVE_RATE
    signal = rng.normal(-5.2, 1.3, size) + 2.6 * bad
    ids = np.char.add(f"e{day}-", np.arange(size).astype(str))
    time = START + np.timedelta64(day, "D") + rng.integers(0, 86_400_000_000, size).astype("timedelta64[us]")
    scores = {
        v: 1 / (1 + np.exp(-(signal + rng.normal(0, s, size)))) for v, s in (("baseline", 0.9), ("candidate", 0.7))
    }
    table = {
        "event_id": ids,
        "event_time": time,
        "stage": np.full(size, "replay"),
        "entity_id": rng.integers(0, entities, size).astype(str),
        **{dim: np.char.add(f"{dim}-", rng.integers(0, n, size).astype(str)) for dim, n in DIMS.items()},
        "amount": np.round(rng.lognormal(4, 1, size), 2),
        **{f"{version}_score": score for version, score in scores.items()},
    }
    late = time + (rng.lognormal(1.5, 0.8, size) * 86_400_000_000).astype("timedelta64[us]")
    told = {"event_id": ids[bad], "outcome": np.full(bad.sum(), "chargeback"), "observed_at": late[bad]}
    return pa.table(table), pa.table(told)


def _manifest() -> dict[str, object]:
    common = {"calibration": "c1", "thresholds": "t1", "policy": "p1"}
    return {
        "schema": 1,
        "release": {
            "id": "bench",
            "kind": "model",
            "title": "Generated log for benchmarks",
            "from": {"model": "m1", **common},
            "to": {"model": "m2", **common},
        },
        "rollback": {"target": "m1", "how": "load m1"},
        "about": {"data": "generated"},
        "labels": {"positive": ["chargeback"], "silence": "negative", "maturity_days": 10, "steps": "day"},
        "thresholds": {"t1": {"default": CUTOFFS}},
        "policy": {"p1": {}},
        "segments": {"dims": list(DIMS), "min_events": 200},
        "stage": [{"name": "replay"}],
    }
