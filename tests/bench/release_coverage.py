"""How often whole pages hold the truth: `python tests/bench/release_coverage.py [RELEASES]` prints claimed, found, error.

Each release is drawn from a population with known truth, written as logs, built into a cube and asked as a reader would.
Customers have three events whose fates are alike; about 2% of 12,000 events are bad. The candidate's score is calibrated
but for a shift of log-odds in each market; cutoffs count as held within the step of their grid.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtr

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from release_core.release import CUTOFF_ACTIONS, Stage
from release_core.stats.cutoffs import three_actions
from release_core.views import calibration, cutoff_optima, transfer
from release_core.views.view import View
from tests import factory

Array = np.ndarray[Any, Any]

ROWS, EACH, BASE, SPREAD, STEP = 12_000, 3.0, -4.9, 1.5, 1 / 64
POPULATION = 2_000_000
# Share of the events, and by how much the candidate's log-odds are too low there.
MARKETS = {"AT": (0.30, 0.5), "DE": (0.25, 0.0), "PL": (0.2, -0.4), "ES": (0.15, 0.2), "IT": (0.1, -0.1)}
CUTOFFS = {"review": 0.1, "block": 0.4}
LOSS, BLOCK, REVIEW, DETECTION = 150.0, 20.0, 4.0, 0.8
COSTS = {
    "currency": "EUR",
    "false_positive": BLOCK,
    "review": REVIEW,
    "review_detection": DETECTION,
    "false_negative": {"fixed": LOSS, "amount_times": 0.0},
}
RULES = ("alert_rate", "fpr", "precision", "loss")


def drawn(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """Return events of the population."""
    who = rng.integers(0, int(rows / EACH), rows)

    def alike(share: float) -> Array:
        common = rng.normal(size=who.max() + 1)[who]
        return np.asarray(np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=rows))

    names = np.array(list(MARKETS))
    market = rng.choice(len(names), rows, p=[weight for weight, _ in MARKETS.values()])
    score = BASE + SPREAD * alike(0.3)
    bad = ndtr(alike(0.3)) < expit(score + np.array([shift for _, shift in MARKETS.values()])[market])
    old = 0.8 * (score - BASE) + BASE + 0.2 + 0.7 * rng.normal(size=rows)
    times = pd.to_timedelta(rng.integers(0, 20 * 86400, rows), unit="s")
    return pd.DataFrame(
        {
            "event_id": np.arange(rows).astype(str),
            "event_time": factory.START + times,
            "stage": "replay",
            "entity_id": np.char.add("c", who.astype(str)),
            "market": names[market],
            "amount": np.round(rng.lognormal(3, 1, rows), 2),
            "baseline_score": expit(old),
            "candidate_score": expit(score),
            "bad": bad,
        }
    )


def kept(every: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return by rule and action the candidate's cutoff, as log-odds, that keeps what today's cutoff does."""
    old, new = (logit(every[f"{side}_score"].to_numpy()) for side in ("baseline", "candidate"))
    bad = every["bad"].to_numpy()
    order = np.argsort(new)
    precision = np.cumsum(bad[order][::-1])[::-1] / np.arange(len(bad), 0, -1)
    found = {}
    for action, cutoff in CUTOFFS.items():
        today = old >= logit(cutoff)
        for rule, who in (("alert_rate", np.ones(len(bad), bool)), ("fpr", ~bad), ("loss", bad)):
            found[rule, action] = float(np.quantile(new[who], 1 - today[who].mean()))
        at = np.searchsorted(np.maximum.accumulate(precision), bad[today].mean())
        found["precision", action] = float(new[order][at])
    return found


