"""Takes scored account-months and gives the four credit releases: cutoffs, actions, logs, manifests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from release_core.demo import SOURCE, publish
from release_core.demo.credit import account_months, logs, models, transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

REVIEWED_SHARE = 0.10
LARGE_AMOUNT = 300_000
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """The review cutoffs of every table: one number, or one per limit tier; all set on the judged replay set."""

    lr: float
    hgb: float
    raw: float
    iso: float
    hgb_tier: dict[str, float]
    iso_tier: dict[str, float]


@dataclass(frozen=True, slots=True)
class Side:
    """How one version decides: a score column, its cutoffs, and with or without the large-amount rule."""

    score: str
    cutoffs: float | dict[str, float]
    ruled: bool = False

    def actions(self, events: pd.DataFrame) -> NDArray[np.str_]:
        """Return the action for each event."""
        cutoffs = events["limit_tier"].map(self.cutoffs) if isinstance(self.cutoffs, dict) else self.cutoffs
        large = events["amount"].to_numpy() > LARGE_AMOUNT
        return transfer.actions(events[self.score].to_numpy(), np.asarray(cutoffs), self.ruled & large)


def build(root: Path, ids: Sequence[str], builder: str, tell: Callable[[float, str], None]) -> None:
    """Build the releases `ids` under `root`, stamped with `builder`.

    `tell` hears the share done, 0 to 1, and what is being done.
    """
    tell(0.0, "reading the account-months")
    frame = account_months.read(SOURCE)
    events = logs.events(models.score(frame, lambda share, text: tell(0.1 + 0.6 * share, text)))
    cutoffs = cutoffs_from(events)
    for number, release in enumerate(ids):
        tell(0.7 + 0.3 * number / len(ids), f"writing {release}")
        _write(root / release, builder, events, cutoffs)


def cutoffs_from(events: pd.DataFrame) -> Cutoffs:
    """Return the cutoffs: a tenth of the judged events for a model in force, as many as it for its successor.

    The cutoffs by tier review as many of each tier as the champion's one cutoff reviews of it.
    """
    judged = events[events["replay_set"] == logs.JUDGED_SET]
    lr, raw = (transfer.cutoff_for_share(judged[score].to_numpy(), REVIEWED_SHARE) for score in ("lr", "balanced"))
    return Cutoffs(
        lr=lr,
        hgb=_carried(judged, "lr", lr, "hgb"),
        raw=raw,
        iso=_carried(judged, "balanced", raw, "recalibrated"),
        hgb_tier=_by_tier(judged, lr, "hgb"),
        iso_tier=_by_tier(judged, lr, "recalibrated"),
    )


def _carried(judged: pd.DataFrame, old: str, cutoff: float, new: str) -> float:
    return transfer.carried(judged[new].to_numpy(), int((judged[old] >= cutoff).sum()))


def _by_tier(judged: pd.DataFrame, champion: float, score: str) -> dict[str, float]:
    tiers = judged.groupby("limit_tier")
    return {tier: _carried(tiers.get_group(tier), "lr", champion, score) for tier in logs.LIMIT_TIERS.values()}


def sides(release: str, cutoffs: Cutoffs) -> tuple[Side, Side]:
    """Return how baseline and candidate of `release` decide."""
    champion, challenger = Side("lr", cutoffs.lr), Side("hgb", cutoffs.hgb)
    return {
        "credit-model": (champion, challenger),
        "credit-threshold": (challenger, Side("hgb", cutoffs.hgb_tier)),
        "credit-recalibration": (Side("balanced", cutoffs.raw), Side("recalibrated", cutoffs.iso)),
        "credit-mixed": (champion, Side("recalibrated", cutoffs.iso_tier, ruled=True)),
    }[release]


def manifest(release: str, cutoffs: Cutoffs) -> str:
    """Return the manifest of `release` as TOML, every cutoff in full precision."""
    name = release.removeprefix("credit-")
    parts = (HERE / "manifests" / f"{part}.toml" for part in (name, "common"))
    return Template("".join(part.read_text(encoding="utf-8") for part in parts)).substitute(
        t_lr=repr(cutoffs.lr),
        t_hgb=repr(cutoffs.hgb),
        t_raw=repr(cutoffs.raw),
        t_iso=repr(cutoffs.iso),
        hgb_tiers=_tier_rows("t-hgb-tier", cutoffs.hgb_tier),
        iso_tiers=_tier_rows("t-iso-tier", cutoffs.iso_tier),
        judged_set=logs.JUDGED_SET,
        large_amount=LARGE_AMOUNT,
    )


def _tier_rows(table: str, tiers: dict[str, float]) -> str:
    row = '[[thresholds.{}.segment]]\nwhere = {{ limit_tier = "{}" }}\nreview = {!r}\n'
    return "\n".join(row.format(table, tier, cutoff) for tier, cutoff in tiers.items())


def _write(folder: Path, builder: str, events: pd.DataFrame, cutoffs: Cutoffs) -> None:
    baseline, candidate = sides(folder.name, cutoffs)
    actions = baseline.actions(events), candidate.actions(events)

    def write_logs(fresh: Path) -> None:
        publish.write_log(fresh / "decisions", logs.decisions(events, (baseline.score, candidate.score), actions))
        publish.write_log(fresh / "outcomes", logs.outcomes(events))

    publish.publish(folder, manifest(folder.name, cutoffs), builder, write_logs)
