"""A fitted map and a release in, the files of its recalibration release out: manifest, map, and how to score the logs.

Nothing is applied: another system scores the logs with the map, and the release is reviewed like any other.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from string import Template
from typing import TYPE_CHECKING, Any

from release_core.manifest.derive import MANIFEST, Derived, manifest_text, row_names
from release_core.release import VERSIONS, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_core.release import CutoffTable, Release

MAP, README = "calibration.json", "README.txt"
SCORED = "recalibrated"
DECISIONS = "decisions/**/*"
CLIP = 1e-7
# The map of each method in words, and as the line of the script that computes p from s and x.
FORMULAS = {
    "intercept": ("logit p = a + x", "p = 1 / (1 + np.exp(-(par['a'] + x)))"),
    "platt": ("logit p = a + b x", "p = 1 / (1 + np.exp(-(par['a'] + par['b'] * x)))"),
    "beta": (
        "logit p = c + a ln s - b ln(1 - s)",
        "p = 1 / (1 + np.exp(-(par['c'] + par['a'] * np.log(s) - par['b'] * np.log1p(-s))))",
    ),
    "isotonic": (
        "p is linear in s between the knots (s, p), and constant beyond the outermost",
        "p = np.interp(s, *np.array(told['knots']).T)",
    ),
}


README_TEXT = """\
Recalibration release $id
$line

From calibration $before to $after of model $model: the map is applied to the score that $before gives.
Proposed, not applied.

release.toml      the release: candidate of $parent against the same with the new calibration and its cutoffs carried over
calibration.json  the map, where it was fitted and judged, and the cutoffs before and after

What to do
1. Put this folder beside the folder $folder.
2. Score the decisions log: write each file of $folder again into decisions/ of this folder, with
   $more.
   The script below does it for Parquet and CSV; run it in this folder. The outcomes are read where they are.
3. Open the release: its gates judge that no order of scores is reversed, that the cutoffs are carried over, and that the
   new score is calibrated. Nothing is in force before it is signed off and deployed.

```python
import json
from pathlib import Path

import numpy as np
import pandas as pd

told = json.loads(Path("calibration.json").read_text())
par, root = told["parameters"], Path("$root")


def recalibrate(score):
    s = np.clip($risk, told["score"]["clip"], 1 - told["score"]["clip"])
    x = np.log(s / (1 - s))
    $code
    return $back


for path in sorted(root.glob("$path")):
    if path.suffix not in {".parquet", ".csv"}:
        continue
    log = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
$score
    to = Path("decisions") / path.relative_to(root / "$base")
    to.parent.mkdir(parents=True, exist_ok=True)
    log.to_parquet(to) if path.suffix == ".parquet" else log.to_csv(to, index=False)
```
"""


# What the script adds, in words and in code: a column, or in the long layout a row per event.
WIDE = (
    "one more column ${scored}_score",
    """\
    log["${scored}_score"] = recalibrate(log["$column"].to_numpy(float))""",
)
LONG = (
    'one more row for every row of the candidate: version "$scored", with the new score',
    """\
    mine = log[log["$version"].astype(str).str.strip().str.casefold().isin($names)]
    mine = mine.assign(**{"$version": "$scored", "$column": recalibrate(mine["$column"].to_numpy(float))})
    log = pd.concat([log, mine], ignore_index=True)""",
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new calibration: its id, the candidate's cutoffs on its scale, and the facts of the map (method, fit, judged)."""

    calibration: str
    table: CutoffTable
    facts: Mapping[str, Any]


def derived(release: Release, proposal: Proposal) -> Derived:
    """Return the recalibration release: the candidate's bundle, and the same with a new calibration and carried cutoffs."""
    before = release.candidate
    after = replace(before, calibration=proposal.calibration, thresholds=proposal.table.id)
    fitted = ", ".join(proposal.facts["fit"]["windows"])
    note = (
        f"Fitted by {proposal.facts['method']} on {fitted} of {release.id}, labels as of {proposal.facts['as_of']}; the map "
        f"is in {MAP}. Its decisions are those of {release.id} with one more {_addition(release)}: see {README}."
    )
    return Derived(
        f"{release.id[:60]}-{proposal.calibration}",
        Kind.RECALIBRATION,
        f"{release.title}: recalibration of {before.model} by {proposal.calibration}",
        before,
        after,
        ("candidate", _scored(release)),
        note,
        (proposal.table,),
        decisions=DECISIONS,
        how=(
            f"switch the map {proposal.calibration} off and load cutoff table {before.thresholds}; the model does not change"
        ),
    )


