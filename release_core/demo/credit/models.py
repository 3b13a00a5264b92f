"""Takes account-months and gives the four scores of the credit releases, from models trained on the fitting half."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from release_core.demo.credit.account_months import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FITTED_ON = ["2005-04", "2005-05"]
RECALIBRATED_ON = ["2005-06"]
WORDS = {
    "lr": "the champion, a logistic regression",
    "hgb": "the challenger, gradient boosting",
    "balanced": "gradient boosting with balanced weights",
}
# Small trees, slowly, until a tenth of the fitting half held back for stopping gains nothing more.
BOOSTING = {"learning_rate": 0.06, "max_iter": 200, "max_leaf_nodes": 15, "random_state": 0}


def score(frame: pd.DataFrame, tell: Callable[[float, str], None]) -> pd.DataFrame:
    """Return the reviewed account-months with four more columns: lr, hgb, balanced, recalibrated, in (0, 1).

    `frame` is what `account_months.read` gives; `tell` hears the share done, 0 to 1, and what is being done.
    """
    fitting, reviewed = frame[~frame["reviewed"]], frame[frame["reviewed"]].reset_index(drop=True)
    training = fitting[fitting["month"].isin(FITTED_ON)]
    models = _models()
    # One thread: as fast on so few rows, and twice as fast where another program wants the cores.
    with threadpool_limits(limits=1):
        for number, (name, model) in enumerate(models.items()):
            tell(number / (len(models) + 1), f"training {WORDS[name]}")
            model.fit(training[FEATURES], training["late"])
            reviewed[name] = _predicted(model, reviewed)
        tell(len(models) / (len(models) + 1), "recalibrating on June")
        june = fitting[fitting["month"].isin(RECALIBRATED_ON)]
        x, y = isotonic_map(_predicted(models["balanced"], june), june["late"].to_numpy())
    return reviewed.assign(recalibrated=np.interp(reviewed["balanced"], x, y))


def isotonic_map(
    scores: NDArray[np.float64], labels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corner points of a strictly increasing map from score to probability, both in [0, 1].

    The map joins the centres of the blocks of an isotonic regression by straight lines (centred isotonic
    regression; Oron and Flournoy 2017). The blocks themselves are plateaus: every score inside one would tie,
    a cutoff inside one could not be carried over, and a recalibration would silently change actions.
    Blocks that hold one label only say 0 or 1; they are left to the end lines, which halve the distance to
    certainty and so never reach it.
    """
    fitted = IsotonicRegression().fit_transform(scores, labels)
    centres = pd.Series(scores).groupby(fitted).mean()
    centres = centres[(centres.index > 0.0) & (centres.index < 1.0)]
    y = centres.index.to_numpy()
    return np.r_[0.0, centres, 1.0], np.r_[y[0] / 2, y, (1.0 + y[-1]) / 2]


def _predicted(model: Any, frame: pd.DataFrame) -> NDArray[np.float64]:  # noqa: ANN401 - scikit-learn has no types
    predicted: NDArray[np.float64] = model.predict_proba(frame[FEATURES])[:, 1]
    return predicted


def _models() -> dict[str, Any]:
    return {
        "lr": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "hgb": HistGradientBoostingClassifier(**BOOSTING),
        "balanced": HistGradientBoostingClassifier(**BOOSTING, class_weight="balanced"),
    }
