"""The parts of the Cutoffs page: which segment and costs it speaks of, its tables, the shared capacity, the editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.frame import parts, plot, read, show
from release_core.charts import digits
from release_core.charts.panels import QUESTION
from release_core.errors import ManifestError
from release_core.release import CUTOFF_ACTIONS, VERSIONS, Costs
from release_core.views import cutoff_capacity, cutoff_tables, cutoffs

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.views.cutoffs import CutoffsPage
    from release_core.views.view import View

    Row = dict[str, Any]

_OF = "_cutoffs_of"
CHOSEN = (*CUTOFF_ACTIONS,)


def columns(*rows: tuple[str, str, Callable[[Any], str] | None]) -> tuple[show.Column, ...]:
    """Return columns by title, key and how a value is written; numbers are those that are written."""
    return tuple(show.Column(title, key, write, number=write is not None) for title, key, write in rows)


FORCE = columns(
    ("Events", "segment", None), ("Baseline review", "baseline_review", digits.cutoff),
    ("Candidate review", "candidate_review", digits.cutoff), ("Baseline block", "baseline_block", digits.cutoff),
    ("Candidate block", "candidate_block", digits.cutoff))  # fmt: skip
TOLD = columns(
    ("What", "measure", None), ("Baseline", "baseline", str), ("Candidate", "candidate", str),
    ("What if", "what_if", str), ("Change", "change", str), ("Same on the baseline", "other", str))  # fmt: skip
BEST = (
    *columns(("Segment", "segment", None), ("Cutoff", "action", None), ("Bad", "positives", digits.count)),
    *columns(("In force", "now", str), ("Advised, 95%", "shown_advised", str)),
    *columns(("Cheapest as counted, within 1% of it", "shown_counted", str)),
    *columns(("Not to be told from it", "alike", str), ("Move it?", "move", str)),
)
PRICE = (
    *columns(("Segment", "segment", None), ("Cost in force", "cost_now", digits.count), ("with the advised", "cost_advised", digits.count)),
    *columns(("least as counted", "cost_counted", digits.count), ("Shift of log-odds", "raw", digits.signed)),
    *columns(("shrunken", "shrunk", digits.signed), ("Own weight", "weight", digits.percent)),
    show.Column("Beware", "beware", lambda told: " ".join(told) or "–", wide=True),
)  # fmt: skip
VARIED = columns(
    ("Cost", "cost", None), ("times", "factor", digits.number), ("Cheapest review cutoff", "review", digits.cutoff),
    ("Block cutoff", "block", digits.cutoff), ("Expected cost there per 1,000", "least", digits.count),
    ("The what-if's cutoffs cost more by", "regret", digits.count))  # fmt: skip
FITS = columns(
    ("Segment", "segment", None), ("Review from", "review", digits.cutoff), ("Block from", "block", digits.cutoff),
    ("Reviews a day", "reviews", digits.number), ("in force", "reviews_now", digits.number),
    ("Bad just beyond the cutoff", "margin", digits.percent))  # fmt: skip
EFFECT = columns(
    ("Segment", "segment", None), ("Reviews a day now", "reviews_now", digits.number), ("then", "reviews_after", digits.number),
    ("Blocks a day now", "blocks_now", digits.number), ("then", "blocks_after", digits.number),
    ("Bad approved now", "missed_now", digits.count), ("then", "missed_after", digits.count),
    ("Good alerted now", "false_alerts_now", digits.count), ("then", "false_alerts_after", digits.count),
    ("Cost a day now", "cost_a_day_now", digits.count), ("then", "cost_a_day_after", digits.count))  # fmt: skip
WRITTEN = {"share": digits.percent, "count": digits.count, "money": digits.count, "number": digits.number}


LOOKS = {
    "costs": "Other costs",
    "segments": "Segment by segment",
    "capacity": "One review capacity for all",
    "edit": "Edit the cutoff table",
    "force": "Cutoffs in force",
}


def choose(view: View) -> tuple[str, str]:
    """Return the dimension by which the page splits ("": none) and the segment that it speaks of ("": all events)."""
    dims = read.page(cutoffs.dims)
    left, right = st.columns(2)
    with left:
        by = parts.pick("Segments by", dims, "cutoff_by", parts.words) if dims else ""
    names = read.page(cutoffs.segments, by) if by else []
    with right:
        segment = parts.pick("Cutoffs of", ["", *names], "cutoff_segment", lambda name: name or view.place)
    _forget(view, (by, segment))
    return by, segment


def _forget(view: View, now: tuple[str, str]) -> None:
    """Let the what-if begin anew where it would speak of another release or segment than it was made for."""
    whole = (view.release.id, *now)
    before = st.session_state.get(_OF)
    if before not in (None, whole):
        keys = CHOSEN if before[0] == view.release.id else (*CHOSEN, *COST_KEYS, "capacity")
        for key in keys:
            st.session_state.pop(key, None)
    st.session_state[_OF] = whole


# Key -> (label, help, field of the costs).
COST_KEYS = {
    "cost_block": ("Blocking a good event", "Lost margin and a good customer turned away.", "false_positive"),
    "cost_review": ("A review", "What looking at one event costs.", "review"),
    "cost_missed": ("A bad event let through", "A fixed part, whatever its amount.", "false_negative"),
    "cost_amount": ("and this times its amount", "The share of the amount that is lost.", "amount_times"),
    "cost_found": ("Share of bad events a review finds", "1: reviews miss nothing.", "review_detection"),
    "cost_friction": ("A review bothers a good event by", "Delay and friction beside the review itself.", "friction"),
}


def costs() -> tuple[Costs, float | None]:
    """Return the unit costs and the review capacity a day, as declared or as typed in."""
    declared = read.page(cutoffs.costs_of)
    found: Row = {"currency": declared.currency}
    with st.expander(f"Costs in {declared.currency or 'money units'}, and capacity: assumptions, to be changed here"):
        with st.grid("auto", min_column_width=190):
            for key, (label, told, field) in COST_KEYS.items():
                most = 1.0 if field == "review_detection" else None
                start = float(getattr(declared, field) or 0.0)
                found[field] = st.number_input(
                    label, 0.0, most, start, format="%.4g", key=key, help=told, bind="query-params"
                )
            capacity = st.number_input(
                "Reviews a day that can be done",
                0.0,
                value=declared.review_capacity_per_day,
                format="%.6g",
                key="capacity",
                bind="query-params",
            )
        st.caption("Changes here are not saved: the manifest's [costs] stay as they are.")
    return Costs(**found, review_capacity_per_day=capacity), capacity


def pair(view: View, by: str, segment: str) -> dict[str, float]:
    """Return the two cutoffs of the what-if, typed or dragged; they begin with the candidate's in force."""
    default, scale = read.page(cutoffs.defaults, by if segment else "", segment), view.release.scale
    found = {}
    for column, (action, at) in zip(st.columns(len(default) or 1), default.items(), strict=False):
        with column:
            found[action] = st.number_input(
                f"What if {action} began at a score of",
                scale.minimum,
                scale.maximum,
                at,
                scale.step or 0.005,
                "%.4g",
                key=action,
                bind="query-params",
            )
    return found


