"""A release in, the columns of each checked log out: one fixed list that no file can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from release_core.release import MISSING, VERSIONS, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from release_core.release import Condition, Release

Kind = Literal["text", "number", "flag", "time", "word"]
Log = Literal["decisions", "outcomes", "runtime"]
SQL_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "number": "DOUBLE",
    "flag": "BOOLEAN",
    "time": "TIMESTAMP",
    "word": "VARCHAR",
}
FIELDS: dict[str, Kind] = {
    "score": "number",
    "action": "word",
    "reason": "text",
    "latency_ms": "number",
    "fallback": "flag",
    "error": "text",
    "cost": "number",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a checked log: what it holds, the text for a missing value, and the words that it allows.

    `words` maps every accepted spelling in lower case to the one that is kept, `others` says that further words are kept
    as they are; `field` is the per-version
    field (score, action, ...) that the column carries for `version`; in a `free` number NaN means missing; a
    `declared` column is there because the manifest names it.
    """

    name: str
    kind: Kind
    needed: bool = False
    missing: str | None = None
    words: tuple[tuple[str, str], ...] = ()
    field: str | None = None
    version: str | None = None
    free: bool = False
    declared: bool = False
    others: bool = False

    @property
    def sql_type(self) -> str:
        """Return the column's DuckDB type."""
        return SQL_TYPES[self.kind]


def columns(release: Release, log: Log) -> tuple[Column, ...]:
    """Return the columns of the checked log after `row`, in their order; the same for every file of the release."""
    if log == "outcomes":
        return (
            Column("event_id", "text", needed=True),
            Column("outcome", "text", needed=True),
            Column("value", "text"),
            Column("observed_at", "time", needed=True),
        )
    if log == "runtime":
        return (
            Column("sampled_at", "time", needed=True),
            _stage(),
            Column("arm", "word", missing="", words=_same(VERSIONS)),
            Column("name", "text", needed=True),
            Column("value", "number", needed=True),
        )
    return _decisions(release)


def long_columns(release: Release) -> tuple[Column, ...]:
    """Return the columns of a decisions log with one row per event and version: the version and its fields."""
    event = tuple(column for column in _decisions(release) if column.field is None)
    told = release.decisions.versions
    words = tuple((name, names[0]) for _, names in told for name in names) or _version_words(release)
    version = Column("version", "word", needed=True, words=words, others=bool(told))
    return (*event, version, *_fields(release, ""))


def version_names(release: Release) -> dict[str, str]:
    """Return what the rows of each side are called once a log of the long layout is read; "" where it has none."""
    told = dict(release.decisions.versions)
    return {side: (told[side] or ("",))[0] if told else side for side in VERSIONS}


def _decisions(release: Release) -> tuple[Column, ...]:
    head = (
        Column("event_id", "text", needed=True),
        Column("event_time", "time", needed=True),
        _stage(),
        Column("arm", "word", words=_same(VERSIONS)),
        Column("ramp_step", "text", missing=""),
        Column("replay_set", "text", missing=""),
        Column("entity_id", "text"),
    )
    taken = Column("action_taken", "word", words=_same(release.actions))
    by_field = zip(_fields(release, "baseline"), _fields(release, "candidate"), strict=True)
    (scores, actions, *others) = list(by_field)
    tail = (Column("amount", "number"), *scores, *actions, taken, *(column for pair in others for column in pair))
    fixed = (*head, *tail, Column("label_propensity", "number"))
    dims = _new((Column(name, "text", missing=MISSING, declared=True) for name in release.segments.all), fixed)
    inputs = _new(_inputs(release), (*fixed, *dims))
    return (*head, *dims, *tail, fixed[-1], *inputs)


def _new(candidates: Iterable[Column], known: tuple[Column, ...]) -> tuple[Column, ...]:
    """Return the candidates whose names are free; DuckDB takes `Amount` and `amount` for the same name."""
    found = {column.name.casefold(): column for column in (Column("row", "number"), *known)}
    fresh: list[Column] = []
    for column in candidates:
        if column.name.casefold() not in found:
            found[column.name.casefold()] = column
            fresh.append(column)
    return tuple(fresh)


def _inputs(release: Release) -> list[Column]:
    """Return every column that a watch, a policy rule or a scenario names, typed by what it is compared with."""
    rules = (rule for policy in release.policies.values() for rule in policy.rules)
    conditions = [c for rule in rules for c in rule.when] + [c for s in release.scenarios for c in s.where]
    watched = dict.fromkeys(watch.column for watch in release.watches)
    compared = {c.column: _compared_kind(c.column, conditions) for c in conditions}
    typed = [Column(name, kind, free=True, declared=True) for name, kind in compared.items()]
    return [Column(name, "text", declared=True) for name in watched] + typed


def _compared_kind(name: str, conditions: list[Condition]) -> Kind:
    """Return number or flag if the column is compared with nothing else, so that every file format agrees."""
    values = [value for c in conditions if c.column == name for value in _values(c)]
    if values and all(isinstance(value, bool) for value in values):
        return "flag"
    if values and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return "number"
    return "text"


def _values(condition: Condition) -> tuple[object, ...]:
    if condition.value is None or condition.op == "is_missing":
        return ()
    return condition.value if isinstance(condition.value, tuple) else (condition.value,)


def _fields(release: Release, version: str) -> tuple[Column, ...]:
    prefix = f"{version}_" if version else ""
    actions = _same(release.actions)
    return tuple(
        Column(
            prefix + name,
            kind,
            words=actions if name == "action" else (),
            field=name,
            version=version or None,
            free=name != "score",
        )
        for name, kind in FIELDS.items()
    )


def _stage() -> Column:
    return Column("stage", "word", needed=True, words=_same(tuple(Stage)))


def _version_words(release: Release) -> tuple[tuple[str, str], ...]:
    """Return the spellings of the two versions; a model id that both bundles share tells nothing."""
    models = (release.baseline.model, release.candidate.model)
    known = _same(VERSIONS)
    if models[0].casefold() == models[1].casefold():
        return known
    return tuple({**{m.casefold(): v for m, v in zip(models, VERSIONS, strict=True)}, **dict(known)}.items())


def _same(words: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((str(word).casefold(), str(word)) for word in words)
