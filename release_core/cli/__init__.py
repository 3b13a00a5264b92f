"""Words on a command line in; the result on standard output, messages on standard error, an exit code out."""

from __future__ import annotations

import os
import sys

import click

from release_core.cli.build import demo, init
from release_core.cli.judge import check, metrics
from release_core.cli.record import drill, ledger, rollback, sign
from release_core.cli.watch import watch_command
from release_core.errors import Problem, ReleaseReviewError

UNUSABLE = 2
INTERRUPTED = 130


@click.group(help="Release Review: may this change to a scoring model go to the next stage, and on what evidence?")
def commands() -> None:
    """Hold the commands together."""


for command in (demo, init, check, metrics, sign, rollback, drill, ledger, watch_command):
    commands.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code; an error that can be explained is explained, not thrown."""
    try:
        code = commands(standalone_mode=False)
    except ReleaseReviewError as error:
        explain(error)
        code = UNUSABLE
    except click.ClickException as error:
        error.show()
        code = UNUSABLE
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; Python would complain again when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def explain(error: ReleaseReviewError) -> None:
    """Write every problem to standard error: where, found, required, what to do."""
    for problem in error.problems:
        if isinstance(problem, Problem):
            click.echo(
                f"{problem.where}\n  found     {problem.found}\n  required  {problem.required}\n  to do     {problem.remedy}",
                err=True,
            )
        else:
            click.echo(str(problem), err=True)
