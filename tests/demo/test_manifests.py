import pytest

from release_core import demo, manifest
from release_core.release import Kind


@pytest.fixture(scope="module")
def load(root):
    return lambda release: manifest.load(root / release)


def action(release, version, event):
    """Return what the bundle of `version` says to `event`, by the rules of the manifest."""
    bundle = release.bundle(version)
    for rule in release.policies[bundle.policy].rules:
        (condition,) = rule.when
        assert (condition.column, condition.op) == ("amount", ">")
        if event["amount"] > condition.value:
            return rule.action
    cutoffs = manifest.cutoffs(release.tables[bundle.thresholds], {"limit_tier": event["limit_tier"]})
    return "review" if event[f"{version}_score"] >= cutoffs["review"] else "approve"


@pytest.mark.parametrize("release_id", demo.CREDIT)
def test_logged_actions_are_those_of_the_bundle(load, joined, release_id):
    release, log = load(release_id), joined(release_id)
    near = log[(log["baseline_action"] == "review") | (log["candidate_action"] == "review")]
    others = log.drop(near.index)
    highest = others.groupby("limit_tier")[["baseline_score", "candidate_score", "amount"]].max().reset_index()
    for version in ("baseline", "candidate"):
        expected = [action(release, version, event) for event in near.to_dict("records")]
        assert near[f"{version}_action"].tolist() == expected
        # Of the rest it is enough to ask for the highest score and amount of each tier.
        assert {action(release, version, event) for event in highest.to_dict("records")} == {"approve"}


@pytest.mark.parametrize(
    ("release_id", "kind", "changed"),
    [
        ("credit-model", Kind.MODEL, ("model", "thresholds")),
        ("credit-threshold", Kind.THRESHOLD, ("thresholds",)),
        ("credit-recalibration", Kind.RECALIBRATION, ("calibration", "thresholds")),
        ("credit-mixed", Kind.MODEL, ("model", "calibration", "thresholds", "policy")),
    ],
)
def test_manifest_names_its_kind_and_changes(load, release_id, kind, changed):
    release = load(release_id)
    assert (release.id, release.kind, release.named_changes) == (release_id, kind, changed)
    assert release.about.data == "real"


@pytest.mark.parametrize(
    ("release_id", "table", "source"), [("credit-model", "t-hgb", "t-lr"), ("credit-recalibration", "t-iso", "t-raw")]
)
def test_carried_cutoff_is_the_transfer_on_its_replay_set(load, joined, release_id, table, source):
    release, log = load(release_id), joined(release_id)
    carried = release.tables[table]
    assert (carried.carried_from, carried.rule, carried.replay_set) == (source, "equal_alert_rate", "Jun-Jul")
    events = log[log["replay_set"] == carried.replay_set]
    old, scores = dict(release.tables[source].default)["review"], events["candidate_score"]
    target = (events["baseline_score"] >= old).sum()
    cutoff = dict(carried.default)["review"]
    assert cutoff in set(scores)
    assert (scores >= cutoff).sum() <= target
    assert (scores >= scores[scores < cutoff].max()).sum() > target


def test_mandatory_segments_are_in_the_log(load, joined):
    log = joined("credit-model")
    for dim, value in load("credit-model").segments.mandatory:
        assert (log[dim] == value).sum() >= 200


def test_columns_of_rules_and_watches_are_in_the_log(load, joined):
    columns = set(joined("credit-mixed").columns)
    release = load("credit-mixed")
    asked = {*release.segments.all, *(watch.column for watch in release.watches)}
    asked |= {condition.column for case in release.scenarios for condition in case.where}
    assert asked <= columns


@pytest.mark.parametrize(
    ("release_id", "broken"),
    [
        ("credit-model", []),
        ("credit-threshold", []),
        ("credit-recalibration", []),
        ("credit-mixed", ["paid-or-revolving"]),  # its rule reviews large bills, whoever pays them
    ],
)
def test_scenarios_that_the_candidate_breaks(load, joined, release_id, broken):
    log = joined(release_id)
    assert [case.id for case in load(release_id).scenarios if not holds(case, log)] == broken


def holds(scenario, log):
    (condition,) = scenario.where
    alerts = log.loc[log[condition.column].isin(condition.value), "candidate_action"] == "review"
    if scenario.action == "review":
        return alerts.all()
    assert scenario.metric == "alert_rate"
    return (scenario.at_least or 0) <= alerts.mean() <= (scenario.at_most or 1)
