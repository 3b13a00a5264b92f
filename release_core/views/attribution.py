"""The Attribution page: what of a change came from the score, the cutoffs, the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from release_core import attribution
from release_core.changes import changed
from release_core.charts import digits
from release_core.charts.waterfall import waterfall
from release_core.errors import NotFound, Problem, Unanswerable
from release_core.frames import EVERYONE, POSITIVE
from release_core.manifest import derive
from release_core.release import ACTIONS, COMPONENTS, VERSIONS
from release_core.views.view import known
from release_core.worlds import carried_over, combined

if TYPE_CHECKING:
    from release_core.attribution import Attribution, Effect, Part
    from release_core.charts.chart import Chart
    from release_core.frames import Worlds
    from release_core.views.view import View

    Row = dict[str, Any]

WORDS = {COMPONENTS[2]: "cutoffs"}
MOST_IMPUTED = 0.2
# With fewer bad events that change sides, what an interval of money assumes of their amounts is said.
FEW = 30


@dataclass(frozen=True, slots=True)
class AttributionPage:
    """What the page shows; `warnings` are sentences, `proof` says which parts changed no action at all."""

    headline: str
    warnings: list[str]
    proof: str
    waterfall: Chart
    shares: list[Row]
    interactions: list[Row]
    worlds: list[Row]
    all_effects: list[Row]
    method: str


def offered(view: View) -> dict[str, Effect]:
    """Return the effects that the reader may choose, by name, the most telling first."""
    found = attribution.effects(view.release)
    return {name: found[name] for name in sorted(found, key=lambda name: name != "cost")}


def page(view: View, effect: str = "") -> AttributionPage:
    """Return the page for an effect (default: the first offered).

    Raises:
        NotFound: there is no such effect.
        Unanswerable: the filter has more than one dimension beside the replay set.
    """
    known_effects = offered(view)
    name = effect or next(iter(known_effects))
    if name not in known_effects:
        listed = ", ".join(known_effects)
        raise NotFound(Problem("effect", repr(name), f"one of {listed}", "Choose one of them."))
    worlds = view.opened.cube.worlds(view.stage, view.step, ((), view.where))
    if not worlds.segments:
        none = f"{view.none} is in the logs as of {view.as_of}, so no change can be told apart."
        raise Unanswerable(f"{none} Choose a later as-of time or another filter.")
    clustered = bool(view.opened.cube.facts["clustered"])
    every = {n: attribution.attribute(worlds, one, clustered=clustered) for n, one in known_effects.items()}
    found = every[name]
    caption = replace(view.caption(found.n, table="pair"), sql=view.sql("world"))
    return AttributionPage(
        _headline(view, found, worlds),
        _warnings(view, found, worlds),
        _proof(view, worlds),
        waterfall(
            _steps(found),
            caption,
            effect=found.effect.title,
            unit=found.effect.unit if found.effect.unit == "share" else _counted(view),
            better=found.effect.better,
        ),
        [_share(found, place) for place in range(len(found.players))],
        [_interaction(found, names, part) for names, part in _together(found, worlds)],
        _worlds(view, every),
        [_line(one) for one in every.values()],
        found.method,
    )


def _together(found: Attribution, worlds: Worlds) -> list[tuple[tuple[str, ...], Part]]:
    """Return the interactions among parts that change any action; a part that changes none has none."""
    still = attribution.nothing(worlds)
    return [(names, part) for names, part in found.interactions if not set(names) & set(still)]


def split(view: View) -> tuple[list[Row], bytes]:
    """Return the single-kind releases that a mixed release should be, in order, and their manifests as a ZIP archive."""
    release = view.release
    if not any(component != release.kind.component for component, _ in changed(release, view.opened.cube)):
        return [], b""
    parts = derive.split(release)
    rows = [
        {
            "order": str(number),
            "id": one.id,
            "kind": str(one.kind),
            "change": " to ".join(getattr(bundle, one.kind.component) for bundle in (one.baseline, one.candidate)),
            "reviewable": "needs a score that no log holds" if None in one.scores else "at once, on the same events",
        }
        for number, one in enumerate(parts, 1)
    ]
    return rows, derive.zipped(derive.folders(release, parts))


def said(player: str) -> str:
    """Return a player as readers say it."""
    return WORDS.get(player, player)


def _headline(view: View, found: Attribution, worlds: Worlds) -> str:
    title, unit = found.effect.title.lower(), found.effect.unit
    if not found.n or known(found.total.value) is None:
        return f"{view.none} tells of the {title} as of {view.as_of}."
    still = attribution.nothing(worlds)
    moved = [
        f"{_change(part.value, unit)} from the {said(player)}"
        for player, part in zip(found.players, found.shares, strict=True)
        if player not in still
    ]
    calm = [said(player) for player in found.players if player in still]
    rest = f"; exactly nothing from the {' and the '.join(calm)}" if calm else ""
    if not moved:
        return f"The {title} of {view.place} does not change: both bundles take the same action on every event."
    money = "" if unit == "share" else f" {_counted(view)}"
    whole = f"{_change(found.total.value, unit)}{money} ({view.place})"
    return f"{found.effect.title} changes by {whole}: {', '.join(moved)}{rest}."


def _counted(view: View) -> str:
    """Return in what money is counted."""
    return f"{view.currency or 'money'} per 1,000 labelled events"


def _change(value: float, unit: str) -> str:
    return digits.difference(known(value), unit)


def _proof(view: View, worlds: Worlds) -> str:
    """Return which parts changed no action of any event, and why that is exact."""
    still = [said(player) for player in attribution.nothing(worlds)]
    if not still:
        return "All three parts change actions: this release is mixed, and no effect has one cause."
    one = len(still) == 1
    follows = (
        " The cutoffs are carried over to the new score by equal alert rate, so they follow it and are no cause of their own."
        if carried_over(view.release)
        else ""
    )
    named = ", ".join(still)
    return (
        f"Proven: the {named} contribute{'s' if one else ''} exactly 0. With {'it' if one else 'each of them'} taken from "
        f"either bundle, every event of {view.place} gets the same action in all other mixes.{follows}"
    )


def _warnings(view: View, found: Attribution, worlds: Worlds) -> list[str]:
    sentences = []
    if not found.separable:
        sentences.append(
            f"Not separable: how much of the {found.effect.title.lower()} each part causes depends on the order in which "
            "the parts are put in force. That is the price of mixing changes; split the release."
        )
    events = worlds.counts[0, :, 0, :, EVERYONE].sum() if worlds.counts.size else 0.0
    if found.effect.labels and events and 1 - found.n / events > MOST_IMPUTED:
        share = digits.percent(1 - found.n / events)
        sentences.append(
            f"{share} of the events have no mature label yet and are left out: this speaks for the rest only."
        )
    return sentences + _few(found, worlds) + _unseen(view, found) + _logged(view, found, worlds)


def _few(found: Attribution, worlds: Worlds) -> list[str]:
    """Return a sentence where the money rests on few bad events whose action a part changes: what its interval assumes."""
    if found.effect.unit == "share" or not worlds.counts.size:
        return []
    missed = worlds.counts[0, :, :, ACTIONS.index("approve"), POSITIVE].sum(0)
    moved = {
        said(player): max(abs(missed[n | 1 << k] - missed[n]) for n in range(len(missed)) if not n >> k & 1)
        for k, player in enumerate(worlds.players)
    }
    few = {player: n for player, n in moved.items() if 0 < n < FEW}
    if not few:
        return []
    named = " and ".join(
        f"the {player} {'let' if player.endswith('s') else 'lets'} {digits.count(n)} more or fewer through"
        for player, n in few.items()
    )
    return [
        f"Few bad events decide: {named}. The money then depends on their amounts; its interval assumes that these vary "
        "as those of all bad events do."
    ]


def _unseen(view: View, found: Attribution) -> list[str]:
    """Return a sentence where outcomes that an action hid would be needed to tell what another action does."""
    cells = view.cells()
    hidden = float(cells.whole.joint_unseen[0].sum()) if cells.unseen and cells.segments else 0.0
    if not hidden or not found.effect.labels:
        return []
    return [
        f"{digits.count(hidden)} events after {' or '.join(cells.unseen)} can have no outcome and are left out here: what it costs "
        "or saves to treat them differently is not known."
    ]


def _logged(view: View, found: Attribution, worlds: Worlds) -> list[str]:
    """Return a sentence where the actions in the logs are not those that the bundles prescribe."""
    cells = view.cells()
    if not cells.segments or not found.n:
        return []
    seen = found.effect.value(cells.whole.actions[0], cells.whole.action_amounts[0])
    unit, gap = found.effect.unit, float((seen[1] - seen[0]) - found.total.value)
    differ = abs(cells.whole.actions[0, ..., EVERYONE] - worlds.counts[0].sum(0)[[0, -1], :, EVERYONE]).sum()
    if not differ:
        return []
    return [
        f"In the logs the change is {_change(float(seen[1] - seen[0]), unit)}; {_change(gap, unit)} of it is not "
        "explained by the bundles: logged actions differ from what they prescribe (overrules, fallbacks, other rules)."
    ]


def _steps(found: Attribution) -> list[Row]:
    """Return the rows of the waterfall: the baseline, one step per player, the candidate."""
    level = found.levels[0]
    rows: list[Row] = [{"name": VERSIONS[0], "level": known(level)}]
    for place, player in enumerate(found.players):
        level += found.steps[place].value
        rows.append({"name": said(player), "level": known(level), **_part("change", found.steps[place])})
        rows[-1] |= {"least": known(found.order_low[place]), "most": known(found.order_high[place])}
    return [*rows, {"name": VERSIONS[1], "level": known(found.levels[-1])}]


def _part(name: str, part: Part) -> Row:
    return {name: known(part.value), "low": known(part.low), "high": known(part.high)}


def _share(found: Attribution, place: int) -> Row:
    part, unit = found.shares[place], found.effect.unit
    return {
        "player": said(found.players[place]),
        "share": digits.difference(known(part.value), unit),
        "interval": digits.interval(known(part.low), known(part.high), unit),
        "step": digits.difference(known(found.steps[place].value), unit),
        "range": digits.interval(known(found.order_low[place]), known(found.order_high[place]), unit),
    }


def _interaction(found: Attribution, names: tuple[str, ...], part: Part) -> Row:
    return {
        "players": " with ".join(map(said, names)),
        "size": digits.difference(known(part.value), found.effect.unit),
        "interval": digits.interval(known(part.low), known(part.high), found.effect.unit),
    }


def _worlds(view: View, every: dict[str, Attribution]) -> list[Row]:
    """Return one row per world: whose parts are in force, and every effect there."""
    players = next(iter(every.values())).players
    rows = []
    for number, world in enumerate(combined(view.release)):
        sides = {said(player): VERSIONS[number >> place & 1] for place, player in enumerate(players)}
        levels = {name: digits.level(known(one.levels[number]), one.effect.unit) for name, one in every.items()}
        sides[said(COMPONENTS[2])] += f" ({world.thresholds})"
        rows.append(sides | levels)
    return rows


def _line(found: Attribution) -> Row:
    """Return one effect in one row: total, and each player's Shapley share."""
    unit = found.effect.unit
    row = {
        "title": found.effect.title,
        "definition": found.effect.definition,
        "total": digits.difference(known(found.total.value), unit),
        "interval": digits.interval(known(found.total.low), known(found.total.high), unit),
        "n": found.n,
    }
    names = zip(("score", "thresholds", "policy"), found.shares, strict=True)
    return row | {name: digits.difference(known(part.value), unit) for name, part in names}
