"""A release in, the manifests of other releases on the same logs out: what a page found, to be reviewed by itself.

Nothing is applied and nothing is written: the texts are for the reader to put where releases live, each in a folder
of its own beside the parent's, whose logs it reads.
"""

from __future__ import annotations

import io
import zipfile
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from release_core.errors import ManifestError, Problem
from release_core.manifest.text import read, render
from release_core.release import COMPONENTS, VERSIONS, Bundle, Kind
from release_core.worlds import carried_over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_core.release import CutoffTable, Release

    Tables = dict[str, Any]

MANIFEST = "release.toml"
# What the logs say of the parent's own bundles, and a derived release's bundles would have done otherwise.
OWN = ("action", "reason", "latency_ms", "fallback", "error", "cost")
LOGS = ("decisions", "outcomes", "runtime")
SCORED = (Kind.MODEL, Kind.RECALIBRATION)
# The parent's own cases, stages and rules go with the events; what is under review does not.
LEFT = ("thresholds", "policy", "rollback", "release")


@dataclass(frozen=True, slots=True)
class Derived:
    """A release to be written: its bundles, and which of the parent's scores each side reads (None: no log has it).

    `tables` are cutoff tables that the parent does not declare; `extra` are further top-level tables of the manifest;
    `decisions` is where its own decisions will be, from its own folder (empty: the parent's are read), `how` the way back
    (empty: the parent's).
    """

    id: str
    kind: Kind
    title: str
    baseline: Bundle
    candidate: Bundle
    scores: tuple[str | None, str | None]
    note: str
    tables: tuple[CutoffTable, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    decisions: str = ""
    how: str = ""


def manifest_text(release: Release, derived: Derived) -> str:
    """Return the manifest of `derived` as TOML: the parent's declarations with another change under review.

    Raises:
        ManifestError: the parent's manifest can no longer be read.
    """
    problems: list[Problem] = []
    parent = read(release.folder / MANIFEST, problems)
    if problems:
        raise ManifestError(*problems)
    return render(_tables(release, parent, derived))


def _tables(release: Release, parent: Mapping[str, Any], derived: Derived) -> Tables:
    kept: Tables = {key: deepcopy(value) for key, value in parent.items() if key not in LEFT}
    head: Tables = {"schema": kept.pop("schema"), "release": _head(parent, derived)}
    head["rollback"] = dict(parent["rollback"]) | {"target": getattr(derived.baseline, derived.kind.component)}
    head["rollback"].pop("drill", None)
    head["rollback"]["how"] = derived.how or parent["rollback"]["how"]
    head["thresholds"] = _thresholds(parent, derived)
    head["policy"] = {name: parent["policy"][name] for name in _used(derived, "policy") if name in parent["policy"]}
    about = dict(kept.pop("about", {}))
    about["note"] = " ".join(part for part in (derived.note, about.get("note", "")) if part)
    return (
        head
        | {"about": about, "source": _source(release, kept.pop("source", {}), derived)}
        | kept
        | dict(derived.extra)
    )


def _head(parent: Mapping[str, Any], derived: Derived) -> Tables:
    sides = {"from": derived.baseline, "to": derived.candidate}
    bundles = {name: {part: getattr(bundle, part) for part in COMPONENTS} for name, bundle in sides.items()}
    told = {key: value for key, value in parent["release"].items() if key in {"owner", "materiality", "house"}}
    return {"id": derived.id, "kind": str(derived.kind), "title": derived.title, **told, **bundles}


def _used(derived: Derived, component: str) -> list[str]:
    return list(dict.fromkeys(getattr(bundle, component) for bundle in (derived.baseline, derived.candidate)))


def _thresholds(parent: Mapping[str, Any], derived: Derived) -> Tables:
    """Return the cutoff tables of both bundles; one is carried over only from a table that is there too."""
    new = {table.id: table_of(table) for table in derived.tables}
    found = {name: new.get(name) or dict(parent["thresholds"][name]) for name in _used(derived, "thresholds")}
    for table in found.values():
        if table.get("carried_from") not in found:
            for key in ("carried_from", "rule", "replay_set", "carried_by"):
                table.pop(key, None)
    return found


def table_of(table: CutoffTable) -> Tables:
    """Return a cutoff table as a manifest declares it."""
    told: Tables = {"default": dict(table.default)}
    carried = {"carried_from": table.carried_from, "rule": table.rule, "replay_set": table.replay_set}
    carried["carried_by"] = table.carried_by
    told |= {key: value for key, value in carried.items() if value is not None}
    if table.segments:
        told["segment"] = [{"where": dict(row.where), **dict(row.cutoffs)} for row in table.segments]
    return told


def _source(release: Release, source: Mapping[str, Any], derived: Derived) -> Tables:
    """Return where the logs are, seen from a folder beside the parent's, and which of their columns are read as what."""
    told: Tables = {log: dict(source.get(log, {})) for log in LOGS if getattr(release, log) is not None}
    for log, table in told.items():
        path = getattr(release, log).path
        table["path"] = path if PurePath(path).is_absolute() else f"../{release.folder.name}/{path}"
    if derived.decisions:
        told["decisions"]["path"] = derived.decisions
    if release.decisions.layout == "long":
        return told | {"decisions": told["decisions"] | _rows(release, told["decisions"], derived)}
    declared = dict(release.decisions.columns)
    columns = dict(told["decisions"].get("columns", {}))
    for side, score in zip(VERSIONS, derived.scores, strict=True):
        columns[f"{side}_score"] = "" if score is None else declared.get(f"{score}_score", f"{score}_score")
        columns |= {f"{side}_{name}": "" for name in OWN}
    told["decisions"]["columns"] = columns
    return told


def _rows(release: Release, source: Mapping[str, Any], derived: Derived) -> Tables:
    """Return which rows of a log with one row per event and version each side reads, and which of their columns."""
    columns = dict(source.get("columns", {})) | dict.fromkeys(OWN, "")
    versions = dict(zip(VERSIONS, (row_names(release, score) for score in derived.scores), strict=True))
    return {"columns": columns, "versions": versions}


def row_names(release: Release, score: str | None) -> list[str]:
    """Return what the rows that hold a score are called in a log of the long layout: as declared, else by side or model.

    A score that neither side of the release has is called by its own name; none (None) by no name.
    """
    if score not in VERSIONS:
        return [score] if score else []
    told = dict(release.decisions.versions)
    if told:
        return list(told[score])
    models = [release.bundle(side).model for side in VERSIONS]
    apart = models[0].casefold() != models[1].casefold()
    return [score, *([release.bundle(score).model] if apart else [])]


def split(release: Release) -> tuple[Derived, ...]:
    """Return the single-kind releases into which a release falls, in the order in which they should be made.

    Model, recalibration, cutoffs, policy: each starts from the bundle where the one before has ended. Only the whole
    scores of both ends are logged: between a new model and its new calibration there is none, and the note says so.
    Cutoffs that are only carried over to the new score go with it.
    """
    follow = carried_over(release)
    changed = [k for k in Kind if k.component in release.named_changes and not (follow and k is Kind.THRESHOLD)]
    both = {"model", "calibration"} <= set(release.named_changes)
    found, bundle, score = [], release.baseline, VERSIONS[0]
    for number, kind in enumerate(changed, 1):
        moved = (kind.component, *(("thresholds",) if follow and kind in SCORED else ()))
        after = replace(bundle, **{component: getattr(release.candidate, component) for component in moved})
        half_way = both and kind is Kind.MODEL
        reached = VERSIONS[1] if kind in SCORED else score
        scores = (None if both and kind is Kind.RECALIBRATION else score, None if half_way else reached)
        found.append(_step(release, (number, len(changed)), kind, (bundle, after), scores))
        bundle, score = after, reached
    return tuple(found)


def _step(
    release: Release,
    place: tuple[int, int],
    kind: Kind,
    bundles: tuple[Bundle, Bundle],
    scores: tuple[str | None, str | None],
) -> Derived:
    old, new = (getattr(bundle, kind.component) for bundle in bundles)
    note = f"Part {place[0]} of {place[1]} of {release.id}, which changes several things at once."
    if None in scores:
        missing = bundles[scores.index(None)]
        note += (
            f" No log holds the score of model {missing.model} with calibration {missing.calibration}: "
            "have the replay scored with it, and name its column under [source.decisions] columns."
        )
    title = f"{release.title}: {kind} alone, {old} to {new}"
    return Derived(f"{release.id}-{place[0]}-{kind}", kind, title, *bundles, scores, note, how=_back(*bundles))


def _back(before: Bundle, after: Bundle) -> str:
    """Return the way back of a derived release in words: what to put in force again, and what stays."""
    moved = [part for part in COMPONENTS if getattr(before, part) != getattr(after, part)]
    stay = [f"{part} {getattr(before, part)}" for part in COMPONENTS if part not in moved]
    again = " and ".join(f"{part} {getattr(before, part)} in place of {getattr(after, part)}" for part in moved)
    return f"Put {again} in force again; {', '.join(stay)} stay as they are."


def with_cutoffs(release: Release, version: str, table: CutoffTable, title: str) -> Derived:
    """Return the threshold release that puts `table` in force in place of a version's own table, score and policy kept."""
    bundle = release.bundle(version)
    note = f"Cutoffs made on the events of {release.id}, with the score of its {version}."
    after = replace(bundle, thresholds=table.id)
    name, how = f"{release.id}-{table.id}", _back(bundle, after)
    return Derived(name, Kind.THRESHOLD, title, bundle, after, (version,) * 2, note, (table,), how=how)


def folders(release: Release, derived: tuple[Derived, ...]) -> dict[str, str]:
    """Return the files, by path, of one folder per derived release; to be put beside the parent's folder."""
    return {f"{one.id}/{MANIFEST}": manifest_text(release, one) for one in derived}


def zipped(files: Mapping[str, str]) -> bytes:
    """Return files as a ZIP archive; the same files always give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()
