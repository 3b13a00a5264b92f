"""Bad labels by the time at which they came in, the share that came after maturity out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from release_core.metrics.lived import armed

if TYPE_CHECKING:
    from release_core.metrics.estimate import Estimate
    from release_core.metrics.lived import Lived
    from release_core.metrics.table import Metric

NONE = "no bad label of a mature event is known"


def share(lived: Lived, metric: Metric) -> Estimate:
    """Return the metric "share of the known bad labels of mature events that came after the events' maturity".

    In replay and shadow both versions see the same labels: there is no difference to tell.
    """
    frame = lived.late()
    looked = slice(lived.look, lived.look + 1)
    # One ramp step: labels that come late are no effect of an arm, but of how they are reported.
    top, bottom = (lived.outcomes(frame, part[:, looked]) for part in (frame.late, frame.every))
    found = armed(lived, metric, top, bottom)
    positives = np.column_stack([found.n[:, :2], found.n[:, :2].min(1)])
    if not lived.live:
        value = np.column_stack([found.value[:, :2], np.full(len(found.value), np.nan)])
        found = replace(found, value=value)
    return replace(found, positives=positives)
