"""Takes a folder and gives the demo releases in it, built where they are missing or out of date."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from release_core.demo import stamp
from release_core.errors import NotFound, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CREDIT = ("credit-model", "credit-threshold", "credit-recalibration", "credit-mixed")
FRAUD = ("fraud-model", "fraud-threshold", "fraud-policy", "fraud-recalibration", "fraud-mixed")
IDS = CREDIT + FRAUD
# The part of building everything that the real releases take.
REAL_SHARE = 0.7
HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "data" / "uci_credit_default_30k.parquet"


def build(
    root: Path,
    only: Sequence[str] | None = None,
    rebuild: bool = False,  # noqa: FBT001, FBT002
    progress: Callable[[float, str], None] | None = None,
    size: int | None = None,
) -> list[Path]:
    """Return the folders of the demo releases under `root` (`only` these ids; None: all), building what is missing.

    A release that the same builder made is left alone unless `rebuild`; any other is replaced whole or not at
    all, so an interrupted build leaves nothing half-done. The same code gives the same files. `size` is the number of
    decisions of each generated release: None keeps what is there, or takes the demo's. `progress` hears the share done,
    0 to 1, and what is being done. Raises NotFound for an id that is no demo release.
    """
    tell = progress or _silence
    ids = _known(IDS if only is None else only)
    credit, fraud = (stamp.builder(_deciding_files(family)) for family in ("credit", "fraud"))
    real = [name for name in ids if name in CREDIT and (rebuild or not stamp.is_current(root / name, credit))]
    made = [name for name in ids if name in FRAUD and (rebuild or not stamp.is_current(root / name, fraud, size))]
    # Training and generating need slow imports; a start that finds everything built does without them.
    share = REAL_SHARE if real and made else float(bool(real))
    if real:
        from release_core.demo.credit import releases  # noqa: PLC0415

        releases.build(root, real, credit, lambda done, text: tell(share * done, text))
    if made:
        from release_core.demo.fraud import releases as generated  # noqa: PLC0415

        generated.build(root, made, fraud, lambda done, text: tell(share + (1 - share) * done, text), size)
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


def _deciding_files(family: str) -> list[Path]:
    source = [SOURCE] if family == "credit" else []
    return [*HERE.glob("*.py"), *HERE.glob(f"{family}/*.py"), *HERE.glob(f"{family}/manifests/*.toml"), *source]


def _silence(_share: float, _text: str) -> None:
    """Hear progress and do nothing."""
