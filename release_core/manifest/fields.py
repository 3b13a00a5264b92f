"""One TOML table in, typed values out: wrong types, missing and unknown keys become problems, never exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from release_core.errors import Problem
from release_core.manifest.forms import key_text, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_core.manifest.forms import Form

T = TypeVar("T")
D = TypeVar("D")


class Fields:
    """One table of a TOML file: hands out its values by key and adds what is wrong to the common list.

    Every key that is asked for is known; `close` reports the others, in this table and in those below it.
    """

    def __init__(
        self, table: Mapping[str, object], where: str, problems: list[Problem], path: str | None = None
    ) -> None:
        """Read `table`; `where` names it in messages, `path` is its dotted name (None: it stands in a list)."""
        self.where = where
        self._table, self._problems, self._path = table, problems, path
        self._asked: dict[str, None] = {}
        self._children: list[Fields] = []

    def __contains__(self, key: str) -> bool:
        """Return whether the table has `key`."""
        return key in self._table

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys that the table has."""
        return tuple(self._table)

    def problem(self, found: str, required: str, remedy: str) -> None:
        """Add a problem at this table."""
        self._problems.append(Problem(self.where, found, required, remedy))

    def missing(self, key: str, required: str) -> None:
        """Add the problem that `key` is absent."""
        self.problem(f"no {key}", required, f"Add {key}.")

    def wrong(self, key: str, value: object, required: str, remedy: str) -> None:
        """Add the problem that the value of `key` will not do."""
        self.problem(f"{key} = {shown(value)}", required, remedy)

    def inherit(self, base: Fields) -> None:
        """Take the keys that are absent here from `base`."""
        self._table = {**base._table, **self._table}

    def raw(self, key: str) -> object:
        """Return the value as it stands (None: absent)."""
        self._asked[key] = None
        return self._table.get(key)

    def need(self, key: str, form: Form[T]) -> T:
        """Return a value that must be there."""
        if self.raw(key) is None:
            self.missing(key, form.words)
        return self.get(key, form, form.blank)

    def get(self, key: str, form: Form[T], default: D) -> T | D:
        """Return a value, or `default` where it is absent (or wrong, and then that is a problem)."""
        value = self.raw(key)
        return default if value is None else self._checked(key_text(key), value, form, default)

    def many(self, key: str, form: Form[T], default: tuple[T, ...] = ()) -> tuple[T, ...]:
        """Return the items of a list, or `default` where it is absent."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, list):
            self.wrong(key, value, f"a list, each item {form.words}", "Put it in [ ].")
            return default
        items = [self._checked(f"{key} item {i}", item, form, None) for i, item in enumerate(value, 1)]
        return tuple(item for item in items if item is not None)

    def mapping(self, key: str, form: Form[T]) -> tuple[tuple[str, T], ...]:
        """Return the pairs of a table whose keys are free, without those that are wrong."""
        table = self.table(key)
        pairs = [(name, table.get(name, form, None)) for name in table.keys]
        return tuple((name, value) for name, value in pairs if value is not None)

    def table(self, key: str, *, required: bool = False) -> Fields:
        """Return the table at `key`; an absent one is empty, a needed or wrong one then asks for nothing more."""
        value = self.raw(key)
        if isinstance(value, dict) or (value is None and not required):
            return self._child(value if isinstance(value, dict) else {}, key)
        if value is None:
            self.missing(key, "a table")
        else:
            self.wrong(key, value, "a table", f"Write it as [{key}] or {key} = {{ ... }}.")
        return Fields({}, self.where, [])

    def tables(self, key: str) -> dict[str, Fields]:
        """Return the tables below `key` by their names."""
        parent = self.table(key)
        return {name: parent.table(name) for name in parent.keys}

    def rows(self, key: str) -> list[Fields]:
        """Return the tables of the list at `key` ([[key]]); items that are no tables are problems."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(key, value, "a list of tables", f"Write each one under a heading of its own: [[{key}]].")
            return []
        for i, row in enumerate(value, 1):
            if not isinstance(row, dict):
                self.wrong(f"{key} item {i}", row, "a table", "Write it in { }.")
        return [self._child(row, key, _title(row, i)) for i, row in enumerate(value, 1) if isinstance(row, dict)]

    def close(self) -> None:
        """Report the keys that nobody asked for, here and in every table below."""
        for key in self._table:
            if key not in self._asked:
                found, known = f"the unknown key {key_text(key)}", ", ".join(self._asked)
                self.problem(found, f"only the keys {known}", nearest(key, self._asked) or "Remove it.")
        for child in self._children:
            child.close()

    def _checked(self, label: str, value: object, form: Form[T], default: D) -> T | D:
        result = form.check(value)
        if result is None:
            self.wrong(label, value, form.words, nearest(value, form.options) or "Correct the value.")
            return default
        return result

    def _child(self, table: Mapping[str, object], key: str, title: str = "") -> Fields:
        name = key_text(key)
        if self._path is None:
            child = Fields(table, f"{self.where} {name} {title}".rstrip(), self._problems)
        else:
            file = self.where.removesuffix(f" [{self._path}]")
            path = f"{self._path}.{name}" if self._path else name
            where, inner = (f"{file} [[{path}]] {title}", None) if title else (f"{file} [{path}]", path)
            child = Fields(table, where, self._problems, inner)
        self._children.append(child)
        return child


def _title(row: Mapping[str, object], position: int) -> str:
    name = row.get("id", row.get("name"))
    return key_text(name) if isinstance(name, str) and name else f"#{position}"
