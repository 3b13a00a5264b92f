"""The one command: which steps it runs, how it looks for a browser, and that a failure is its exit code."""

from __future__ import annotations

import importlib.util
import os
import stat
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("runner", Path(__file__).with_name("__main__.py"))
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """Return a folder that is the whole search path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "steps", "extra"),
    [
        ([], list(runner.STEPS), []),
        (["-k", "x"], list(runner.STEPS), ["-k", "x"]),
        (["pytest", "-k", "lint"], ["pytest"], ["-k", "lint"]),
        (["types", "lint"], ["lint", "types"], []),
        (["pytest", "tests/ledger"], ["pytest"], ["tests/ledger"]),
    ],
)
def test_chosen_steps(words, steps, extra):
    assert runner.chosen(words) == (steps, extra)


def test_browser_that_is_there_makes_its_tests_a_must(alone):
    program(alone, "chromium", "exit 0")
    assert runner.browser() == {"RELEASE_REVIEW_REQUIRE_BROWSER": "1"}


def test_browser_that_cannot_be_installed_is_said(alone, capsys):
    assert runner.browser() == {}
    assert "BROWSER TESTS DO NOT RUN" in capsys.readouterr().out
    program(alone, "apt-get", "exit 0")
    program(alone, "sudo", "exit 1")
    assert runner.browser() == {}
    assert "BROWSER TESTS DO NOT RUN" in capsys.readouterr().out


def test_browser_is_installed_where_that_needs_no_password(alone):
    program(alone, "sudo", '[ "$1" = -n ] && shift && exec "$@"')
    program(alone, "true", "exit 0")
    program(alone, "env", 'shift; exec "$@"')
    chromium = alone / "chromium"
    program(alone, "apt-get", f'case "$*" in *"install --yes chromium"*) printf "#!" > {chromium};; esac')
    assert not runner.found()
    assert runner.may_install()
    runner.install()
    chromium.chmod(0o755)
    assert runner.browser() == {"RELEASE_REVIEW_REQUIRE_BROWSER": "1"}


def test_browser_that_failed_to_install_shows_what_was_said(alone, capsys):
    program(alone, "sudo", 'shift; exec "$@"')
    program(alone, "true", "exit 0")
    program(alone, "env", 'shift; exec "$@"')
    program(alone, "apt-get", 'echo "no such package"; exit 100')
    assert runner.browser() == {}
    said = capsys.readouterr().out
    assert "no such package" in said
    assert "BROWSER TESTS DO NOT RUN" in said


@pytest.mark.parametrize(("code", "word"), [(0, "passed"), (1, "FAILED")])
def test_passes_shows_the_output_of_a_failure_only(tmp_path, capsys, code, word):
    program(tmp_path, "ruff", f"echo explanation; exit {code}")
    assert runner.passes("lint", tmp_path, [], dict(os.environ)) is (code == 0)
    said = capsys.readouterr().out
    assert word in said
    assert ("explanation" in said) is (code != 0)
