"""Takes the words after `python3 app.py`; gives a running server, having prepared all that it needs."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from release_core import environment

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"


def main(arguments: list[str] | None = None) -> int:
    """Prepare and start the dashboard; return an exit code only if that failed (2: something to put right)."""
    options = _options(arguments)
    try:
        folder = _release_folder(options.folder)
        _require_free(options.port)
        python = environment.ensure([ROOT / "requirements.txt"], ROOT / ".venv")
        if folder is None:
            _build_demo(python)
    except environment.CannotPrepare as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 2
    return _serve(python, options.port, folder)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 app.py", description="Open Release Review in the browser.")
    parser.add_argument("folder", nargs="?", help="a release folder (with a release.toml) outside data/releases")
    parser.add_argument("--port", type=int, default=8501, help="where the server listens (default: 8501)")
    return parser.parse_args(arguments)


def _release_folder(text: str | None) -> Path | None:
    if text is None:
        return None
    folder = Path(text).expanduser().resolve()
    if not (folder / "release.toml").is_file():
        raise environment.CannotPrepare(
            f"{folder} has no release.toml. Write one with: python -m release_core init {text} --into FOLDER"
        )
    return folder


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as refusal:
            raise environment.CannotPrepare(
                f"Port {port} cannot be used ({refusal}). If Release Review runs already, open http://{HOST}:{port}; "
                f"otherwise choose another port: python3 app.py --port {port + 1 if port < 65535 else 8501}"
            ) from refusal


def _build_demo(python: Path) -> None:
    command = [str(python), "-m", "release_core", "demo"]
    done = subprocess.run([*command, "--cubes", "1"], cwd=ROOT, check=False)  # noqa: S603
    if done.returncode != 0:
        raise environment.CannotPrepare("The demo data could not be built; the reason stands above.")
    # The first release can be read while the cubes of the others are counted, at low priority.
    gentle = [] if shutil.which("nice") is None else ["nice", "-n", "15"]
    subprocess.Popen(  # noqa: S603
        [*gentle, *command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _serve(python: Path, port: int, folder: Path | None) -> int:
    command = [str(python), "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    command += ["--server.address", HOST, "--server.headless", "true"]
    variables = dict(os.environ)
    if folder is not None:
        variables["RELEASE_REVIEW_OPEN"] = str(folder)
    print(f"Release Review: http://{HOST}:{port} (Ctrl+C ends it)", flush=True)  # noqa: T201
    os.chdir(ROOT)  # Streamlit looks for .streamlit/config.toml in the working directory
    if sys.platform == "win32":
        return subprocess.call(command, env=variables)  # noqa: S603
    os.execve(command[0], command, variables)  # noqa: S606
    return None
