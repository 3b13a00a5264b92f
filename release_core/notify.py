"""Alarms in, notices out: appended to a file, posted to a webhook, each once; off unless an operator names a target.

RELEASE_REVIEW_NOTICE_FILE names a file to which each notice is appended as a line of JSON, RELEASE_REVIEW_WEBHOOK
an address to which it is posted as JSON. An address may hold a secret: it is never written anywhere, only its host.
A notice that could not be delivered stays in the outbox and is tried again at the next call, at growing distances.
"""

from __future__ import annotations

import json
import logging
import os
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

FILE_VARIABLE = "RELEASE_REVIEW_NOTICE_FILE"
WEBHOOK_VARIABLE = "RELEASE_REVIEW_WEBHOOK"
TIMEOUT = 10.0
# Seconds after which a failed delivery is tried again: doubled each time, up to an hour.
FIRST_WAIT, LONGEST_WAIT = 5.0, 3600.0
_log = logging.getLogger(__name__)

try:
    import fcntl
except ImportError:  # where there are no such locks, one process at a time is the operator's care
    fcntl = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Notice:
    """One alarm as others are told: which rule of which release, where, since when (ISO 8601, UTC), what to do."""

    release: str
    stage: str
    rule: str
    segment: str
    since: str
    action: str
    sentence: str

    @property
    def key(self) -> str:
        """Return what makes two notices the same: the rule, where it fired and since when."""
        parts = (self.release, self.stage, self.rule, self.segment, self.since)
        return sha256("\x1f".join(parts).encode()).hexdigest()[:24]


def targets() -> dict[str, str]:
    """Return where notices go: "file" and "webhook", each only if an operator has named one."""
    named = {"file": os.environ.get(FILE_VARIABLE, ""), "webhook": os.environ.get(WEBHOOK_VARIABLE, "")}
    return {kind: place.strip() for kind, place in named.items() if place.strip()}


def tell(notices: Iterable[Notice], outbox: Path, clock: Callable[[], float] = time.time) -> int:
    """Deliver every notice that was not delivered yet, to every target, and return how many deliveries succeeded.

    `outbox` is a JSON file that remembers what was delivered and what is to be tried again; several processes may
    share it. Nothing is raised where a target does not answer: the reason is logged, and the next call tries again.
    """
    where = targets()
    if not where:
        return 0
    outbox.parent.mkdir(parents=True, exist_ok=True)
    with _kept(outbox) as box:
        for notice in notices:
            for kind in where:
                box.setdefault(f"{kind}:{notice.key}", {"notice": asdict(notice), "tries": 0, "due": 0.0})
        now = clock()
        due = [(name, entry) for name, entry in box.items() if not entry.get("done") and entry["due"] <= now]
        return sum(_deliver(name, entry, where, now) for name, entry in due if name.partition(":")[0] in where)


def pending(outbox: Path) -> int:
    """Return how many deliveries have failed so far and will be tried again."""
    if not outbox.exists():
        return 0
    with _kept(outbox) as box:
        return sum(not entry.get("done") for entry in box.values())


def _deliver(name: str, entry: dict[str, Any], where: dict[str, str], now: float) -> bool:
    kind, _, key = name.partition(":")
    entry["tries"] += 1
    try:
        if kind == "file":
            _append(where[kind], entry["notice"])
        else:
            _post(where[kind], entry["notice"], key)
    except (OSError, ValueError, urllib.error.URLError) as error:
        wait = min(FIRST_WAIT * 2 ** (entry["tries"] - 1), LONGEST_WAIT)
        entry["due"] = now + wait
        _log.warning(
            "notice %s to %s failed (%s); next try in %.0f s", key, _public(kind, where[kind]), _why(error), wait
        )
        return False
    entry["done"] = True
    return True


def _append(path: str, notice: dict[str, Any]) -> None:
    with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - the place may be a pipe
        file.write(json.dumps(notice, ensure_ascii=False) + "\n")


def _post(address: str, notice: dict[str, Any], key: str) -> None:
    if urlsplit(address).scheme not in {"http", "https"}:
        message = "a webhook begins with http:// or https://"
        raise ValueError(message)
    body = json.dumps(notice | {"text": notice["sentence"]}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    request = urllib.request.Request(address, body, headers, method="POST")  # noqa: S310 - the scheme is checked
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        answer.read(1)


def _why(error: Exception) -> str:
    """Return why a delivery failed, without what an address may hold."""
    if isinstance(error, urllib.error.HTTPError):
        return f"status {error.code}"
    return type(getattr(error, "reason", error)).__name__


def _public(kind: str, place: str) -> str:
    return "the notice file" if kind == "file" else f"the webhook at {urlsplit(place).hostname or 'no host'}"


@contextmanager
def _kept(outbox: Path) -> Iterator[dict[str, Any]]:
    """Give the outbox's entries, alone, and write them back; a damaged outbox is set aside and begun anew."""
    with outbox.with_suffix(".lock").open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        box = _read(outbox)
        yield box
        fresh = outbox.with_suffix(".new")
        fresh.write_text(json.dumps(box, ensure_ascii=False), encoding="utf-8")
        fresh.replace(outbox)


def _read(outbox: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(outbox.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError):
        outbox.replace(outbox.with_suffix(".damaged"))
        _log.warning("the outbox of notices was damaged and is begun anew: a notice may come twice")
        return {}
