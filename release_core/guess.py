"""A folder of logs in, a manifest that reads them out, with a sentence for every guess that it rests on."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from release_core import manifest
from release_core.contract.columns import columns, long_columns
from release_core.contract.files import ENDINGS, LogFile, ending
from release_core.contract.names import match
from release_core.contract.raw import open_raw
from release_core.errors import Problem, ReleaseReviewError, SourceError
from release_core.release import CUTOFF_ACTIONS, VERSIONS
from release_core.store import Store, quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from release_core.contract.columns import Log
    from release_core.release import Release
    from release_core.store import Cursor

    Table = dict[str, Any]

LOGS: tuple[Log, ...] = ("decisions", "outcomes", "runtime")
MOST_VALUES, LEAST_VALUES, MOST_DIMS = 50, 2, 8
SAMPLE_FILES = 8
BAD_WORDS = {"chargeback", "fraud", "confirmed_fraud", "bad", "default", "late", "positive", "true", "1", "yes", "loss", "charged_off"}
GOOD_WORDS = {"legit", "good", "on_time", "reversed", "negative", "false", "0", "no", "paid", "genuine", "not_fraud", "resolved"}
DEFAULT_MATURITY = 30
USUAL_ALERT_RATE = 0.05
# (longest span in days, unit of the as-of steps)
SPANS = ((3, "hour"), (64, "day"), (450, "week"), (float("inf"), "month"))


@dataclass
class Guess:
    """A manifest as nested tables, and what it rests on; `said` is in the order in which it was found out."""

    tables: Table
    said: list[str] = field(default_factory=list)


def guess(logs: Path, into: Path) -> Guess:
    """Return a manifest for the log files under `logs`, to stand in the folder `into`.

    Raises:
        SourceError: there is no file of decisions, or it cannot be read.
    """
    found = _classified(logs)
    if not found["decisions"]:
        raise SourceError(_no_decisions(logs))
    made = Guess(_skeleton(into.resolve().name))
    for log in LOGS:
        if found[log]:
            made.tables["source"][log] = {"path": _path(logs, found[log], into)}
            made.said.append(f"{log}: {len(found[log])} files such as {found[log][0].relative_to(logs)}")
    with Store() as store, store.cursor() as cursor, TemporaryDirectory() as folder:
        _decisions(cursor, found["decisions"], Path(folder), made)
        if found["outcomes"]:
            _outcomes(cursor, found["outcomes"], Path(folder), made)
        _score(cursor, made)
        _cutoffs(cursor, made)
    return made


def _no_decisions(logs: Path) -> Problem:
    return Problem(
        str(logs),
        "no log file that looks like decisions",
        f"files ending in {', '.join(ENDINGS)} in a folder `decisions`, or with scores and a time per event",
        "Name the folder that holds the logs.",
    )


def _skeleton(name: str) -> Table:
    identifier = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "release"
    common = {"calibration": "c1", "thresholds": "t1", "policy": "p1"}
    return {
        "schema": 1,
        "release": {
            "id": identifier,
            "kind": "model",
            "title": identifier,
            "from": {"model": "baseline", **common},
            "to": {"model": "candidate", **common},
        },
        "rollback": {"target": "baseline", "how": "describe here what is restored, and how"},
        "source": {},
        "labels": {"positive": ["positive"], "silence": "unknown", "maturity_days": DEFAULT_MATURITY, "steps": "day"},
        "thresholds": {"t1": {"default": {"review": 0.5}}},
        "policy": {"p1": {}},
        "segments": {"dims": [], "min_events": 200},
        "stage": [{"name": "replay"}],
    }


def _classified(logs: Path) -> dict[Log, list[Path]]:
    """Return the log files by log: by the name of a folder or of the file, otherwise by their columns."""
    found: dict[Log, list[Path]] = {log: [] for log in LOGS}
    with Store() as store, store.cursor() as cursor, TemporaryDirectory() as folder:
        for path in sorted(path for path in logs.rglob("*") if path.is_file() and ending(path)):
            if not path.name.startswith((".", "_")):
                found[_log_of(cursor, logs, path, Path(folder))].append(path)
    return found


def _log_of(cursor: Cursor, logs: Path, path: Path, folder: Path) -> Log:
    words = " ".join(path.relative_to(logs).parts).lower()
    for log in LOGS:
        if log.rstrip("s") in words:
            return log
    try:
        names = {name.lower() for name in open_raw(cursor, _file(path), folder).types}
    except SourceError:
        return "decisions"
    if "sampled_at" in names or {"name", "value"} <= names and "event_id" not in names:
        return "runtime"
    return "outcomes" if names & {"outcome", "observed_at", "label", "y_true", "target", "actual_label", "ground_truth"} and not any(
        "score" in name or "proba" in name for name in names
    ) else "decisions"


def _file(path: Path, log: Log = "decisions") -> LogFile:
    return LogFile(path, path.name, log, path.stat().st_size, 0, "")


def _path(logs: Path, files: Sequence[Path], into: Path) -> str:
    """Return the glob of a log's files: from the manifest's folder if they lie in it, else absolute."""
    shared = Path(os.path.commonpath([str(file.resolve().parent) for file in files]))
    listed = files[0].resolve() if len(files) == 1 else shared / "**" / "*"
    inside = into.resolve() in shared.parents or into.resolve() == shared
    del logs
    return listed.relative_to(into.resolve()).as_posix() if inside else listed.as_posix()


def _provisional(tables: Table) -> Release:
    with TemporaryDirectory() as folder:
        (Path(folder) / "release.toml").write_text(manifest.render(tables), encoding="utf-8")
        return manifest.load(Path(folder))


def _decisions(cursor: Cursor, files: Sequence[Path], folder: Path, made: Guess) -> None:
    """Find the columns, the layout and the segments, and keep a sample of the log as the table `seen`."""
    release = _provisional(made.tables)
    types = open_raw(cursor, _file(files[0]), folder).types
    wide = match(columns(release, "decisions"), list(types), {}, "decisions")
    long = match(long_columns(release), list(types), {}, "decisions")
    scored = [version for version in ("baseline", "candidate") if f"{version}_score" in wide.theirs]
    names = wide.theirs
    if not scored and {"version", "score"} <= long.theirs.keys():
        names = long.theirs
        made.tables["source"]["decisions"]["layout"] = "long"
        made.said.append(f"layout long: one row per event and version, told apart by {names['version']}")
    elif not scored:
        names = _two_scores(types, dict(wide.theirs), made)
    for ours, theirs in names.items():
        if ours != theirs:
            made.said.append(f"{ours} is read from {theirs}")
    _sample(cursor, files, folder, names, types)
    _versions(cursor, names, made)
    _time(cursor, names, made)
    _dimensions(cursor, types, set(names.values()), made)


def _two_scores(types: Mapping[str, str], names: dict[str, str], made: Guess) -> dict[str, str]:
    """Take the first two columns whose names speak of a score for baseline and candidate; one alone for the candidate."""
    speaking = [name for name in types if re.search(r"score|proba|risk|pred", name.lower()) and name not in names.values()]
    if not speaking:
        raise SourceError(
            Problem(
                "decisions",
                f"the columns {', '.join(types)}",
                "baseline_score and candidate_score, or a name that says score",
                "Name them in release.toml: [source.decisions] columns = { baseline_score = \"...\" }",
            )
        )
    sides = ("baseline_score", "candidate_score") if len(speaking) > 1 else ("candidate_score",)
    chosen = dict(zip(sides, speaking, strict=False))
    made.tables["source"]["decisions"]["columns"] = chosen
    return names | chosen


def _sample(cursor: Cursor, files: Sequence[Path], folder: Path, names: Mapping[str, str], types: Mapping[str, str]) -> None:
    """Make the table `seen` of the first files' rows, every column as text under its own name."""
    parts = 0
    for file in _spread(files):
        raw = open_raw(cursor, _file(file), folder)
        wanted = {name: name for name in types if name in raw.types}
        sql, params = raw.relation(wanted)
        shown = ", ".join(f"{quote(name)}::varchar as {quote(name)}" if name in wanted else f"null::varchar as {quote(name)}" for name in types)
        verb = "insert into seen" if parts else "create or replace temp table seen as"
        cursor.execute(f"{verb} select {shown} from ({sql})", params)
        parts += 1
    alias = {ours: f"{quote(theirs)}" for ours, theirs in names.items()}
    listed = ", ".join(f"{column} as {quote(ours)}" for ours, column in alias.items())
    cursor.execute(f"create or replace temp view mapped as select {listed} from seen")


