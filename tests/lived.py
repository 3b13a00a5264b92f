"""A small log of live stages with everything that a log may hold, for tests; written with pandas only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests import factory

KINDS = ("complaint", "support_contact", "conversion", "retained", "chargeback", "review_result")


def decisions(rows: int = 1800, seed: int = 3, *, stage: str = "canary", per_entity: int = 4) -> pd.DataFrame:
    """Return decisions of a live stage: two ramp steps, entities in one arm each but for a few, all serving columns."""
    rng = np.random.default_rng(seed)
    log = factory.decisions(rows, seed=seed, per_entity=per_entity, shift=0.3)
    early = log["event_time"] < factory.START + pd.Timedelta(days=8)
    entity = log["entity_id"].str[1:].astype(int)
    treated = (entity * 7919 % 100) < np.where(early, 30, 50)
    treated ^= rng.random(rows) < 0.02
    log = log.assign(
        stage=stage,
        ramp_step=np.where(early, "0.3", "0.5"),
        arm=np.where(treated, "candidate", "baseline"),
        event_id=[f"{stage}{n}" for n in range(rows)],
    )
    for place, version in enumerate(("baseline", "candidate")):
        log[f"{version}_latency_ms"] = np.where(
            rng.random(rows) < 0.03, np.nan, rng.lognormal(3.5 + 0.2 * place, 0.6, rows)
        )
        log[f"{version}_fallback"] = rng.random(rows) < 0.02
        log[f"{version}_error"] = rng.choice([None, "cards", "graph"], rows, p=[0.95, 0.03, 0.02])
        log[f"{version}_cost"] = np.round(rng.gamma(2.0, 0.001 * (1 + place), rows), 7)
    acted = np.where(treated, factory.actions(log["candidate_score"]), factory.actions(log["baseline_score"]))
    log["action_taken"] = np.where(rng.random(rows) < 0.03, "approve", acted)
    return log


def outcomes(log: pd.DataFrame, seed: int = 4) -> pd.DataFrame:
    """Return outcomes of all kinds: each event has each kind with some chance, after minutes to weeks, some twice."""
    rng = np.random.default_rng(seed)
    rows = []
    for kind in (*KINDS, "complaint"):
        keep = rng.random(len(log)) < 0.15
        hours = np.minimum(rng.lognormal(3.5, 1.3, keep.sum()), 900.0)
        value = np.where(log["bad"][keep], "fraud", "legit") if kind == "review_result" else None
        if kind == "retained":
            value = rng.choice(["true", "false"], keep.sum())
        told = pd.DataFrame({"event_id": log["event_id"][keep], "outcome": kind, "value": value})
        rows.append(
            told.assign(observed_at=log["event_time"][keep] + pd.to_timedelta(np.floor(hours * 3600), unit="s"))
        )
    return pd.concat(rows, ignore_index=True)


def runtime(seed: int = 5, *, stage: str = "canary", days: int = 20) -> pd.DataFrame:
    """Return runtime samples every twenty minutes: a queue that grows, its capacity, utilisation per arm."""
    rng = np.random.default_rng(seed)
    times = pd.date_range(factory.START, periods=days * 72, freq="20min")
    n = len(times)
    frames = [
        pd.DataFrame(
            {"sampled_at": times, "name": "review_queue_depth", "arm": None, "value": np.cumsum(rng.poisson(3, n))}
        ),
        pd.DataFrame({"sampled_at": times, "name": "review_capacity_per_hour", "arm": None, "value": 40.0}),
        *(
            pd.DataFrame({"sampled_at": times, "name": "cpu_utilisation", "arm": arm, "value": rng.beta(4, 6, n)})
            for arm in ("baseline", "candidate")
        ),
    ]
    return pd.concat(frames, ignore_index=True).assign(stage=stage)
