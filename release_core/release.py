"""The vocabulary: a release and everything it declares, as frozen values without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from release_core.house import House

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

VERSIONS = ("baseline", "candidate")
COMPONENTS = ("model", "calibration", "thresholds", "policy")
ACTIONS = ("approve", "review", "block", "escalate")
CUTOFF_ACTIONS = ("review", "block")
SHARDS, MINOR_UNITS = 32, 100
MISSING, OTHER = "(missing)", "(other)"


class Kind(StrEnum):
    """The one kind of change that a release makes."""

    MODEL = "model"
    RECALIBRATION = "recalibration"
    THRESHOLD = "threshold"
    POLICY = "policy"

    @property
    def component(self) -> str:
        """Return the one bundle component that this kind may change."""
        return dict(zip(Kind, COMPONENTS, strict=True))[self]


class Stage(StrEnum):
    """The stages of a release, in their order."""

    REPLAY = "replay"
    SHADOW = "shadow"
    CANARY = "canary"
    AB = "ab"
    FULL = "full"

    @property
    def paired(self) -> bool:
        """Return whether both versions score the same events and only the baseline acts."""
        return self in {Stage.REPLAY, Stage.SHADOW}


class Verdict(IntEnum):
    """What a gate says; the worst of several is their maximum."""

    PASS = 0
    MARGINAL = 1
    INCONCLUSIVE = 2
    NODATA = 3
    FAIL = 4


class Level(StrEnum):
    """How much a gate's verdict counts."""

    STOP = "stop"
    HOLD = "hold"
    WARN = "warn"
    OBSERVE = "observe"


class Comparison(StrEnum):
    """How a gate turns a difference and its bounds into a verdict."""

    NON_INFERIORITY = "non_inferiority"
    NO_HARM = "no_harm"
    SUPERIORITY = "superiority"
    EQUIVALENCE = "equivalence"
    CALIBRATION = "calibration"
    DRIFT = "drift"
    BUDGET = "budget"
    INVARIANT = "invariant"
    SRM = "srm"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The ids of the four components that are in force together."""

    model: str
    calibration: str
    thresholds: str
    policy: str


@dataclass(frozen=True, slots=True)
class SegmentCutoffs:
    """Cutoffs for the events that match `where` (dimension to value); an absent action inherits."""

    where: tuple[tuple[str, str], ...]
    cutoffs: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class CutoffTable:
    """A cutoff table: `default` and `segments` map an action (review, block) to a cutoff in the score's own unit.

    `carried_from` names the table that this one carries over to another score by `rule`
    (equal_alert_rate), computed on `replay_set` (None: all replay events), per value of
    `carried_by` (None: one cutoff for all).
    """

    id: str
    default: tuple[tuple[str, float], ...]
    segments: tuple[SegmentCutoffs, ...] = ()
    carried_from: str | None = None
    rule: str | None = None
    replay_set: str | None = None
    carried_by: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """`column op value`; op is one of = != < <= > >= in not_in is_missing."""

    column: str
    op: str
    value: str | float | bool | tuple[str | float, ...] | None


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """First match wins: all conditions hold, then this action with this reason code."""

    when: tuple[Condition, ...]
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """The ordered rules above the score; `actions` are those that it declares beside the usual ones."""

    id: str
    rules: tuple[PolicyRule, ...] = ()
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """The unit of the score: probability in [0, 1], or points in [minimum, maximum] by `step`."""

    name: str = "probability"
    minimum: float = 0.0
    maximum: float = 1.0
    step: float | None = None
    riskier: str = "higher"

    @property
    def levels(self) -> int | None:
        """Return the number of score values if the value itself can be the bin (at most 4,096)."""
        if self.name != "points" or self.step is None:
            return None
        count = round((self.maximum - self.minimum) / self.step) + 1
        return count if count <= 4096 else None


@dataclass(frozen=True, slots=True)
class OutcomeMatch:
    """An outcome, or an outcome with one value (None: any value)."""

    outcome: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class LabelRules:
    """What makes an event positive or negative, after how many days silence speaks, and the as-of steps.

    `unobserved` names the actions after which no outcome can be seen (a blocked payment has none): silence never
    speaks there. `holdout` is the share of the events due for one of them that are let through by lot.
    """

    positive: tuple[OutcomeMatch, ...]
    negative: tuple[OutcomeMatch, ...] = ()
    silence: str = "unknown"
    maturity_days: float = 0.0
    steps: str | tuple[float, ...] = "day"
    unobserved: tuple[str, ...] = ()
    holdout: float | None = None


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs per event in `currency`, see `stats.cutoffs.UnitCosts`; reviews find a share `review_detection` of positives."""

    currency: str = ""
    false_positive: float | None = None
    review: float | None = None
    false_negative: float | None = None
    amount_times: float | None = None
    review_capacity_per_day: float | None = None
    review_detection: float = 1.0
    friction: float = 0.0


