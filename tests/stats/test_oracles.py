"""Every public function of `stats` has a row that says what it is checked against, and the tests named there call it."""

import ast
import re
from pathlib import Path

import pytest

import release_core.stats
from tests.stats.oracles import ROWS

HERE = Path(__file__).parent
LISTED = [(row, function) for row in ROWS for function in row.functions.split()]
# Functions whose results other statistics carry from end to end: tested through the function that calls them.
THROUGH = {
    "arrays.floats": "ratio", "arrays.only": "ratio", "shapley.players": "shares", "slices.explained": "search",
    "slices.confirm": "search", "slices.left_over": "search",
}  # fmt: skip


def public():
    """Return module.function of every public function of stats."""
    found = set()
    for path in Path(release_core.stats.__path__[0]).glob("*.py"):
        nodes = ast.parse(path.read_text(encoding="utf-8")).body
        found |= {f"{path.stem}.{n.name}" for n in nodes if isinstance(n, ast.FunctionDef) and n.name[0] != "_"}
    return found


def test_every_statistic_states_what_it_is_checked_against():
    listed = [f"{row.module}.{function}" for row, function in LISTED]
    assert sorted(listed) == sorted(public())


@pytest.mark.parametrize(("row", "function"), LISTED, ids=lambda one: one if isinstance(one, str) else one.module)
def test_each_named_file_calls_the_function(row, function):
    if not row.tests:
        return  # `test_hard_cases.py` holds all that there is to compare
    name = THROUGH.get(f"{row.module}.{function}", function)
    texts = [HERE / f"test_{test}.py" for test in row.tests.split()]
    called = [path.name for path in texts if re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))]
    assert called, f"no test of {', '.join(path.name for path in texts)} names {function}"
