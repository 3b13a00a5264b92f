"""Small logs with known truth for tests of everything above the contract: written as files, opened as a user would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from release_core import cube, library, manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START = pd.Timestamp("2026-01-01")
DIMS = {"market": ("AT", "DE", "PL"), "surface": ("app", "web")}
CUTOFFS = {"review": 0.3, "block": 0.7}


def decisions(
    rows: int = 1500, seed: int = 0, per_entity: int = 3, rate: float = 0.2, shift: float = 0.0
) -> pd.DataFrame:
    """Return decisions over 20 days: two scores around one signal, two dimensions, entities with several events.

    The truth of each event is in `bad`, which is not part of the log. `shift` moves the candidate's log-odds.
    """
    rng = np.random.default_rng(seed)
    bad = rng.random(rows) < rate
    entity = rng.integers(0, max(rows // per_entity, 1), rows)
    signal = rng.normal(-1.5, 1.0, rows) + 1.8 * bad + rng.normal(0, 0.4, rows // per_entity + 1)[entity]
    scores = [1 / (1 + np.exp(-(signal + rng.normal(0, 0.6, rows) + move))) for move in (0.0, shift)]
    return pd.DataFrame(
        {
            "event_id": [f"e{seed}-{n}" for n in range(rows)],
            "event_time": START + pd.to_timedelta(rng.integers(0, 20 * 86400, rows), unit="s"),
            "stage": "replay",
            "entity_id": [f"c{n}" for n in entity],
            **{dim: rng.choice(values, rows) for dim, values in DIMS.items()},
            "amount": np.round(rng.lognormal(3, 1, rows), 2),
            "baseline_score": scores[0],
            "candidate_score": scores[1],
            "bad": bad,
        }
    )


def outcomes(log: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """Return one outcome per event, fraud or legit, one to nine days after it."""
    rng = np.random.default_rng(seed)
    delay = pd.to_timedelta(rng.integers(86400, 9 * 86400, len(log)), unit="s")
    said = np.where(log["bad"], "fraud", "legit")
    return pd.DataFrame(
        {
            "event_id": log["event_id"],
            "outcome": "review_result",
            "value": said,
            "observed_at": log["event_time"] + delay,
        }
    )


def tables(**changes: Any) -> dict[str, Any]:
    """Return a manifest of a model release as nested tables, with whole tables replaced by `changes`."""
    common = {"calibration": "c1", "thresholds": "t1", "policy": "p1"}
    base: dict[str, Any] = {
        "schema": 1,
        "release": {
            "id": "test",
            "kind": "model",
            "title": "Test",
            "from": {"model": "m1", **common},
            "to": {"model": "m2", **common},
        },
        "rollback": {"target": "m1", "how": "load m1"},
        "labels": {
            "positive": ["review_result=fraud"],
            "negative": ["review_result=legit"],
            "silence": "unknown",
            "maturity_days": 0,
            "steps": "day",
        },
        "thresholds": {"t1": {"default": CUTOFFS}},
        "policy": {"p1": {}},
        "segments": {"dims": list(DIMS), "min_events": 50},
        "stage": [{"name": "replay"}],
    }
    return base | changes


def write(folder: Path, log: pd.DataFrame, told: pd.DataFrame | None = None, *, parts: int = 1, **changes: Any) -> Path:
    """Write a release folder: the log in `parts` Parquet files, its outcomes in one, and the manifest."""
    for name in ("decisions", "outcomes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    columns = [name for name in log.columns if name != "bad"]
    for number, rows in enumerate(np.array_split(np.arange(len(log)), parts)):
        log.iloc[rows][columns].to_parquet(folder / "decisions" / f"{number:02}.parquet", index=False)
    if told is not None:
        told.to_parquet(folder / "outcomes" / "00.parquet", index=False)
    (folder / "release.toml").write_text(manifest.render(tables(**changes)), encoding="utf-8")
    return folder


def lengthened(log: pd.DataFrame, model: str = "candidate") -> pd.DataFrame:
    """Return a log with one row per event and version, an event's rows together; `model` names the candidate's rows."""
    names = {"baseline": "Baseline", "candidate": model}
    scores = [f"{side}_score" for side in names]
    sides = [log.assign(version=name, score=log[f"{side}_score"]).drop(columns=scores) for side, name in names.items()]
    return pd.concat(sides).sort_index(kind="stable").reset_index(drop=True)


def opened(folder: Path, cache: Path | None = None) -> library.Opened:
    """Return the release in `folder`, its cube built in `cache` (default: beside it)."""
    release = manifest.load(folder)
    published = cube.build(release, cache or folder.parent / f"{folder.name}-cache")
    return library.Opened(release, cube.Cube(release, published), f"{published}")


def actions(scores: Sequence[float]) -> np.ndarray[Any, Any]:
    """Return the actions that the test cutoffs give, written without the product's own code."""
    return np.select(
        [np.asarray(scores) >= CUTOFFS["block"], np.asarray(scores) >= CUTOFFS["review"]],
        ["block", "review"],
        "approve",
    )