@dataclass(frozen=True, slots=True)
class Segments:
    """Declared dimensions; `observe`: not judged; `personal`: masked in single events; `mandatory`: (dimension, value)."""

    dims: tuple[str, ...] = ()
    observe: tuple[str, ...] = ()
    mandatory: tuple[tuple[str, str], ...] = ()
    min_events: int = 200
    cap: int = 50
    personal: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Return every dimension, judged ones first."""
        return self.dims + self.observe


@dataclass(frozen=True, slots=True)
class Source:
    """Where a log's files are (glob relative to the release folder), its layout, names of columns and of versions' rows."""

    path: str
    layout: str = "wide"
    columns: tuple[tuple[str, str], ...] = ()
    epoch_unit: str | None = None
    versions: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """An input whose code shares may not move by more than `max_shift` from one step to the ones before."""

    column: str
    max_shift: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """One case of the regression suite: the events it speaks of, and an action or a bound on a metric."""

    id: str
    where: tuple[Condition, ...] = ()
    event_ids: tuple[str, ...] = ()
    action: str | None = None
    metric: str | None = None
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class GateSpec:
    """A gate, or a stop rule when `action` is hold or rollback."""

    id: str
    metric: str
    comparison: Comparison
    stages: tuple[Stage, ...]
    margin: float | None = None
    unit: str = "abs"
    scope: str = "each_segment"
    alpha: float = 0.05
    method: str = "auto"
    level: Level = Level.STOP
    on_nodata: str = "block"
    min_events: int | None = None
    expect_n: int | None = None
    at_least: float | None = None
    at_most: float | None = None
    kinds: tuple[Kind, ...] = tuple(Kind)
    action: str | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What the release plans for one stage."""

    name: Stage
    shares: tuple[float, ...] = ()
    min_hours: float | None = None
    max_days: float | None = None
    approve: tuple[str, ...] = ()
    evidence_ttl_hours: float | None = None


@dataclass(frozen=True, slots=True)
class Rollback:
    """The one rollback point: the component id to restore, how, and how fast.

    `drilled` (UTC) and `drill_minutes` tell of a rehearsal that was made before the ledger was kept.
    """

    target: str
    how: str
    max_minutes: float | None = None
    drill: str | None = None
    drill_max_age_days: float | None = None
    drilled: datetime | None = None
    drill_minutes: float | None = None


@dataclass(frozen=True, slots=True)
class SignOffRules:
    """Who may sign, and what an override needs."""

    distinct: int = 1
    author_may_sign: bool = True
    meanings: tuple[str, ...] = ("prepared", "reviewed", "approved", "rejected", "risk_accepted", "rolled_back")
    override_roles: tuple[str, ...] = ()
    override_reason_min_chars: int = 40
    override_second: bool = False
    override_expires_hours: float | None = None


@dataclass(frozen=True, slots=True)
class Freeze:
    """Days on which only the allowed decisions may be recorded."""

    start: date
    end: date
    allow: tuple[str, ...] = ("rollback", "no_go")


@dataclass(frozen=True, slots=True)
class About:
    """What a page must say of the data: real or generated, its source, and the columns that are simulated."""

    data: str = ""
    source: str = ""
    simulated: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """One release as its manifest declares it; `manifest_hash` is the SHA-256 of manifest and house gates."""

    id: str
    kind: Kind
    title: str
    baseline: Bundle
    candidate: Bundle
    rollback: Rollback
    labels: LabelRules
    decisions: Source
    outcomes: Source | None
    runtime: Source | None
    tables: dict[str, CutoffTable]
    policies: dict[str, Policy]
    gates: tuple[GateSpec, ...]
    folder: Path
    manifest_hash: str
    owner: str = ""
    materiality: str = "medium"
    scale: Scale = field(default_factory=Scale)
    costs: Costs | None = None
    segments: Segments = field(default_factory=Segments)
    watches: tuple[Watch, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    stages: tuple[StagePlan, ...] = ()
    stops: tuple[GateSpec, ...] = ()
    signoff: SignOffRules = field(default_factory=SignOffRules)
    freezes: tuple[Freeze, ...] = ()
    max_quarantined_share: float = 0.01
    about: About = field(default_factory=About)
    house: House = field(default_factory=House)

    def bundle(self, version: str) -> Bundle:
        """Return the bundle of `version` (baseline or candidate)."""
        return self.baseline if version == "baseline" else self.candidate

    @property
    def named_changes(self) -> tuple[str, ...]:
        """Return the components whose ids differ, before any carried-over table is recomputed."""
        return tuple(c for c in COMPONENTS if getattr(self.baseline, c) != getattr(self.candidate, c))

    @property
    def actions(self) -> tuple[str, ...]:
        """Return every action that can occur: the usual four, then those that the policies add."""
        policies = self.policies.values()
        added = [*(a for p in policies for a in p.actions), *(rule.action for p in policies for rule in p.rules)]
        return tuple(dict.fromkeys((*ACTIONS, *added)))

    @property
    def cutoff_ids(self) -> tuple[str, ...]:
        """Return the registered cutoffs as `table.action`, baseline's table first."""
        ids = dict.fromkeys((self.baseline.thresholds, self.candidate.thresholds))
        return tuple(
            f"{one}.{action}" for one in ids for action in CUTOFF_ACTIONS if self._has(self.tables[one], action)
        )

    @staticmethod
    def _has(table: CutoffTable, action: str) -> bool:
        return action in dict(table.default) or any(action in dict(row.cutoffs) for row in table.segments)
