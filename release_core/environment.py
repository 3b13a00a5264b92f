"""Takes requirement files and a folder; gives a virtual environment in that folder that has them installed."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import venv as standard_venv
from pathlib import Path

OLDEST_PYTHON = (3, 11)


class CannotPrepare(Exception):
    """The environment cannot be made; the message says what was found and what to do."""


def ensure(requirements: list[Path], venv: Path) -> Path:
    """Return the Python of the environment `venv`, which has every file of `requirements` installed.

    Needs the standard library only. Safe to repeat and to interrupt: a stamp per file is written after its
    installation has succeeded, and a file is installed again only when its text or the Python version changed.
    Raises CannotPrepare with the remedy.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise CannotPrepare(
            f"Python {sys.version_info.major}.{sys.version_info.minor} is too old: 3.11 or newer is needed. "
            "Install it and start this command with it, e.g. python3.11 app.py."
        )
    python = python_of(venv)
    if not _works(python, "import sys"):
        _create(venv)
    if not _works(python, "import pip"):
        _run([str(python), "-m", "ensurepip", "--upgrade"], "pip could not be put into the environment")
    for file in requirements:
        _install(file, venv, python)
    return python


def python_of(venv: Path) -> Path:
    """Return where the Python of the environment `venv` is, whether it exists or not."""
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _create(venv: Path) -> None:
    """Make the environment anew; what is there does not run, so nothing of use is lost."""
    if importlib.util.find_spec("ensurepip") is None:
        raise CannotPrepare(
            "This Python cannot make virtual environments: its module ensurepip is missing. "
            "On Debian and Ubuntu: sudo apt-get install python3-venv. Then start again."
        )
    _say(f"Creating the environment {venv.name}")
    # The interpreter beneath an active environment: an environment built on another one breaks with it.
    base = getattr(sys, "_base_executable", sys.executable) or sys.executable
    if Path(sys.prefix) == venv.resolve():
        raise CannotPrepare(f"{venv} is broken and in use. Deactivate it, then start again.")
    if base == sys.executable:
        standard_venv.EnvBuilder(with_pip=True, clear=True, symlinks=sys.platform != "win32").create(venv)
    else:
        _run([base, "-m", "venv", "--clear", str(venv)], "The environment could not be created")


def _install(file: Path, venv: Path, python: Path) -> None:
    stamp = venv / f"{file.resolve().parent.name}-{file.name}.installed"
    wanted = hashlib.sha256(file.read_bytes() + repr(sys.version_info[:2]).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return
    _say(f"Installing {file.name} (the first time this takes a minute or two)")
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run([*command, "--requirement", str(file)], f"{file.name} could not be installed; is there a network connection?")
    stamp.write_text(wanted, encoding="ascii")


def _works(python: Path, statement: str) -> bool:
    """Return whether `python` exists, starts and runs `statement` (a dangling link or half a copy does not)."""
    if not python.exists():
        return False
    return subprocess.run([str(python), "-c", statement], capture_output=True, check=False).returncode == 0  # noqa: S603


def _run(command: list[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise CannotPrepare(f"{failure}:\n{done.stdout}{done.stderr}".strip())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