def _spread(files: Sequence[Path]) -> list[Path]:
    """Return at most a few files, the first and the last among them."""
    last = len(files) - 1
    places = {round(last * k / (SAMPLE_FILES - 1)) for k in range(SAMPLE_FILES)}
    return [files[place] for place in sorted(places)]


def _versions(cursor: Cursor, names: Mapping[str, str], made: Guess) -> None:
    if "version" not in names:
        return
    found = [row["v"] for row in cursor.rows("select distinct version as v from mapped where version is not null order by v")]
    if set(found) >= {"baseline", "candidate"} or len(found) < LEAST_VALUES:
        return
    made.tables["release"]["from"]["model"], made.tables["release"]["to"]["model"] = found[0], found[1]
    made.tables["rollback"]["target"] = found[0]
    made.said.append(f"versions {', '.join(found)}: {found[0]} is taken for the baseline, {found[1]} for the candidate")


def _time(cursor: Cursor, names: Mapping[str, str], made: Guess) -> None:
    if "event_time" not in names:
        return
    number = cursor.rows("select min(try_cast(event_time as double)) as low, max(try_cast(event_time as double)) as high from mapped")[0]
    if number["low"] is not None and number["low"] > 1e8:  # noqa: PLR2004 - no calendar year is that large
        unit = next(unit for unit, limit in (("s", 1e11), ("ms", 1e14), ("us", 1e17), ("ns", float("inf"))) if number["high"] < limit)
        made.tables["source"]["decisions"]["epoch_unit"] = unit
        days = (number["high"] - number["low"]) / {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit] / 86400
        made.said.append(f"event times are numbers, taken for {unit} since 1970")
    else:
        row = cursor.rows(
            "select epoch(max(try_cast(event_time as timestamptz))) - epoch(min(try_cast(event_time as timestamptz))) as s from mapped"
        )[0]
        days = (row["s"] or 0) / 86400
    made.tables["labels"]["steps"] = next(unit for limit, unit in SPANS if days <= limit)
    made.said.append(f"as-of steps are {made.tables['labels']['steps']}s, since the log spans {days:.0f} days")


