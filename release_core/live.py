"""A complete release in; the same release out as time passes: small files, some late, that a dashboard can watch.

Every row belongs to one tick, which its time and a hash of the row decide, and every tick is one file per log whose name
and content depend on nothing else. What has been written is therefore all that has to be known to go on, and a feed that
was killed at any moment goes on without losing or doubling a row. A file appears under its name only when it is whole.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from release_core import contract, library, manifest
from release_core.cube import steps
from release_core.cube.files import copy, digest, listed, replace_text
from release_core.errors import NotFound, Problem
from release_core.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from release_core.contract.columns import Log
    from release_core.release import Release, Source

# Of each log: the column that says when a row came, and those that tell apart the rows of one instant.
TIMES: dict[Log, tuple[str, str, tuple[str, ...]]] = {
    "decisions": ("event_time", "event_id", ("event_id",)),
    "outcomes": ("observed_at", "event_id", ("event_id", "outcome", "value")),
    "runtime": ("sampled_at", "name", ("stage", "name", "arm")),
}
PLAN = "live.json"
# Late rows come this many ticks after their time, at most.
LATEST = 5
# How much of the release a file holds, per second of `--every`, where nothing waits.
UNPACED = 3600.0
END = b"PAR1"
HISTORY = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What decides which row is in which file; written once, before the first file, and kept when the feed goes on.

    `source` is a digest of the source's files, `start` when the feed begins (seconds since 1970; what is older is the first
    file), `window` the seconds of a tick, `late` the share of rows that come late.
    """

    source: str
    start: float
    window: float
    late: float


def feed(
    release: Release,
    into: Path,
    *,
    plan: Plan,
    damage: Callable[[Path, int], None] | None = None,
    pause: Callable[[int], None] | None = None,
) -> Iterator[tuple[int, list[Path]]]:
    """Write the files that `into` lacks, in order of their ticks, and yield (tick, files written) after each.

    `pause` is called with a tick before it is written; `damage` with a file that is about to appear, and its tick.
    """
    with Store() as store:
        logs = [log for log in TIMES if _rows(release, store, log, plan)]
        ticks = store.query(
            f"select distinct tick from ({' union all '.join(f'select tick from {log}' for log in logs)})"
        )
        for tick in sorted(int(tick) for tick in ticks["tick"]):
            lacking = [log for log in logs if not whole(path(into, log, tick))]
            lacking = [log for log in lacking if _count(store, log, tick)]
            if lacking:
                if pause:
                    pause(tick)
                yield tick, [_write(store, into, log, tick, damage) for log in lacking]


def path(into: Path, log: str, tick: int) -> Path:
    """Return the name of a tick's file; names sort as ticks do."""
    return into / log / f"live-{tick:08}.parquet"


def whole(file: Path) -> bool:
    """Return whether a file is there to its end."""
    try:
        with file.open("rb") as content:
            content.seek(-len(END), 2)
            return content.read() == END
    except OSError:
        return False


def prepared(release: Release, into: Path, asked: Plan) -> Plan:
    """Return the plan of a target folder, made from `asked` where the folder is new.

    Raises:
        NotFound: the folder holds another release, or files of another source.
    """
    try:
        kept = Plan(**json.loads((into / PLAN).read_text(encoding="utf-8")))
    except FileNotFoundError:
        if into.exists() and any(into.iterdir()):
            raise NotFound(
                _refused(into, "a folder that is not empty", "a new folder, or one that live has begun")
            ) from None
        for log in TIMES:
            (into / log).mkdir(parents=True)
        replace_text(into / library.MANIFEST, (release.folder / library.MANIFEST).read_text(encoding="utf-8"))
        replace_text(into / PLAN, json.dumps(asdict(asked), indent=1))
        return asked
    if kept.source != asked.source:
        raise NotFound(_refused(into, "files of another source", f"the files of {release.id} as they are now"))
    return kept


def source_of(release: Release) -> str:
    """Return a digest of the source's files.

    Raises:
        NotFound: a log is not Parquet in the wide layout with our own column names in plain sub-folders.
    """
    files = [(log, file) for log in TIMES for file in contract.files(release, log)]
    mapped = any(source and (source.columns or source.layout != "wide") for source in _sources(release))
    if mapped or any(file.ending != ".parquet" or file.folder_values for _, file in files):
        raise NotFound(
            _refused(release.folder, "logs in another form", "Parquet files with the contract's own columns")
        )
    return digest([(log, file.relative, file.fingerprint) for log, file in files])


def _sources(release: Release) -> tuple[Source | None, ...]:
    return (release.decisions, release.outcomes, release.runtime)


def _refused(folder: Path, found: str, required: str) -> Problem:
    return Problem(str(folder), found, required, "Choose another folder, or remove this one.")


