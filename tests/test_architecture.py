"""The shape of the tree: what may import what beyond the import contracts, how long things may be, what is required."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "release_core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
FRAME = sorted((ROOT / "pages" / "frame").glob("*.py"))
SQL = sorted((ROOT / "release_core").rglob("*.sql"))
RUNNER = ROOT / "tests" / "__main__.py"
PYTHON = [*CORE, *PAGES, *FRAME, ROOT / "app.py"]

MODULE_LINES, PAGE_LINES, SQL_LINES = 400, 80, 100
FUNCTION_LINES, SPEC_LINES, ARGUMENTS = 40, 100, 8
COMPUTING = {"duckdb", "numpy", "pandas", "plotly", "scipy", "sklearn", "sqlalchemy", "pyarrow"}
SERVED = {"plotly"}  # not imported: its script is sent to the browser
DISTRIBUTIONS = {"sklearn": "scikit-learn", "tomli_w": "tomli-w"}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Return every module that the file imports anywhere, by its full dotted name."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def functions(path: Path):
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of the function's code, without signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_tree_is_where_the_checks_look():
    assert len(CORE) > 40
    assert PAGES
    assert FRAME


def test_no_module_page_or_statement_is_too_long():
    assert {named(path): length(path) for path in [*CORE, *FRAME, ROOT / "app.py"] if length(path) > MODULE_LINES} == {}
    assert {named(path): length(path) for path in PAGES if length(path) > PAGE_LINES} == {}
    assert {named(path): length(path) for path in SQL if length(path) > SQL_LINES} == {}


def test_no_function_is_too_long_or_takes_too_much():
    long, wide = {}, {}
    for path in PYTHON:
        allowed = SPEC_LINES if "charts" in path.parts else FUNCTION_LINES
        for function in functions(path):
            arguments = function.args
            count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
            if body_lines(function) > allowed:
                long[f"{named(path)}:{function.name}"] = body_lines(function)
            if count > ARGUMENTS:
                wide[f"{named(path)}:{function.name}"] = count
    assert (long, wide) == ({}, {})


def test_every_module_opens_with_a_sentence_and_every_statement_with_a_comment():
    first = {named(path): (ast.get_docstring(tree(path)) or "").split("\n\n")[0] for path in PYTHON if length(path)}
    assert [name for name, sentence in first.items() if not sentence.endswith((".", "?", ":"))] == []
    assert [named(path) for path in SQL if not path.read_text(encoding="utf-8").startswith("--")] == []


def test_pages_compute_nothing():
    assert {
        named(p): packages(p) & COMPUTING for p in [*PAGES, *FRAME, ROOT / "app.py"] if packages(p) & COMPUTING
    } == {}


def test_core_knows_nothing_of_the_dashboard():
    assert [named(path) for path in CORE if packages(path) & {"streamlit", "pages", "app"}] == []


def test_only_the_store_and_the_engines_know_the_database():
    knowing = {named(path) for path in PYTHON if "duckdb" in packages(path)}
    assert knowing <= {"release_core/store.py", "release_core/engines.py"}


def test_every_imported_package_is_required_and_no_other():
    ours = {"release_core", "pages", "app"}
    imported = set().union(*map(packages, PYTHON)) - ours - set(sys.stdlib_module_names)
    assert {DISTRIBUTIONS.get(name, name).lower() for name in imported} | SERVED == required()


def required() -> set[str]:
    """Return the names of the required distributions; each line has both bounds and a reason."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w-]+>=[\d.]+,<[\d.]+ +# .+", line)] == []
    return {re.split(r"[<>=]", line)[0].lower() for line in lines}


def test_what_prepares_the_environment_needs_the_standard_library_only():
    for path in [*(ROOT / "release_core" / name for name in ("environment.py", "launch.py", "__init__.py")), RUNNER]:
        assert packages(path) - set(sys.stdlib_module_names) <= {"release_core"}, named(path)