def _dimensions(cursor: Cursor, types: Mapping[str, str], taken: set[str], made: Guess) -> None:
    free = [name for name in types if name not in taken and name.isidentifier()]
    chosen = []
    for name in free:
        row = cursor.rows(
            f"select count(distinct {quote(name)}) as n, count(try_cast({quote(name)} as double)) as numbers, "
            f"count({quote(name)}) as filled from seen"
        )[0]
        if LEAST_VALUES <= row["n"] <= MOST_VALUES and not row["numbers"] and row["filled"]:
            chosen.append(name)
            made.said.append(f"{name} is a segment dimension: text with {row['n']} values")
    made.tables["segments"]["dims"] = chosen[:MOST_DIMS]
    if len(chosen) > MOST_DIMS:
        made.said.append(f"left out as dimensions, to keep the cube small: {', '.join(chosen[MOST_DIMS:])}")


def _outcomes(cursor: Cursor, files: Sequence[Path], folder: Path, made: Guess) -> None:
    """Find out which outcomes are bad, which are good, and after how many days they are known."""
    release = _provisional(made.tables)
    types = open_raw(cursor, _file(files[0], "outcomes"), folder).types
    names = match(columns(release, "outcomes"), list(types), {}, "outcomes").theirs
    for ours, theirs in names.items():
        if ours != theirs:
            made.said.append(f"{ours} of outcomes is read from {theirs}")
    parts = []
    for file in _spread(files):
        sql, _ = open_raw(cursor, _file(file, "outcomes"), folder).relation(names)
        parts.append((sql, _))
    for number, (sql, params) in enumerate(parts):
        listed = ", ".join(f"{quote(ours)}::varchar as {quote(ours)}" for ours in names)
        cursor.execute(f"{'insert into told' if number else 'create or replace temp table told as'} select {listed} from ({sql})", params)
    outcome, value = (f"{name}" if name in names else "'label'" if name == "outcome" else "null" for name in ("outcome", "value"))
    kinds = cursor.rows(f"select {outcome} as outcome, {value} as value, count(*) as n from told group by all order by n desc limit 200")
    _label_rules(kinds, made)
    if {"event_id", "observed_at"} <= names.keys():
        _maturity(cursor, made)


