"""Cells in, numbers with intervals out: the table of metrics and their estimates."""

from release_core.metrics import outcomes
from release_core.metrics.breach import Breach, breach, sampled
from release_core.metrics.estimate import Estimate, denominators, estimate, evaluated, rows
from release_core.metrics.live_table import table as live_table
from release_core.metrics.lived import Lived
from release_core.metrics.samples import LONGEST_WAIT
from release_core.metrics.table import METRICS, Metric, find, table

__all__ = [
    "LONGEST_WAIT",
    "METRICS",
    "Breach",
    "Estimate",
    "Lived",
    "Metric",
    "breach",
    "denominators",
    "estimate",
    "evaluated",
    "find",
    "live_table",
    "outcomes",
    "rows",
    "sampled",
    "table",
]
