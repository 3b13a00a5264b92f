"""Weighted cells in; what the weights stand for, and what speaks against trusting them, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts import digits
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.metrics import selective
from release_core.stats import selection

if TYPE_CHECKING:
    from release_core.frames import Cells

    Row = dict[str, Any]

# Fewer than this share of the labelled events as effective ones, or this share of all weight beyond the cap, is told.
THIN, HEAVY = 0.5, 0.05
CAP = 20


def overlap(cells: Cells) -> list[str]:
    """Return what speaks against the weighted numbers: few effective events, heavy weights, regions nothing stands for."""
    whole = cells.whole
    sentences: list[str] = []
    every, positive = (float(a[0]) for a in selective.effective(whole))
    labelled, positives = (float(a[0].max()) for a in (whole.positives + whole.negatives, whole.positives))
    if positives and positive < THIN * positives:
        sentences.append(
            f"Weights differ much: {digits.count(positives)} labelled bad say as much as {digits.count(positive)} equally "
            f"weighted ones ({digits.count(every)} of all {digits.count(labelled)})."
        )
    weight, capped = (float(a[0, ..., [POSITIVE, NEGATIVE]].sum()) for a in (whole.joint_weights, whole.joint_capped))
    if weight and (weight - capped) / weight > HEAVY:
        sentences.append(
            f"Chances near 0: weights beyond {CAP} carry {digits.percent((weight - capped) / weight)} of all weight, so a few "
            "events decide. The capped numbers show how much hangs on them."
        )
    lost = whole.joint_unseen[0].sum()
    blind = (whole.joint_unseen[0] > 0) & (whole.joint[0, ..., [POSITIVE, NEGATIVE]].sum(0) == 0)
    if lost:
        where = [f"{cells.actions[i]} → {cells.actions[j]}" for i, j in zip(*np.nonzero(blind), strict=True)]
        listed = f" (none at all of {', '.join(where)})" if where else ""
        sentences.append(
            f"No chance is logged for {digits.count(float(lost))} unseen events{listed}: no weight stands for them, so bounds remain."
        )
    return sentences


def told(cells: Cells, logged: float) -> list[Row]:
    """Return what the weights add up to: effective numbers, the total that they stand for, the bad ones among them."""
    whole = cells.whole
    every, positive = (float(a[0]) for a in selective.effective(whole))
    events = float(whole.joint[0, ..., EVERYONE].sum())
    weight, weight2 = whole.joint_weights[0], whole.joint_weights2[0]
    total = float(weight[..., [POSITIVE, NEGATIVE]].sum())
    bad, se = selection.horvitz_thompson(weight[..., POSITIVE].sum(), weight2[..., POSITIVE].sum())
    labelled, positives = (float(a[0].max()) for a in (whole.positives + whole.negatives, whole.positives))
    facts = {
        "Labelled events with a logged chance": digits.count(logged),
        "Effective labelled events (Σw)²/Σw²": f"{digits.count(every)} of {digits.count(labelled)}",
        "Effective labelled bad": f"{digits.count(positive)} of {digits.count(positives)}",
        "Events that the labelled ones stand for": f"{digits.count(total)} of {digits.count(events)} ({digits.percent(total / events)})",
        "Bad events in all (Horvitz–Thompson)": f"{digits.count(float(bad))} ± {digits.count(1.96 * float(se))}",
    }
    return [{"name": name, "text": text} for name, text in facts.items()]
