"""Every public function of `release_core.stats` and what it is checked against: read and demanded by `test_oracles.py`.

A row names functions of one module, the independent library, published table or other computation that they must agree
with, and the test files that compare them. `kind` says which of the hard cases (one class, ties, NaN, weights, n = 0, 1
and 5, base rate 0.1%) there are for such a function; KINDS says why the others do not exist.
"""

from __future__ import annotations

from typing import NamedTuple

KINDS = {
    "scored": "Takes scored and labelled events as counts per bin: all hard cases of CASES, weights as counts; a NaN count "
    "cannot come out of the cube, and where it is given the answer is NaN.",
    "counts": "Takes numbers of events: n = 0, 1, 5, NaN and rare counts; weights are counts that are not whole; ties and "
    "classes belong to whoever counts.",
    "estimate": "Takes an estimate and its error: none known (NaN), an error of 0, few degrees of freedom; it sees no events.",
    "many": "Takes p-values or estimates of many segments: none, one, five, NaN among them, ties; it sees no events.",
    "looks": "Takes counts look by look: no event, one in an arm, rare ones; ties and weights do not exist.",
    "values": "Takes numbers that are no events (costs, values of coalitions, edges): none, one, NaN, ties.",
    "parts": "Sums and cuts arrays for the others: empty and single ones, NaN.",
}


class Row(NamedTuple):
    """Functions of a module, their kind, what they are compared with, and the test files that do so."""

    module: str
    functions: str
    kind: str
    oracle: str
    tests: str


