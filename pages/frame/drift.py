"""The parts of the Score drift page: their tables, and what each draws of a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.frame import parts, plot, read, show
from release_core.charts import digits
from release_core.views import score_drift, transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.views.view import View

    Row = dict[str, Any]
    Write = Callable[..., str] | None


def columns(*rows: tuple[str, str, Write]) -> tuple[show.Column, ...]:
    """Return columns by title, key and how a value is written; numbers are those that are written."""
    return tuple(show.Column(title, key, write, number=write is not None) for title, key, write in rows)


def relative(share: float | None) -> str:
    """Return a relative change in percent, signed."""
    return digits.NOT_KNOWN if share is None else f"{digits.signed(100 * share)}%"


def by_segment_or_cutoff(at: float | None) -> str:
    """Return a cutoff, or that it differs between the segments of the choice."""
    return "by segment" if at is None else digits.cutoff(at)


def ranged(row: Row, key: str, write: Callable[[Any], str], ends: tuple[str, str] | None = None) -> str:
    """Return a value with its interval below it; the ends are key_low and key_high unless named."""
    low, high = (row.get(end) for end in ends or (f"{key}_low", f"{key}_high"))
    if row.get(key) is None or low is None or high is None:
        return write(row.get(key))
    if write in SHARED:
        unit, of_difference = SHARED[write]
        return digits.both(row[key], low, high, unit, of_difference=of_difference)
    return f"{write(row[key])}\n[{write(low).removesuffix('%')}, {write(high).removesuffix('%')}]"


# How values are written -> their unit and whether they are changes, where both ends of an interval share their decimals.
SHARED = {digits.percent: ("share", False), digits.points: ("share", True), digits.signed: ("number", True)}


SWAPS = columns(
    ("Swap", "name", None), ("Events", "n", digits.count), ("A day", "per_day", digits.number), ("Of all", "share", digits.percent),
    ("Labelled", "labelled", digits.percent), ("Bad of the labelled", "shown_bad", str), ("Amount", "amount", digits.count),
    ("Bad amount", "bad_amount", digits.count), ("Saved by the candidate", "shown_saved", str),
    ("Saved a day", "saved_a_day", digits.count))  # fmt: skip
PAIRS = columns(
    ("Baseline → candidate", "pair", None), ("Events", "n", digits.count), ("A day", "per_day", digits.number),
    ("Bad of the labelled", "shown_bad", str), ("Labelled bad", "labelled_bad", digits.count),
    ("Good", "labelled_good", digits.count), ("Amount", "amount", digits.count),
    ("Saved by the candidate", "saved", digits.count))  # fmt: skip
EXPLAINED = columns(
    ("Baseline's cutoff", "cutoff", None), ("Candidate's cutoff", "other", None), ("Only the candidate alerts", "swap_in", digits.count),
    ("Only the baseline alerts", "swap_out", digits.count), ("Change sides", "crossed", digits.percent),
    ("Still after equal alert rate", "shown_reranked", str), ("Shift's part", "shift_share", digits.percent),
    ("Kappa", "kappa", digits.number))  # fmt: skip
CONTEXT = columns(
    ("Measure", "measure", None), ("Value", "value", str), ("95%", "interval", str), ("How to read it", "meaning", None)
)  # fmt: skip
MEASURES = columns(
    ("Distance", "measure", None), ("Value", "value", digits.number), ("What it is", "definition", None),
    ("How to read it", "meaning", None))  # fmt: skip
GROUPS = columns(
    ("Bin", "Bin", None), ("Count A", "Count A", digits.count), ("Count E", "Count E", digits.count),
    ("Count A %", "Count A %", digits.number), ("Count E %", "Count E %", digits.number), ("PSI", "PSI", digits.number))  # fmt: skip
SEGMENTS = columns(
    ("Segment", "segment", None), ("Baseline", "baseline", digits.percent), ("Candidate", "candidate", digits.percent),
    ("Change", "shown_change", str), ("Relative", "relative", relative), ("Alerts a day", "per_day", digits.signed),
    ("Beyond chance", "certain", lambda yes: "yes" if yes else "no"), ("Events", "n", digits.count))  # fmt: skip
TRANSFER = (
    *columns(("Segment", "shown_segment", None), ("Today's cutoff", "shown_today", None)),
    *columns(("Candidate's cutoff", "shown", str), ("Wanted, reached", "shown_kept", str)),
    *columns(("At the same number", "shown_nominal", str), ("Alert rate", "alert_rate", digits.percent)),
    *columns(("Precision", "precision", digits.percent), ("Recall", "recall", digits.percent)),
    *columns(("False positives", "fpr", digits.percent), ("Alerts a day", "more_alerts", digits.signed)),
    show.Column("Beware", "warnings", lambda text: text or "–", wide=True),
)  # fmt: skip
ACTIONS = columns(
    ("Rate", "title", None), ("Baseline", "baseline_share", digits.percent), ("Candidate", "candidate_share", digits.percent),
    ("Change", "shown_share", str), ("Baseline a day", "baseline", digits.number), ("Candidate a day", "candidate", digits.number),
    ("Change a day", "shown_change", str))  # fmt: skip


def cutoff_columns(near: str, step: str) -> tuple[show.Column, ...]:
    """Return the columns of the table of cutoffs; `near` and `step` say what is close by and one step of drift."""
    return columns(
        ("Cutoff", "cutoff", None), ("Score", "at", by_segment_or_cutoff),
        ("Baseline beyond", "baseline", digits.percent), ("Candidate beyond", "candidate", digits.percent),
        ("Change", "shown_change", str), ("Relative", "shown_relative", str), ("Events a day", "shown_a_day", str),
        (f"Within {near}", "shown_near", str), (f"{step} of drift: alerts a day", "slope", digits.signed))  # fmt: skip


def cutoff_texts(rows: list[Row]) -> list[Row]:
    """Return the rows of the table of cutoffs with changes and their intervals as text."""
    return [
        row
        | {
            "shown_change": ranged(row, "difference", digits.points, ("low", "high")),
            "shown_relative": ranged(row, "relative", relative),
            "shown_a_day": ranged(row, "a_day", digits.signed),
            "shown_near": digits.NOT_KNOWN
            if row["near_baseline"] is None
            else f"{digits.percent(row['near_baseline'])} → {digits.percent(row['near_candidate'])}",
        }
        for row in rows
    ]


def action_texts(rows: list[Row]) -> list[Row]:
    """Return the rows of rates with changes and their intervals as text."""
    made = (("shown_share", "share", digits.points), ("shown_change", "change", digits.signed))
    return [row | {name: ranged(row, key, write) for name, key, write in made} for row in rows]


def _of(row: Row, n: int) -> str:
    """Return the share of bad events with its interval and how many labelled events it is of."""
    return ranged(row, "bad", digits.percent) + (f"\nn = {digits.count(n)}" if n else "")


def _swap_set(view: View) -> None:
    page = read.page(score_drift.swaps)
    st.markdown(show.escape_markdown(page.words))
    swaps = [
        row | {"shown_bad": _of(row, row["labelled_n"]), "shown_saved": ranged(row, "saved", digits.count)}
        for row in page.swaps
    ]
    show.table(SWAPS, swaps, "Who moves across the cutoffs", "No event has an action of both versions.")
    currency = view.release.costs.currency if view.release.costs else ""
    st.caption(
        f"Saved: at the unit costs of the manifest ({currency}), on labelled events; a minus says that the candidate costs more. "
        "A day: over all events, as if the unlabelled ones were like the labelled."
        if currency
        else "The manifest declares no costs, so that the money saved is not known."
    )
    if page.explained:
        show.table(
            EXPLAINED,
            [row | {"shown_reranked": ranged(row, "reranked", digits.percent)} for row in page.explained],
            "Shift or re-ranking",
        )
        st.caption(
            "Equal alert rate: the candidate's cutoff that alerts on as many events as the baseline's. "
            "What still changes sides then is re-ranking. Intervals are as wide as customers with several events make them."
        )
    left, right = st.columns(2)
    with left:
        plot.plot(page.flow, "swaps")
    with right:
        show.table(CONTEXT, page.context, "The same AUC can hide a large swap")
    pairs = [row | {"shown_bad": _of(row, row["labelled_bad"] + row["labelled_good"])} for row in page.pairs]
    show.table(PAIRS, pairs, "By pair of actions", "Both versions take the same action on every event.")
    plot.take(page.pairs, "swaps")


def _distribution(view: View) -> None:
    linear = False
    if view.release.scale.name == "probability":
        linear = st.segmented_control(
            "Score axis", ("log-odds", "linear"), default="log-odds", required=True, key="scale", bind="query-params"
        ) == "linear"  # fmt: skip
    page = read.page(score_drift.shape, linear)
    left, right = st.columns(2)
    with left:
        plot.plot(page.distribution, "distribution")
    with right:
        plot.plot(page.tail, "tail")
    show.table(MEASURES, page.distances, "Distances between the two distributions")
    st.caption("None of them sees what happens at the cutoff: a release never fails or passes by PSI alone.")
    show.table(GROUPS, page.psi_groups, "PSI group by group (A: candidate, E: baseline)", "No event has a score.")
    if page.groups_note and page.psi_groups:
        st.caption(show.escape_markdown(page.groups_note))
    plot.take(page.psi_groups, "psi")


def _over_time(view: View) -> None:
    known = view.known()
    names = ["alert_rate", *(f"share_above:{name}" for name in view.release.cutoff_ids)]
    periods = score_drift.periods(view)
    left, right = st.columns(2)
    with left:
        metric = parts.pick("Share", names, "over", lambda name: known[name].title)
    with right:
        split = parts.pick("Period", list(periods), "period", periods.__getitem__)
    share, quantiles = read.page(score_drift.over_time, metric, split)
    left, right = st.columns(2)
    with left:
        plot.plot(share, "over-time")
    with right:
        plot.plot(quantiles, "quantiles")


def _by_segment(view: View) -> None:
    dims = [dim for dim in view.release.segments.all if dim not in dict(view.where)]
    if not dims:
        show.empty("There is no further dimension to split by.")
        return
    by = parts.pick("By", dims, "drift_by", parts.words)
    chart, rows = read.page(score_drift.by_segment, by)

    def narrow(key: str) -> None:
        """Filter by the segment that was clicked, as the sidebar would."""
        st.session_state[f"in_{by}"] = key.partition("=")[2]

    plot.plot(chart, "by-segment", on_click=narrow)
    st.caption("Click a segment to see this page for it alone; the filter in the sidebar does the same.")
    rows = [row | {"shown_change": ranged(row, "difference", digits.points, ("low", "high"))} for row in rows]
    show.table(SEGMENTS, rows, f"Shift of the alert rate by {parts.words(by)}, largest first")
    st.caption(
        "Beyond chance: of the shifts marked yes, at most 10% are expected to be false leads (Benjamini-Hochberg)."
    )


def _score_map(view: View) -> None:
    del view
    plot.plot(read.page(score_drift.both_scores), "score-map")


def _transfer(view: View) -> None:
    rules = transfer.RULES
    left, right = st.columns(2)
    with left:
        rule = parts.pick("Keep today's", list(rules), "keep", lambda name: rules[name].title)
    dims = [] if view.where else list(view.release.segments.all)
    with right:
        by = parts.pick("By", ["", *dims], "transfer_by", lambda name: parts.words(name) or "all events together")
    st.markdown(show.escape_markdown(read.page(transfer.headline, rule)))
    write = digits.percent if rules[rule].unit == "share" else digits.number
    rows = [transferred(row, write) for row in read.page(transfer.rows_of, by, rule)]
    # What the rule keeps stands there already, as wanted and reached.
    shown = [column for column in TRANSFER if column.key != rule]
    show.table(shown, rows, f"Cutoffs that keep today's {rules[rule].title.lower()}", transfer.NOTHING)
    plot.take(rows, "transfer")
    st.caption(
        show.escape_markdown(
            f"Kept by {rules[rule].definition}, on bins of the score's grid. 95%: the cutoffs at which the candidate's "
            f"{rules[rule].title.lower()} is within the error of its paired difference from the baseline's on the same events, "
            "widened by how far clustering widens the share above. Nothing here is applied."
        )
    )


def transferred(row: dict[str, Any], write: Callable[[Any], str]) -> dict[str, Any]:
    """Return a row of the transfer with its cutoff, interval and kept values as text."""
    none = "alert on nothing" if row["alert_none"] else digits.NOT_KNOWN
    at = none if row["transferred"] is None else digits.cutoff(row["transferred"])
    ends = [digits.cutoff(row[end]) if row[end] is not None else "open" for end in ("low", "high")]
    return row | {
        "shown": at if row["low"] is None and row["high"] is None else f"{at}\n[{', '.join(ends)}]",
        "shown_segment": f"{row['segment']} ({digits.count(row['n'])} events)",
        "shown_today": f"{row['cutoff']}\n{by_segment_or_cutoff(row['at'])}",
        "shown_kept": f"{write(row['wanted'])}\n{write(row['reached'])}",
        "shown_nominal": write(row["nominal"]),
    }


# Part of the page -> what draws it; only the open one is computed.
SECTIONS: dict[str, Callable[[View], None]] = {
    "Swap set": _swap_set,
    "By segment": _by_segment,
    "Over time": _over_time,
    "Distribution": _distribution,
    "Score map": _score_map,
    "Threshold transfer": _transfer,
}
