"""A release folder in, a Release out: reads the manifest and the house gates, and checks them against each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from release_core.errors import ManifestError
from release_core.house import House
from release_core.manifest import data, houses, process
from release_core.manifest.fields import Fields
from release_core.manifest.forms import NAME, SHARE, SLUG, TEXT, Form, member_of, nearest, one_of, repeated
from release_core.manifest.gates import check_blocking, check_scopes, gates
from release_core.manifest.policies import policies, scenarios
from release_core.manifest.tables import tables
from release_core.manifest.text import HOUSE_GATES, fingerprint, read
from release_core.release import ACTIONS, Kind, Release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from release_core.errors import Problem
    from release_core.release import Bundle, GateSpec, LabelRules, Policy, Scenario

MANIFEST = "release.toml"
SCHEMA = 1
_SCHEMA: Form[int] = Form(str(SCHEMA), lambda value: SCHEMA if value == SCHEMA and type(value) is int else None, SCHEMA)
_MATERIALITY = one_of(("low", "medium", "high"))


def load(folder: Path, house: Path | None = None) -> Release:
    """Return the release that `folder`/release.toml declares, under the gates of `house` (default: the repository's).

    Where the manifest names a house, these gates are changed as that house says. A release in which more than the kind's
    component differs loads too: the gate one_kind judges it.

    Raises:
        ManifestError: with every problem found in the two files.
    """
    problems: list[Problem] = []
    gate_file = house or HOUSE_GATES
    manifest = read(folder / MANIFEST, problems)
    named = houses.named(manifest)
    rules = houses.rules(gate_file, named, problems)
    if problems:
        raise ManifestError(*problems)
    told = gate_file.name if named is None else f"{houses.FOLDER}/{named}.toml on {gate_file.name}"
    root, house_root = Fields(manifest, MANIFEST, problems, ""), Fields(rules, told, problems, "")
    release = _release(root, house_root, folder)
    root.close()
    house_root.close()
    if problems:
        raise ManifestError(*problems)
    return replace(release, manifest_hash=fingerprint(manifest, rules))


def _release(root: Fields, house: Fields, folder: Path) -> Release:
    _check_schema(root, house)
    head = root.table("release", required=True)
    kind = head.need("kind", member_of(Kind))
    sides = tuple(head.table(side, required=True) for side in ("from", "to"))
    baseline, candidate = (process.bundle(side) for side in sides)
    segments = data.segments(root.table("segments"))
    scale = data.scale(root.table("score"))
    rules, cutoff_tables = policies(root), tables(root, scale, segments.all)
    suite = scenarios(root, {action for policy in rules.values() for action in policy.actions})
    watches, plans = data.watches(root), process.stages(root)
    specs, stops = gates(house, root, "gate"), gates(house, root, "stop")
    columns = {*segments.all, *(watch.column for watch in watches), *_conditioned(rules, suite)}
    decisions, outcomes, runtime = data.sources(root, columns)
    for side, bundle in zip(sides, (baseline, candidate), strict=True):
        _check_known(side, bundle, cutoff_tables, rules)
    _check_ids(root, suite, specs, stops)
    check_scopes(root, specs + stops, (*segments.all, data.REPLAY_SET))
    check_blocking(root, specs, (plan.name for plan in plans), kind)
    return Release(
        kind=kind,
        baseline=baseline,
        candidate=candidate,
        rollback=process.rollback(root.table("rollback", required=True), baseline, candidate),
        decisions=decisions,
        outcomes=outcomes,
        runtime=runtime,
        tables=cutoff_tables,
        policies=rules,
        gates=specs,
        folder=folder,
        manifest_hash="",
        labels=_labels(root, rules),
        scale=scale,
        segments=segments,
        watches=watches,
        scenarios=suite,
        stages=plans,
        stops=stops,
        **_independent(root, head, house),
    )


def _house(head: Fields, house: Fields, kind_of_data: str) -> House:
    """Return which house judges the release; a house with a name says what it is, and may be for generated data alone."""
    name = head.get("house", SLUG, "")
    told = house.table("house", required=bool(name))
    only = told.get("data", one_of(("real", "generated")), "")
    if name and only and kind_of_data != only:
        head.problem(f"house = {name!r}", f'[about] data = "{only}": that house judges no other', "Name another house.")
    if not name:
        return House(title=told.get("title", NAME, House().title), note=told.get("note", TEXT, ""))
    return House(name, told.need("title", NAME), told.need("note", TEXT))


def _independent(root: Fields, head: Fields, house: Fields) -> dict[str, Any]:
    """Return the fields of a release that depend on no other part of its manifest."""
    about = data.about(root.table("about"))
    return {
        "id": head.need("id", SLUG),
        "house": _house(head, house, about.data),
        "title": head.need("title", NAME),
        "owner": head.get("owner", NAME, ""),
        "materiality": head.get("materiality", _MATERIALITY, "medium"),
        "costs": data.costs(root),
        "signoff": process.signoff(root.table("signoff")),
        "freezes": process.freezes(root),
        "max_quarantined_share": root.table("quarantine").get("max_share", SHARE, 0.01),
        "about": about,
    }


def _check_schema(root: Fields, house: Fields) -> None:
    root.need("schema", _SCHEMA)
    house.get("schema", _SCHEMA, SCHEMA)


def _conditioned(rules: Mapping[str, Policy], suite: Iterable[Scenario]) -> set[str]:
    """Return the columns that policy rules and scenarios look at."""
    found = [rule.when for policy in rules.values() for rule in policy.rules] + [case.where for case in suite]
    return {condition.column for conditions in found for condition in conditions}


def _check_known(side: Fields, bundle: Bundle, known_tables: Iterable[str], known_policies: Iterable[str]) -> None:
    for key, name, known in (
        ("thresholds", bundle.thresholds, known_tables),
        ("policy", bundle.policy, known_policies),
    ):
        if name and name not in known:
            remedy = nearest(name, known) or f"Add a table [{key}.{name}]."
            side.wrong(key, name, f"an id declared below [{key}]", remedy)


def _labels(root: Fields, rules: Mapping[str, Policy]) -> LabelRules:
    """Return what makes a label; its unobserved actions are ones that can occur."""
    fields = root.table("labels", required=True)
    labels = data.labels(fields)
    known = {*ACTIONS, *(action for policy in rules.values() for action in policy.actions)}
    for action in labels.unobserved:
        if action not in known:
            remedy = nearest(action, known) or "Name an action, or declare it in the policy."
            fields.wrong("unobserved", action, f"actions out of {', '.join(sorted(known))}", remedy)
    return labels


def _check_ids(root: Fields, suite: Iterable[Scenario], specs: Iterable[GateSpec], stops: Iterable[GateSpec]) -> None:
    for name in repeated(case.id for case in suite if case.id):
        root.problem(f"[[scenario]] {name} twice", "each id once", "Rename or remove one.")
    for name in repeated(spec.id for spec in (*specs, *stops) if spec.id):
        root.problem(f"{name} both as [[gate]] and as [[stop]]", "each id once", "Rename one.")