def _label_rules(kinds: list[Table], made: Guess) -> None:
    rules = {"positive": BAD_WORDS, "negative": GOOD_WORDS}
    found: dict[str, list[str]] = {name: [] for name in rules}
    for kind in kinds:
        words = [str(kind[name]).strip().lower() for name in ("value", "outcome") if kind[name] is not None]
        text = str(kind["outcome"]) + (f"={kind['value']}" if kind["value"] is not None else "")
        side = next((name for word in words for name, known in rules.items() if word in known), None)
        if side:
            found[side].append(text)
    labels = made.tables["labels"]
    if found["positive"]:
        labels["positive"] = list(dict.fromkeys(found["positive"]))
        made.said.append(f"positive (bad): {', '.join(labels['positive'])}")
    else:
        labels["positive"] = [str(kinds[0]["outcome"])] if kinds else ["positive"]
        made.said.append(f"no outcome has a name that says bad; {labels['positive'][0]} is taken for it: CORRECT THIS")
    if found["negative"]:
        labels["negative"] = list(dict.fromkeys(found["negative"]))
        made.said.append(f"negative (good): {', '.join(labels['negative'])}; silence leaves a label unknown")
    else:
        labels["silence"] = "negative"
        made.said.append("no outcome says good: silence counts as good once an event is mature")


def _maturity(cursor: Cursor, made: Guess) -> None:
    row = cursor.rows(
        """
        select quantile_cont(days, 0.95) as days from (
            select (epoch(try_cast(o.observed_at as timestamptz)) - epoch(try_cast(d.event_time as timestamptz))) / 86400 as days
            from told o join mapped d on d.event_id = o.event_id
        ) where days >= 0
        """
    )[0]
    if row["days"] is not None:
        made.tables["labels"]["maturity_days"] = max(1, round(row["days"]))
        made.said.append(f"labels are mature after {made.tables['labels']['maturity_days']} days: 95 % of those seen were known by then")


def _scores(cursor: Cursor) -> list[str]:
    present = {row["column_name"] for row in cursor.rows("describe mapped")}
    return [name for name in ("baseline_score", "candidate_score", "score") if name in present]


def _score(cursor: Cursor, made: Guess) -> None:
    """Find out whether scores are probabilities or points, and which end is risky."""
    every = " union all ".join(f"select try_cast({name} as double) as s from mapped" for name in _scores(cursor))
    row = cursor.rows(f"select min(s) as low, max(s) as high, bool_and(s = round(s)) as whole from ({every}) where isfinite(s)")[0]
    if row["low"] is None or (row["low"] >= 0 and row["high"] <= 1):
        made.said.append("scores are probabilities: all lie between 0 and 1")
        return
    low, high = _round_ends(row["low"], row["high"])
    made.tables["score"] = {"scale": "points", "min": low, "max": high, "step": 1.0 if row["whole"] else (high - low) / 1000}
    if not row["whole"]:
        del made.tables["score"]["step"]
    safer = _safer(cursor)
    made.tables["score"]["higher_is"] = "safer" if safer else "riskier"
    made.said.append(f"scores are points from {low:g} to {high:g}; higher is {'safer' if safer else 'riskier'}, by the outcomes or actions seen")


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


def _cutoffs(cursor: Cursor, made: Guess) -> None:
    """Take the cutoffs from the logged actions of both versions; without them one that alerts on 5 % of the scores."""
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
            made.said.append(f"no action is logged: review at {at:.6g}, which 5 % of the scores reach: CORRECT THIS")
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


def write(made: Guess, into: Path) -> Path:
    """Write the manifest into the folder `into`, the guesses as comments above it, and return its path.

    Raises:
        ReleaseReviewError: there is one already.
    """
    path = into / "release.toml"
    if path.exists():
        raise ReleaseReviewError(Problem(str(path), "a manifest", "a folder without one", "Move it away, or choose another folder."))
    into.mkdir(parents=True, exist_ok=True)
    comments = "".join(f"#   {line}\n" for line in made.said)
    head = f"# Guessed from the logs; check each line:\n{comments}\n"
    path.write_text(head + manifest.render(made.tables), encoding="utf-8")
    return path
