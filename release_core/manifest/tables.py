"""The cutoff tables of a manifest, checked for contradictions, and the cutoffs in force for one event."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from release_core.manifest.forms import ANY_NUMBER, NAME, nearest, one_of
from release_core.release import CUTOFF_ACTIONS, CutoffTable, SegmentCutoffs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from release_core.manifest.fields import Fields
    from release_core.release import Scale

CARRY_RULES = ("equal_alert_rate",)
_CARRIED_WITH = ("rule", "replay_set", "carried_by")


def cutoffs(table: CutoffTable, segment: Mapping[str, str]) -> dict[str, float]:
    """Return the cutoff of every action in force for an event with these dimension values.

    The most specific matching row (most conditions) wins for each action by itself; an action that
    neither a matching row nor the default names is absent. Cutoffs are in the score's own unit.

    >>> rows = (SegmentCutoffs((("market", "EU"),), (("block", 0.75),)),)
    >>> table = CutoffTable("t13", (("review", 0.3), ("block", 0.8)), rows)
    >>> cutoffs(table, {"market": "EU", "surface": "web"})
    {'review': 0.3, 'block': 0.75}
    """
    found = dict(table.default)
    for row in sorted(table.segments, key=lambda row: len(row.where)):
        if all(segment.get(dim) == value for dim, value in row.where):
            found |= dict(row.cutoffs)
    return found


def tables(root: Fields, scale: Scale, dims: tuple[str, ...]) -> dict[str, CutoffTable]:
    """Return the cutoff tables by id; the ones that contradict themselves or the scale are problems."""
    fields = root.tables("thresholds")
    found = {name: _table(name, table, scale, dims) for name, table in fields.items()}
    for name, table in found.items():
        _check_carried(fields[name], table, found)
    return found


def _table(name: str, fields: Fields, scale: Scale, dims: tuple[str, ...]) -> CutoffTable:
    default = _numbers(fields.table("default", required=True), scale)
    if fields.raw("default") == {}:
        fields.problem("an empty default", "a review or block cutoff", "Write default = { review = ..., block = ... }.")
    table = CutoffTable(
        id=name,
        default=default,
        segments=tuple(_row(row, scale, dims) for row in fields.rows("segment")),
        carried_from=fields.get("carried_from", NAME, None),
        rule=fields.get("rule", one_of(CARRY_RULES), None),
        replay_set=fields.get("replay_set", NAME, None),
        carried_by=fields.get("carried_by", NAME, None),
    )
    _check_by(fields, table, dims)
    _check_ambiguous(fields, table)
    _check_order(fields, table, scale)
    return table


def _row(fields: Fields, scale: Scale, dims: tuple[str, ...]) -> SegmentCutoffs:
    where = fields.mapping("where", NAME)
    if "where" not in fields or fields.raw("where") == {}:
        fields.problem("no condition in where", "at least one dimension", "Put cutoffs for all events into default.")
    for dim, _ in where:
        if dim not in dims:
            fields.problem(f"the dimension {dim!r}", "a declared dimension", _declare(dim, dims))
    found = _numbers(fields, scale)
    if not any(action in fields for action in CUTOFF_ACTIONS):
        fields.problem("no cutoff", "review, block, or both", "Add the cutoff that differs here.")
    return SegmentCutoffs(tuple(sorted(where)), found)


def _numbers(fields: Fields, scale: Scale) -> tuple[tuple[str, float], ...]:
    pairs = [(action, fields.get(action, ANY_NUMBER, None)) for action in CUTOFF_ACTIONS]
    found = tuple((action, value) for action, value in pairs if value is not None)
    for action, value in found:
        if not scale.minimum <= value <= scale.maximum:
            required = f"a score from {scale.minimum:g} to {scale.maximum:g}"
            fields.wrong(action, value, required, "Correct the cutoff or the range in [score].")
    return found


def _declare(dim: str, dims: Iterable[str]) -> str:
    return nearest(dim, dims) or f"Add {dim} to [segments] dims."


def _check_by(fields: Fields, table: CutoffTable, dims: tuple[str, ...]) -> None:
    if table.carried_by is not None and table.carried_by not in dims:
        fields.wrong("carried_by", table.carried_by, "a declared dimension", _declare(table.carried_by, dims))
    if "carried_from" in fields:
        if "rule" not in fields:
            fields.missing("rule", f"one of {', '.join(CARRY_RULES)}, beside carried_from")
        return
    for key in _CARRIED_WITH:
        if key in fields:
            fields.problem(f"{key} without carried_from", "both or neither", f"Add carried_from or remove {key}.")


def _check_carried(fields: Fields, table: CutoffTable, known: Mapping[str, CutoffTable]) -> None:
    source = table.carried_from
    if source is None:
        return
    if source not in known:
        remedy = nearest(source, known) or f"Add [thresholds.{source}]."
        fields.wrong("carried_from", source, "the id of a cutoff table", remedy)
    elif source == table.id or known[source].carried_from == table.id:
        fields.wrong("carried_from", source, "a table that does not come from this one", "Name the older table.")
    elif _actions(table) != _actions(known[source]):
        found = f"cutoffs for {', '.join(_actions(table)) or 'nothing'}"
        required = f"cutoffs for {', '.join(_actions(known[source])) or 'nothing'}, as in {source}"
        fields.problem(found, required, "Carry every cutoff over, and add none.")


def _actions(table: CutoffTable) -> list[str]:
    return sorted(
        {action for cutoff in (table.default, *(row.cutoffs for row in table.segments)) for action, _ in cutoff}
    )


def _check_ambiguous(fields: Fields, table: CutoffTable) -> None:
    for one, other in combinations(table.segments, 2):
        both = _together(one, other)
        shared = sorted(dict(one.cutoffs).keys() & dict(other.cutoffs).keys())
        if both is None or not shared or len(one.where) != len(other.where):
            continue
        for action in shared:
            if not _decided(table, action, both, len(one.where)):
                found = f"{action} for {_words(one)} and for {_words(other)}, both as specific"
                remedy = f"Add a row for {_pairs(both)}, or merge them."
                fields.problem(found, "one most specific row for every event", remedy)


def _decided(table: CutoffTable, action: str, both: dict[str, str], specific: int) -> bool:
    """Return whether a more specific row decides every event that both rows match."""
    return any(len(row.where) > specific and both.items() >= set(row.where) for row in _with(table, action))


def _check_order(fields: Fields, table: CutoffTable, scale: Scale) -> None:
    sign = 1 if scale.riskier == "higher" else -1
    everyone = SegmentCutoffs((), table.default)
    for review in (everyone, *_with(table, "review")):
        for block in (everyone, *_with(table, "block")):
            both = _together(review, block)
            low, high = dict(review.cutoffs).get("review"), dict(block.cutoffs).get("block")
            if both is None or low is None or high is None or sign * low <= sign * high:
                continue
            # A more specific row may stand in for either of the two where both match.
            if cutoffs(table, both) == {"review": low, "block": high}:
                required = f"review {'at most' if sign > 0 else 'at least'} block"
                fields.problem(
                    f"review = {low:g}, block = {high:g} for {_pairs(both)}", required, "Correct one of them."
                )


def _with(table: CutoffTable, action: str) -> Iterator[SegmentCutoffs]:
    return (row for row in table.segments if action in dict(row.cutoffs))


def _together(one: SegmentCutoffs, other: SegmentCutoffs) -> dict[str, str] | None:
    """Return the dimension values of an event that both rows match, or None where there is none."""
    first, second = dict(one.where), dict(other.where)
    if any(first[dim] != second[dim] for dim in first.keys() & second.keys()):
        return None
    return first | second


def _words(row: SegmentCutoffs) -> str:
    return _pairs(dict(row.where))


def _pairs(where: Mapping[str, str]) -> str:
    return ", ".join(f"{dim}={value}" for dim, value in where.items()) or "all events"
