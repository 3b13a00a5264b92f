"""A question in, SQL over the published cells out: which cells of which table a slice adds up, as readers may check it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.cube import cells as tables
from release_core.cube.labels import EVENT, QUIET
from release_core.errors import Problem, Unanswerable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.release import Stage

    # The dimensions to split by, and the (dimension, value) pairs to filter by.
    Group = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
    # Dimensions with those of their values that count: a filter by several values at once.
    Among = tuple[tuple[str, tuple[str, ...]], ...]

REPLAY_SET = "replay_set"
# The calendar window (one unit coarser than the as-of steps) in which an event happened.
WINDOW = "window"
# Split by this and a slice counts the events (not the labels) of each step at which they entered.
PERIOD = "period"
# A stretch counts at an as-of step if it has begun, is not over, and (for judged labels) its event is mature.
KNOWN = "greatest(since, seen) <= $step and until > $step"
MATURE = f"{KNOWN} and (label < 0 or settled <= $step)"
# Of an event that silence makes negative, the label holds from the step at which it is settled.
LABEL = f"if(label = {QUIET} and settled > $step, {EVENT}, label)::int"
SLICED = {
    "score": ("version", "bin", "band", "label"),
    "shard": ("version", "bin", "band", "shard", "label"),
    "pair": ("both_scored", "arm", "baseline_action", "candidate_action", "taken", "shard", "label"),
    "armed": ("both_scored", "arm", "ramp_step", "baseline_action", "candidate_action", "shard", "label"),
    "joint": ("baseline_bin", "candidate_bin", "label"),
    "crossed": ("baseline_band", "candidate_band", "bin", "label"),
    "world": ("worlds", "shard", "label"),
    "cover": ("version", "bin", "taken", "label"),
    "reason": ("baseline_action", "candidate_action", "baseline_reason", "candidate_reason", "label"),
    "size": ("baseline_action", "candidate_action", "size", "label"),
}
# What is sliced by another name than that of the table that holds it: pairs of actions, ramp steps apart.
HELD = {"armed": "pair"}


def cells_of(table: str) -> str:
    """Return the name of the table of cells that holds what is sliced as `table`."""
    return HELD.get(table, table)


def statement(
    table: str, view: tuple[Stage, int, bool], group: Group, dims: Sequence[str]
) -> tuple[str, dict[str, object]]:
    """Return the SQL that adds up the cells of a group, and its bound values.

    Args:
        table: a key of SLICED.
        view: the stage, the as-of step, and whether labels count only once mature.
        group: the dimensions to split by (columns k0, k1, ... of the answer are their codes) and the filter.
        dims: the declared dimensions of the group, in the order of the cells.

    Raises:
        Unanswerable: the table does not hold so many dimensions together.
    """
    check(table, dims)
    (stage, step, mature), (by, where) = view, group
    column = dict(zip(dims, ("v1", "v2", "v3"), strict=False)) | {REPLAY_SET: REPLAY_SET}
    params: dict[str, object] = {"by": ",".join(dims), "stage": str(stage), "step": step}
    tests = ['"by" = $by', "stage = $stage", MATURE if mature else KNOWN]
    for number, (dim, value) in enumerate(where):
        tests.append(f"{column[dim]} = $w{number}")
        params[f"w{number}"] = value
    if PERIOD in by:
        tests.append("label < 0")
    split = [f"{'since' if dim == PERIOD else f'enum_code({column[dim]})'}::bigint as k{n}" for n, dim in enumerate(by)]
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in tables.SUMS[cells_of(table)].split(", "))
    places = ", ".join(str(n + 1) for n in range(len(by) + len(SLICED[table])))
    keys = ", ".join([*split, *(f"{LABEL} as label" if key == "label" else key for key in SLICED[table])])
    return f"select {keys}, {sums}\nfrom {cells_of(table)}\nwhere {' and '.join(tests)}\ngroup by {places}", params


def check(table: str, dims: Sequence[str]) -> None:
    """Raise Unanswerable where a table does not hold so many dimensions together."""
    if len(dims) > tables.MOST_SCORED and "v3" not in tables.KEYS[cells_of(table)]:
        found, required = (
            f"scores by {', '.join(dims)}",
            f"at most {tables.MOST_SCORED} dimensions, split and filter together",
        )
        raise Unanswerable(Problem("segment", found, required, "Remove one of them, or ask for counts of actions."))


def watched(daily: int) -> str:
    """Return the SQL of the shares of watched codes by step (`daily` steps together), with their shares in all before."""
    return f"""
with shown as (
    select name, code, (entry // {daily} + 1) * {daily} - 1 as entry, sum(n) as n from watch
    where stage = $stage and entry <= $step group by all
),
periods as (select name, entry, sum(n) as total from shown group by all),
every as (select p.name, c.code, p.entry, p.total from periods p join (select distinct name, code from shown) c using (name)),
filled as (select e.*, coalesce(s.n, 0) as n from every e left join shown s using (name, code, entry)),
compared as (
    select name, code, entry, n / total as share, total, row_number() over (w) as place,
        sum(n) over (w rows between unbounded preceding and 1 preceding)
            / sum(total) over (w rows between unbounded preceding and 1 preceding) as before
    from filled window w as (partition by name, code order by entry)
)
select name, code, entry, share::double as share, before::double as before, total::bigint as total
from compared where place > 1 order by name, entry, code
"""


def shown(sql: str, params: dict[str, object]) -> str:
    """Return a statement with its bound values listed above it, for readers."""
    values = "\n".join(f"-- ${name} = {value!r}" for name, value in params.items())
    return f"{values}\n{sql}"
