"""An outcomes log in, what makes a label and when it is mature out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.contract.columns import columns
from release_core.contract.names import match
from release_core.contract.raw import open_raw
from release_core.guess.files import file_of, provisional, spread
from release_core.store import quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from release_core.guess.made import Guess, Table
    from release_core.store import Cursor

BAD_WORDS = {
    "chargeback",
    "fraud",
    "confirmed_fraud",
    "bad",
    "default",
    "late",
    "positive",
    "true",
    "1",
    "yes",
    "loss",
    "charged_off",
}
GOOD_WORDS = {
    "legit",
    "good",
    "on_time",
    "reversed",
    "negative",
    "false",
    "0",
    "no",
    "paid",
    "genuine",
    "not_fraud",
    "resolved",
}


def outcomes(cursor: Cursor, files: Sequence[Path], folder: Path, made: Guess) -> None:
    """Find out which outcomes are bad, which are good, and after how many days they are known."""
    release = provisional(made.tables)
    types = open_raw(cursor, file_of(files[0], "outcomes"), folder).types
    names = match(columns(release, "outcomes"), list(types), {}, "outcomes").theirs
    for ours, theirs in names.items():
        if ours != theirs:
            made.said.append(f"{ours} of outcomes is read from {theirs}")
    parts = []
    for file in spread(files):
        sql, _ = open_raw(cursor, file_of(file, "outcomes"), folder).relation(names)
        parts.append((sql, _))
    for number, (sql, params) in enumerate(parts):
        listed = ", ".join(f"{quote(ours)}::varchar as {quote(ours)}" for ours in names)
        cursor.execute(
            f"{'insert into told' if number else 'create or replace temp table told as'} select {listed} from ({sql})",
            params,
        )
    outcome, value = (
        f"{name}" if name in names else "'label'" if name == "outcome" else "null" for name in ("outcome", "value")
    )
    kinds = cursor.rows(
        f"select {outcome} as outcome, {value} as value, count(*) as n from told group by all order by n desc limit 200"
    )
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
        made.said.append(
            f"labels are mature after {made.tables['labels']['maturity_days']} days: 95% of those seen were known by then"
        )
