"""Every public function of `release_core.stats` and what it is checked against: read and demanded by `test_oracles.py`.

A row names functions of one module, the independent library, published table or other computation that they must agree
with, and the test files that compare them. `tests/stats/proofs` has every function on every hard case (one class, ties,
NaN, weights, n = 0, 1 and 5, base rate 0.1%) beside its oracle, run by `test_hard_cases.py`; a case that does not exist
for a function is said not to, and why. The files named here hold what goes beyond: tables, coverage, error rates, laws.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """Functions of a module, what they are compared with, and the test files that do so beside `test_hard_cases.py`."""

    module: str
    functions: str
    oracle: str
    tests: str


ROWS = tuple(
    Row(*row)
    for row in (
        ("agreement", "kappa spearman", "scikit-learn, statsmodels; scipy", "agreement"),
        ("arms", "between", "a jackknife written out", "arms"),
        ("arms", "stratified", "statsmodels: least squares with a constant per step; scipy: error of means", ""),
        ("arms", "adjusted balanced", "numpy's line over entities; the stated false-alarm rate", "arms"),
        ("arms", "slope foretold", "statsmodels: least squares; pandas", ""),
        ("arms", "split_p", "scipy: chi-squared", "arms"),
        ("arrays", "floats ratio only or_zero below above at_or_above", "numpy", "arrays"),
        ("average_precision", "average_precision average_precision_bracket", "scikit-learn", "average_precision"),
        ("budgets", "onset", "scipy: binomial tail and Student's t; the stated false-alarm rate", "budgets"),
        ("calibration", "oe_ratio oe_interval", "statsmodels: exact and score interval", "calibration"),
        ("calibration", "brier log_loss brier_skill base_rate_log_loss", "scikit-learn", "calibration"),
        ("calibration", "spiegelhalter", "the sum over single events; one calibrated score in twenty", "calibration"),
        ("calibration", "design_effect", "1 for independent events, and how it grows", "calibration"),
        ("calibration_error", "calibration_error", "scikit-learn; the printed formula", "calibration_error"),
        ("capacity", "within_capacity", "scipy: linear programming", "capacity"),
        ("corp", "recalibrated", "scikit-learn: isotonic regression", "corp"),
        ("corp", "corp_brier corp_log_loss", "model-diagnostics", "corp"),
        ("corp", "overfit", "scikit-learn: isotonic regression; coverage in simulation", "corp"),
        ("corp", "brier_of log_loss_of", "scikit-learn, bin by bin", ""),
        ("corp", "consistency_band calibrated_mcb", "scipy: binomial quantiles; coverage in simulation", "corp"),
        ("corp", "consistency_curve", "consistency_band on the same draws", "corp"),
        ("cutoff_pairs", "running priced", "costs of single events; numpy", "cutoff_pairs"),
        ("cutoff_pairs", "priced_each at", "costs of single events; one value after the other", ""),
        ("cutoff_pairs", "by_action moves cheapest cost_at moving", "costs of single events; scikit-learn", "cutoff_pairs"),
        ("cutoff_pairs", "indistinguishable spread_of_optima", "coverage in simulation; brute force", "cutoff_pairs"),
        ("cutoff_pairs", "mean_cost lowest_alike", "numpy: the mean over events; single events", ""),
        ("cutoffs", "unit_costs", "none: it hands over what the manifest declares", ""),
        ("cutoffs", "cheapest_edge", "the edge that `optimum` names; brute force", ""),
        ("cutoffs", "below_edges", "scikit-learn: confusion matrix of every cutoff", ""),
        ("cutoffs", "value_recall", "scikit-learn: recall weighted by amount", "cutoffs"),
        ("cutoffs", "action_cost optimum least_cost_bound", "sums over single events; brute force", "cutoffs"),
        ("cutoffs", "outcome_cost", "sums over single events", ""),
        ("cutoffs", "two_actions three_actions", "cheapest action at every chance, by brute force", "cutoffs"),
        ("decisions", "precision recall fpr share", "scikit-learn", "decisions"),
        ("decisions", "wilson clopper_pearson jeffreys", "statsmodels", "decisions"),
        ("decisions", "share_interval", "statsmodels: Wilson of as many, Clopper-Pearson of unseen ones; coverage", "decisions intervals"),
        ("decisions", "newcombe", "Newcombe's published table; statsmodels", "decisions"),
        ("decisions", "bonett_price paired_interval", "coverage by complete enumeration", "decisions intervals"),
        ("decisions", "moved_interval", "bonett_price of the same events; coverage", "intervals"),
        ("decisions", "mcnemar", "statsmodels", "decisions"),
        ("delay", "known_share completeness", "statsmodels: survival in reverse time", "delay"),
        ("delay", "risk_sets product_after", "statsmodels: survival in reverse time", ""),
        ("development", "ladder over_dispersion outlook at_ages predicted", "statsmodels: Poisson; coverage", "development"),
        ("development", "link_variance younger", "statsmodels: Greenwood; pandas", ""),
        ("development", "pace mack", "false alarms in simulation; Mack's published table", "development"),
        ("drift", "quantile_groups psi", "scipy: both divergences; null distribution", "drift"),
        ("drift", "fixed_groups", "pandas: cut", ""),
        ("drift", "ks_drift wasserstein jensen_shannon", "scipy", "drift"),
        ("drift", "mass_near quantile density equal_alert_rate", "single events; numpy: quantile", "drift"),
        ("forecast", "chance when", "scipy: negative binomial; coverage", "nowcast"),
        ("grid", "top_bin bin_of edges lower_edge log_odds centre coarsen coarsen_sums", "the formula in decimals", "grid"),
        ("histograms", "quantile interval share_above", "scipy: quantile test; numpy", "serving"),
        ("intervals", "jackknife", "error of group means; coverage", "intervals"),
        ("intervals", "critical interval p_above p_from_bound logit_interval", "scipy", "intervals"),
        ("intervals", "amount_interval", "scipy: Student's t; coverage in simulation", ""),
        ("intervals", "design_effect effective_size", "closed forms", "intervals"),
        ("intervals", "events_needed minimum_provable_margin", "power in simulation", "intervals"),
        ("logistic", "calibration_intercept cox", "statsmodels: logistic regression", "logistic"),
        ("logistic", "sigmoid", "scipy: expit; numpy: logaddexp", "logistic"),
        ("mix", "kitagawa simpson", "Berkeley admissions (published); parts add up", "mix"),
        ("mix", "breslow_day", "statsmodels: stratified tables", "mix"),
        ("multiplicity", "holm holm_levels benjamini_hochberg", "statsmodels; published example", "multiplicity"),
        ("multiplicity", "benjamini_yekutieli", "statsmodels", ""),
        ("nowcast", "weight of bounds ready", "binomial and paired errors; statsmodels: Wilson; coverage", "nowcast"),
        ("nowcast", "total", "sums over labels", ""),
        ("offsets", "penalised offsets", "statsmodels: logistic regression with offset, random effects", "offsets"),
        ("pooling", "shrink errors", "statsmodels: Paule and Mandel; scipy: integral over the prior", "pooling"),
        ("queues", "growth hours_to fan", "a walk step by step", "serving"),
        ("ranking", "sweep roc_curve precision_recall_curve", "scikit-learn", "ranking"),
        ("ranking", "auc ks_separation", "scikit-learn; scipy", "ranking"),
        ("ranking", "auc_bracket ks_bracket", "values of single events lie inside", "ranking"),
        ("ranking", "delong_variance delong_covariance difference_se", "statsmodels; the midrank formula", "ranking"),
        ("ranking", "auc_interval", "statsmodels: Wilson of as many, Clopper-Pearson of unseen ones; coverage", "ranking intervals"),
        ("ranking", "auc_difference_interval", "statsmodels: with further events; coverage", "ranking"),
        ("ranking", "ks_interval", "statsmodels: Wilson; scipy: Smirnov's bound; coverage", "ranking"),
        ("rates", "poisson", "statsmodels: exact interval", "serving"),
        ("rates", "dispersion dispersion_of_means", "statsmodels: binomial regression; scipy: analysis of variance", "serving"),
        ("rates", "mover", "Newcombe's interval of two Wilson intervals", "serving"),
        ("recalibration", "fit", "scikit-learn: Platt, isotonic, beta; statsmodels", "recalibration"),
        ("recalibration", "refusal advised plateaus moved", "single scores through the map", "recalibration"),
        ("selection", "of_class of_acted auc_range", "all completions by brute force", "selection"),
        ("selection", "hajek horvitz_thompson holdout_reach", "statsmodels: weighted", "selection"),
        ("sequential", "asymptotic asymptotic_evidence", "GrowthBook's published numbers", "sequential"),
        ("sequential", "tuned normal_evidence normal_reach", "reference numbers of confseq", "sequential"),
        ("sequential", "share_evidence share_bounds", "scipy: marginal likelihoods; coverage over all looks", "sequential"),
        ("sequential", "event_arm rate_ratio_bounds leans", "one another; error and power over all looks", "sequential"),
        ("sequential", "excess_evidence rate_ratio_least", "scipy: integral over the prior; error over looks", "sequential"),
        ("sequential", "split_evidence", "scipy: Dirichlet-multinomial; error over all looks", "sequential"),
        ("sequential", "first_alarm running", "written out", "sequential"),
        ("shapley", "players shares interactions path order_range", "the average over all orders", "shapley"),
        ("slices", "search explained confirm left_over", "brute force over raw rows", "slices"),
        ("standard_errors", "share average_precision ks_separation psi", "one event more by numpy, scipy; redrawn logs", "standard_errors"),
        ("standard_errors", "calibration_intercept cox", "statsmodels: robust covariance; redrawn logs", "standard_errors"),
        ("standard_errors", "mcb_brier mcb_log_loss", "model-diagnostics with one event more; redrawn logs", "standard_errors"),
        ("transfer", "equal_precision equal_loss", "brute force over all edges", "transfer"),
        ("transfer", "equal_loss_ends", "statsmodels: McNemar's test at every edge; coverage in simulation", "transfer"),
        ("transfer", "mean_se precision_se", "scipy: standard error; spread over samples", "transfer"),
    )
)  # fmt: skip
