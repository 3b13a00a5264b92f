"""Nothing in; the word for whose gates judge a release, out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class House:
    """Whose gates judge a release: the name of the house (empty: the usual one), its title, and what it does otherwise."""

    name: str = ""
    title: str = "the usual house gates"
    note: str = ""
