"""Takes a folder and gives the demo releases in it, built where they are missing or out of date."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from release_core.demo import stamp
from release_core.errors import NotFound, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

IDS = ("credit-model", "credit-threshold", "credit-recalibration", "credit-mixed")
HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "data" / "uci_credit_default_30k.parquet"


def build(
    root: Path,
    only: Sequence[str] | None = None,
    rebuild: bool = False,  # noqa: FBT001, FBT002
    progress: Callable[[float, str], None] | None = None,
) -> list[Path]:
    """Return the folders of the demo releases under `root` (`only` these ids; None: all), building what is missing.

    A release that the same builder made is left alone unless `rebuild`; any other is replaced whole or not at
    all, so an interrupted build leaves nothing half-done. The same code gives the same files. `progress` hears
    the share done, 0 to 1, and what is being done. Raises NotFound for an id that is no demo release.
    """
    tell = progress or _silence
    ids = _known(IDS if only is None else only)
    builder = stamp.builder(_deciding_files())
    missing = [release for release in ids if rebuild or not stamp.is_current(root / release, builder)]
    if missing:
        # Training libraries are slow to import; a start that finds everything built does without them.
        from release_core.demo.credit import releases  # noqa: PLC0415

        releases.build(root, missing, builder, tell)
    tell(1.0, "demo releases are ready")
    return [root / release for release in ids]


def _known(ids: Sequence[str]) -> list[str]:
    unknown = [release for release in ids if release not in IDS]
    if unknown:
        raise NotFound(*(_no_demo(release) for release in unknown))
    return list(dict.fromkeys(ids))


def _no_demo(release: str) -> Problem:
    close = get_close_matches(release, IDS, n=1)
    return Problem(
        where="demo",
        found=f"the release id '{release}'",
        required=f"one of {', '.join(IDS)}",
        remedy=f"Did you mean '{close[0]}'?" if close else "Choose one of these, or none for all.",
    )


def _deciding_files() -> list[Path]:
    return [*HERE.glob("*.py"), *HERE.glob("credit/*.py"), *HERE.glob("credit/manifests/*.toml"), SOURCE]


def _silence(_share: float, _text: str) -> None:
    """Hear progress and do nothing."""