def dragging(view: View, lines: list[str]) -> Callable[[int, float], None]:
    """Return what takes the score to which one of these lines was dragged."""

    def moved(line: int, score: float) -> None:
        # Four digits are more than a hand can aim at, and keep the link short.
        within = min(max(score, view.release.scale.minimum), view.release.scale.maximum)
        st.session_state[lines[line]] = float(f"{within:.4g}")

    return moved


def told(page: CutoffsPage) -> None:
    """Show what the cutoffs do, one measure a row."""
    rows = []
    group = ""
    for row in page.told:
        if row["group"] != group:
            group = row["group"]
            rows.append({"measure": f"{group}:", **dict.fromkeys((*VERSIONS, "what_if", "other", "change"), "")})
        rows.append(row | _written(row))
    snapped = " and ".join(f"{action} from {digits.cutoff(at)}" for action, at in page.snapped.items())
    show.table(TOLD, rows, f"What if {snapped}? ({page.place})", "No labelled or scored event.")
    exact = "exact, both being in force" if page.exact else "at the nearest edges of score bins"
    st.caption(
        show.escape_markdown(
            "Baseline and candidate: with their cutoffs in force, counted exactly. What if: the candidate with these cutoffs, "
            f"{exact}; change: against the candidate. Drag a thick line or type a score. Nothing here is applied."
        )
    )
    plot.take(page.told, "what-if")
    for note in page.notes:
        st.caption(show.escape_markdown(note))


