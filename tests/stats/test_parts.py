"""The small functions that statistics are made of, each by name against an independent library, on the hard cases."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats as scipy_stats
from sklearn import metrics
from statsmodels.stats.multitest import multipletests

from release_core.release import Costs
from release_core.stats import arms, corp, cutoff_pairs, cutoffs, delay, development, drift, multiplicity, nowcast
from tests.stats.test_hard_cases import CASES, GRID, WEIGHTED, bins

SHARDS = 32


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_losses_per_bin(name, weighted):
    """scikit-learn: the Brier score and log loss of the events of each bin, with sample weights."""
    (place, y), (pos, neg) = CASES[name], bins(name, weighted=weighted)
    w = WEIGHTED[name] if weighted else np.ones(len(place))
    squared, logs = corp.brier_of(pos, pos + neg, GRID), corp.log_loss_of(pos, pos + neg, GRID)
    for one in range(len(GRID)):
        here = place == one
        if not here.any():
            assert squared[one] == logs[one] == 0
            continue
        score = np.full(here.sum(), GRID[one])
        loss = metrics.log_loss(y[here], score, sample_weight=w[here], labels=[0, 1], normalize=False)
        assert logs[one] == pytest.approx(loss, rel=1e-9)
        each = metrics.mean_squared_error(y[here], score, sample_weight=w[here])
        assert squared[one] == pytest.approx(each * w[here].sum(), rel=1e-9)


def test_losses_per_bin_of_unknown_counts_are_unknown_there_alone():
    pos, n, p = np.array([1.0, np.nan, 0.0]), np.array([2.0, 3.0, 0.0]), np.array([0.5, 0.5, np.nan])
    for found in (corp.brier_of(pos, n, p), corp.log_loss_of(pos, n, p)):
        np.testing.assert_array_equal(np.isnan(found), [False, True, False])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_what_lies_below_each_edge(name, weighted):
    """scikit-learn: the false negatives of every cutoff, with sample weights; without positives nothing is missed."""
    (place, y), (pos, _) = CASES[name], bins(name, weighted=weighted)
    found = cutoffs.below_edges(pos)
    if not y.any():
        np.testing.assert_array_equal(found, 0)
        return
    w = WEIGHTED[name] if weighted else np.ones(len(place))
    for edge in range(len(GRID) + 1):
        matrix = metrics.confusion_matrix(y, place >= edge, labels=[False, True], sample_weight=w)
        assert found[edge] == pytest.approx(matrix[1, 0])


def test_below_edges_of_an_unknown_sum_is_not_known():
    assert np.isnan(cutoffs.below_edges([1.0, np.nan, 2.0])[1:]).all()


def test_unit_costs_are_those_of_the_manifest_and_what_it_leaves_out_costs_nothing():
    """No number is computed: the fields are handed over. Their use is tested by `action_cost` on single events."""
    assert cutoffs.unit_costs(Costs("EUR")) == cutoffs.UnitCosts()
    given = Costs("EUR", 5.0, 2.0, 1.0, 0.9, review_detection=0.8, friction=0.5)
    assert cutoffs.unit_costs(given) == cutoffs.UnitCosts(5.0, 2.0, 1.0, 0.9, 0.8, 0.5)


@pytest.mark.parametrize("events", [0, 1, 5, 400])
def test_mean_cost_is_the_mean_of_single_costs(events):
    """numpy: the mean over events; undefined without any."""
    each = np.random.default_rng(events).exponential(3, (events, 4))
    found = cutoff_pairs.mean_cost(each.sum(0), events)
    np.testing.assert_allclose(found, each.mean(0) if events else np.full(4, np.nan))


@pytest.mark.parametrize("costs", [[0.0], [3.0, 1.0, 1.0, 2.0], [5.0, 5.0], [np.inf, 2.0, np.inf], [-1.0, -3.0, -3.0]])
def test_the_cheapest_edge_is_the_last_of_least_cost(costs):
    """Brute force; of equal costs the last, which alerts least."""
    last = max(place for place, cost in enumerate(costs) if cost == min(costs))
    edge, cost = cutoffs.cheapest_edge(costs)
    assert edge == cutoffs.optimum(costs).bin == last
    assert cost == min(costs)


@pytest.mark.parametrize("name", CASES)
def test_the_lowest_edge_alike_is_the_lowest_that_alerts_on_the_same_events(name):
    """Every lower edge, event by event."""
    place, _ = CASES[name]
    for edge in range(len(GRID) + 1):
        same = [e for e in range(edge + 1) if np.array_equal(place >= e, place >= edge)]
        assert cutoff_pairs.lowest_alike(edge, np.bincount(place, minlength=len(GRID))) == same[0]


# Two arms.


def _cases(m, steps, rate, seed=0, spread=3):
    """Return (step, arm, shard, y) of entities, each shard of a step and arm with as many."""
    rng = np.random.default_rng(seed)
    step, arm, shard = (
        part.ravel()
        for part in np.meshgrid(np.arange(steps), np.arange(2), np.repeat(np.arange(SHARDS), m), indexing="ij")
    )
    keep = np.arange(len(step)) % (1 + spread * arm) == 0 if spread else np.ones(len(step), bool)
    return step[keep], arm[keep], shard[keep], rng.binomial(1, rate, keep.sum()).astype(float)


def _sums(values, step, arm, shard, steps):
    found = np.zeros((steps, 2, SHARDS))
    np.add.at(found, (step, arm, shard), values)
    return found


def _stratified(y, step, arm, shard, steps):
    top, n = _sums(y, step, arm, shard, steps), _sums(np.ones_like(y), step, arm, shard, steps)
    whole, size = top.sum(-1), n.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = (whole[..., None] - top) / (size[..., None] - n)
        return arms.stratified(whole / size, left, n > 0, size)


@pytest.mark.parametrize("rate", [0.3, 0.001])
def test_a_stratified_difference_is_that_of_a_regression_with_a_constant_per_ramp_step(rate):
    """statsmodels: least squares on the arm and the ramp step weighs the steps by n0 n1 / (n0 + n1), too."""
    step, arm, shard, y = _cases(40, 3, rate)
    found = _stratified(y, step, arm, shard, 3)
    x = np.column_stack([arm, *(step == k for k in range(3))]).astype(float)
    assert found.value == pytest.approx(sm.OLS(y, x).fit().params[0], abs=1e-12)


def test_the_error_of_equal_shards_is_that_of_their_means():
    """scipy: the standard error of the mean of 32 shard means, for each arm; both arms and all steps add."""
    step, arm, shard, y = _cases(25, 2, 0.2, spread=0)
    found = _stratified(y, step, arm, shard, 2)
    means = (_sums(y, step, arm, shard, 2) / 25).transpose(0, 1, 2)
    each = scipy_stats.sem(means, axis=-1)
    weight = np.array([0.5, 0.5])
    assert found.se[-1] == pytest.approx(np.sqrt((weight[:, None] ** 2 * each**2).sum()))
    np.testing.assert_allclose(found.se[:2], np.sqrt((weight[:, None] ** 2 * each**2).sum(0)))


@pytest.mark.parametrize(
    ("m", "value", "se"),
    [(0, np.nan, np.nan), (1, 0.0, np.nan), (5, 0.0, np.nan)],
    ids=["no entity", "one in each arm", "five in each arm"],
)
def test_hardly_any_entity_has_a_value_but_no_error(m, value, se):
    arm, shard = np.repeat([0, 1], m), np.tile(np.arange(m), 2)
    found = _stratified(np.ones(2 * m), np.zeros(2 * m, int), arm, shard, 1)
    np.testing.assert_equal([float(found.value), float(found.se[-1])], [value, se])


def test_one_class_has_no_difference_and_a_ramp_step_without_a_number_is_left_out():
    step, arm, shard, y = _cases(10, 2, 0.5)
    none = _stratified(0 * y, step, arm, shard, 2)
    assert (float(none.value), float(none.se[-1])) == (0.0, 0.0)
    first = step == 0
    alone = _stratified(y[first], step[first], arm[first], shard[first], 1)
    level, left = np.full((2, 2), np.nan), np.full((2, 2, SHARDS), 0.5)
    top, n = (_sums(v[first], step[first], arm[first], shard[first], 1)[0] for v in (y, np.ones_like(y)))
    level[0] = top.sum(-1) / n.sum(-1)
    left[0] = (top.sum(-1, keepdims=True) - top) / (n.sum(-1, keepdims=True) - n)
    both = arms.stratified(level, left, np.ones((2, 2, SHARDS), bool), np.stack([n.sum(-1)] * 2))
    assert both.value == pytest.approx(alone.value)
    assert both.se[-1] == pytest.approx(alone.se[-1])


@pytest.mark.parametrize("m", [0, 1, 5, 4000])
def test_what_a_covariate_foretells_is_its_distance_from_the_mean(m):
    """pandas: summed by ramp step, arm and shard; equal values (ties) foretell nothing."""
    rng = np.random.default_rng(m)
    rows = pd.DataFrame(
        {"step": rng.integers(0, 2, m), "arm": rng.integers(0, 2, m), "shard": rng.integers(0, SHARDS, m), "x": rng.exponential(size=m)}
    )  # fmt: skip
    for x in (rows.x, 0 * rows.x + 3.0):
        places = (rows.step, rows.arm, rows.shard)
        known = arms.Covariate(*(_sums(np.asarray(v, float), *places, 2) for v in (0 * x + 1, x, x * x, x * x)))
        found, expected = arms.foretold(known), np.zeros((2, 2, SHARDS))
        for place, total in (x - x.mean()).groupby([rows.step, rows.arm, rows.shard]).sum().items():
            expected[place] = total
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("m", [2, 5, 4000])
def test_the_slope_of_a_covariate_is_that_of_a_regression(m):
    """statsmodels: least squares of Y on X over entities; 0 where X is the same for all, or where nobody is."""
    rng = np.random.default_rng(m)
    x, y = rng.normal(size=m), rng.binomial(1, 0.4 if m < 100 else 0.001, m).astype(float)
    places = (np.zeros(m, int), rng.integers(0, 2, m), rng.integers(0, SHARDS, m))
    known = arms.Covariate(*(_sums(v, *places, 1) for v in (np.ones(m), x, x * x, x * y)))
    theirs = sm.OLS(y, sm.add_constant(x)).fit().params[1]
    assert arms.slope(_sums(y, *places, 1), known) == pytest.approx(theirs, abs=1e-9)
    flat = arms.Covariate(*(_sums(v, *places, 1) for v in (np.ones(m), 0 * x + 2, 0 * x + 4, 2 * y)))
    assert arms.slope(_sums(y, *places, 1), flat) == 0
    assert arms.slope(np.zeros((1, 2, SHARDS)), arms.Covariate(*np.zeros((4, 1, 2, SHARDS)))) == 0


# Late labels.


def _labels(m, ages, seed=0):
    """Return the age of each of m positives and the delay of its label, delay <= age."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, ages, m)
    wait = rng.integers(0, ages, m)
    return age[wait <= age], wait[wait <= age]


