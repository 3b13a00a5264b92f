"""House gates hold for every release; a release may be stricter, never laxer."""

from __future__ import annotations

import tomllib

import pytest

from release_core import manifest
from release_core.errors import ManifestError
from release_core.manifest.gates import INVARIANTS
from release_core.release import Comparison, Kind, Level, Stage

HOUSE = {
    "gate": [
        {
            "id": "recall",
            "metric": "recall",
            "comparison": "non_inferiority",
            "margin": 0.02,
            "stages": ["replay", "shadow"],
            "kinds": ["model", "threshold"],
            "level": "hold",
            "on_nodata": "block",
            "min_events": 100,
        },
        {
            "id": "speed",
            "metric": "latency_p99",
            "comparison": "budget",
            "at_most": 200,
            "at_least": 1,
            "stages": ["canary"],
            "scope": "overall",
        },
        {"id": "split", "metric": "srm", "comparison": "srm", "stages": ["canary"], "scope": "segment:market=EU"},
    ],
    "stop": [
        {"id": "harm", "metric": "recall", "comparison": "no_harm", "action": "hold"},
        {"id": "halt", "metric": "fpr", "comparison": "no_harm", "action": "rollback"},
    ],
}


@pytest.fixture
def own(load, example):
    """Return a function that loads the example with one gate or stop of its own under the small house."""

    def load_own(row, key="gate"):
        return load(example | {"gate": [], "stop": [], key: [row]}, HOUSE)

    return load_own


STRICTER = [
    {"id": "recall", "margin": 0.02},
    {"id": "recall", "margin": 0.005, "alpha": 0.01, "level": "stop", "min_events": 200},
    {"id": "recall", "stages": ["shadow", "replay", "canary"], "kinds": ["threshold", "policy", "model"]},
    {"id": "speed", "at_most": 150, "at_least": 2, "scope": "each_segment"},
    {"id": "split", "alpha": 0.001, "scope": "segment:market=EU"},
]


@pytest.mark.parametrize("row", STRICTER)
def test_gate_may_be_stricter_than_the_house(own, row):
    gates = {gate.id: gate for gate in own(row).gates}
    assert list(gates) == ["recall", "speed", "split"]
    for key, value in row.items():
        found = getattr(gates[row["id"]], key)
        assert (list(found) if isinstance(found, tuple) else found) == value


LAXER = [
    ({"id": "recall", "margin": 0.03}, "margin laxer than, or not comparable with, the house gate's; required: 0.02"),
    ({"id": "recall", "alpha": 0.1}, "alpha laxer"),
    ({"id": "recall", "level": "warn"}, "level laxer than, or not comparable with, the house gate's; required: hold"),
    ({"id": "recall", "on_nodata": "observe"}, "on_nodata laxer"),
    ({"id": "recall", "min_events": 50}, "min_events laxer"),
    ({"id": "recall", "scope": "overall"}, "scope laxer"),
    ({"id": "recall", "stages": ["replay"]}, "stages laxer than, or not comparable with, the house gate's; required: "),
    ({"id": "recall", "kinds": ["model"]}, "kinds laxer"),
    ({"id": "recall", "metric": "precision"}, "metric laxer"),
    ({"id": "recall", "comparison": "equivalence"}, "comparison laxer"),
    ({"id": "recall", "unit": "rel"}, "unit laxer"),
    ({"id": "recall", "method": "newcombe"}, "method laxer"),
    ({"id": "speed", "at_most": 201}, "at_most laxer"),
    ({"id": "speed", "at_least": 0.5}, "at_least laxer"),
    ({"id": "split", "alpha": 0.0001}, "alpha laxer"),
    ({"id": "split", "scope": "segment:market=BR"}, "scope laxer"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "text"), LAXER)
def test_gate_may_not_be_laxer_than_the_house(own, row, text):
    with pytest.raises(ManifestError) as raised:
        own(row)
    (problem,) = raised.value.problems
    assert problem.where == f"release.toml [[gate]] {row['id']}"
    assert text in str(problem)


def test_stop_rule_may_become_a_rollback_but_not_a_hold(own):
    stops = {stop.id: stop for stop in own({"id": "harm", "action": "rollback"}, "stop").stops}
    assert (stops["harm"].action, stops["harm"].alpha) == ("rollback", 0.01)
    with pytest.raises(ManifestError, match="action laxer"):
        own({"id": "halt", "action": "hold"}, "stop")


def gate(**keys):
    return {"id": "new", "metric": "auc", "comparison": "no_harm", "stages": ["canary"]} | keys


