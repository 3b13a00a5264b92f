"""Verdicts against data with known truth: the lattice, the evidence rules, families, invariants, error rates."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.multitest import multipletests

from release_core import gates, metrics, review
from release_core.frames import Cells, GateRow, Grid, Tally
from release_core.gates import words
from release_core.release import Comparison, GateSpec, Stage, Verdict
from tests import factory

SHARDS = 32


def spec(comparison="non_inferiority", metric="recall", margin=0.02, **more):
    return GateSpec("g", metric, Comparison(comparison), (Stage.REPLAY,), margin=margin, min_events=50, **more)


def cells(caught, positives, negatives=None, false=None):
    """Return cells of segments from counts per shard: `caught` [segment, version, shard] of `positives` [segment, shard].

    Both versions catch as many as they can of the same events, so that they disagree on as few as possible.
    """
    caught, positives = np.asarray(caught, float), np.asarray(positives, float)
    negatives = np.zeros_like(positives) if negatives is None else np.asarray(negatives, float)
    false = np.zeros_like(caught) if false is None else np.asarray(false, float)
    joint = np.zeros((*positives.shape, 4, 4, 3))
    for place, (hits, total) in enumerate(((caught, positives), (false, negatives)), 1):
        old, new = hits[:, 0], hits[:, 1]
        both = np.minimum(old, new)
        joint[..., 1, 1, place], joint[..., 1, 0, place], joint[..., 0, 1, place] = both, old - both, new - both
        joint[..., 0, 0, place] = total - old - new + both
    joint[..., 0] = joint[..., 1] + joint[..., 2]
    sides = np.stack([joint.sum(-2), joint.sum(-3)], axis=2)
    labelled = np.stack([positives, positives], axis=-1), np.stack([negatives, negatives], axis=-1)
    arrays = {
        "actions": sides,
        "action_amounts": sides,
        "joint": joint,
        "joint_amounts": joint,
        "events": sum(labelled),
        "positives": labelled[0],
        "negatives": labelled[1],
        "scores": np.stack([positives, positives * 1.0], axis=-1),
        "labelled_scores": np.stack([positives, positives * 1.0], axis=-1),
    }
    shards = Tally.of(Grid(np.arange(0), 4, np.arange(0)), arrays)
    names = tuple({"market": f"m{n}"} for n in range(len(positives)))
    return Cells(
        names, shards.sum(1), shards, ("approve", "review", "block", "escalate"), (), paired=True, clustered=True
    )


def judged(one, found, counts=None):
    family = gates.Family(found, counts or (True,) * len(found.segments))
    return gates.judge(one, metrics.METRICS[one.metric], family, 50)


def even(total, share=1.0, noise=0, seed=0):
    """Return a count per shard, `share` of total spread evenly, with a little seeded noise that keeps the sum."""
    rng = np.random.default_rng(seed)
    moved = rng.integers(-noise, noise + 1, SHARDS // 2) if noise else np.zeros(SHARDS // 2, int)
    return np.full(SHARDS, total * share) + np.concatenate([moved, -moved])


def change(points, total=100, noise=2):
    """Return cells of one segment with `total` positives per shard whose recall changes by `points`."""
    return cells([[even(total, 0.6, noise, 1), even(total, 0.6 + points / 100, noise, 2)]], [np.full(SHARDS, total)])


@pytest.mark.parametrize(
    ("comparison", "points", "verdict"),
    [
        ("non_inferiority", 0.5, "PASS"),
        ("non_inferiority", -1.1, "MARGINAL"),
        ("non_inferiority", -2.0, "INCONCLUSIVE"),
        ("non_inferiority", -5.0, "FAIL"),
        ("no_harm", 0.0, "PASS"),
        ("no_harm", -5.0, "FAIL"),
        ("superiority", 5.0, "PASS"),
        ("superiority", 0.0, "INCONCLUSIVE"),
        ("superiority", -5.0, "FAIL"),
        ("equivalence", 0.0, "PASS"),
        ("equivalence", 2.0, "INCONCLUSIVE"),
        ("equivalence", 5.0, "FAIL"),
        ("equivalence", -5.0, "FAIL"),
        ("drift", 5.0, "FAIL"),
    ],
)
def test_each_comparison_reaches_its_verdicts(comparison, points, verdict):
    (row,) = judged(spec(comparison), change(points))
    assert row.verdict.name == verdict, row.sentence


def test_a_metric_that_is_better_lower_is_harmed_by_a_rise():
    positives, negatives = np.full((1, SHARDS), 50), np.full((1, SHARDS), 400)
    caught = [[even(50, 0.5), even(50, 0.5)]]
    rise = [[even(400, 0.05, 2, 1), even(400, 0.09, 2, 2)]]
    (row,) = judged(spec(metric="fpr", margin=0.01), cells(caught, positives, negatives, rise))
    assert row.verdict is Verdict.FAIL
    assert row.difference == pytest.approx(0.04)
    assert row.low_adjusted > 0.01


def test_a_relative_margin_is_a_share_of_the_baseline():
    (row,) = judged(spec(unit="rel", margin=0.1), change(-1.2))
    assert row.margin == pytest.approx(0.06)
    assert row.verdict is Verdict.MARGINAL


def test_what_a_relative_margin_comes_to_is_rounded_and_a_declared_one_is_not():
    (relative,), (declared,) = (
        judged(spec(unit=unit, margin=margin), change(-1.2)) for unit, margin in (("rel", 0.0777), ("abs", 0.0375))
    )
    assert "at most 4.7 allowed" in relative.sentence
    assert "at most 3.75 allowed" in declared.sentence


def test_one_customer_is_one():
    one, many = (words.rare(spec(), metrics.METRICS["recall"], {}, (0, n), (1.2, 1.5)) for n in (1, 2))
    assert "came to 1 customer of the candidate's arm and 0 of the baseline's" in one
    assert "came to 2 customers of" in many


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [({"at_least": 0.5}, "PASS"), ({"at_least": 0.7}, "FAIL"), ({"at_least": 0.6}, "INCONCLUSIVE")],
)
def test_a_budget_reads_the_candidate_against_its_limit(limit, verdict):
    (row,) = judged(spec("budget", margin=None, **limit), change(0.0))
    assert row.verdict.name == verdict, row.sentence


@pytest.mark.parametrize(("total", "verdict", "counts"), [(100, "FAIL", True), (0.1, "NODATA", False)])
def test_a_gate_that_observes_without_data_counts_only_what_it_can_judge(total, verdict, counts):
    (row,) = judged(spec(on_nodata="observe"), change(-5.0, total, 2 if total > 1 else 0))
    assert (row.verdict.name, row.counts) == (verdict, counts)
    (row,) = judged(spec(on_nodata="block"), change(-5.0, total, 2 if total > 1 else 0))
    assert (row.verdict.name, row.counts) == (verdict, True)


@pytest.mark.parametrize(("expected", "verdict"), [(1.0, "PASS"), (0.7, "FAIL")])
def test_calibration_wants_observed_over_expected_near_one(expected, verdict):
    found = cells([[even(100, 0.6, 2), even(100, 0.6, 2)]], [even(100, 1, 5, 3)])
    scores = np.stack([found.shards.positives[..., 0] / expected * (1 + 0.02 * np.cos(np.arange(SHARDS)))] * 2, axis=-1)
    shards = Tally.of(
        found.shards.grid,
        {
            name: scores if name == "labelled_scores" else getattr(found.shards, name)
            for name in ("events", "positives", "negatives", "labelled_scores", "scores")
        },
    )
    (row,) = judged(spec("calibration", "oe_ratio", log(1.25)), replace(found, shards=shards, whole=shards.sum(1)))
    assert row.verdict.name == verdict, row.sentence


@pytest.mark.parametrize(
    ("positives", "others", "points", "verdict"),
    [(4, 200, 0, "NODATA"), (20, 10, 0, "NODATA"), (20, 200, 0, "INCONCLUSIVE"), (28, 500, -90, "FAIL")],
)
def test_few_events_or_positives_never_pass(positives, others, points, verdict):
    spread = np.zeros(SHARDS)
    spread[:positives] = 1
    lost = spread.copy()
    lost[: round(-points / 100 * positives)] = 0
    negatives = np.full(SHARDS, others / SHARDS)
    (row,) = judged(spec(), cells([[spread, lost]], [spread], [negatives]))
    assert row.verdict.name == verdict, row.sentence


def test_failing_is_adjusted_as_holm_does():
    points = [0.0, -3.0, -3.6, -4.2, -6.0, -1.0]
    parts = [change(p, noise=3) for p in points]
    found = cells(
        [[p.shards.actions[0, :, 0, 1:, 1].sum(-1), p.shards.actions[0, :, 1, 1:, 1].sum(-1)] for p in parts],
        [p.shards.positives[0, :, 0] for p in parts],
    )
    rows = judged(spec(), found)
    one = metrics.estimate(found, metrics.METRICS["recall"])
    p = 1 - t.cdf((-one.value[:, 2] - 0.02) / one.se[:, 2], one.df)
    rejected = multipletests(p, 0.05, "holm")[0]
    assert [row.verdict is Verdict.FAIL for row in rows] == list(rejected)
    assert 0 < rejected.sum() < len(points)


def test_replay_sets_are_judged_each_on_its_own_and_small_segments_together(tmp_path):
    log = factory.decisions(3000, seed=4)
    log["replay_set"] = np.where(np.arange(len(log)) < 2000, "spring", "summer")
    log.loc[log.index % 150 == 0, "market"] = "MT"
    log.loc[log.index % 150 == 1, "market"] = "LU"
    opened = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log)))
    found = review.review(opened, Stage.REPLAY, opened.cube.steps[-1])
    rows = {tuple(row.segment.items()): row for row in found.rows if row.gate == "recall"}
    assert all(rows[(("replay_set", name),)].counts for name in ("spring", "summer"))
    tiny = rows[("replay_set", "summer"), ("market", "MT")]
    pooled = rows[("replay_set", "summer"), ("market", "(other)")]
    assert (tiny.counts, pooled.counts) == (False, True)
    assert pooled.n == sum(rows[("replay_set", "summer"), ("market", name)].n for name in ("MT", "LU"))
    assert () in rows


def test_a_mandatory_segment_without_events_is_no_data_and_breaks_its_invariant(tmp_path):
    segments = {"dims": ["market"], "min_events": 50, "mandatory": ["market=XX"]}
    log = factory.decisions(800, seed=4)
    opened = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log), segments=segments))
    found = review.review(opened, Stage.REPLAY, opened.cube.steps[-1])
    said = {(row.gate, row.verdict.name) for row in found.rows if row.segment.get("market") == "XX"}
    assert {("recall", "NODATA"), ("mandatory_segments", "FAIL")} <= said


def row(verdict, level="stop", counts=True):
    return GateRow("g", "t", "m", "c", level, "overall", {}, verdict, "s", counts)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([row(Verdict.PASS), row(Verdict.FAIL)], Verdict.FAIL),
        ([row(Verdict.PASS), row(Verdict.FAIL, "warn")], Verdict.MARGINAL),
        ([row(Verdict.PASS), row(Verdict.FAIL, "observe")], Verdict.PASS),
        ([row(Verdict.PASS), row(Verdict.FAIL, counts=False)], Verdict.PASS),
        ([row(Verdict.NODATA), row(Verdict.INCONCLUSIVE)], Verdict.NODATA),
        ([], Verdict.NODATA),
        ([row(Verdict.PASS, "observe")], Verdict.NODATA),
    ],
)
def test_verdicts_take_the_worst_of_what_counts(rows, verdict):
    assert gates.worst(rows) is verdict


def test_a_gate_that_cannot_be_computed_is_no_data(tmp_path):
    gate = {
        "id": "lag",
        "metric": "latency_p99",
        "comparison": "budget",
        "at_most": 200.0,
        "stages": ["replay"],
        "scope": "overall",
    }
    log = factory.decisions(400, seed=4)
    opened = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log), gate=[gate]))
    (found,) = [r for r in review.review(opened, Stage.REPLAY, opened.cube.steps[-1]).rows if r.gate == "lag"]
    assert found.verdict is Verdict.NODATA


@pytest.mark.parametrize(("drop", "seen"), [(0.0, "FAIL"), (0.02, "PASS")])
def test_error_rates_stay_below_alpha(drop, seen):
    """At no change FAIL, and at a harm of exactly the margin PASS, happen in at most alpha of seeded simulations.

    600 runs of 6 segments each; the bound allows 2.6 standard errors of the simulation above 5%.
    """
    rng = np.random.default_rng(42)
    runs, segments, positives = 600, 6, 60
    draws = rng.binomial(positives, 0.6, (runs * segments, SHARDS))
    lost, won = rng.binomial(draws, 0.03 + drop), rng.binomial(positives - draws, 0.045)
    hits = np.stack([draws, draws - lost + won], axis=1).astype(float)
    if seen == "PASS":
        hits[:, 1] = draws - rng.binomial(draws, 0.05) + rng.binomial(positives - draws, 0.025)
    found = cells(hits, np.full((runs * segments, SHARDS), positives))
    one = spec(margin=0.02)
    wrong = 0
    for run in range(runs):
        index = range(run * segments, (run + 1) * segments)
        part = found.pooled([(found.segments[n], [n]) for n in index])
        verdicts = {r.verdict.name for r in judged(one, part)}
        wrong += "FAIL" in verdicts if seen == "FAIL" else verdicts <= {"PASS", "MARGINAL"}
    assert wrong / runs <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / runs)


def test_carried_over_cutoffs_count_as_unchanged_only_within_one_grid_step(tmp_path):
    log = factory.decisions(4000, seed=9, shift=0.8)
    rate = (log["baseline_score"] >= 0.3).mean()
    same = float(np.sort(log["candidate_score"])[::-1][round(rate * len(log)) - 1])
    changed = {}
    for name, cut in (("same", same), ("other", same - 0.1)):
        release = factory.tables()["release"]
        release = release | {"to": release["to"] | {"thresholds": "t2"}}
        carried = {"carried_from": "t1", "rule": "equal_alert_rate", "default": {"review": cut}}
        thresholds = {"t1": {"default": {"review": 0.3}}, "t2": carried}
        opened = factory.opened(factory.write(tmp_path / name, log, release=release, thresholds=thresholds))
        found = review.review(opened, Stage.REPLAY, opened.cube.steps[-1])
        changed[name] = ([component for component, _ in found.changed], found.mixed)
    assert changed == {"same": (["model"], False), "other": (["model", "thresholds"], True)}
