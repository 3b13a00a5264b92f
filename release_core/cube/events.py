"""Disagreements in; why they happened and, on demand, some of the events themselves out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.cube import acts, dense
from release_core.cube.encode import dimension_columns
from release_core.cube.files import listed
from release_core.cube.query import REPLAY_SET, WINDOW
from release_core.errors import NotFound, Problem
from release_core.release import MINOR_UNITS, VERSIONS
from release_core.store import quote

if TYPE_CHECKING:
    from release_core.cube.cube import Cube, Where
    from release_core.cube.dense import Columns
    from release_core.frames import Array
    from release_core.release import Release, Stage

MOST_EVENTS = 50
MASKED = "'masked'"
# Codes of customers cannot be found out by trying their ids.
SALT = secrets.token_hex(16)
# What is counted of events by their actions, and in which units.
SUMMED = {"n": 1, "amount": MINOR_UNITS}
WHY = ("baseline_action", "candidate_action", "baseline_reason", "candidate_reason")


def reasons(release: Release, columns: Columns) -> list[dict[str, Any]]:
    """Return one row per pair of actions and of reasons, most events first, from the cells of the table `reason`."""
    masks = dict(zip(("n", "positive", "negative"), dense.labels(columns), strict=True))
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for place, key in enumerate(zip(*(_words(release, columns, name) for name in WHY), strict=True)):
        names = tuple(map(str, key))
        row = found.setdefault(names, dict(zip(WHY, names, strict=True)) | dict.fromkeys((*masks, "amount"), 0))
        for name, mask in masks.items():
            row[name] += int(columns["n"][place] * mask[place])
        row["amount"] += float(columns["amount"][place] * masks["n"][place]) / MINOR_UNITS
    return sorted(found.values(), key=lambda row: -row["n"])


def _words(release: Release, columns: Columns, name: str) -> list[str]:
    """Return the text of a column of cells: actions are kept as their places."""
    if name not in WHY[:2]:
        return [str(value) for value in columns[name]]
    return [release.actions[place] if place >= 0 else "" for place in columns[name].tolist()]


def acted(release: Release, segments: list[dict[str, str]], place: Array, columns: Columns) -> list[dict[str, Any]]:
    """Return the events of each segment by arm and pair of actions, from the cells of the table `pair`.

    `place` is each cell's segment.
    """
    keep = (columns["label"] < 0) & columns["both_scored"].astype(bool)
    names, words = ("arm", *WHY[:2]), (("", *VERSIONS), ("", *release.actions), ("", *release.actions))
    index = (place[keep], *(columns[name][keep] + 1 for name in names))
    shape = (len(segments), *map(len, words))
    counts, amounts = (dense.total(shape, index, columns[name][keep], unit).ravel() for name, unit in SUMMED.items())
    places, first = np.unique(np.ravel_multi_index(index, shape), return_index=True)
    rows = []
    for at in places[np.argsort(first)].tolist():
        segment, *key = np.unravel_index(at, shape)
        told = {name: listed[n] for name, listed, n in zip(names, words, key, strict=True)}
        rows.append({"segment": segments[segment]} | told | {"n": int(counts[at]), "amount": float(amounts[at])})
    return rows


def sizes(columns: Columns) -> list[dict[str, Any]]:
    """Return one row per size of amount, rising, from the cells of the table `size`.

    low and high are its ends (high None: below the smallest), n its events, differ those on which the actions differ,
    explained those of them with reasons, amount and differ_amount the sums of their amounts.
    """
    happened, differs = columns["label"] < 0, columns["baseline_action"] != columns["candidate_action"]
    rows = []
    for size in np.unique(columns["size"][happened]).tolist():
        mine = happened & (columns["size"] == size)
        row: dict[str, Any] = {"low": _step(size), "high": _step(size + 1)}
        for name, column, keep in (
            ("n", "n", mine),
            ("differ", "n", mine & differs),
            ("explained", "explained", mine),
            ("amount", "amount", mine),
            ("differ_amount", "amount", mine & differs),
        ):
            row[name] = float(columns[column][keep].sum()) / acts.UNITS[column]
        rows.append(row)
    return rows


def _step(size: int) -> float:
    """Return where a step of the amounts begins: 0.01, 0.02, 0.05, 0.1, ... and 0 before all of them."""
    return 0.0 if size < 0 else (1, 2, 5)[size % 3] * 10.0 ** (size // 3) / MINOR_UNITS


def sample(
    cube: Cube, view: tuple[Stage, int], actions: tuple[str, str], where: Where, limit: int
) -> list[dict[str, Any]]:
    """Return at most `limit` (and never over 50) events on which the versions took `actions`, in the order of the logs.

    Read from the rows that were kept when the logs were read. Customers are shown as a code that is the same while the
    program runs and tells nothing else, and so are events whose id holds their customer's; dimensions that the manifest
    calls personal are masked; `outcomes` lists what was learned by the end of the as-of step.

    Raises:
        NotFound: the kept rows are no longer in the cache.
    """
    dims = dict(zip(cube.release.segments.all, dimension_columns(cube.release), strict=True))
    column = dims | {REPLAY_SET: REPLAY_SET, WINDOW: "span"}
    tests = ["stage = $stage", "entry <= $step", "baseline_action = $one", "candidate_action = $two"]
    params: dict[str, object] = {"stage": str(view[0]), "step": view[1], "one": actions[0], "two": actions[1]}
    for number, (dim, value) in enumerate(where):
        tests.append(f"{column[dim]} = $w{number}")
        params[f"w{number}"] = value
    personal = cube.release.segments.personal
    shown = {dim: MASKED if dim in personal else name for dim, name in dims.items()}
    named = "".join(f", {name} as {quote(dim)}" for dim, name in shown.items())
    sql = f"""
with chosen as (
    select * from read_parquet({_kept(cube, "decisions")}) where {" and ".join(tests)}
    limit {min(limit, MOST_EVENTS)}
), said as ({_said(cube)})
select if(clustered and contains(event_id, entity_id), substr(md5($salt || event_id), 1, 12), event_id) as event,
    strftime(event_time, '%Y-%m-%d %H:%M') as event_time,
    if(clustered, substr(md5($salt || entity_id), 1, 8), '') as customer, amount / {MINOR_UNITS} as amount,
    baseline_risk, candidate_risk, taken as action_taken, coalesce(outcomes, '') as outcomes,
    baseline_reason, candidate_reason{named}
from chosen left join said using (event_id)"""
    return cube.store.rows(sql, params | {"salt": SALT, "end": cube.end(view[1]).replace(tzinfo=None)})


def _said(cube: Cube) -> str:
    """Return SQL for the outcomes of the chosen events in one text each, oldest first."""
    if not any(report["good"] for report in cube.facts["logs"]["outcomes"]):
        return "select '' as event_id, '' as outcomes where $end is null"
    return f"""
    select event_id, string_agg(outcome || coalesce(' = ' || value, ''), ', ' order by observed_at) as outcomes
    from read_parquet({_kept(cube, "outcomes")}) semi join chosen using (event_id)
    where observed_at <= $end group by event_id"""


def _kept(cube: Cube, log: str) -> str:
    folder = cube.folder.parent
    files = [folder / report["good"] for report in cube.facts["logs"][log] if report["good"]]
    if not files or not all(file.exists() for file in files):
        raise NotFound(
            Problem(f"the {log} log of {cube.release.id}", "kept rows that are gone", "the rows as they were read",
                    "Open the release again: it is read anew once its logs or its manifest change.")
        )  # fmt: skip
    return listed(files)
