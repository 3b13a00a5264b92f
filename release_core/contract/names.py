"""The columns that we want and the ones that a file has in, which serves which out: declared, same or known names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from release_core.contract.columns import Column, Log

# Where several names of one file could serve the same column, the one that stands first here does.
EVENT = {
    "event_id": (
        *("prediction_id", "prediction_id_column_name", "predictionId"),  # Arize
        *("event_id_col", "__event_id"),  # Fiddler
        *("id_column", "id"),  # Evidently
        *("join_column", "identifier"),  # NannyML
        *("eventId", "inferenceId", "inference_id"),  # SageMaker
    ),
    "event_time": (
        *("prediction_ts", "prediction_timestamp", "timestamp_column_name"),  # Arize, NannyML
        *("event_ts_col", "event_ts", "event_timestamp", "fiddler_timestamp", "__occurred_at"),  # Fiddler
        *("timestamp", "datetime"),  # Evidently, NannyML
        *("inferenceTime", "inference_time", "capture_time"),  # SageMaker
    ),
}
VERSIONED = {
    "version": (
        "model_version",  # Arize
        *("variantName", "variant_name"),  # SageMaker
        *("model_id", "service.version"),  # Aequitas, OpenTelemetry
    ),
    "score": (
        *("prediction_score", "outputs"),  # Arize, Fiddler
        *("prediction_probas", "prediction_proba"),  # Evidently
        *("y_pred_proba", "probability_attribute", "probability"),  # NannyML, SageMaker
    ),
    "action": (
        *("decision", "decisions"),  # Fiddler
        *("prediction_label", "prediction_labels"),  # Arize, Evidently
        *("y_pred", "inference_attribute"),  # NannyML, SageMaker
    ),
    "reason": ("reason_code",),
    "latency_ms": (),
    "fallback": (),
    "error": (),
    "cost": (),
}
OUTCOMES = {
    "event_id": EVENT["event_id"],
    "outcome": (),
    "value": (
        *("actual_label", "prediction_actual"),  # Arize
        *("target", "targets", "y_true"),  # Evidently, Fiddler, NannyML
        *("ground_truth_attribute", "ground_truth", "groundTruthData"),  # SageMaker
        *("label_value", "label"),  # Aequitas
    ),
    "observed_at": ("label_time", "actual_timestamp", "update_time", *EVENT["event_time"]),
}
RUNTIME = {"sampled_at": EVENT["event_time"]}
PREFIXES = {"baseline": ("baseline", "champion"), "candidate": ("candidate", "challenger")}


@dataclass(frozen=True, slots=True)
class Names:
    """Which of a file's columns serves each of ours; `guessed` holds ours that were found by a vendor's name."""

    theirs: dict[str, str]
    guessed: frozenset[str]

    @property
    def mapped(self) -> dict[str, str]:
        """Return ours -> theirs where the two differ."""
        return {ours: theirs for ours, theirs in self.theirs.items() if ours != theirs}


def match(wanted: Sequence[Column], available: Sequence[str], declared: Mapping[str, str], log: Log) -> Names:
    """Return which available column serves each wanted one.

    First what the manifest declares ("": nothing serves it), then the same name, then a known vendor's name in any
    case; a column that serves already is not guessed to be a second one.
    """
    wanted = [column for column in wanted if declared.get(column.name) != ""]
    found = {c.name: declared[c.name] for c in wanted if declared.get(c.name) in available}
    found |= {c.name: c.name for c in wanted if c.name not in found and c.name in available}
    spellings: dict[str, str] = {}
    for name in available:
        spellings.setdefault(name.strip().casefold(), name)
    guessed = []
    for column in wanted:
        if column.name in found:
            continue
        free = (spellings.get(name.casefold()) for name in _known_names(column, log))
        theirs = next((name for name in free if name and name not in found.values()), None)
        if theirs is not None:
            found[column.name] = theirs
            guessed.append(column.name)
    return Names({c.name: found[c.name] for c in wanted if c.name in found}, frozenset(guessed))


def single_scores(available: Sequence[str]) -> list[str]:
    """Return the columns that hold one score without saying whose: usable in the long layout only."""
    known = {name.casefold() for name in ("score", *VERSIONED["score"])}
    return [name for name in available if name.strip().casefold() in known]


def _known_names(column: Column, log: Log) -> Iterator[str]:
    yield column.name
    if log == "outcomes":
        yield from OUTCOMES.get(column.name, ())
    elif log == "runtime":
        yield from RUNTIME.get(column.name, ())
    elif column.version and column.field:
        yield from _sided(column.version, column.field)
    else:
        yield from EVENT.get(column.name, VERSIONED.get(column.name, ()))


def _sided(version: str, field: str) -> Iterator[str]:
    """Yield names such as champion_score or y_pred_proba_challenger."""
    for name in (field, *VERSIONED[field]):
        for side in PREFIXES[version]:
            yield from (f"{side}_{name}", f"{name}_{side}")