@pytest.mark.parametrize(("m", "ages"), [(0, 4), (1, 1), (5, 6), (300, 8), (300, 1)])
def test_risk_sets_are_those_of_left_truncated_survival_in_reverse_time(m, ages):
    """statsmodels: time M - delay, entered at M - age; many delays are tied. Counts weigh, as repeated rows do."""
    age, wait = _labels(m, ages, m)
    table = np.zeros((ages, ages))
    np.add.at(table, (age, wait), 1)
    seen, at_risk = delay.risk_sets(table)
    np.testing.assert_array_equal(seen, np.bincount(wait, minlength=ages))
    if not len(wait):
        np.testing.assert_array_equal(at_risk, 0)
        return
    theirs = sm.SurvfuncRight(ages - wait, np.ones(len(wait)), entry=ages - age - 1)
    for time, events, risk in zip(theirs.surv_times, theirs.n_events, theirs.n_risk, strict=True):
        assert (seen[int(ages - time)], at_risk[int(ages - time)]) == (events, risk)
    never = np.setdiff1d(np.arange(ages), (ages - theirs.surv_times).astype(int))
    np.testing.assert_array_equal(seen[never], 0)


def test_risk_sets_do_not_read_what_cannot_be_seen_yet():
    seen, at_risk = delay.risk_sets(np.array([[1.0, np.nan], [2.0, 3.0]]))
    np.testing.assert_array_equal([seen, at_risk], [[3, 3], [3, 5]])


