"""Takes numbers that were computed elsewhere; gives charts as plain values. Nothing here computes a statistic."""

from release_core.charts.ages import ages
from release_core.charts.bars import share_above
from release_core.charts.chart import Caption, Chart
from release_core.charts.course import Reading, course
from release_core.charts.coverage import coverage
from release_core.charts.daily import daily
from release_core.charts.distribution import distribution
from release_core.charts.dumbbell import dumbbell
from release_core.charts.forest import forest
from release_core.charts.gauge import gauge
from release_core.charts.heatmap import heatmap
from release_core.charts.history import history
from release_core.charts.maturity import by_age, by_step, curves
from release_core.charts.mix import mix
from release_core.charts.panels import panel
from release_core.charts.quantiles import quantiles
from release_core.charts.queue import queue
from release_core.charts.rates import rates
from release_core.charts.ratios import ratios
from release_core.charts.reliability import recalibrated, reliability
from release_core.charts.score_map import score_map
from release_core.charts.shift import shift
from release_core.charts.style import LINEAR, PROBABILITY, Score
from release_core.charts.sweep import cost, trade
from release_core.charts.tail import tail
from release_core.charts.timeline import timeline
from release_core.charts.transition import transition
from release_core.charts.triangle import triangle
from release_core.charts.waterfall import waterfall

__all__ = [
    "LINEAR",
    "PROBABILITY",
    "Caption",
    "Chart",
    "Reading",
    "Score",
    "ages",
    "by_age",
    "by_step",
    "cost",
    "course",
    "coverage",
    "curves",
    "daily",
    "distribution",
    "dumbbell",
    "forest",
    "gauge",
    "heatmap",
    "history",
    "mix",
    "panel",
    "quantiles",
    "queue",
    "rates",
    "ratios",
    "recalibrated",
    "reliability",
    "score_map",
    "share_above",
    "shift",
    "tail",
    "timeline",
    "trade",
    "transition",
    "triangle",
    "waterfall",
]
