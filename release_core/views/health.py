"""The Data health page: what was read, what was set aside and why, and which events both versions scored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from release_core import review
from release_core.release import Comparison
from release_core.views.overview import gate_row

if TYPE_CHECKING:
    from release_core.views.view import View

    Row = dict[str, Any]

SAMPLE = 100
# Of files that are set aside for the same reason so many are named.
NAMED = 5
REASON = ("found", "required", "remedy")
MOST_REASONS = 20
NUMBERS = re.compile(r"\d+")
# Invariants that say nothing of the logs.
ELSEWHERE = {"stop_rules", "rollback_ready"}


@dataclass(frozen=True, slots=True)
class HealthPage:
    """What the page shows; `bad` is a sample of quarantined rows, `bad_total` how many there are."""

    headline: str
    logs: list[Row]
    files: list[Row]
    reasons: list[Row]
    bad: list[Row]
    bad_total: int
    mapping: list[Row]
    notes: list[str]
    overlap: list[Row]
    invariants: list[Row]
    codes: list[Row]
    rejected: list[Row]


def health(view: View) -> HealthPage:
    """Return the page for a choice."""
    logs: dict[str, list[Row]] = view.opened.cube.facts["logs"]
    every = [report for reports in logs.values() for report in reports]
    totals = [_totals(name, reports) for name, reports in logs.items()]
    bad_total = sum(total["quarantined"] for total in totals)
    return HealthPage(
        _headline(totals, every),
        totals,
        [_file(report) for report in every],
        _reasons(every),
        view.opened.cube.quarantined(SAMPLE),
        bad_total,
        _mapping(every),
        [f"{report['file']}: {note}" for report in every for note in report["notes"]],
        _overlap(view),
        _invariants(view),
        _codes(view),
        _rejected(every),
    )


def _totals(name: str, reports: list[Row]) -> Row:
    return {
        "log": name,
        "files": len(reports),
        "rejected": sum(report["rejected"] is not None for report in reports),
        **{key: sum(report[key] for report in reports) for key in ("read", "accepted", "quarantined", "pending")},
    }


def _headline(totals: list[Row], every: list[Row]) -> str:
    read, bad = (sum(total[key] for total in totals) for key in ("read", "quarantined"))
    aside = sum(report["rejected"] is not None for report in every)
    files = f"; {aside} of {len(every)} files could not be read at all" if aside else ""
    if not bad:
        return f"All {read:,} rows of {len(every) - aside} files were accepted{files}."
    return f"{bad:,} of {read:,} rows ({100 * bad / read:.2f}%) are quarantined{files}; the others count."


def _rejected(every: list[Row]) -> list[Row]:
    """Return one row per reason for which files are set aside whole: how many they are, and some of them; most files first.

    Beyond MOST_REASONS the rest is one row.
    """
    found: dict[tuple[str, ...], list[Row]] = {}
    for report in every:
        if report["rejected"]:
            found.setdefault(_reason(report), []).append(report)
    alike = sorted(found.values(), key=lambda reports: -len(reports))
    rows = [
        {"log": one[0]["log"], "files": len(one), "some": _some([report["file"] for report in one])}
        | {key: _alike(one, key) for key in REASON}
        for one in alike[:MOST_REASONS]
    ]
    rest = [report["file"] for one in alike[MOST_REASONS:] for report in one]
    if rest:
        others = f"{len(alike) - MOST_REASONS:,} other reasons"
        rows.append(
            {"log": "", "files": len(rest), "some": _some(rest)} | dict.fromkeys(REASON, "") | {"found": others}
        )
    return rows


def _reason(report: Row) -> tuple[str, ...]:
    """Return what files that are broken alike have in common: names and numbers are their own."""
    return report["log"], *(NUMBERS.sub("0", _nameless(report, key)) for key in REASON)


def _alike(reports: list[Row], key: str) -> str:
    """Return what files broken alike say; where their numbers differ, it is that of one of them."""
    told = list(dict.fromkeys(_nameless(report, key) for report in reports))
    return told[0] if len(told) == 1 else f"for example: {told[0]}"


def _nameless(report: Row, key: str) -> str:
    name = report["file"].rpartition("/")[2]
    return str(report["rejected"][key]).replace(report["file"], "the file").replace(name, "the file")


def _some(files: list[str]) -> str:
    more = len(files) - NAMED
    return ", ".join(sorted(files)[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _file(report: Row) -> Row:
    keys = ("file", "log", "read", "accepted", "quarantined", "pending", "size")
    return {key: report[key] for key in keys} | {
        "fingerprint": report["fingerprint"][:12],
        "ignored": ", ".join(report["ignored"]),
    }


def _reasons(every: list[Row]) -> list[Row]:
    found: dict[tuple[str, str], int] = {}
    for report in every:
        for rule, n in report["reasons"].items():
            found[report["log"], rule] = found.get((report["log"], rule), 0) + n
    return [
        {"log": log, "rule": rule, "rows": n} for (log, rule), n in sorted(found.items(), key=lambda item: -item[1])
    ]


def _mapping(every: list[Row]) -> list[Row]:
    found = {(r["log"], ours, theirs) for r in every for ours, theirs in r["mapped"].items() if ours != theirs}
    return [{"log": log, "ours": ours, "theirs": theirs} for log, ours, theirs in sorted(found)]


def _overlap(view: View) -> list[Row]:
    counts = view.opened.cube.checks(view.stage, view.step)
    lines = (
        ("events", "n", "in the logs of this stage as of this time"),
        ("scored by both versions", "both_scored", "every comparison rests on these"),
        ("scored by the baseline only", "baseline_only", "left out of comparisons"),
        ("scored by the candidate only", "candidate_only", "left out of comparisons"),
        ("with a clipped score", "clipped", "below 1e-7 or above 1 - 1e-7; clipped for log loss and calibration only"),
        ("with a customer", "clustered", "intervals cluster by customer; without one, events count as independent"),
    )
    return [{"what": what, "events": counts[key], "meaning": meaning} for what, key, meaning in lines]


def _invariants(view: View) -> list[Row]:
    """Return the invariants of the data, broken ones first; stop rules and the way back have pages of their own."""
    found = review.review(view.opened, view.stage, view.step)
    rows = [row for row in found.rows if row.comparison == Comparison.INVARIANT and row.metric not in ELSEWHERE]
    return [gate_row(row) for row in sorted(rows, key=lambda row: -row.verdict)]


def _codes(view: View) -> list[Row]:
    """Return the shares of watched codes by period, largest change first."""
    limits = {watch.column: watch.max_shift for watch in view.release.watches}
    rows = [
        {
            "input": name,
            "code": code,
            "period": period,
            "share": share,
            "before": before,
            "n": n,
            "allowed": limits[name],
        }
        for name, code, period, share, before, n in view.opened.cube.codes(view.stage, view.step)
    ]
    return sorted(rows, key=lambda row: -abs(row["share"] - row["before"]))
