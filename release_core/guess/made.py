"""The form of a guess: the manifest so far, and the sentences that say why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Table = dict[str, Any]


@dataclass
class Guess:
    """A manifest as nested tables, and what it rests on; `said` is in the order in which it was found out."""

    tables: Table
    said: list[str] = field(default_factory=list)
