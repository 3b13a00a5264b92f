"""The commands that answer: check (verdicts) and metrics (numbers)."""

from __future__ import annotations

import sys

import click

from release_core import library, report, review
from release_core.errors import NotFound, Problem
from release_core.evidence import evidence
from release_core.release import Verdict

CODES = {Verdict.PASS: 0, Verdict.MARGINAL: 10, Verdict.INCONCLUSIVE: 20, Verdict.NODATA: 30, Verdict.FAIL: 40}
STAGE = click.option("--stage", help="Default: the last stage with decisions.")
AS_OF = click.option("--as-of", help="ISO 8601; a bare date means its end. Default: the latest step in the logs.")


@click.command()
@click.argument("release")
@STAGE
@AS_OF
@click.option("--format", "form", type=click.Choice(list(report.REPORTS)), default="text", show_default=True)
def check(release: str, stage: str | None, as_of: str | None, form: str) -> int:
    """Judge every gate of RELEASE; exit 0 pass, 10 marginal, 20 inconclusive, 30 no data, 40 fail, 2 unusable."""
    opened = library.open_release(release, told)
    found = review.review(opened, review.stage_of(opened, stage), opened.cube.step(as_of))
    click.echo(report.REPORTS[form](evidence(found)))
    return CODES[found.verdict]


@click.command()
@click.argument("release")
@STAGE
@AS_OF
@click.option("--by", default="", help="Split by one dimension, or by the cross of two: dim or dim,dim.")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Only events of this segment.")
@click.option("--metric", "names", multiple=True, help="Only these metrics.")
@click.option("--format", "form", type=click.Choice(list(report.TABLES)), default="table", show_default=True)
def metrics(
    release: str,
    stage: str | None,
    as_of: str | None,
    by: str,
    where: tuple[str, ...],
    names: tuple[str, ...],
    form: str,
) -> int:
    """Print the metrics of RELEASE for both versions and their difference, with 95% intervals."""
    opened = library.open_release(release, told)
    split = tuple(dim.strip() for dim in by.split(",") if dim.strip())
    rows = review.measured(
        opened,
        review.stage_of(opened, stage),
        opened.cube.step(as_of),
        by=split,
        where=dict(map(_pair, where)),
        names=names,
    )
    known = review.known_metrics(opened.release)
    click.echo(report.TABLES[form](rows, {name: metric.unit for name, metric in known.items()}))
    return 0


def _pair(text: str) -> tuple[str, str]:
    dim, equals, value = text.partition("=")
    if not equals:
        raise NotFound(Problem("--where", repr(text), "DIM=VALUE, such as market=EU", "Correct it."))
    return dim.strip(), value.strip()


def told(share: float, text: str) -> None:
    """Show progress on standard error: one line that rewrites itself on a terminal, nothing in a pipe."""
    if sys.stderr.isatty():
        end = "\n" if share >= 1 else ""
        click.echo(f"\r\x1b[K{100 * share:3.0f}% {text}{end}", err=True, nl=False)