def _rows(release: Release, store: Store, log: Log, plan: Plan) -> bool:
    """Make the table of a log's rows with the tick of each, in their order; return whether there are any."""
    files = [file.path for file in contract.files(release, log)]
    if not files:
        return False
    moment, key, others = TIMES[log]
    # The same on every machine and in every version of the database.
    luck = f"('0x' || substr(md5({key} || '|' || epoch_us({moment})), 1, 8))::bigint"
    since = f"(epoch_us({moment}) / 1e6 - $start)"
    late = f"if({luck} % 1000000 < $late * 1000000, 1 + ({luck} % {LATEST})::int, 0)"
    tick = f"case when {since} < 0 then {HISTORY} else 1 + floor({since} / $window)::int + {late} end"
    store.execute(
        f"create table {log} as select *, ({tick})::int as tick "
        f"from read_parquet({listed(files)}, union_by_name = true) order by {', '.join(('tick', moment, *others))}",
        {"start": plan.start, "window": plan.window, "late": plan.late},
    )
    return True


def _count(store: Store, log: str, tick: int) -> int:
    return int(store.query(f"select count(*) as n from {log} where tick = $tick", {"tick": tick})["n"][0])


def _write(store: Store, into: Path, log: str, tick: int, damage: Callable[[Path, int], None] | None) -> Path:
    file = path(into, log, tick)
    ready = file.with_name(f"_{file.name}.ready")
    with store.cursor() as cursor:
        copy(cursor, f"select * exclude (tick) from {log} where tick = {tick}", ready)
    if damage:
        damage(ready, tick)
    ready.replace(file)
    return file


class Damage:
    """What a careless writer does, for tests: half a file under its final name for a moment, and files of rubbish."""

    def __init__(self, half: float, broken: float, seconds: float = 1.0) -> None:
        """Damage the shares `half` and `broken` of the ticks; half a file stands for `seconds`."""
        self._half, self._broken, self._seconds = half, broken, seconds

    def __call__(self, ready: Path, tick: int) -> None:
        """Do what the tick's share of damage says, before the file of `ready` appears."""
        content, chance = ready.read_bytes(), int(digest(ready.name, tick)[:6], 16) / 16**6
        final = ready.with_name(ready.name.removeprefix("_").removesuffix(".ready"))
        if chance < self._half:
            final.write_bytes(content[: len(content) // 2])
            time.sleep(self._seconds)
        elif chance < self._half + self._broken:
            final.with_name(f"broken-{tick:08}.parquet").write_bytes(content[: len(content) // 3] + b"rubbish")


def pace(plan: Plan, speed: float) -> Callable[[int], None]:
    """Return what waits until a tick is due: `speed` seconds of the release pass in one second; 0 does not wait."""
    begun: list[tuple[float, int]] = []

    def wait(tick: int) -> None:
        if speed and tick > HISTORY:
            begun[:] = begun or [(time.monotonic(), tick)]
            (moment, first) = begun[0]
            due = moment + (tick - first) * plan.window / speed
            time.sleep(max(due - time.monotonic(), 0.0))

    return wait


@click.command()
@click.argument("name", metavar="RELEASE")
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), help="Folder to write; default RELEASE-live beside it."
)
@click.option(
    "--speed", type=click.FloatRange(0), default=3600.0, help="Seconds of the release per second; 0: as fast as can be."
)
@click.option("--every", type=click.FloatRange(0.05), default=2.0, help="Seconds between files.")
@click.option("--since", metavar="T", help="Write what is older at once (ISO 8601; default: the first live stage).")
@click.option(
    "--late", type=click.FloatRange(0, 1), default=0.02, help="Share of rows that come up to five files late."
)
@click.option(
    "--half-written", type=click.FloatRange(0, 1), default=0.0, help="For tests: share of files seen half-written."
)
@click.option(
    "--broken", type=click.FloatRange(0, 1), default=0.0, help="For tests: share of ticks with a broken file."
)
def live(
    name: str,
    into: Path | None,
    speed: float,
    every: float,
    since: str | None,
    late: float,
    half_written: float,
    broken: float,
) -> int:
    """Write RELEASE as time passes, in small files, into a folder that the dashboard watches; goes on where it stopped."""
    release = manifest.load(library.folder(name))
    target = into or library.releases() / f"{release.folder.name}-live"
    if target.resolve() == release.folder.resolve():
        raise NotFound(_refused(target, "the folder of the release itself", "another folder"))
    asked = Plan(source_of(release), _start(release, since), (speed or UNPACED) * every, late)
    plan = prepared(release, target, asked)
    damage = Damage(half_written, broken) if half_written or broken else None
    click.echo(
        f"writing {release.id} into {target}, {plan.window:g} seconds of it per file; Ctrl+C stops, the same words go on"
    )
    for tick, files in feed(release, target, plan=plan, damage=damage, pause=pace(plan, speed)):
        moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime(plan.start + tick * plan.window))
        click.echo(f"{moment} UTC  {', '.join(str(file.relative_to(target)) for file in files)}", err=True)
    click.echo("all is written")
    return 0


def _start(release: Release, since: str | None) -> float:
    """Return when the feed begins: `since`, or the first decision of a live stage, or the first of all."""
    if since is not None:
        return steps.parse(since).timestamp()
    files = listed([file.path for file in contract.files(release, "decisions")])
    sql = (
        "select coalesce(min(epoch(event_time)) filter (where stage in ('canary', 'ab', 'full')), min(epoch(event_time))) "
        f"as moment from read_parquet({files}, union_by_name = true)"
    )
    with Store() as store:
        return float(store.query(sql)["moment"][0])


__all__ = ["Damage", "Plan", "feed", "live", "pace", "prepared", "source_of", "whole"]
