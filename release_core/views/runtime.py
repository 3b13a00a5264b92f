"""The Runtime page: does the candidate serve within its budgets, and does the review queue hold?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from release_core import metrics, review
from release_core.charts import digits
from release_core.charts.gauge import gauge as gauge_chart
from release_core.charts.timeline import timeline
from release_core.gates.worst import worst
from release_core.release import VERSIONS, Comparison, Verdict
from release_core.stats import decisions
from release_core.stats.arrays import ratio
from release_core.views.queue import QueueView, queue_view
from release_core.views.view import known, paired_rows, said, single_view

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import GateRow
    from release_core.metrics import Metric
    from release_core.release import GateSpec
    from release_core.views.view import View

    Row = dict[str, Any]

FAMILY = "runtime"
# What is shown over time, and in what order; the first is shown first.
OVER_TIME = ("latency_p99", "latency_p95", "latency_p50", "error_rate", "fallback_rate", "serving_cost")
LATENCIES = ("latency_p50", "latency_p95", "latency_p99")
# Samples with a chart of their own, in this order; others by name behind them.
OWN_CHARTS = {
    "review_queue_depth",
    "review_capacity_per_hour",
    "review_arrivals",
    "review_clearances",
    "review_queue_limit",
}
EVERY_REQUEST = (
    "Some customers were seen in both arms and are left out of what compares the arms' decisions and outcomes. Here their "
    "requests count: a side answers for every request that it served."
)
NOT_SERVED = "A replay reads history: nothing is served, so latency, errors, cost and queues are not known here. They begin in shadow."


@dataclass(frozen=True, slots=True)
class RuntimePage:
    """What the page shows. `budgets` are one row per metric of serving, judged ones first; `note` says what is left out."""

    verdict: str
    headline: str
    detail: str
    budgets: list[Row]
    dependencies: list[Row]
    queue: QueueView
    gauges: list[str]
    note: str


def page(view: View) -> RuntimePage:
    """Return the page for a choice."""
    view, note = single_view(view)
    judged = _judged(view)
    budgets = _budgets(view, judged)
    return RuntimePage(
        *_headline(view, judged, budgets),
        budgets,
        _dependencies(view),
        queue_view(view),
        _sampled(view),
        " ".join(text for text in (note, EVERY_REQUEST if view.stage in view.opened.cube.mixed() else "") if text),
    )


def offered(view: View) -> list[str]:
    """Return the metrics that can be shown over time: those that the logs tell of; the first if none."""
    view, _ = single_view(view)
    found = {row.metric for row in view.rows(OVER_TIME) if row.value is not None}
    return [name for name in OVER_TIME if name in found] or [OVER_TIME[0]]


def _lived(view: View) -> metrics.Lived:
    return review.lived(view.opened, view.stage, view.step, (((), view.where),))


def over_time(view: View, name: str) -> Chart:
    """Return one metric of serving at each as-of step on its own, both versions with intervals, against its budget."""
    view, _ = single_view(view)
    metric, cube = view.known()[name], view.opened.cube
    lived = _lived(view)
    rows: list[Row] = []
    if lived.segments:
        one = metrics.estimate(lived.each_step(), metric)
        low, high = one.bounds(0.95)
        for place, step in enumerate(cube.steps[: lived.look + 1]):
            if one.n[place].any():
                rows.append(
                    {"step": f"{cube.end(step):%Y-%m-%dT%H:%M}"} | _sides(one.value[place], low[place], high[place])
                )
                rows[-1]["n"] = int(one.n[place, :2].sum())
    caption = view.caption(float(sum(row["n"] for row in rows)), table="pair")
    spec = _budget(view, name)
    return timeline(rows, caption, metric=metric.title, unit=metric.unit, limit=None if spec is None else _limit(spec))


def _sides(value: Any, low: Any, high: Any) -> Row:  # noqa: ANN401
    row: Row = {}
    for side, version in enumerate(VERSIONS):
        row |= {version: known(value[side]), f"{version}_low": known(low[side]), f"{version}_high": known(high[side])}
    return row


def _limit(spec: GateSpec) -> float | None:
    return spec.at_most if spec.at_most is not None else spec.at_least


def _budget(view: View, name: str) -> GateSpec | None:
    """Return the budget gate of a metric, of this stage if there is one."""
    found = [spec for spec in view.release.gates if spec.metric == name and spec.comparison is Comparison.BUDGET]
    return next((spec for spec in found if view.stage in spec.stages), found[0] if found else None)


def _judged(view: View) -> dict[str, GateRow]:
    """Return the worst row of each gate on a runtime metric, by metric."""
    known_metrics = view.known()
    found: dict[str, GateRow] = {}
    for row in review.review(view.opened, view.stage, view.step).rows:
        metric = known_metrics.get(row.metric)
        if metric is None or metric.family != FAMILY or not row.counts or row.segment:
            continue
        if row.metric not in found or row.verdict > found[row.metric].verdict:
            found[row.metric] = row
    return found


def _budgets(view: View, judged: dict[str, GateRow]) -> list[Row]:
    names = [metric.name for metric in view.known().values() if metric.family == FAMILY]
    rows = [_budgeted(view, view.known()[row["metric"]], row, judged) for row in paired_rows(view.rows(names))]
    shown = [row for row in rows if row["judged"] or row["known"]]
    return sorted(shown, key=lambda row: (not row["judged"], -int(Verdict[row["verdict"]]) if row["judged"] else 0))


def _budgeted(view: View, metric: Metric, row: Row, judged: dict[str, GateRow]) -> Row:
    gate, spec = judged.get(metric.name), _budget(view, metric.name)
    words = {"at_most": "at most", "at_least": "at least"}
    limits = (
        []
        if spec is None
        else [(words[side], getattr(spec, side)) for side in words if getattr(spec, side) is not None]
    )
    return {
        "metric": metric.name,
        "title": metric.title,
        "known": row["baseline"] is not None or row["candidate"] is not None,
        "judged": gate is not None,
        "verdict": gate.verdict.name if gate else "",
        "mark": gate.verdict.name if gate else "",
        "baseline": _told(row["baseline"], row["baseline_low"], row["baseline_high"], metric.unit),
        "candidate": _told(row["candidate"], row["candidate_low"], row["candidate_high"], metric.unit),
        "change": _change(row, metric.unit),
        "budget": " and ".join(f"{word} {written(limit, metric.unit)}" for word, limit in limits) or "none",
        "level": gate.level if gate else "",
        "n": row["n"],
        "sentence": gate.sentence if gate else row["reason"],
    }


def _told(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    """Return a value with its interval below it; a fact that is counted has none."""
    if value is None:
        return digits.NOT_KNOWN
    if (low is None and high is None) or low == high:
        return written(value, unit)
    ends = [written(low, unit) if low is not None else "?", written(high, unit) if high is not None else "no limit"]
    return f"{written(value, unit)}\n[{ends[0]}, {ends[1]}]"


def _change(row: Row, unit: str) -> str:
    if row["difference"] is None:
        return digits.NOT_KNOWN
    if row["low"] == row["high"]:
        return digits.difference(row["difference"], unit)
    return digits.both(row["difference"], row["low"], row["high"], unit)


def written(value: float | None, unit: str) -> str:
    """Return a runtime value as a reader sees it, with its unit.

    >>> written(116.94, "ms"), written(8760.0, "hours"), written(0.0123, "share")
    ('117 ms', 'over a year', '1.2%')
    """
    if value is None:
        return digits.NOT_KNOWN
    if unit == "ms":
        return f"{digits.number(value)} ms"
    if unit == "hours":
        return "over a year" if value >= metrics.LONGEST_WAIT else f"{digits.number(value)} h"
    return digits.level(value, unit)


def _headline(view: View, judged: dict[str, GateRow], budgets: list[Row]) -> tuple[str, str, str]:
    if not any(row["known"] for row in budgets):
        text = (
            NOT_SERVED
            if view.stage.value == "replay"
            else "The logs of this stage tell nothing of how events were served."
        )
        lacking = "Log candidate_latency_ms, candidate_error, candidate_fallback, candidate_cost, and runtime samples."
        return "NODATA", text, "" if view.stage.value == "replay" else lacking
    bad = [row for row in judged.values() if row.verdict is Verdict.FAIL]
    open_ends = [row for row in judged.values() if row.verdict in {Verdict.INCONCLUSIVE, Verdict.NODATA}]
    verdict = worst(list(judged.values())).name if judged else "NODATA"
    if bad:
        first = (
            f"{len(bad)} of {len(judged)} budgets are broken"
            if len(bad) > 1
            else f"One of {len(judged)} budgets is broken"
        )
        return "FAIL", f"{first}: {bad[0].sentence}", " ".join(row.sentence for row in bad[1:])
    if open_ends:
        return (
            verdict,
            f"No budget is broken, but {len(open_ends)} of {len(judged)} cannot be answered yet.",
            open_ends[0].sentence,
        )
    if not judged:
        return (
            verdict,
            "No gate of this stage sets a budget for serving.",
            "Add one to release.toml, on latency_p99 for example.",
        )
    return verdict, f"The new path serves within all {len(judged)} budgets.", _tail(budgets)


def _tail(budgets: list[Row]) -> str:
    row = next((row for row in budgets if row["metric"] == "latency_p99"), None)
    return "" if row is None else row["sentence"]


def stages(view: View) -> list[Row]:
    """Return latency, errors, fallback and cost of every stage that served, one row per stage and version."""
    view, _ = single_view(view)
    rows: list[Row] = []
    for stage in view.opened.cube.stages():
        found = paired_rows(replace(view, stage=stage).rows(OVER_TIME))
        for version in VERSIONS:
            told = {row["metric"]: row for row in found if row[version] is not None}
            if told:
                rows.append(
                    {"stage": f"{stage} (this page)" if stage == view.stage else str(stage), "version": version}
                )
                for name in OVER_TIME:
                    row = told.get(name)
                    unit = view.known()[name].unit
                    rows[-1][name] = digits.NOT_KNOWN
                    if row:
                        rows[-1][name] = _told(row[version], row[f"{version}_low"], row[f"{version}_high"], unit)
    return rows


def _dependencies(view: View) -> list[Row]:
    """Return one row per failing dependency: failed events and their share, of both versions; most first."""
    lived = _lived(view)
    frame = lived.serving
    if not lived.segments:
        return []
    served = lived.steps(frame.served)[0].sum(0)
    rows: list[Row] = []
    for place, name in enumerate(frame.names):
        k = lived.steps(frame.errors[place])[0].sum(0)
        low, high = decisions.wilson(k, served)
        row: Row = {"dependency": name, "total": float(k.sum())}
        for side, version in enumerate(VERSIONS):
            share = known(float(ratio(k[side], served[side])))
            row[f"{version}_n"] = int(k[side])
            row[version] = _told(share, known(low[side]), known(high[side]), "share")
        rows.append(row)
    return sorted((row for row in rows if row["total"]), key=lambda row: -row["total"])


def _sampled(view: View) -> list[str]:
    """Return the names of the runtime samples that are shown over time, busiest resources first."""
    names = dict.fromkeys(gauge.name for gauge in view.opened.cube.gauges(view.stage) if gauge.name not in OWN_CHARTS)
    return sorted(names, key=lambda name: (not name.endswith("_utilisation"), name != "queue_depth", name))


def sampled(view: View, name: str) -> Chart:
    """Return the course of one runtime sample, both arms."""
    end = view.opened.cube.end(view.step).timestamp()
    rows: list[Row] = []
    for one in view.opened.cube.gauges(view.stage):
        if one.name == name:
            keep = one.start <= end
            arrays = (one.start[keep], one.mean[keep], one.low[keep], one.high[keep])
            rows += [
                {"arm": one.arm, "time": moment(start), "mean": float(mean), "low": float(low), "high": float(high)}
                for start, mean, low, high in zip(*arrays, strict=True)
            ]
    share = name.endswith("_utilisation")
    budgets = {"queue_depth": "queue_depth"} | ({name: "utilisation"} if share else {})
    spec = _budget(view, budgets[name]) if name in budgets else None
    caption = replace(
        view.caption(float(len(rows)), table="pair"),
        evidence=f"{len(rows):,} samples by time · as of {said(view.opened, view.step)}",
        sql="",
    )
    return gauge_chart(
        rows, caption, name=name.replace("_", " "), unit="share" if share else "number",
        limit=None if spec is None else _limit(spec),
    )  # fmt: skip


def moment(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601, UTC."""
    return f"{datetime.fromtimestamp(float(seconds), UTC):%Y-%m-%dT%H:%M}"