@pytest.mark.parametrize(("m", "ages"), [(1, 1), (5, 6), (300, 8)])
def test_the_product_of_later_factors_is_the_survival_in_reverse_time(m, ages):
    """statsmodels: the product limit just before each time; 1 for the last factor, whatever it is."""
    age, wait = _labels(m, ages, m)
    table = np.zeros((ages, ages))
    np.add.at(table, (age, wait), 1)
    seen, at_risk = delay.risk_sets(table)
    hazard = np.divide(seen, at_risk, out=np.zeros(ages), where=at_risk > 0)
    found = delay.product_after(1 - hazard)
    theirs = sm.SurvfuncRight(ages - wait, np.ones(len(wait)), entry=ages - age - 1)
    before = np.concatenate([[1.0], theirs.surv_prob[:-1]])
    for time, survives in zip(theirs.surv_times, before, strict=True):
        assert found[int(ages - time)] == pytest.approx(survives)
    assert found[-1] == 1


def test_the_product_of_later_factors_at_its_ends():
    assert delay.product_after(np.array([0.3])) == 1
    np.testing.assert_array_equal(delay.product_after(np.array([0.5, np.nan, 0.5])), [np.nan, 0.5, 1.0])
    np.testing.assert_allclose(
        delay.product_after(np.array([[9.0, 0.5, 0.2], [9.0, 0.0, 1.0]])), [[0.1, 0.2, 1], [0, 1, 1]]
    )


