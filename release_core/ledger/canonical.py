"""Takes values as a review holds them and gives canonical JSON: the same numbers are always the same bytes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum, IntEnum
from numbers import Integral, Real
from typing import TYPE_CHECKING

from release_core.errors import LedgerError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_KNOWN = "not_known"
DIGITS = 12


def canonical_json(value: object) -> str:
    """Return `value` as JSON text: sorted keys, no white space, floats by repr, encodable as UTF-8.

    Raises LedgerError for NaN, infinity, lone surrogates and values that JSON does not have.

    >>> canonical_json({"b": 0.1, "a": [1, None]})
    '{"a":[1,null],"b":0.1}'
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise LedgerError(
            Problem(
                "record content",
                f"a value that cannot be written as JSON ({error})",
                "text, finite numbers, true, false, null, lists and maps with text keys",
                "Pass the content through release_core.ledger.evidence first.",
            )
        ) from error
    return text


def sha256(text: str) -> str:
    """Return the SHA-256 of `text` in UTF-8 as 64 hexadecimal digits; undecodable stored bytes count as they are."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def evidence(review: object) -> dict[str, object]:
    """Return what a sign-off saw as plain JSON values, ready to be hashed and stored.

    Floats are rounded to 12 significant digits. A number that is not finite becomes null and is listed
    under `not_known` with its place and the reason. Enumerations become their words, times ISO 8601.
    The function is idempotent. Raises LedgerError for values that have no such form.

    >>> evidence({"gates": [{"id": "recall", "low": float("nan"), "reason": "no labels"}]})[NOT_KNOWN]
    [{'at': 'gates[0].low', 'reason': 'no labels'}]
    """
    missing: list[object] = []
    plain = _plain(review, "", "", missing)
    if not isinstance(plain, dict):
        raise _unusable("evidence", review)
    earlier = plain.get(NOT_KNOWN, [])
    if not isinstance(earlier, list):
        raise _unusable(NOT_KNOWN, earlier)
    return {**plain, NOT_KNOWN: [*earlier, *missing]}


def evidence_hash(review: object) -> str:
    """Return the SHA-256 of the canonical evidence of `review`."""
    return sha256(canonical_json(evidence(review)))


def _plain(value: object, at: str, reason: str, missing: list[object]) -> object:
    """Return `value` in JSON types; `reason` is what the surrounding row says about its missing numbers."""
    if isinstance(value, Enum):
        return value.name if isinstance(value, IntEnum) else _plain(value.value, at, reason, missing)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return _number(float(value), at, reason, missing)
    return _container(value, at, reason, missing)


def _number(value: float, at: str, reason: str, missing: list[object]) -> float | None:
    if math.isfinite(value):
        return float(f"{value:.{DIGITS}g}") + 0.0  # adding zero turns -0.0 into 0.0
    missing.append({"at": at, "reason": reason or ("nothing was measured" if math.isnan(value) else "infinite")})
    return None


def _container(value: object, at: str, reason: str, missing: list[object]) -> object:
    if isinstance(value, Mapping) or (is_dataclass(value) and not isinstance(value, type)):
        pairs = dict(_pairs(value, at))
        own = pairs.get("reason")
        reason = own if isinstance(own, str) else reason
        return {key: _plain(item, f"{at}.{key}".lstrip("."), reason, missing) for key, item in pairs.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item, f"{at}[{place}]", reason, missing) for place, item in enumerate(value)]
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:  # a numpy boolean
        return _plain(item(), at, reason, missing)
    raise _unusable(at, value)


def _pairs(value: object, at: str) -> Iterator[tuple[str, object]]:
    """Yield the entries of a map or the fields of a dataclass instance."""
    if not isinstance(value, Mapping):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))  # type: ignore[arg-type]
        return
    for key, item in value.items():
        if not isinstance(key, str):
            raise _unusable(f"{at} key", key)
        yield str(key), item


def _unusable(at: str, value: object) -> LedgerError:
    return LedgerError(
        Problem(
            at or "evidence",
            f"a {type(value).__name__}",
            "text, numbers, dates, words of an enumeration, lists, maps with text keys",
            "Convert it before it is signed.",
        )
    )
