"""The command that watches: stop rules read again and again, told when they fire."""

from __future__ import annotations

import time

import click

from release_core import library, notify, watch
from release_core.cli.judge import told

FIRED = 40


@click.command("watch")
@click.argument("release")
@click.option("--every", type=click.FloatRange(1), help="Look again after so many seconds, until interrupted.")
def watch_command(release: str, every: float | None) -> int:
    """Print the stop rules of RELEASE that have fired, and tell them to the notice file and webhook, if any; exit 40 if any did."""
    if not notify.targets():
        click.echo(f"No notices: set {notify.FILE_VARIABLE} or {notify.WEBHOOK_VARIABLE} to send them.", err=True)
    shown: set[str] = set()
    while True:
        for stage, alarm in watch.look(library.open_release(release, told)):
            one = watch.notice(release, stage, alarm)
            if one.key not in shown:
                click.echo(f"{one.since} {one.stage} {one.rule} [{one.segment}] {one.action}: {one.sentence}")
                shown.add(one.key)
        if every is None:
            return FIRED if shown else 0
        time.sleep(every)
