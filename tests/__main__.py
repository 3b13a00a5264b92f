"""Installs what the tests need and runs every check: `python3 tests [STEP ...] [ARGUMENTS OF THE LAST STEP]`.

Steps: format, lint, types, imports, pytest; without a step all of them, and arguments go to pytest.
Needs nothing but Python 3.11 or newer with venv.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = {
    "format": ("ruff", "format", "--check", "."),
    "lint": ("ruff", "check", "."),
    "types": ("mypy",),
    "imports": ("lint-imports",),
    "pytest": ("pytest", "-n", "2", "--dist", "loadfile"),
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(words: list[str]) -> int:
    """Run the chosen steps, pytest last, and return 0 only if all of them passed."""
    sys.path[0] = str(ROOT)  # instead of this folder, whose names are those of the tests
    from release_core import environment

    steps, extra = chosen(words)
    try:
        python = environment.ensure([ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"], ROOT / ".venv")
    except environment.CannotPrepare as problem:
        print(problem, file=sys.stderr)
        return 2
    variables = dict(os.environ) | (browser() if "pytest" in steps else {})
    failed = [step for step in steps if not passes(step, python.parent, extra if step == steps[-1] else [], variables)]
    if failed:
        print(f"\nFAILED: {', '.join(failed)}")
    return 1 if failed else 0


def chosen(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the steps named first in `words` in the order in which they run, and the remaining words."""
    count = next((place for place, word in enumerate(words) if word not in STEPS), len(words))
    named = words[:count] or list(STEPS)
    return [step for step in STEPS if step in named], words[count:]


def browser() -> dict[str, str]:
    """Return the variable that makes browser tests a must where there is a browser; otherwise say that they skip."""
    if not found() and may_install():
        print("Installing Chromium for the browser tests", flush=True)
        install()
    if found():
        return {"RELEASE_REVIEW_REQUIRE_BROWSER": "1"}
    print("BROWSER TESTS DO NOT RUN: there is no Chromium, and it cannot be installed here.", flush=True)
    return {}


def found() -> str | None:
    """Return where the browser is, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def may_install() -> bool:
    """Return whether this system has apt-get and lets us use it without a password."""
    return shutil.which("apt-get") is not None and _as_root(["true"], quiet=True)


def install() -> None:
    """Install the distribution's Chromium and a font; what apt-get says is shown only if it fails."""
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    if not (_as_root([*apt, "update"]) and _as_root([*apt, "install", "--yes", "chromium", "fonts-dejavu-core"])):
        print("Chromium could not be installed; what apt-get said stands above.", flush=True)


def _as_root(command: list[str], *, quiet: bool = False) -> bool:
    """Return whether `command` succeeded with the rights of root, which are never asked for by password."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if not is_root and shutil.which("sudo") is None:
        return False
    done = subprocess.run([*([] if is_root else ["sudo", "-n"]), *command], capture_output=True, text=True, check=False)
    if done.returncode != 0 and not quiet:
        print(done.stdout + done.stderr, flush=True)
    return done.returncode == 0


def passes(step: str, programs: Path, extra: list[str], variables: dict[str, str]) -> bool:
    """Run one step; pytest speaks for itself and last, the others only where they fail. Return whether it passed."""
    name, *arguments = STEPS[step]
    command = [str(shutil.which(name, path=str(programs))), *arguments, *extra]
    shown = step == "pytest"
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=not shown, text=True, check=False)
    if not shown:
        word = "passed" if done.returncode == 0 else "FAILED"
        print(f"{step:8} {word} in {time.monotonic() - began:5.1f} s", flush=True)
        print((done.stdout + done.stderr if done.returncode else "").rstrip(), end="\n" if done.returncode else "")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
