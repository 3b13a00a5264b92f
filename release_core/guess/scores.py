"""The decisions seen in, the scale of the score and the cutoffs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.release import CUTOFF_ACTIONS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_core.guess.made import Guess
    from release_core.store import Cursor

USUAL_ALERT_RATE = 0.05


def _scores(cursor: Cursor) -> list[str]:
    present = {row["column_name"] for row in cursor.rows("describe mapped")}
    return [name for name in ("baseline_score", "candidate_score", "score") if name in present]


def score(cursor: Cursor, made: Guess) -> None:
    """Find out whether scores are probabilities or points, and which end is risky."""
    every = " union all ".join(f"select try_cast({name} as double) as s from mapped" for name in _scores(cursor))
    row = cursor.rows(
        f"select min(s) as low, max(s) as high, bool_and(s = round(s)) as whole from ({every}) where isfinite(s)"
    )[0]
    if row["low"] is None or (row["low"] >= 0 and row["high"] <= 1):
        made.said.append("scores are probabilities: all lie between 0 and 1")
        return
    low, high = _round_ends(row["low"], row["high"])
    made.tables["score"] = {
        "scale": "points",
        "min": low,
        "max": high,
        "step": 1.0 if row["whole"] else (high - low) / 1000,
    }
    if not row["whole"]:
        del made.tables["score"]["step"]
    safer = _safer(cursor)
    made.tables["score"]["higher_is"] = "safer" if safer else "riskier"
    made.said.append(
        f"scores are points from {low:g} to {high:g}; higher is {'safer' if safer else 'riskier'}, by the outcomes or actions seen"
    )


def _round_ends(low: float, high: float) -> tuple[float, float]:
    """Return limits that later scores will keep too: the next round numbers outside."""
    size = 10.0 ** max(len(str(int(abs(high)))) - 2, 0)
    return (low // size) * size, -(-high // size) * size


def _safer(cursor: Cursor) -> bool:
    """Return whether higher scores go with fewer stopped events."""
    present = {row["column_name"] for row in cursor.rows("describe mapped")}
    for version in ("baseline", "candidate"):
        if {f"{version}_action", f"{version}_score"} <= present:
            row = cursor.rows(
                f"select avg(try_cast({version}_score as double)) filter (where {version}_action <> 'approve') as stopped, "
                f"avg(try_cast({version}_score as double)) filter (where {version}_action = 'approve') as passed from mapped"
            )[0]
            if row["stopped"] is not None and row["passed"] is not None:
                return bool(row["stopped"] < row["passed"])
    return bool(_outcomes_say_safer(cursor, present))


def _outcomes_say_safer(cursor: Cursor, present: set[str]) -> bool:
    tables = {row["name"] for row in cursor.rows("show tables")}
    scores = [name for name in _scores(cursor) if name in present]
    if "told" not in tables or not scores or "event_id" not in present:
        return False
    row = cursor.rows(
        f"select avg(try_cast({scores[0]} as double)) as every, "
        f"avg(try_cast({scores[0]} as double)) filter (where event_id in (select event_id from told)) as told from mapped"
    )[0]
    return row["told"] is not None and row["told"] < row["every"]


def cutoffs(cursor: Cursor, made: Guess) -> None:
    """Take the cutoffs from the logged actions of both versions; without them one that alerts on 5% of the scores."""
    safer = made.tables.get("score", {}).get("higher_is") == "safer"
    logged = {version: _logged(cursor, version, safer=safer) for version in VERSIONS}
    tables = made.tables["thresholds"]
    if logged["baseline"] or logged["candidate"]:
        tables["t1"]["default"] = logged["baseline"] or logged["candidate"]
        made.said.append(f"cutoffs {_words(tables['t1']['default'])}: where the baseline's logged actions begin")
    elif _scores(cursor):
        share = USUAL_ALERT_RATE if safer else 1 - USUAL_ALERT_RATE
        sql = f"select quantile_cont(try_cast({_scores(cursor)[0]} as double), {share}) as at from mapped"
        at = cursor.rows(sql)[0]["at"]
        if at is not None:
            tables["t1"]["default"] = {"review": round(float(at), 6)}
            made.said.append(f"no action is logged: review at {at:.6g}, which 5% of the scores reach: CORRECT THIS")
    if logged["candidate"] and logged["candidate"] != tables["t1"]["default"]:
        tables["t2"] = {"carried_from": "t1", "rule": "equal_alert_rate", "default": logged["candidate"]}
        made.tables["release"]["to"]["thresholds"] = "t2"
        made.said.append(
            f"the candidate's actions begin at {_words(logged['candidate'])}: taken for the same alert rate carried over to its "
            "scores; if that is not so, gate one_kind says it"
        )


def _words(cutoffs: Mapping[str, float]) -> str:
    return " and ".join(f"{action} {at:g}" for action, at in cutoffs.items())


def _logged(cursor: Cursor, version: str, *, safer: bool) -> dict[str, float]:
    """Return the score at which each logged action of a version begins; a block that begins before review is left out."""
    present = {row["column_name"] for row in cursor.rows("describe mapped")}
    if not {f"{version}_action", f"{version}_score"} <= present:
        return {}
    edge, found = "max" if safer else "min", {}
    for action in CUTOFF_ACTIONS:
        sql = f"select {edge}(try_cast({version}_score as double)) as at from mapped where {version}_action = $action"
        at = cursor.rows(sql, {"action": action})[0]["at"]
        if at is not None:
            found[action] = float(at)
    both = len(found) == len(CUTOFF_ACTIONS)
    if both and (found["block"] > found["review"] if safer else found["block"] < found["review"]):
        del found["block"]
    return found
