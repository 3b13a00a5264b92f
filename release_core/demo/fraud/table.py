"""Columns of one part in, its Parquet files out; text that repeats is written as codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from release_core.demo.fraud.decide import BLOCK, DEVICES, LIST_WORDS, REASONS
from release_core.demo.fraud.outcomes import KINDS, NOTHING, SEEN, VALUES
from release_core.demo.fraud.plan import ORIGIN
from release_core.demo.fraud.population import NAMES
from release_core.demo.fraud.runtime import DEPENDENCIES
from release_core.release import ACTIONS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from release_core.demo.fraud.part import Task
    from release_core.demo.fraud.population import Events

    Array = NDArray[np.float64]
    Codes = NDArray[np.int8]

LETTERS = {"replay": "r", "shadow": "s", "canary": "c", "ab": "a", "full": "f"}
START_US = round(ORIGIN.timestamp() * 1_000_000)


def write_decisions(
    path: Path,
    task: Task,
    events: Events,
    versions: tuple[dict[str, Array], dict[str, Any], dict[str, dict[str, Any]]],
    acted: tuple[Codes, Codes, Codes],
) -> None:
    """Write the decisions of a part; `versions`: scores, (actions, reasons) and calls; `acted`: arm, action meant, taken."""
    (scores, decided, called), (arm, meant, taken) = versions, acted
    n = len(events.time)
    columns: dict[str, pa.Array] = {
        "event_id": _numbered(LETTERS[task.span.stage], np.arange(events.first, events.first + n), 9),
        "event_time": _instants(events.time),
        "stage": _same(task.span.stage, n),
    }
    if task.span.live:
        columns |= {"arm": _words(arm, VERSIONS), "ramp_step": _same(f"{task.share:.2f}", n)}
    columns["entity_id"] = _numbered("c", events.customer, 8)
    columns |= {dim: _words(events.codes[dim], names) for dim, names in NAMES.items()}
    columns["velocity_list"] = _words(events.listed.astype(np.int8), LIST_WORDS)
    columns["device_profile"] = _words(events.device, DEVICES)
    columns["amount"] = pa.array(events.amount)
    columns |= {f"{version}_score": pa.array(scores[version]) for version in VERSIONS}
    columns |= {f"{version}_action": _words(decided[version][0], ACTIONS) for version in VERSIONS}
    columns["action_taken"] = _words(taken, ACTIONS)
    for version in VERSIONS:
        columns[f"{version}_reason"] = _words(decided[version][1], REASONS)
        if called:
            columns |= _served(version, called[version])
    columns["label_propensity"] = pa.array(np.where(meant == BLOCK, SEEN, 1.0))
    _write(path, columns)


def write_outcomes(
    path: Path, task: Task, events: Events, known: tuple[NDArray[np.int64], Codes, Codes, Array]
) -> None:
    """Write what is known of a part's events at the end of the logs."""
    event, kind, value, moment = known
    columns = {
        "event_id": _numbered(LETTERS[task.span.stage], events.first + event, 9),
        "outcome": _words(kind, KINDS),
        "value": _words(np.where(value == NOTHING, -1, value).astype(np.int8), VALUES),
        "observed_at": _instants(moment),
    }
    _write(path, columns)


def write_runtime(path: Path, stage: str, times: Array, gauges: list[tuple[str, str, Array]]) -> None:
    """Write the gauges of a stage, one row per sample, name and arm, in order of time."""
    n, names, arms = len(times), [name for name, _, _ in gauges], [arm for _, arm, _ in gauges]
    place = np.tile(np.arange(len(gauges), dtype=np.int8), n)
    code = np.array([VERSIONS.index(arm) if arm else -1 for arm in arms], np.int8)
    columns = {
        "sampled_at": _instants(np.repeat(times, len(gauges))),
        "stage": _same(stage, n * len(gauges)),
        "arm": _words(code[place], VERSIONS),
        "name": _words(place, names),
        "value": pa.array(np.stack([values for _, _, values in gauges], axis=1).ravel()),
    }
    columns["name"] = columns["name"].cast(pa.string()).dictionary_encode()
    _write(path, columns)


def _served(version: str, call: dict[str, Any]) -> dict[str, pa.Array]:
    return {
        f"{version}_latency_ms": pa.array(call["latency_ms"]),
        f"{version}_fallback": pa.array(call["fallback"]),
        f"{version}_error": _words(call["error"], DEPENDENCIES),
        f"{version}_cost": pa.array(call["cost"]),
    }


def _words(codes: Codes, names: Sequence[str]) -> pa.Array:
    """Return text as codes; a negative code is null."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(names))


def _same(word: str, n: int) -> pa.Array:
    return _words(np.zeros(n, np.int8), (word,))


def _numbered(letter: str, numbers: NDArray[Any], digits: int) -> pa.Array:
    text = pc.utf8_lpad(pa.array(numbers.astype(np.int64)).cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(pa.scalar(letter), text, pa.scalar(""))


def _instants(seconds: Array) -> pa.Array:
    micros = START_US + np.round(seconds * 1_000_000).astype(np.int64)
    return pa.array(micros).cast(pa.timestamp("us", tz="UTC"))


def _write(path: Path, columns: dict[str, pa.Array]) -> None:
    pq.write_table(pa.table(columns), path, compression="zstd")