@pytest.mark.parametrize("ages", [1, 5, 30])
def test_sums_of_younger_ages_are_pandas_shifted_cumulative_sums(ages):
    values = np.random.default_rng(ages).normal(size=ages)
    expected = pd.Series(values).cumsum().shift(fill_value=0.0)
    np.testing.assert_allclose(development.younger(values, ages), expected)
    np.testing.assert_allclose(development.younger(values, ages + 2)[ages:], values.sum())
    np.testing.assert_array_equal(development.younger(np.zeros(ages), ages), 0)


def test_the_error_of_links_is_greenwoods():
    """statsmodels: the squared error of log survival rises by d / (Y (Y - d)) at each time; 0 where nothing is left."""
    age, wait = _labels(200, 6, 3)
    table = np.zeros((6, 6))
    np.add.at(table, (age, wait), 1)
    found = development.link_variance(development.ladder([table], least=1))
    theirs = sm.SurvfuncRight(6 - wait, np.ones(len(wait)), entry=6 - age - 1)
    keep = theirs.surv_prob > 0
    grown = np.diff((theirs.surv_prob_se[keep] / theirs.surv_prob[keep]) ** 2, prepend=0.0)
    for time, expected in zip(theirs.surv_times[keep], grown, strict=True):
        assert found[int(6 - time)] == pytest.approx(expected)
    assert (development.link_variance(development.ladder([np.zeros((3, 3))])) == 0).all()


@pytest.mark.parametrize("n", [0, 1, 5])
def test_the_weighted_total_is_the_sum_over_labels(n):
    """numpy: each label counts its weight; all events count once."""
    weight = np.array([[[2.0, 1.0]], [[3.0, 1.0]]])
    labels = np.array([[[n, 1.0]], [[2.0, n]]])
    known = nowcast.Known(labels, np.array([[50.0, 60.0]]), weight, np.array([0]), np.zeros((2, 1, 2)))
    one = np.ones((1, 1))
    for what, expected in (
        ((one, 0 * one, 0 * one), 2 * n + 1),
        ((0 * one, one, 0 * one), 6 + n),
        ((0 * one, 0 * one, one), 110),
    ):
        assert nowcast.total(known, nowcast.Sum(*what)) == expected


# Groups of scores, and many hypotheses.


@pytest.mark.parametrize("seed", range(8))
def test_groups_that_are_fixed_fall_where_pandas_cuts(seed):
    """pandas: `cut` puts every bin (by its lower edge) into a group; edges that part no bins make no group."""
    rng = np.random.default_rng(seed)
    lower = np.sort(rng.choice(np.arange(1000), 40, replace=False)) / 1000
    edges = np.sort(rng.choice(np.arange(1, 1000), 9, replace=False)) / 1000
    inner = drift.fixed_groups(edges, lower)
    found = np.searchsorted(inner, np.arange(40), side="right")
    theirs = pd.cut(lower, [-1, *edges, 2], right=False, labels=False)
    np.testing.assert_array_equal(found, np.unique(theirs, return_inverse=True)[1])


@pytest.mark.parametrize(
    ("edges", "lower", "inner"),
    [
        ([0.5], [], [0]),
        ([0.5], [0.0], [1]),
        ([0.2, 0.2], [0.0, 0.2], [1, 2]),
        ([0.1, 0.11], [0.0, 0.2, 0.4], [1, 3]),
        ([0.1 + 0.2], [0.0, 0.3], [1]),
        ([], [0.0, 0.3], []),
    ],
    ids=["no bin", "one bin", "tied edges", "edges in one coarse bin", "an edge in decimals", "no edge"],
)
def test_groups_that_are_fixed_at_their_ends(edges, lower, inner):
    assert drift.fixed_groups(edges, lower).tolist() == inner


@pytest.mark.parametrize("k", [1, 5, 40])
def test_benjamini_yekutieli_equals_statsmodels(k):
    p = np.random.default_rng(k).beta(0.3, 3, k)
    p[: k // 3] = p[0]
    np.testing.assert_array_equal(multiplicity.benjamini_yekutieli(p, 0.1), multipletests(p, 0.1, method="fdr_by")[0])
    broken = np.append(p, np.nan)
    np.testing.assert_array_equal(
        multiplicity.benjamini_yekutieli(broken, 0.1), [*multiplicity.benjamini_yekutieli(p, 0.1), False]
    )