def _written(row: Row) -> Row:
    write, unit = WRITTEN[row["unit"]], row["unit"]
    found = {side: write(row[side]) for side in (*VERSIONS, "what_if", "other")}
    if row["what_if"] is None or row["candidate"] is None:
        return found | {"change": ""}
    change = row["what_if"] - row["candidate"]
    counted = f"{digits.MINUS if change < 0 else '+' if change > 0 else ''}{digits.count(abs(change))}"
    return found | {"change": counted if unit in {"count", "money"} else digits.difference(change, unit)}


def optimum(rows: list[Row], actions: tuple[str, ...], caption: str) -> None:
    """Show one row per segment (or version) and cutoff: in force, advised, cheapest, and whether to move it."""
    lines = [_best(row, action, title=row["segment"]) for row in rows for action in actions]
    show.table(BEST, lines, caption, "No costs: no cutoff is cheapest.")


def _best(row: Row, action: str, title: str) -> Row:
    keep = row["keep"].get(action)
    return {
        "segment": title,
        "action": action,
        "positives": row["positives"],
        "shown_advised": _with(
            row["advised"].get(action), "as counted" if row["own"] else _range(row["interval"].get(action))
        ),
        "shown_counted": _with(row["counted"].get(action), _range(row["range"].get(action))),
        "alike": _range(row["alike"].get(action)),
        "now": "varies" if action in row["varies"] else digits.cutoff(row["now"].get(action)),
        "move": "not known" if keep is None else "no evidence for it" if keep else "yes, it is dearer",
    }


def _with(at: float | None, more: str) -> str:
    """Return a cutoff with its range below it."""
    return digits.NOT_KNOWN if at is None else f"{digits.cutoff(at)}\n{more}"


def _range(ends: tuple[float, float] | None) -> str:
    return "not known" if ends is None else f"{digits.cutoff(ends[0])} to {digits.cutoff(ends[1])}"


def looks(view: View, by: str, costs: tuple[Costs, float | None], page: CutoffsPage) -> None:
    """Show what lies behind the answer, one thing at a time: the rest is computed when its tab is opened."""
    (priced, most), actions = costs, list(page.curves)
    names = [LOOKS[key] for key in LOOKS if key != "segments" or by]
    parts.tell_wrong("Look", names, "look")
    tabs = dict(zip(names, st.tabs(names, key="look", bind="query-params"), strict=True))
    # What was typed or edited goes when its widget is not drawn: what was opened once stays.
    editing = tabs[LOOKS["edit"]].open or any(str(key).startswith("edit-") for key in st.session_state)
    sharing = tabs[LOOKS["capacity"]].open or "worst" in st.session_state or "worst" in st.query_params
    if by and tabs[LOOKS["segments"]].open:
        with tabs[LOOKS["segments"]]:
            by_segment(by, priced, page)
    with tabs[LOOKS["capacity"]]:
        worst = capacity(by, priced, most, actions) if sharing else False
    with tabs[LOOKS["edit"]]:
        if editing:
            editor(view, by, priced, most, worst=worst)
    with tabs[LOOKS["costs"]]:
        if page.sensitivity:
            show.table(
                without(VARIED, actions),
                page.sensitivity,
                "If a cost were half or twice what is assumed, on the candidate's score",
            )
            st.caption(
                "Costs in this table are expected by the calibrated scores, from which cutoffs are advised; everywhere else "
                "on this page they are counted on labelled events."
            )
        else:
            show.empty("No costs are declared: type them above to see what other costs would change.")
    with tabs[LOOKS["force"]]:
        show.table(FORCE, read.page(cutoff_tables.in_force), "Cutoffs in force")


def by_segment(by: str, priced: Costs, page: CutoffsPage) -> None:
    """Show the cost curve and the cheapest cutoffs of every segment."""
    actions = list(page.curves)
    moved = actions[0]
    if len(actions) > 1:
        moved = parts.pick("Cutoff that is moved", actions, "moved")
    charts, rows = read.page(cutoffs.panels, by, priced, moved)
    if not charts or not any(chart.spec for chart in charts):
        show.empty(
            "No event here has a mature label: which cutoffs are cheapest in each segment is not known."
            if charts or not rows
            else "No costs are declared: type them above to see which cutoffs are cheapest in each segment."
        )
        return

    def opened(name: object) -> None:
        st.session_state["cutoff_segment"] = str(name) if str(name) in {row["segment"] for row in rows} else ""

    plot.many(QUESTION, charts, "panels", on_click=opened)
    optimum(rows, tuple(actions), f"Cheapest cutoffs by {parts.words(by)}, on the candidate's score")
    show.table(PRICE, rows, "What they cost per 1,000 labelled events, and how far each segment speaks for itself")
    plot.take([_flat(row) for row in rows], "cheapest-cutoffs")
    st.caption(show.escape_markdown(read.page(cutoffs.explained, by, priced)))


