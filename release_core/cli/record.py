"""The commands that record and check what was decided: sign, rollback, drill and ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from release_core import ledger as book
from release_core import library, manifest, review
from release_core.cli.judge import AS_OF, STAGE, told
from release_core.errors import NotFound, Problem
from release_core.evidence import evidence
from release_core.release import Stage

BROKEN = 40


@click.command()
@click.argument("release")
@STAGE
@AS_OF
@click.option("--decision", required=True, type=click.Choice(["go", "conditional_go", "no_go"]))
@click.option("--reason", required=True)
@click.option("--signer", required=True, help="Your name.")
@click.option("--role", default="", help="The role in which you sign.")
@click.option("--meaning", default="approved", show_default=True)
@click.option("--accept", multiple=True, metavar="GATE=NOTE", help="Accept a marginal gate by name.")
@click.option("--waive", multiple=True, metavar="GATE=OWNER:EXPIRES:NOTE", help="Waive an undecided gate until a date.")
@click.option("--override-reason", default="", help="Why the verdict is overridden.")
@click.option("--second", default="", help="Second signer of an override.")
def sign(release: str, stage: str | None, as_of: str | None, **words: object) -> int:
    """Record a decision on RELEASE with the verdicts and numbers of this moment."""
    opened = library.open_release(release, told)
    seen = evidence(review.review(opened, review.stage_of(opened, stage), opened.cube.step(as_of)))
    record = book.sign(book.Ledger(), opened.release, seen, _request(seen, words))
    click.echo(f"record {record.seq} {record.hash}")
    return 0


def _request(seen: dict[str, object], words: dict[str, object]) -> book.SignOffRequest:
    plain = {name: str(words[name]) for name in ("decision", "reason", "signer", "role", "meaning")}
    override = None
    if words["override_reason"]:
        override = book.Override(str(words["override_reason"]), str(words["second"]) or None)
    return book.SignOffRequest(
        **plain,
        evidence_hash=book.evidence_hash(seen),
        acceptances=tuple(_acceptance(text) for text in words["accept"]),  # type: ignore[attr-defined]
        waivers=tuple(_waiver(text) for text in words["waive"]),  # type: ignore[attr-defined]
        override=override,
    )


def _acceptance(text: str) -> book.Acceptance:
    gate, equals, note = text.partition("=")
    if not equals:
        raise NotFound(Problem("--accept", repr(text), "GATE=NOTE", "Name the gate and say why it is acceptable."))
    return book.Acceptance(gate, note)


def _waiver(text: str) -> book.Waiver:
    gate, equals, rest = text.partition("=")
    parts = rest.split(":", 2)
    if not equals or len(parts) < 3:
        raise NotFound(Problem("--waive", repr(text), "GATE=OWNER:EXPIRES:NOTE, EXPIRES as 2026-12-31", "Complete it."))
    return book.Waiver(gate, *parts)


@click.command()
@click.argument("release")
@STAGE
@click.option("--reason", required=True)
@click.option("--signer", required=True, help="Your name.")
@click.option("--role", default="", help="The role in which you act.")
def rollback(release: str, stage: str | None, reason: str, signer: str, role: str) -> int:
    """Record that RELEASE was rolled back; no gate is asked, and its logs are not read if the stage is named."""
    found = manifest.load(library.folder(release))
    at = stage or str(review.stage_of(library.open_release(release, told), None))
    if at not in tuple(Stage):
        raise NotFound(Problem("stage", repr(at), f"one of {', '.join(Stage)}", "Correct it."))
    made = book.roll_back(book.Ledger(), found, book.RollbackRequest(at, reason, signer, role))
    click.echo(f"record {made.seq} {made.hash}\nrestore {found.rollback.target}: {found.rollback.how}")
    return 0


@click.command()
@click.argument("release")
@STAGE
@click.option("--minutes", required=True, type=float, help="How long it took.")
@click.option("--who", required=True)
@click.option("--at", default="", help="When it began, ISO 8601. Default: now.")
@click.option("--note", default="")
def drill(release: str, stage: str | None, minutes: float, who: str, at: str, note: str) -> int:
    """Record that the rollback of RELEASE was rehearsed."""
    found = manifest.load(library.folder(release))
    began = at or datetime.now(UTC).isoformat(timespec="seconds")
    made = book.record_drill(book.Ledger(), found.id, book.Drill(began, minutes, who, note), stage)
    click.echo(f"record {made.seq} {made.hash}")
    return 0


@click.group()
def ledger() -> None:
    """Check and print the chain of recorded decisions."""


@ledger.command()
@click.option("--head", help="A head published earlier, as SEQ:HASH; shows a cut end or a full rewrite.")
def verify(head: str | None) -> int:
    """Check every record against its hash and its predecessor; exit 0 if the chain holds, 40 if not."""
    found = book.Ledger().verify(_head(head) if head else None)
    if found.ok:
        click.echo(f"the chain holds: {found.records} records")
        return 0
    click.echo(f"the chain is broken at record {found.first_bad}: {found.reason}")
    return BROKEN


def _head(text: str) -> tuple[int, str]:
    seq, colon, mark = text.partition(":")
    if not colon or not seq.isdigit():
        raise NotFound(Problem("--head", repr(text), "SEQ:HASH, as `ledger head` prints it", "Correct it."))
    return int(seq), mark


@ledger.command()
def head() -> int:
    """Print the head of the chain as SEQ:HASH, to be published elsewhere."""
    seq, mark = book.Ledger().head()
    click.echo(f"{seq}:{mark}")
    return 0


@ledger.command()
@click.option("--release", help="Only the records of this release.")
def export(release: str | None) -> int:
    """Print every record as JSON."""
    records = book.Ledger().export()
    shown = [record for record in records if release in {None, record["release"]}]
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0
