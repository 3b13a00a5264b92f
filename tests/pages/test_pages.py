"""Every page runs on real and on broken data, without a traceback, and says what it cannot show."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.frame import read
from release_core import demo, library
from tests import factory

ROOT = Path(__file__).parents[2]
PAGES = tuple(path.stem for path in sorted((ROOT / "pages").glob("*.py")))


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    root = tmp_path_factory.mktemp("releases")
    log = factory.decisions(1500, seed=31, shift=0.2)
    factory.write(root / "small", log, factory.outcomes(log))
    empty = factory.write(root / "empty", log.head(0))
    for path in (empty / "decisions").iterdir():
        path.unlink()
    factory.write(root / "unlabelled", log)
    broken = factory.write(root / "broken", log)
    (broken / "release.toml").write_text('schema = 1\n[release]\nkind = "modell"\n')
    factory.write(root / "plain", log.drop(columns=["market", "surface"]), factory.outcomes(log), segments={"dims": []})
    own = factory.tables()["release"]
    mixed = own | {"to": own["to"] | {"thresholds": "t2"}}
    factory.write(
        root / "mixed",
        log,
        factory.outcomes(log),
        release=mixed,
        thresholds={"t1": {"default": {"review": 0.3}}, "t2": {"default": {"review": 0.6}}},
        labels=factory.tables()["labels"] | {"steps": [6, 12, 48, 240, 480]},
        costs={
            "currency": "EUR",
            "false_positive": 5.0,
            "review": 2.0,
            "false_negative": {"fixed": 9.0},
            "review_capacity_per_day": 9,
        },
    )
    return root


@pytest.fixture
def show(releases, tmp_path_factory, monkeypatch):
    """Return a function that runs a page at a view and gives what is on it."""
    monkeypatch.setenv(library.RELEASES_VARIABLE, str(releases))
    monkeypatch.setenv(library.CACHE_VARIABLE, str(releases.parent / "cache"))
    monkeypatch.setenv("RELEASE_REVIEW_LEDGER", str(tmp_path_factory.mktemp("ledger") / "ledger.sqlite"))
    read._seen.clear()

    def run(page, **query):
        app = AppTest.from_file(str(ROOT / "pages" / "frame" / "main.py"), default_timeout=60)
        if page != "overview":
            app.switch_page(str(ROOT / "pages" / f"{page}.py"))
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def words(app):
    """Return all text of a page."""
    listed = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.get("html")]
    return " ".join(str(getattr(one, "value", "") or one.proto) for one in listed)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("release", ["small", "unlabelled", "plain", "mixed"])
def test_every_page_runs_on_every_kind_of_log(page, release, show):
    app = show(page, release=release)
    assert len(words(app)) > 100


@pytest.mark.parametrize("page", [page for page in PAGES if page != "history"])
@pytest.mark.parametrize(("release", "said"), [("empty", "no log file"), ("broken", "modell")])
def test_a_release_that_cannot_be_read_says_why_on_every_page(page, release, said, show):
    assert said in words(show(page, release=release))


def test_an_unknown_release_in_the_link_is_told(show):
    app = show("overview", release="smal", in_market="XX")
    assert "smal" in app.warning[0].value


def test_the_verdict_comes_first_and_a_mixed_release_is_refused_with_its_split(show):
    text = words(show("overview", release="mixed"))
    assert "Do not advance" in text
    assert "Refused: split it into releases of one kind" in text
    assert "t1 to t2, everything else as it is" in text


def test_a_mixed_release_offers_no_go_only(show):
    app = show("sign_off", release="mixed")
    app.segmented_control(key="decision").set_value("go").run()
    assert "split it" in words(app)
    assert not [button for button in app.button if button.label == "Record decision"]


def test_without_labels_calibration_is_not_known(show):
    assert "calibration is not known" in words(show("calibration", release="unlabelled"))


def test_calibration_offers_recalibration_on_other_windows_and_exports_it(show):
    app = show("calibration", release="small", under="What if recalibrated")
    assert "fitted on week of" in words(app)
    assert app.get("download_button")
    app.selectbox(key="method").set_value("isotonic").run()
    assert "needs 1,000" in words(app)
    assert not app.get("download_button")
    fitted = app.selectbox(key="fitted_window")
    assert len(fitted.options) > 1
    app.selectbox(key="judged_window").set_value(app.selectbox(key="judged_window").options[1]).run()
    fitted.set_value(sorted(fitted.options)[-1]).run()
    assert not app.exception
    assert len(app.selectbox(key="judged_window").options) == 1
    assert "cannot be tried" not in words(app)


def test_drawers_are_computed_when_open_and_stay_open(show):
    app, said = show("labels", release="small"), "of the candidate and final bad events"
    assert said not in words(app)
    app.session_state["labels-split"] = True
    app.run()
    assert said in words(app)
    course = app.selectbox(key="course")
    course.set_value(course.options[1]).run()
    assert said in words(app)
    assert said in words(show("labels", release="small", by="surface"))
    served = show("runtime", release="small")
    assert "No stage has served yet" not in words(served)
    served.session_state["every-stage"] = True
    assert "No stage has served yet" in words(served.run())


def test_a_choice_that_a_page_does_not_offer_is_told(show):
    assert "accuracy" in show("segments", release="small", metric="accuracy").warning[0].value


@pytest.mark.parametrize("page", ["score_drift", "segments", "calibration", "labels"])
def test_a_filter_by_two_dimensions_still_answers(page, show):
    assert words(show(page, release="small", in_market="DE", in_surface="app"))


@pytest.mark.parametrize(
    ("page", "parts"),
    [
        ("score_drift", {"part": ("By segment", "Over time", "Distribution", "Score map", "Threshold transfer")}),
        ("segments", {"show": ("Worst slices", "Mix or rate")}),
        ("calibration", {"under": ("By segment", "What if recalibrated", "Parts of the loss")}),
        ("cutoffs", {"worst": ("true",)}),
    ],
)
def test_every_part_of_a_page_runs_where_steps_are_blocks_of_hours(page, parts, show):
    for name, choices in parts.items():
        for choice in choices:
            app = show(page, release="mixed", **{name: choice})
            assert "cannot be shown" not in words(app)
            assert len(words(app)) > 100


def test_tables_are_taken_as_csv_with_numbers_as_they_are(show):
    app = show("attribution", release="mixed")
    assert "CSV of this table" in [button.label for button in app.get("download_button")]


def test_segments_open_at_the_linked_metric_split_and_segment(show):
    app = show("segments", release="small", metric="False-positive rate", split="surface", segment="surface web")
    assert app.selectbox(key="metric").value == "fpr"
    assert app.selectbox(key="segment").value == "surface=web"


def test_a_cutoff_in_the_link_is_the_one_that_is_compared(show):
    app = show("cutoffs", release="small", review="0.5")
    assert "What if review from 0.5" in words(app)


def test_a_card_points_down_where_the_candidate_is_lower(show):
    deltas = [card.delta for card in show("overview", release="small").metric if card.delta]
    assert deltas
    assert all(delta[0] in "+-" for delta in deltas)


def test_what_data_says_is_escaped(show, releases, tmp_path):
    evil = "<script>alert(1)</script>"
    log = factory.decisions(300, seed=32)
    log.loc[:150, "market"] = evil
    factory.write(releases / "evil", log, factory.outcomes(log))
    try:
        segments = show("segments", release="evil", segment=f"market {evil}")
        assert segments.segmented_control(key="picture").label == r"Picture of market \<script\>alert\(1\)\</script\>"
        text = words(segments) + words(show("overview", release="evil"))
        assert evil not in text.replace("\\<", "<escaped ")
        assert "&lt;script&gt;" in text
    finally:
        shutil.rmtree(releases / "evil")


def test_the_demo_opens_with_credit_model(tmp_path, show, monkeypatch):
    demo.build(tmp_path / "releases", only=["credit-model"])
    monkeypatch.setenv(library.RELEASES_VARIABLE, str(tmp_path / "releases"))
    text = words(show("overview"))
    assert "the harm is in the segments" in text
    assert "Recall in age band 25 and under" in text