def _flat(row: Row) -> Row:
    """Return a row with one field per action in place of those that hold both."""
    return row | {f"{key}_{a}": at for key in ("now", "advised", "counted") for a, at in row[key].items()}


def without(table: tuple[show.Column, ...], actions: list[str]) -> tuple[show.Column, ...]:
    """Return the columns of a table without those of blocks where nothing is blocked."""
    return tuple(column for column in table if "block" in actions or "block" not in column.key.lower())


def capacity(by: str, priced: Costs, most: float | None, actions: list[str]) -> bool:
    """Show the cutoffs that share the review capacity best; return whether the busiest period has to fit too."""
    if most is None:
        show.empty("No review capacity is declared or typed in above, so none is shared.")
        return False
    worst = st.toggle("Must also do in the busiest period", key="worst", bind="query-params")
    found = read.page(_within, by, priced, most, worst)
    parts.lead(found.headline)
    show.table(
        without(FITS, actions),
        found.rows,
        "Cutoffs that are cheapest together within the capacity",
        "Nothing to share.",
    )
    st.caption(
        "A review is worth the same at the margin in every segment; alert rates differ. Whole score bins are moved."
    )
    return worst


def _within(view: View, by: str, priced: Costs, most: float, worst: bool) -> cutoff_capacity.Capacity:  # noqa: FBT001
    return cutoff_capacity.within(view, by, priced, most, worst=worst)


def _start(view: View, by: str, priced: Costs, most: float | None, name: str, worst: bool) -> list[Row]:  # noqa: FBT001
    return cutoff_tables.start(view, by, priced, most, name, worst=worst)


def editor(view: View, by: str, priced: Costs, most: float | None, *, worst: bool) -> None:
    """Let the reader edit a cutoff table, see what it would do, and take it away as a threshold release."""
    offered = [name for name in cutoff_tables.STARTS if name != "capacity" or most is not None]
    first = parts.pick("Start from", offered, "start_from", cutoff_tables.STARTS.__getitem__)
    rows = read.page(_start, by, priced, most, first, worst)
    names = {
        f"{a}{now}": f"{a.capitalize()}{' now' if now else ' from'}" for a in CUTOFF_ACTIONS for now in ("_now", "")
    }
    told = {key: st.column_config.NumberColumn(title, format="%.6g") for key, title in names.items()}
    # A copy, because rows are kept from run to run; the key: an edit belongs to the rows that it was made on.
    edited = st.data_editor(
        [dict(row) for row in rows],
        column_config={"segment": parts.words(by).capitalize() if by else "Events", **told},
        disabled=["segment", "review_now", "block_now"],
        hide_index=True,
        key=f"edit-{view.release.id}-{by}-{first}-{hash((priced, most, worst))}",
        alt="Cutoffs per segment, to be edited",
    )
    entries = tuple((row["segment"] if by else "", *(_number(row.get(a)) for a in CUTOFF_ACTIONS)) for row in edited)
    left, right = st.columns(2)
    name = left.text_input("Name of the new table", f"{view.release.candidate.thresholds}-new", key="table_name")
    title = right.text_input(
        "Title of the new release", "", key="table_title", placeholder="made from both tables' names"
    )
    _proposed(view, read.page(cutoff_tables.proposal, by, entries, name.strip(), title, priced))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None  # noqa: PLR0124 - NaN: an empty cell


def _proposed(view: View, made: cutoff_tables.Proposal) -> None:
    if made.problems:
        show.problems(ManifestError(*made.problems), "This table cannot be used")
        return
    show.table(EFFECT, [*made.rows, made.total], "What the edited table would do, by the cutoffs alone")
    if not made.archive:
        show.empty("No cutoff differs from those in force: change one to make a release of it.")
        return
    st.download_button("Threshold release", made.archive, made.name, on_click="ignore", icon=":material/download:")
    old = view.release.candidate.thresholds
    st.caption(
        show.escape_markdown(
            f"A manifest of its own with {made.changes} changed cutoff{'s' if made.changes > 1 else ''}, from this candidate ({old}) "
            "to the same with the new table. Put its folder beside this release's own: it reads the same logs. Nothing is applied."
        )
    )