WRONG = [
    (gate(comparison="non_inferiority"), "no margin; required: a number above 0 for non_inferiority"),
    (gate(comparison="equivalence"), "no margin"),
    (gate(comparison="calibration"), "no margin"),
    (gate(comparison="drift"), "no margin"),
    (gate(comparison="drift", margin=0), "margin = 0; required: a number above 0"),
    (gate(comparison="budget"), "no bound; required: at_least, at_most, or both"),
    (gate(comparison="budget", at_least=2, at_most=1), "at_least = 2, at_most = 1"),
    (gate(comparison="budget", at_least=2, margin=1), "margin for budget; required: no margin: it would have no eff"),
    (gate(margin=0.1), "margin for no_harm"),
    (gate(at_most=0.1), "at_most for no_harm"),
    (gate(comparison="invariant", metric="one_knd"), 'Did you mean "one_kind"?'),
    (gate(comparison="invariance"), 'Did you mean "invariant"?'),
    (gate(alpha=0.6), "alpha = 0.6; required: a number above 0, at most 0.5"),
    (gate(unit="percent"), "unit = 'percent'; required: one of abs, rel"),
    (gate(scope="segments"), "overall, each_segment or segment:dimension=value"),
    (gate(scope="segment:markets=EU"), 'Did you mean "market"?'),
    (gate(method="bayes"), "one of auto, paired, anytime, newcombe"),
    (gate(level="block"), "one of stop, hold, warn, observe"),
    (gate(on_nodata="pass"), "one of block, observe"),
    (gate(stages=[]), "an empty list of stages"),
    (gate(stages=["canary", "live"]), "stages item 2 = 'live'"),
    (gate(kinds=["models"]), 'Did you mean "model"?'),
    (gate(expect_n=0), "expect_n = 0; required: a whole number of at least 1"),
    (gate(action="hold"), "unknown key action"),
    ({"id": "new", "metric": "auc", "comparison": "no_harm"}, "no stages"),
    ({"metric": "auc", "comparison": "no_harm", "stages": ["ab"]}, "no id"),
    (gate(id="harm"), "harm both as [[gate]] and as [[stop]]"),
]


@pytest.mark.parametrize(("row", "text"), WRONG)
def test_gate_that_cannot_be_judged_is_a_problem(own, row, text):
    with pytest.raises(ManifestError) as raised:
        own(row)
    (problem,) = raised.value.problems
    assert text in str(problem)


def test_gate_twice_is_a_problem_in_both_files(load, example):
    house = HOUSE | {"gate": HOUSE["gate"] * 2}
    with pytest.raises(ManifestError) as raised:
        load(example | {"gate": [gate(), gate()]}, house)
    expected = [("gates.toml", f"[[gate]] {name} twice") for name in ("recall", "speed", "split")]
    found = [(problem.where, problem.found) for problem in raised.value.problems]
    assert found == [*expected, ("release.toml", "[[gate]] new twice")]


def test_gate_of_the_house_is_checked_by_the_same_rules(load, example):
    house = {"gate": [gate(), gate(id="other", margin=1)], "stop": [{"id": "s"}], "gates": []}
    with pytest.raises(ManifestError) as raised:
        load(example, house)
    wheres = {problem.where for problem in raised.value.problems}
    assert wheres == {"gates.toml [[gate]] other", "gates.toml [[stop]] s", "gates.toml"}


def test_stage_without_a_blocking_gate_is_a_problem(load, example):
    house = {"gate": [gate(level="warn"), gate(id="b", stages=["ab"]), gate(id="c", kinds=["model"])]}
    with pytest.raises(ManifestError) as raised:
        load(example | {"gate": []}, house)
    (problem,) = raised.value.problems
    assert problem.found == "no gate that can stop stage canary of a threshold release"
    assert load(example | {"gate": [gate(id="d", level="hold")]}, house).gates[-1].level is Level.HOLD


@pytest.fixture
def house_gates(load, example):
    return load(example | {"gate": []}).gates


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("stage", Stage)
def test_house_gates_can_stop_every_stage_of_every_kind(load, example, kind, stage):
    example["release"]["kind"] = kind
    release = load(example | {"gate": [], "stage": [{"name": stage}]})
    assert [plan.name for plan in release.stages] == [stage]


def test_house_gates_have_titles_and_all_invariants(house_gates):
    assert all(gate.title for gate in house_gates)
    invariants = [gate for gate in house_gates if gate.comparison is Comparison.INVARIANT]
    assert sorted(gate.metric for gate in invariants) == sorted(INVARIANTS)
    assert all(gate.level is Level.STOP and gate.scope == "overall" for gate in invariants)


def test_house_gates_name_explicitly_what_counts():
    tables = tomllib.loads(manifest.HOUSE_GATES.read_text(encoding="utf-8"))
    assert all({"title", "scope", "level"} <= row.keys() for row in tables["gate"])