ROWS = tuple(
    Row(*row)
    for row in (
        ("agreement", "kappa spearman", "scored", "scikit-learn, statsmodels; scipy", "agreement hard_cases"),
        ("arms", "between", "counts", "a jackknife written out", "arms"),
        ("arms", "stratified", "counts", "statsmodels: least squares with a constant per step; scipy: error of means", "parts"),
        ("arms", "adjusted balanced", "counts", "numpy's line over entities; the stated false-alarm rate", "arms"),
        ("arms", "slope foretold", "counts", "statsmodels: least squares; pandas", "parts"),
        ("arms", "split_p", "counts", "scipy: chi-squared", "arms"),
        ("arrays", "floats ratio only below above at_or_above", "parts", "numpy", "arrays"),
        ("average_precision", "average_precision average_precision_bracket", "scored", "scikit-learn", "average_precision hard_cases"),
        ("budgets", "onset", "looks", "scipy: binomial tail and Student's t; the stated false-alarm rate", "budgets"),
        ("calibration", "oe_ratio oe_interval", "counts", "statsmodels: exact and score interval", "calibration hard_cases"),
        ("calibration", "brier log_loss brier_skill base_rate_log_loss", "scored", "scikit-learn", "calibration hard_cases"),
        ("calibration", "spiegelhalter", "scored", "the sum over single events; one calibrated score in twenty", "calibration"),
        ("calibration", "design_effect", "counts", "1 for independent events, and how it grows", "calibration"),
        ("calibration_error", "calibration_error", "scored", "scikit-learn; the printed formula", "calibration_error hard_cases"),
        ("capacity", "within_capacity", "values", "scipy: linear programming", "capacity"),
        ("corp", "recalibrated", "scored", "scikit-learn: isotonic regression", "corp"),
        ("corp", "corp_brier corp_log_loss", "scored", "model-diagnostics", "corp hard_cases"),
        ("corp", "brier_of log_loss_of", "scored", "scikit-learn, bin by bin", "parts"),
        ("corp", "consistency_band calibrated_mcb", "scored", "scipy: binomial quantiles; coverage in simulation", "corp"),
        ("corp", "consistency_curve", "scored", "consistency_band on the same draws", "corp"),
        ("cutoff_pairs", "running priced", "values", "costs of single events; numpy", "cutoff_pairs"),
        ("cutoff_pairs", "by_action moves cheapest cost_at moving", "values", "costs of single events; scikit-learn", "cutoff_pairs"),
        ("cutoff_pairs", "indistinguishable spread_of_optima", "values", "coverage in simulation; brute force", "cutoff_pairs"),
        ("cutoff_pairs", "mean_cost lowest_alike", "values", "numpy: the mean over events; single events", "parts"),
        ("cutoffs", "unit_costs", "values", "none: it hands over what the manifest declares", "parts"),
        ("cutoffs", "cheapest_edge", "values", "the edge that `optimum` names; brute force", "parts"),
        ("cutoffs", "below_edges", "scored", "scikit-learn: confusion matrix of every cutoff", "parts"),
        ("cutoffs", "value_recall", "scored", "scikit-learn: recall weighted by amount", "cutoffs"),
        ("cutoffs", "action_cost optimum least_cost_bound", "values", "sums over single events; brute force", "cutoffs"),
        ("cutoffs", "two_actions three_actions", "values", "cheapest action at every chance, by brute force", "cutoffs"),
        ("decisions", "precision recall fpr share", "scored", "scikit-learn", "decisions hard_cases"),
        ("decisions", "wilson clopper_pearson jeffreys", "counts", "statsmodels", "decisions hard_cases"),
        ("decisions", "share_interval", "estimate", "statsmodels: Wilson of as many events; coverage", "decisions intervals hard_cases"),
        ("decisions", "newcombe", "counts", "Newcombe's published table; statsmodels", "decisions hard_cases"),
        ("decisions", "bonett_price paired_interval", "counts", "coverage by complete enumeration", "decisions hard_cases intervals"),
        ("decisions", "moved_interval", "estimate", "bonett_price of the same events; coverage", "intervals"),
        ("decisions", "mcnemar", "counts", "statsmodels", "decisions hard_cases"),
        ("delay", "known_share completeness", "counts", "statsmodels: survival in reverse time", "delay hard_cases"),
        ("delay", "risk_sets product_after", "counts", "statsmodels: survival in reverse time", "parts"),
        ("development", "ladder over_dispersion outlook at_ages predicted", "counts", "statsmodels: Poisson; coverage", "development"),
        ("development", "link_variance younger", "counts", "statsmodels: Greenwood; pandas", "parts"),
        ("development", "pace mack", "counts", "false alarms in simulation; Mack's published table", "development"),
        ("drift", "quantile_groups psi", "scored", "scipy: both divergences; null distribution", "drift hard_cases"),
        ("drift", "fixed_groups", "parts", "pandas: cut", "parts"),
        ("drift", "ks_drift wasserstein jensen_shannon", "scored", "scipy", "drift hard_cases"),
        ("drift", "mass_near quantile density equal_alert_rate", "scored", "single events; numpy: quantile", "drift"),
        ("forecast", "chance when", "counts", "scipy: negative binomial; coverage", "nowcast"),
        ("grid", "top_bin bin_of edges lower_edge log_odds centre coarsen coarsen_sums", "parts", "the formula in decimals", "grid"),
        ("histograms", "quantile interval share_above", "counts", "scipy: quantile test; numpy", "serving"),
        ("intervals", "jackknife", "counts", "error of group means; coverage", "intervals"),
        ("intervals", "critical interval p_above p_from_bound logit_interval", "estimate", "scipy", "intervals hard_cases"),
        ("intervals", "design_effect effective_size", "estimate", "closed forms", "intervals"),
        ("intervals", "events_needed minimum_provable_margin", "estimate", "power in simulation", "intervals hard_cases"),
        ("logistic", "calibration_intercept cox", "scored", "statsmodels: logistic regression", "logistic hard_cases"),
        ("mix", "kitagawa simpson", "counts", "Berkeley admissions (published); parts add up", "mix"),
        ("mix", "breslow_day", "counts", "statsmodels: stratified tables", "mix"),
        ("multiplicity", "holm holm_levels benjamini_hochberg", "many", "statsmodels; published example", "multiplicity"),
        ("multiplicity", "benjamini_yekutieli", "many", "statsmodels", "parts"),
        ("nowcast", "weight of bounds ready", "counts", "binomial and paired errors; statsmodels: Wilson; coverage", "nowcast"),
        ("nowcast", "total", "counts", "sums over labels", "parts"),
        ("offsets", "penalised offsets", "many", "statsmodels: logistic regression with offset, random effects", "offsets"),
        ("pooling", "shrink errors", "many", "statsmodels: Paule and Mandel; scipy: integral over the prior", "pooling"),
        ("queues", "growth hours_to fan", "values", "a walk step by step", "serving"),
        ("ranking", "sweep roc_curve precision_recall_curve", "scored", "scikit-learn", "ranking"),
        ("ranking", "auc ks_separation", "scored", "scikit-learn; scipy", "ranking hard_cases"),
        ("ranking", "auc_bracket ks_bracket", "scored", "values of single events lie inside", "ranking"),
        ("ranking", "delong_variance delong_covariance difference_se", "scored", "statsmodels; the midrank formula", "ranking"),
        ("ranking", "auc_interval", "estimate", "statsmodels: Wilson of as many events; coverage", "ranking intervals hard_cases"),
        ("rates", "poisson", "counts", "statsmodels: exact interval", "serving hard_cases"),
        ("rates", "dispersion dispersion_of_means", "counts", "statsmodels: binomial regression; scipy: analysis of variance", "serving"),
        ("rates", "mover", "estimate", "Newcombe's interval of two Wilson intervals", "serving"),
        ("recalibration", "fit", "scored", "scikit-learn: Platt, isotonic, beta; statsmodels", "recalibration"),
        ("recalibration", "refusal advised plateaus moved", "scored", "single scores through the map", "recalibration"),
        ("selection", "of_class of_acted auc_range", "counts", "all completions by brute force", "selection"),
        ("selection", "hajek horvitz_thompson holdout_reach", "counts", "statsmodels: weighted", "selection hard_cases"),
        ("sequential", "asymptotic asymptotic_evidence", "looks", "GrowthBook's published numbers", "sequential"),
        ("sequential", "tuned normal_evidence normal_reach", "looks", "reference numbers of confseq", "sequential"),
        ("sequential", "share_evidence share_bounds", "looks", "scipy: marginal likelihoods; coverage over all looks", "sequential"),
        ("sequential", "event_arm rate_ratio_bounds leans", "looks", "one another; error and power over all looks", "sequential"),
        ("sequential", "excess_evidence rate_ratio_least", "looks", "scipy: integral over the prior; error over looks", "sequential"),
        ("sequential", "split_evidence", "looks", "scipy: Dirichlet-multinomial; error over all looks", "sequential"),
        ("sequential", "first_alarm running", "parts", "written out", "sequential"),
        ("shapley", "players shares interactions path order_range", "values", "the average over all orders", "shapley"),
        ("slices", "search explained confirm left_over", "many", "brute force over raw rows", "slices"),
        ("transfer", "equal_precision equal_loss", "scored", "brute force over all edges", "transfer"),
        ("transfer", "mean_se precision_se", "counts", "scipy: standard error; spread over samples", "transfer"),
    )
)  # fmt: skip
