import subprocess
import sys

import pytest

from release_core import demo
from release_core.demo import publish, stamp
from release_core.demo.credit import releases
from release_core.errors import NotFound


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """Return the folder and the progress of another build."""
    folder, told = tmp_path_factory.mktemp("second"), []
    demo.build(folder, only=["credit-mixed"], progress=lambda share, text: told.append((share, text)))
    return folder, told


def test_build_gives_the_same_bytes_each_time(root, second):
    assert contents(second[0] / "credit-mixed") == contents(root / "credit-mixed")


def test_build_tells_its_progress(second):
    shares, texts = zip(*second[1], strict=True)
    assert list(shares) == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert "writing credit-mixed" in texts


def test_build_writes_a_file_per_month_and_nothing_else(root):
    for folder in demo.build(root, only=demo.CREDIT):
        files = {str(path) for path in contents(folder)}
        decisions = {f"decisions/2005-0{month}.parquet" for month in range(4, 10)}
        outcomes = {f"outcomes/2005-0{month}.parquet" for month in range(5, 10)}
        assert files == {"release.toml"} | decisions | outcomes


def test_build_leaves_alone_what_is_current(root):
    before = {path: path.stat().st_ino for path in root.rglob("*.*")}
    assert demo.build(root, only=demo.CREDIT) == [root / release for release in demo.CREDIT]
    assert {path: path.stat().st_ino for path in root.rglob("*.*")} == before


def test_build_of_what_is_current_does_not_import_the_training_libraries(root):
    program = (
        "import sys, pathlib; from release_core import demo; demo.build(pathlib.Path(sys.argv[1]), only=demo.CREDIT);"
        "sys.exit('sklearn' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(root)], check=False).returncode == 0


@pytest.mark.parametrize("manifest", ["", "schema = 1\n", stamp.line("another")])
def test_release_of_another_builder_is_not_current(tmp_path, manifest):
    (tmp_path / "release.toml").write_text(manifest)
    assert not stamp.is_current(tmp_path, "this")
    assert stamp.is_current(tmp_path, "another") == (manifest == stamp.line("another"))


def test_builder_changes_with_any_file(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    for path in files:
        path.write_text(path.name)
    before = stamp.builder(files)
    assert stamp.builder(reversed(files)) == before
    files[1].write_text("c")
    assert stamp.builder(files) != before


def test_build_replaces_what_another_builder_made(tmp_path, monkeypatch):
    (tmp_path / "credit-model").mkdir()
    (tmp_path / "credit-model" / "release.toml").write_text(stamp.line("another"))
    asked = []
    monkeypatch.setattr(releases, "build", lambda root, ids, builder, tell: asked.extend(ids))
    demo.build(tmp_path, only=["credit-model"])
    assert asked == ["credit-model"]


def test_build_makes_what_is_current_anew_only_when_asked(root, monkeypatch):
    asked = []
    monkeypatch.setattr(releases, "build", lambda root, ids, builder, tell: asked.extend(ids))
    demo.build(root, only=demo.CREDIT)
    assert asked == []
    demo.build(root, only=demo.CREDIT, rebuild=True)
    assert asked == list(demo.CREDIT)


def test_build_refuses_an_unknown_id_with_a_suggestion(tmp_path):
    with pytest.raises(NotFound, match="Did you mean 'credit-model'") as caught:
        demo.build(tmp_path, only=["credit-modle", "credit-mixed"])
    assert len(caught.value.problems) == 1
    assert not list(tmp_path.iterdir())


def write_half(folder):
    (folder / "decisions").mkdir()
    raise KeyboardInterrupt


def write_whole(folder):
    (folder / "decisions").mkdir()


def test_publish_interrupted_leaves_the_old_release_and_no_rest(tmp_path):
    folder = tmp_path / "credit-model"
    publish.publish(folder, "id = 1\n", "old", write_whole)
    before = contents(folder)
    with pytest.raises(KeyboardInterrupt):
        publish.publish(folder, "id = 2\n", "new", write_half)
    assert contents(folder) == before
    assert not list((tmp_path / publish.BUILDING).iterdir())


def test_publish_interrupted_the_first_time_leaves_nothing_to_be_found(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        publish.publish(tmp_path / "credit-model", "id = 1\n", "new", write_half)
    assert not list(tmp_path.glob("*/release.toml"))


def test_publish_replaces_a_release_whole(tmp_path):
    folder = tmp_path / "credit-model"
    publish.publish(folder, "id = 1\n", "old", write_whole)
    (folder / "decisions" / "left-over.parquet").write_bytes(b"")
    publish.publish(folder, "id = 2\n", "new", write_whole)
    assert {path.name for path in folder.rglob("*")} == {"decisions", "release.toml"}
    assert "id = 2" in (folder / "release.toml").read_text()


def test_publish_removes_what_a_killed_build_left_long_ago(tmp_path, monkeypatch):
    killed = tmp_path / publish.BUILDING / "credit-model-killed"
    killed.mkdir(parents=True)
    publish.publish(tmp_path / "a", "", "x", write_whole)
    assert killed.exists()
    monkeypatch.setattr(publish, "ABANDONED_AFTER_SECONDS", -1.0)
    publish.publish(tmp_path / "b", "", "x", write_whole)
    assert not killed.exists()
