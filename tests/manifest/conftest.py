"""Manifests as nested tables, and a way to load them from a folder of their own."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from release_core import manifest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def read_text():
    """Return a function that gives the text of a manifest beside the tests."""
    return lambda name: (HERE / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def read_example(read_text):
    """Return a function that gives fresh tables of a manifest beside the tests."""
    return lambda name="example.toml": tomllib.loads(read_text(name))


@pytest.fixture
def example(read_example):
    """Return the tables of the worked example of the documentation."""
    return read_example()


@pytest.fixture
def complete(read_example):
    """Return the tables of a manifest that uses every key."""
    return read_example("complete.toml")


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Return a function that loads a manifest given as tables, text or bytes, and house gates likewise."""
    folder = tmp_path_factory.mktemp("release")

    def write(name, content):
        text = manifest.render(content) if isinstance(content, dict) else content
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder / name

    def load_from(content, house=None):
        write("release.toml", content)
        return manifest.load(folder, None if house is None else write("gates.toml", house))

    return load_from


@pytest.fixture(scope="session")
def put():
    """Return a function that sets (or, with None, removes) the value at a path (a/b/0) of nested tables and lists."""

    def put_value(tables, path, value):
        *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        place = tables
        for part in parents:
            place = place[part] if isinstance(place, list) else place.setdefault(part, {})
        if value is None:
            del place[last]
        elif last == len(place) and isinstance(place, list):
            place.append(value)
        else:
            place[last] = value
        return tables

    return put_value