def files(release: Release, proposal: Proposal) -> dict[str, str]:
    """Return the files of the release by path; the same proposal always gives the same text.

    Raises:
        ManifestError: the parent's manifest can no longer be read.
    """
    one = derived(release, proposal)
    return {
        f"{one.id}/{MANIFEST}": manifest_text(release, one),
        f"{one.id}/{MAP}": json.dumps(_map(release, proposal), indent=1, allow_nan=False) + "\n",
        f"{one.id}/{README}": _readme(release, one, proposal),
    }


def _map(release: Release, proposal: Proposal) -> dict[str, Any]:
    """Return the content of calibration.json: everything that another system needs to apply the map, and its origin."""
    method = proposal.facts["method"]
    table = release.tables[release.candidate.thresholds]
    return {
        "schema": 1,
        "id": proposal.calibration,
        "model": release.candidate.model,
        "after": release.candidate.calibration,
        "release": release.id,
        "manifest_hash": release.manifest_hash,
        "score": {
            "column": _column(release),
            "higher_is": "riskier" if release.scale.riskier == "higher" else "safer",
            "clip": CLIP,
        },
        "formula": (
            f"s = score clipped to [{CLIP:g}, 1 - {CLIP:g}], x = ln(s / (1 - s)); {FORMULAS[method][0]}; "
            "round p to 12 decimals. Where higher is safer: s = 1 - score, and the new score is 1 - p."
        ),
        **proposal.facts,
        "cutoffs": {
            "rule": "equal_alert_rate",
            "from": _cutoffs(table),
            "to": _cutoffs(proposal.table),
        },
    }


def _cutoffs(table: CutoffTable) -> dict[str, Any]:
    rows = [{"where": dict(row.where), **dict(row.cutoffs)} for row in table.segments]
    return {"id": table.id, "default": dict(table.default), "segments": rows}


def _long(release: Release) -> bool:
    return release.decisions.layout == "long"


def _addition(release: Release) -> str:
    scored = _scored(release)
    return f"row per event, version {scored}" if _long(release) else f"column, {scored}_score"


def _scored(release: Release) -> str:
    """Return the name of the new score: one that the log has not, as it has when a recalibration is recalibrated."""
    source = release.decisions
    taken = {name for _, names in source.versions for name in names}
    taken |= {name.removesuffix("_score") for _, name in source.columns}
    names = (SCORED + (str(number) if number > 1 else "") for number in itertools.count(1))
    return next(name for name in names if name not in taken)


def _column(release: Release) -> str:
    name = "score" if _long(release) else "candidate_score"
    return dict(release.decisions.columns).get(name, name)


def _base(path: str) -> str:
    """Return the folders of a glob before its first wildcard.

    >>> _base("decisions/*.parquet"), _base("log.csv"), _base("**/*")
    ('decisions', '.', '.')
    """
    fixed: list[str] = []
    for part in path.split("/")[:-1]:
        if any(mark in part for mark in "*?["):
            break
        fixed.append(part)
    return "/".join(fixed) or "."


def _readme(release: Release, one: Derived, proposal: Proposal) -> str:
    turn, path = release.scale.riskier == "lower", release.decisions.path
    more, code = LONG if _long(release) else WIDE
    version = dict(release.decisions.columns).get("version", "version")
    names = [name.casefold() for name in row_names(release, VERSIONS[1])]
    score, more = (
        Template(text).safe_substitute(column=_column(release), version=version, names=names, scored=_scored(release))
        for text in (code, more)
    )
    root = "/" if path.startswith("/") else f"../{release.folder.name}"
    return Template(README_TEXT).substitute(
        id=one.id,
        line="=" * (22 + len(one.id)),
        before=one.baseline.calibration,
        after=one.candidate.calibration,
        model=one.baseline.model,
        parent=release.id,
        folder=release.folder.name,
        risk="1 - score" if turn else "score",
        back="1 - np.round(p, 12)" if turn else "np.round(p, 12)",
        code=FORMULAS[proposal.facts["method"]][1],
        root=root,
        path=path.lstrip("/"),
        base=_base(path.lstrip("/")),
        more=more,
        score=score,
    )
