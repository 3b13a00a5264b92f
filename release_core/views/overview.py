"""The Overview page: the verdict first, then the facts that made it, the ladder of stages, the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from release_core import gates, review
from release_core.gates.words import place
from release_core.ledger import standing
from release_core.release import Comparison, Level, Stage, Verdict
from release_core.stages import ACCOUNTS
from release_core.views.view import paired_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.frames import GateRow
    from release_core.ledger import Record
    from release_core.review import Review
    from release_core.views.view import View

    Row = dict[str, Any]

ANSWERS = {
    Verdict.PASS: "May advance",
    Verdict.MARGINAL: "May advance if each marginal gate is accepted by name",
    Verdict.INCONCLUSIVE: "Cannot be decided yet",
    Verdict.NODATA: "Cannot be decided: evidence is missing",
    Verdict.FAIL: "Do not advance",
}
KPIS = ("recall", "precision", "oe_ratio", "alert_rate", "amount_recall", "disagreement_rate")
WORST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows.

    `early` says that a go would come before some of its evidence; `primary` what was to get better and whether that is
    proven. `gates` has one row a gate, worst first; `rows` every judged segment of every gate.
    """

    verdict: Verdict
    headline: str
    points: list[str]
    early: str
    primary: list[Row]
    aggregate: str
    facts: dict[str, str]
    kpis: list[Row]
    ladder: list[Row]
    gates: list[Row]
    rows: list[Row]
    rollback: dict[str, str]
    mixed: list[str]


def overview(view: View, records: Sequence[Record] = ()) -> Overview:
    """Return the page for a choice; `records` are the ledger's, for the ladder."""
    found = review.review(view.opened, view.stage, view.step)
    return Overview(
        found.verdict,
        headline(found.verdict, found.rows),
        [row.sentence for row in _worst(found.rows)],
        early(found.rows),
        primary(found.rows),
        _aggregate(found),
        _facts(view, found),
        _kpis(view),
        ladder(view, records),
        board(found.rows),
        [gate_row(row) for row in sorted(found.rows, key=_badness)],
        _rollback(found),
        _split(found),
    )


def _badness(row: GateRow) -> tuple[int, int, float]:
    """Return the sort key that puts the worst first: verdict, whether it counts, harm beyond the margin in margins."""
    harm = max((abs(bound) for bound in (row.low_adjusted, row.high_adjusted) if bound is not None), default=0.0)
    return (-int(row.verdict), -int(row.counts), -harm / row.margin if row.margin else 0.0)


def _worst(rows: Sequence[GateRow]) -> list[GateRow]:
    """Return the worst counting rows, at most one per gate until every failing gate is named."""
    counting = sorted((row for row in rows if gates.counted(row) is not None), key=_badness)
    worst = gates.worst(rows)
    same = [row for row in counting if gates.counted(row) == worst and worst is not Verdict.PASS]
    first = list({row.gate: row for row in reversed(same)}.values())[::-1]
    return (first + [row for row in same if row not in first])[:WORST_SHOWN]


def early(rows: Sequence[GateRow]) -> str:
    """Return which gates judge what is learned later, where the verdict allows a go without them; else nothing."""
    waiting = list(dict.fromkeys(row.title for row in rows if gates.early(row) and row.level != Level.OBSERVE))
    if not waiting or gates.worst(rows) > Verdict.MARGINAL:
        return ""
    return (
        f"Too early to be sure: what {len(waiting)} {'gate judges' if len(waiting) == 1 else 'gates judge'} is learned later, "
        f"and the verdict can still turn. Not known yet: {'; '.join(title[:1].lower() + title[1:] for title in waiting)}."
    )


PROVEN = {Verdict.PASS: "Proven better", Verdict.FAIL: "Proven worse"}


def primary(rows: Sequence[GateRow]) -> list[Row]:
    """Return what the release set out to improve, gate by gate: its verdict, and the finding by name with its interval."""
    return [
        {
            "verdict": row.verdict.name,
            "gate": row.gate,
            "text": f"{PROVEN.get(row.verdict, 'Not proven better yet')}: {row.title}. {row.sentence}",
        }
        for row in rows
        if row.comparison == Comparison.SUPERIORITY and row.level != Level.OBSERVE and row.counts
    ]


def headline(verdict: Verdict, rows: Sequence[GateRow]) -> str:
    """Return the answer in words, and how many gates say so."""
    return f"{ANSWERS[verdict]}: {_counts(rows)}"


def _counts(rows: Sequence[GateRow]) -> str:
    every = board(rows)
    words = (
        ("FAIL", "fails", "fail"),
        ("NODATA", "lacks data", "lack data"),
        ("INCONCLUSIVE", "cannot be decided", "cannot be decided"),
        ("MARGINAL", "is marginal", "are marginal"),
    )
    counts = [(sum(row["verdict"] == name for row in every), one, many) for name, one, many in words]
    parts = [f"{n} {one if n == 1 else many}" for n, one, many in counts if n]
    return f"of {len(every)} gates {', '.join(parts)}" if parts else f"all {len(every)} gates pass"


