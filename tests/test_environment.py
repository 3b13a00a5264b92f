"""The environment is made once, again only for changed requirements, and mended when it is broken."""

from __future__ import annotations

import socket
import subprocess

import pytest

from release_core import environment, launch


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fresh")
    file = folder / "requirements.txt"
    file.write_text("# nothing yet\n", encoding="utf-8")
    python = environment.ensure([file], folder / ".venv")
    return file, folder / ".venv", python


def commands(monkeypatch):
    ran = []
    real = environment._run
    monkeypatch.setattr(environment, "_run", lambda command, failure: (ran.append(command), real(command, failure)))
    return ran


def test_ensure_makes_an_environment_that_runs(made):
    _, venv, python = made
    answer = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == str(venv)


def test_ensure_again_does_nothing(made, monkeypatch, capsys):
    file, venv, _ = made
    ran = commands(monkeypatch)
    environment.ensure([file], venv)
    assert ran == []
    assert capsys.readouterr().err == ""


def test_ensure_installs_a_changed_file_only(made, monkeypatch, capsys):
    file, venv, _ = made
    other = file.parent / "tests" / "requirements.txt"
    other.parent.mkdir()
    other.write_text("# of the same name\n", encoding="utf-8")
    ran = commands(monkeypatch)
    environment.ensure([file, other], venv)
    environment.ensure([file, other], venv)
    assert [command[-1] for command in ran] == [str(other)]
    assert capsys.readouterr().err.count("\n") == 1


def test_ensure_that_failed_is_tried_again(made, monkeypatch):
    file, venv, _ = made
    wrong = file.with_name("wrong.txt")
    wrong.write_text("./is-not-there\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(environment.CannotPrepare, match=r"wrong.txt could not be installed"):
            environment.ensure([wrong], venv)


def test_ensure_mends_an_environment_whose_python_is_gone(made):
    file, venv, python = made
    python.unlink()
    assert environment.ensure([file], venv) == python
    assert subprocess.run([python, "-c", "import pip"], check=False).returncode == 0


def test_old_python_is_told_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "OLDEST_PYTHON", (4, 0))
    with pytest.raises(environment.CannotPrepare, match="is too old"):
        environment.ensure([], tmp_path / ".venv")


def test_launch_says_that_the_port_is_taken(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert launch.main(["--port", str(port)]) == 2
    assert f"Port {port} cannot be used" in capsys.readouterr().err


def test_launch_says_that_a_folder_is_no_release(tmp_path, capsys):
    assert launch.main([str(tmp_path)]) == 2
    assert "has no release.toml" in capsys.readouterr().err
