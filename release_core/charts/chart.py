"""Takes what one chart is made of; gives the frozen value that pages show and reports print."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caption:
    """What every chart says of its origin.

    `evidence` names n, the as-of time and both version ids; `takeaway` is the sentence that a reader without
    the picture needs; `sql` the statement that read the numbers ("" if none).
    """

    baseline: str
    candidate: str
    evidence: str
    takeaway: str = ""
    sql: str = ""

    def name(self, version: str) -> str:
        """Return how the legend names `version` (baseline or candidate)."""
        return f"{self.baseline} baseline" if version == "baseline" else f"{self.candidate} candidate"


@dataclass(frozen=True, slots=True)
class Chart:
    """One question and its picture.

    `spec` is a Plotly figure as plain dicts, with colour tokens ("$cand", "$bad/.15") instead of colours; it is
    empty when there is nothing to draw, and then `alt` says why. `alt` states the takeaway in words.
    `definition` says how each number was made. `data` are the numbers shown, one dict a row, None where not known.
    """

    question: str
    spec: Spec
    alt: str
    definition: str
    data: list[Row] = field(default_factory=list)
    evidence: str = ""
    sql: str = ""

    @property
    def json(self) -> str:
        """Return the spec as JSON text; raises ValueError on NaN or infinity, which JSON does not have."""
        return json.dumps(self.spec, allow_nan=False, separators=(",", ":"))


def blank(question: str, reason: str, definition: str, caption: Caption) -> Chart:
    """Return the chart that is shown when there is nothing to draw: the question, and why it has no answer."""
    return Chart(question, {}, reason, definition, [], caption.evidence, caption.sql)


def finish(question: str, spec: Spec, head: str, definition: str, data: list[Row], caption: Caption) -> Chart:
    """Return the chart whose alternative text is `head` followed by the caption's takeaway."""
    alt = " ".join(part for part in (head, caption.takeaway) if part)
    return Chart(question, spec, alt, definition, data, caption.evidence, caption.sql)