def _aggregate(found: Review) -> str:
    """Return what the same gates say of all events together, without looking into segments."""
    whole = [
        row
        for row in found.rows
        if not row.segment and row.comparison != "invariant" and gates.counted(row) is not None
    ]
    if not whole:
        return ""
    good = sum(row.verdict <= Verdict.MARGINAL for row in whole)
    inner = [row for row in found.rows if row.segment and gates.counted(row) is Verdict.FAIL]
    if good == len(whole) and inner:
        return (
            f"On all events together every one of {len(whole)} statistical gates passes: the harm is in the segments."
        )
    return f"On all events together {good} of {len(whole)} statistical gates pass."


def _facts(view: View, found: Review) -> dict[str, str]:
    release = view.release
    labelled = view.rows(["labelled_share"])
    share = next((row.value for row in labelled if row.version == "candidate"), None)
    return {
        "Change": f"{release.kind}: {' and '.join(why for _, why in found.changed) or 'nothing differs (A/A)'}",
        "Stage": f"{ACCOUNTS[view.stage].title} ({list(Stage).index(view.stage) + 1} of {len(Stage)})",
        "As of": view.as_of,
        "Labels": "not known" if share is None else f"{100 * share:.0f}% mature",
        "Rollback point": f"{release.rollback.target}",
        "Judged by": release.house.title,
        "Data": f"{release.about.data or 'not stated'} data",
    }


def _kpis(view: View) -> list[Row]:
    known = view.known()
    return [row | {"title": known[row["metric"]].title, "unit": known[row["metric"]].unit, "better": known[row["metric"]].better}
            for row in paired_rows(view.rows(KPIS))]  # fmt: skip


def ladder(view: View, records: Sequence[Record]) -> list[Row]:
    """Return the stages in order: what each proves and does not prove, its verdict, and who signed it."""
    present = view.opened.cube.stages()
    rows = []
    for stage in Stage:
        account = ACCOUNTS[stage]
        verdict = review.review(view.opened, stage, view.step).verdict.name if stage in present else None
        signed = (
            standing(
                records, view.release.id, str(stage), view.release.manifest_hash, distinct=view.release.signoff.distinct
            )
            if records
            else None
        )
        rows.append(
            {
                "stage": str(stage),
                "title": account.title,
                "current": stage == view.stage,
                "verdict": verdict,
                "signed": signed,
                "proves": account.proves,
                "does_not_prove": account.does_not_prove,
                "gate": account.gate,
            }
        )
    return rows


def board(rows: Sequence[GateRow]) -> list[Row]:
    """Return one row per gate, worst first: its verdict, how many segments say what, and the worst segment's sentence."""
    found = []
    for name in dict.fromkeys(row.gate for row in rows):
        mine = [row for row in rows if row.gate == name]
        worst = min(mine, key=_standing)
        verdict = gates.counted(worst)
        found.append(
            {
                "gate": name,
                "title": mine[0].title,
                "level": mine[0].level,
                "metric": mine[0].metric,
                "comparison": mine[0].comparison,
                "verdict": (verdict if verdict is not None else worst.verdict).name,
                "judged": sum(row.counts for row in mine),
                "failing": sum(row.counts and row.verdict is Verdict.FAIL for row in mine),
                "sentence": worst.sentence,
            }
        )
    return sorted(found, key=lambda row: (-Verdict[row["verdict"]], -row["failing"]))


def _standing(row: GateRow) -> tuple[int, tuple[int, int, float]]:
    """Return the sort key of a gate's rows: what counts most first."""
    verdict = gates.counted(row)
    return (1 if verdict is None else -int(verdict), _badness(row))


def gate_row(row: GateRow) -> Row:
    """Return a verdict row for tables."""
    return {
        "verdict": row.verdict.name,
        "gate": row.gate,
        "title": row.title,
        "segment": place(row.segment),
        "where": dict(row.segment),
        "level": row.level,
        "counts": row.counts,
        "metric": row.metric,
        "baseline": row.baseline,
        "candidate": row.candidate,
        "difference": row.difference,
        "low": row.low,
        "high": row.high,
        "margin": row.margin,
        "n": row.n,
        "positives": row.positives,
        "method": row.method,
        "sentence": row.sentence,
    }


def _rollback(found: Review) -> dict[str, str]:
    plan = found.release.rollback
    limit = f"within {plan.max_minutes:g} minutes" if plan.max_minutes is not None else "no time limit declared"
    # The manifest tells of rehearsals before the ledger was kept; the later one counts, as the gate reads it.
    last = gates.last(plan, review.rehearsal(found.release))
    drill = plan.drill or "none on record" if last is None else f"{last.began:%Y-%m-%d}, {last.minutes:g} minutes"
    return {"Restores": plan.target, "How": plan.how, "How fast": limit, "Last drill": drill}


def _split(found: Review) -> list[str]:
    """Return, for a mixed release, the single-kind releases that it should be split into, in order."""
    if not found.mixed:
        return []
    return [
        f"{number}. {component}: {why}, everything else as it is"
        for number, (component, why) in enumerate(found.changed, 1)
    ]


__all__ = ["ANSWERS", "Overview", "board", "early", "gate_row", "headline", "ladder", "overview", "primary"]
