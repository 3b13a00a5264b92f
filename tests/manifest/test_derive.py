"""Manifests made from a release: they load, change one thing, and can be reviewed on the parent's own logs."""

import io
import zipfile
from itertools import pairwise

import numpy as np
import pytest

from release_core import manifest, review
from release_core.manifest import derive
from release_core.release import COMPONENTS, CutoffTable, Kind, SegmentCutoffs, Stage, Verdict
from tests import factory

BEFORE = {"model": "m1", "calibration": "c1", "thresholds": "t1", "policy": "p1"}
AFTER = {"model": "m2", "calibration": "c1", "thresholds": "t2", "policy": "p2"}
RULES = {"rule": [{"when": [{"column": "amount", "op": ">", "value": 40}], "action": "review", "reason": "large"}]}


def parent(folder, log=None, **changes):
    """Write a release that changes model, cutoffs and policy at once, and return it."""
    log = factory.decisions(1500, seed=5) if log is None else log
    release = {"id": "parent", "kind": "model", "title": "All at once", "from": BEFORE, "to": AFTER}
    tables = {"t1": {"default": factory.CUTOFFS}, "t2": {"default": {"review": 0.25, "block": 0.6}}}
    told = {"release": release, "thresholds": tables, "policy": {"p1": {}, "p2": RULES}, "owner": None} | changes
    told.pop("owner")
    return manifest.load(factory.write(folder / "parent", log, factory.outcomes(log), **told))


def put(folder, release, derived):
    """Write derived releases beside their parent and load them."""
    for name, text in derive.folders(release, derived).items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(text, encoding="utf-8")
    return [manifest.load(folder / one.id) for one in derived]


def differing(release):
    return [part for part in COMPONENTS if getattr(release.baseline, part) != getattr(release.candidate, part)]


def test_split_is_a_chain_of_releases_of_one_kind(tmp_path):
    release = parent(tmp_path)
    parts = put(tmp_path, release, derive.split(release))
    assert [part.kind for part in parts] == [Kind.MODEL, Kind.THRESHOLD, Kind.POLICY]
    assert [differing(part) for part in parts] == [["model"], ["thresholds"], ["policy"]]
    assert (parts[0].baseline, parts[-1].candidate) == (release.baseline, release.candidate)
    assert all(early.candidate == late.baseline for early, late in pairwise(parts))
    assert [part.rollback.target for part in parts] == ["m1", "t1", "p1"]
    ways = [part.rollback.how for part in parts]
    assert ways[0].startswith(
        "Put model m1 in place of m2 in force again; calibration c1, thresholds t1, policy p1 stay"
    )
    assert ways[1].startswith("Put thresholds t1 in place of ")
    assert ways[2].startswith("Put policy p1 in place of ")


def test_split_releases_are_reviewed_on_the_logs_of_their_parent(tmp_path):
    log = factory.decisions(1500, seed=5)
    log["baseline_action"] = "block"  # of the parent's own bundle: no derived release may read it
    release = parent(tmp_path, log)
    model, cutoffs, policy = put(tmp_path, release, derive.split(release))
    alerts = []
    for part in (model, cutoffs, policy):
        opened = factory.opened(part.folder)
        found = review.review(opened, Stage.REPLAY, opened.cube.steps[-1])
        assert not found.mixed
        assert [row.verdict for row in found.rows if row.gate == "one_kind"] == [Verdict.PASS]
        rates = review.measured(opened, Stage.REPLAY, opened.cube.steps[-1], names=["alert_rate"])
        alerts.append([row.value for row in rates[:2]])
    expected = [
        np.mean(log["baseline_score"] >= 0.3),
        np.mean(log["candidate_score"] >= 0.3),
        np.mean(log["candidate_score"] >= 0.25),
        np.mean((log["candidate_score"] >= 0.25) | (log["amount"] > 40)),
    ]
    assert np.ravel(alerts) == pytest.approx(np.repeat(expected, 2)[1:-1])


def test_split_between_a_model_and_its_calibration_says_that_no_score_is_logged(tmp_path):
    both = {
        "id": "parent",
        "kind": "model",
        "title": "Two",
        "from": BEFORE,
        "to": BEFORE | {"model": "m2", "calibration": "c2"},
    }
    release = parent(tmp_path, release=both)
    model, calibration = derive.split(release)
    assert (model.scores, calibration.scores) == (("baseline", None), (None, "candidate"))
    assert "No log holds the score of model m2 with calibration c1" in model.note
    assert [differing(part) for part in put(tmp_path, release, (model, calibration))] == [["model"], ["calibration"]]


def test_split_lets_carried_over_cutoffs_follow_the_score(tmp_path):
    carried = {"t2": {"default": {"review": 0.25, "block": 0.6}, "carried_from": "t1", "rule": "equal_alert_rate"}}
    release = parent(tmp_path, thresholds={"t1": {"default": factory.CUTOFFS}} | carried)
    parts = put(tmp_path, release, derive.split(release))
    assert [part.kind for part in parts] == [Kind.MODEL, Kind.POLICY]
    assert parts[0].candidate.thresholds == "t2"
    assert parts[0].tables["t2"].carried_from == "t1"


def test_cutoff_table_becomes_a_threshold_release_on_one_score(tmp_path):
    release = parent(tmp_path)
    table = CutoffTable(
        "mine", (("review", 0.2), ("block", 0.8)), (SegmentCutoffs((("market", "AT"),), (("review", 0.4),)),)
    )
    (made,) = put(tmp_path, release, (derive.with_cutoffs(release, "candidate", table, "By hand"),))
    assert (made.kind, differing(made)) == (Kind.THRESHOLD, ["thresholds"])
    assert made.tables["mine"] == table
    opened = factory.opened(made.folder)
    cells = opened.cube.slice(Stage.REPLAY, opened.cube.steps[-1], (((), ()),))
    assert (cells.whole.n[:, 0] == cells.whole.n[:, 1]).all()


def test_log_in_long_layout_gives_the_same_releases_as_the_wide_one(tmp_path):
    log = factory.decisions(1500, seed=5)
    table = CutoffTable("mine", (("review", 0.2), ("block", 0.8)))
    found = []
    for name, rows, source in (("wide", log, {}), ("long", factory.lengthened(log, "m2"), {"layout": "long"})):
        release = parent(tmp_path / name, rows, source={"decisions": source})
        derived = (*derive.split(release), derive.with_cutoffs(release, "candidate", table, "By hand"))
        made = [factory.opened(one.folder) for one in put(tmp_path / name, release, derived)]
        found.append([one.cube.slice(Stage.REPLAY, one.cube.steps[-1], (((), ()),)).whole for one in made])
    for wide, long in zip(*found, strict=True):
        for part in ("n", "positive", "joint", "scores"):
            np.testing.assert_array_equal(getattr(wide, part), getattr(long, part))
    assert not (found[1][0].n[:, 0] == found[1][0].n[:, 1]).all()
    assert (found[1][-1].n[:, 0] == found[1][-1].n[:, 1]).all()


def test_archive_holds_every_file_and_is_reproducible():
    files = {"a/release.toml": "x = 1\n", "b/release.toml": "y = 2\n"}
    archive = zipfile.ZipFile(io.BytesIO(derive.zipped(files)))
    assert {name: archive.read(name).decode() for name in archive.namelist()} == files
    assert derive.zipped(files) == derive.zipped(files)