def facts() -> dict[str, Any]:
    """Return the truth: transferred cutoffs, cheapest cutoffs and observed / expected by market ("" for all events)."""
    every = drawn(np.random.default_rng(1), POPULATION)
    score = logit(every["candidate_score"].to_numpy())
    pair = three_actions(LOSS, BLOCK, REVIEW, DETECTION)
    chances = {action: float(getattr(pair, action)) for action in CUTOFF_ACTIONS}
    best = {name: {a: float(logit(p)) - shift for a, p in chances.items()} for name, (_, shift) in MARKETS.items()}
    # Of all events one cutoff serves every market: where the mean chance at a score is right.
    grid = np.linspace(-6, 3, 9001)
    mean = np.sum([weight * expit(grid + shift) for weight, shift in MARKETS.values()], axis=0)
    best[""] = {action: float(grid[np.searchsorted(mean, p)]) for action, p in chances.items()}
    oe = {name: float(expit(score + shift).sum() / expit(score).sum()) for name, (_, shift) in MARKETS.items()}
    return {"kept": kept(every), "best": best, "oe": oe}


class Found(dict[tuple[str, str], list[float]]):
    """Whether intervals held the truth, by name and data."""

    def add(self, name: str, data: str, ends: tuple[float | None, float | None], truth: float) -> None:
        """Count an interval; an open end holds everything on its side, one that is not known at all is left out."""
        low, high = ends
        if low is None and high is None:
            return
        held = (low is None or low <= truth) and (high is None or truth <= high)
        self.setdefault((name, data), []).append(float(held))


def odds(ends: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    """Return cutoffs as log-odds, one step of the grid wider."""
    low, high = (None if end is None else float(logit(np.clip(end, 1e-9, 1 - 1e-9))) for end in ends)
    return None if low is None else low - STEP, None if high is None else high + STEP


def ask(folder: Path, seed: int, truth: dict[str, Any], found: Found) -> None:
    """Draw one release, and ask its pages."""
    log = drawn(np.random.default_rng(seed), ROWS)
    tables = {"t1": {"default": CUTOFFS}}
    dims = {"dims": ["market"], "min_events": 50}
    made = factory.write(folder / "r", log, factory.outcomes(log, seed), costs=COSTS, thresholds=tables, segments=dims)
    opened = factory.opened(made)
    view = View(opened, Stage.REPLAY, opened.cube.steps[-1])
    for rule in RULES:
        for row in transfer.rows_of(view, "", rule):
            action = str(row["cutoff"]).rpartition(".")[2]
            name = f"Transferred {action} cutoff, equal {rule.replace('_', ' ')}"
            found.add(name, "all events", odds((row["low"], row["high"])), truth["kept"][rule, action])
    for row in calibration.by_segment(view, "market").rows:
        name = next(name for name in MARKETS if name in str(row["segment"]))
        found.add("Observed / expected", "by market", (row["candidate_low"], row["candidate_high"]), truth["oe"][name])
    assert opened.release.costs is not None
    for by in ("", "market"):
        best = cutoff_optima.optima(view, by, opened.release.costs)
        for place, name in enumerate(best.ground.names):
            row = cutoff_optima.row(best, place, 1)
            for kind, title in (("interval", "Advised"), ("alike", "Not to be told from the cheapest:")):
                for action in CUTOFF_ACTIONS:
                    if row[kind].get(action) is not None:
                        target = truth["best"][name if by else ""][action]
                        data = "by market" if by else "all events"
                        found.add(f"{title} {action} cutoff", data, odds(row[kind][action]), target)


def main() -> None:
    """Print the whole table."""
    releases = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    truth, found = facts(), Found()
    for seed in range(releases):
        with tempfile.TemporaryDirectory() as folder:
            ask(Path(folder), 100 + seed, truth, found)
    print("| Interval | Data | Claimed | Found | Error of the simulation |\n|---|---|---|---|---|")  # noqa: T201
    for (name, data), held in found.items():
        # The markets of one release are not independent: their number does not lower the error.
        error = np.std(held) / np.sqrt(min(releases, len(held)))
        print(f"| {name} | {data} | 95% | {100 * np.mean(held):.1f}% | {100 * error:.1f} points |")  # noqa: T201


if __name__ == "__main__":
    main()
