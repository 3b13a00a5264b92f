"""The course that comes with a demo release: signed like a real one, kept out of the ledger, and worth nothing on real data."""

import json
from dataclasses import replace

import pytest

from release_core import cube, ledger, library, manifest, review, signings
from release_core.demo.fraud import plan, releases
from release_core.errors import ChainBroken
from release_core.evidence import evidence
from release_core.ledger.brought import FILE
from release_core.release import Stage
from release_core.views import history, overview
from release_core.views.view import View


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return a small fraud-mixed: its course is one record, a no-go."""
    folder = tmp_path_factory.mktemp("course")
    releases.build(folder, ["fraud-mixed"], "test", lambda share, text: None, 9_000)
    release = manifest.load(folder / "fraud-mixed")
    return library.Opened(release, cube.Cube(release, cube.build(release, folder / "cache")), "fraud-mixed")


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.setenv("RELEASE_REVIEW_LEDGER", str(tmp_path / "own.sqlite"))
    return ledger.Ledger()


@pytest.fixture
def mixed(opened):
    signings.write(opened)
    return opened


def test_every_course_is_of_a_story_in_the_order_of_its_stages():
    assert set(signings.COURSES) == set(plan.STORIES)
    for name, steps in signings.COURSES.items():
        reached = [span.stage for span in plan.STORIES[name].spans]
        assert [step.day for step in steps] == sorted(step.day for step in steps)
        signed = [step.stage for step in steps if isinstance(step, signings.Signed)]
        assert signed == reached[: len(signed)]


def test_record_holds_the_evidence_of_its_day_and_is_dated_the_next_morning(mixed):
    (record,) = ledger.brought(mixed.release)
    signed = ledger.SignOff.read(record)
    step = max(step for step in mixed.cube.steps if (mixed.cube.end(step) - plan.ORIGIN).days < 77)
    seen = evidence(review.review(mixed, Stage.REPLAY, step))
    assert signed.evidence_hash == ledger.evidence_hash(seen)
    assert (signed.decision, signed.signer, record.at[:10]) == ("no_go", signings.SIGNER, "2026-03-23")
    assert "demo" in signed.signer
    assert signings.current(mixed)


def test_it_is_known_to_pages_and_refusals_and_leaves_the_ledger_alone(mixed, book):
    assert book.records() == []
    assert [record.type for record in ledger.known(book, mixed.release)] == ["sign_off"]
    assert ledger.known(book, mixed.release, "drill") == []
    rows = overview.ladder(View(mixed, Stage.REPLAY, mixed.cube.steps[-1]), ledger.known(book, mixed.release))
    assert rows[0]["signed"].decision == "no_go"
    page = history.history(book, mixed.release.id, ledger.brought(mixed.release))
    assert [row["seq"] for row in page.rows] == ["demo 1"]
    assert "not in your ledger" in page.came
    assert page.check.records == 0


def test_own_records_follow_those_that_came(mixed, book):
    seen = evidence(review.review(mixed, Stage.REPLAY, mixed.cube.steps[-1]))
    request = ledger.SignOffRequest("no_go", "split it", "A. User", ledger.evidence_hash(seen), "rejected")
    ledger.sign(book, mixed.release, seen, request)
    assert [record.seq for record in book.records()] == [1]
    known = ledger.known(book, mixed.release)
    stands = ledger.standing(known, mixed.release.id, "replay", mixed.release.manifest_hash)
    assert stands.record.content["signer"] == "A. User"


def test_real_data_brings_no_records(mixed):
    about = replace(mixed.release.about, data="real")
    assert ledger.brought(replace(mixed.release, about=about)) == []


def test_an_edited_file_is_refused(mixed):
    path = mixed.release.folder / FILE
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"payload": record["payload"].replace("no_go", "go")}) + "\n")
    with pytest.raises(ChainBroken):
        ledger.brought(mixed.release)
    path.write_text("no record\n")
    with pytest.raises(ChainBroken):
        ledger.brought(mixed.release)
    signings.write(mixed)
    assert len(ledger.brought(mixed.release)) == 1


def test_it_is_signed_anew_for_another_manifest(mixed):
    other = replace(mixed, release=replace(mixed.release, manifest_hash="0" * 64))
    assert signings.current(mixed)
    assert not signings.current(other)
