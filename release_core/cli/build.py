"""The commands that make something: demo (the demo releases) and init (a manifest from logs)."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from release_core import demo as demos
from release_core import guess, library, signings

LEAST, MOST = 1_000, 1_000_000_000


@click.command()
@click.option("--only", multiple=True, metavar="ID", help="Only this release; may be repeated.")
@click.option(
    "--size",
    type=click.IntRange(LEAST, MOST),
    help="Number of decisions of each generated release (fraud-*); the real data has its own size.",
)
@click.option("--rebuild", is_flag=True, help="Build again what is there.")
@click.option("--cubes", type=click.IntRange(0), help="Only so many cubes now; others are built when they are opened.")
def demo(only: tuple[str, ...], size: int | None, cubes: int | None, *, rebuild: bool) -> int:
    """Build the demo releases and their cubes."""
    if size is not None and only and not any(name in demos.FRAUD for name in only):
        click.echo("--size is for generated releases; these are real data and keep their size.", err=True)
    built = demos.build(library.releases(), list(only) or None, rebuild, _Bar(0.0, 0.5), size)
    opened = built[:cubes]
    for number, folder in enumerate(opened):
        start = 0.5 + 0.5 * number / len(opened)
        one = library.open_release(folder.name, _Bar(start, start + 0.5 / len(opened), f"{folder.name}: "))
        if not signings.current(one):
            signings.write(one)
    _Bar(0.0, 1.0)(1.0, f"{len(built)} releases are ready")
    return 0


class _Bar:
    """A progress display on standard error: a line that rewrites itself on a terminal, a line per tenth elsewhere."""

    shown = -1

    def __init__(self, start: float, end: float, prefix: str = "") -> None:
        self._start, self._end, self._prefix = start, end, prefix

    def __call__(self, share: float, text: str) -> None:
        """Show the share of the whole that is done."""
        done = self._start + (self._end - self._start) * share
        line = f"{100 * done:3.0f}% {self._prefix}{text}"
        if sys.stderr.isatty():
            filled = round(24 * done)
            bar = "█" * filled + "░" * (24 - filled)
            click.echo(f"\r\x1b[K{bar} {line}" + ("\n" if done >= 1 else ""), err=True, nl=False)
        elif int(10 * done) > _Bar.shown:
            _Bar.shown = int(10 * done)
            click.echo(line, err=True)


@click.command()
@click.argument("logs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--into", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for release.toml."
)
def init(logs: Path, into: Path) -> int:
    """Write a manifest for the folder LOGS, saying what was guessed and why."""
    made = guess.guess(logs, into)
    path = guess.write(made, into)
    for line in made.said:
        click.echo(f"guessed: {line}")
    click.echo(f"wrote {path}\nnext: python -m release_core check {into}\nor:   python3 app.py {into}")
    return 0
