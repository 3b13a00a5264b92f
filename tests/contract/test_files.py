import json
import os
import time
from hashlib import sha256

import pytest

from release_core import contract
from release_core.release import Source


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def listed(release, log="decisions"):
    return [file.relative for file in contract.files(release, log)]


def test_files_are_found_in_all_subfolders_in_the_order_of_their_paths(release, tmp_path):
    make(tmp_path, "decisions/b.csv", "decisions/a/z.parquet", "decisions/a/b/c.JSONL", "decisions/x.csv.gz")
    assert listed(release) == [
        "decisions/a/b/c.JSONL",
        "decisions/a/z.parquet",
        "decisions/b.csv",
        "decisions/x.csv.gz",
    ]


def test_unfinished_and_foreign_files_are_passed_over(release, tmp_path):
    make(
        tmp_path,
        *("decisions/day.parquet.tmp", "decisions/.hidden.csv", "decisions/_SUCCESS", "decisions/_x.csv"),
        *("decisions/_delta_log/0.json", "decisions/.trash/a.csv", "decisions/new.tmp/a.csv", "decisions/notes.txt"),
        "decisions/kept.csv",
    )
    assert listed(release) == ["decisions/kept.csv"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("logs", ["logs/a.csv", "logs/deep/b.csv", "logs/deep/c.parquet"]),
        ("logs/*.csv", ["logs/a.csv"]),
        ("logs/**/*.csv", ["logs/a.csv", "logs/deep/b.csv"]),
        ("logs/d*", ["logs/deep/b.csv", "logs/deep/c.parquet"]),
        ("logs/deep/c.parquet", ["logs/deep/c.parquet"]),
        ("nowhere", []),
        ("nowhere/*.csv", []),
    ],
)
def test_path_is_a_file_a_folder_or_a_glob(make_release, tmp_path, pattern, found):
    make(tmp_path, "logs/a.csv", "logs/deep/b.csv", "logs/deep/c.parquet")
    assert listed(make_release(decisions=Source(pattern))) == found


def test_absolute_path_outside_the_release_gives_paths_without_the_machine(make_release, tmp_path):
    make(tmp_path, "elsewhere/stage=replay/a.csv", "elsewhere/b.csv")
    folder = tmp_path / "release"
    for pattern in ("elsewhere", "elsewhere/**/*.csv"):
        release = make_release(decisions=Source(str(tmp_path / pattern)), folder=folder)
        assert listed(release) == ["b.csv", "stage=replay/a.csv"]
    assert listed(make_release(decisions=Source(str(tmp_path / "elsewhere/b.csv")), folder=folder)) == ["b.csv"]


def test_wildcards_in_the_name_of_the_release_folder_are_plain_characters(make_release, tmp_path):
    make(tmp_path, "r[1]*/decisions/a.csv", "r1x/decisions/b.csv")
    assert listed(make_release(folder=tmp_path / "r[1]*", decisions=Source("decisions/*.csv"))) == ["decisions/a.csv"]


def test_release_without_that_log_has_no_files(make_release):
    assert contract.files(make_release(outcomes=None), "outcomes") == []


def test_empty_folder_has_no_files(release, tmp_path):
    (tmp_path / "decisions").mkdir()
    assert listed(release) == []


def test_folder_values_are_text_and_decoded(release, tmp_path):
    make(tmp_path, "decisions/stage=replay/day=01/market=a%20b/tier=__HIVE_DEFAULT_PARTITION__/x.csv")
    (file,) = contract.files(release, "decisions")
    assert file.folder_values == {"stage": "replay", "day": "01", "market": "a b"}


def test_fingerprint_is_the_sha256_of_the_content(release, tmp_path):
    make(tmp_path, "decisions/a.csv")
    (file,) = contract.files(release, "decisions")
    assert file.fingerprint == sha256(b"decisions/a.csv").hexdigest()
    assert (file.size, file.log) == (15, "decisions")


def test_fingerprint_is_remembered_until_size_or_time_changes(release, tmp_path):
    make(tmp_path, "decisions/a.csv")
    path, cache = tmp_path / "decisions/a.csv", tmp_path / "cache"
    past = time.time() - 60
    os.utime(path, (past, past))
    (first,) = contract.files(release, "decisions", cache)
    memory = json.loads((cache / "fingerprints.json").read_text(encoding="utf-8"))
    assert list(memory.values()) == [first.fingerprint]
    path.write_text("decisions/b.csv", encoding="utf-8")
    os.utime(path, (past, past))
    assert contract.files(release, "decisions", cache)[0].fingerprint == first.fingerprint
    os.utime(path, (past + 1, past + 1))
    assert contract.files(release, "decisions", cache)[0].fingerprint == sha256(b"decisions/b.csv").hexdigest()


def test_fingerprint_of_a_file_that_has_just_changed_is_not_remembered(release, tmp_path):
    make(tmp_path, "decisions/a.csv")
    path, cache = tmp_path / "decisions/a.csv", tmp_path / "cache"
    contract.files(release, "decisions", cache)
    stat = path.stat()
    path.write_text("decisions/b.csv", encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert contract.files(release, "decisions", cache)[0].fingerprint == sha256(b"decisions/b.csv").hexdigest()


@pytest.mark.parametrize("content", ["{", "[]", "", "\udcff"])
def test_damaged_memory_of_fingerprints_is_only_a_slower_start(release, tmp_path, content):
    make(tmp_path, "decisions/a.csv")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/fingerprints.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    (file,) = contract.files(release, "decisions", tmp_path / "cache")
    assert file.fingerprint == sha256(b"decisions/a.csv").hexdigest()
