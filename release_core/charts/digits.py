"""Takes a number or None; gives the text that a reader sees: signs, separators, units, "not known"."""

from __future__ import annotations

NOT_KNOWN = "not known"
MINUS = "−"
MOST_DECIMALS = 6


def count(value: float | None) -> str:
    """Return a whole number with thousands separators.

    >>> count(1234567)
    '1,234,567'
    """
    return NOT_KNOWN if value is None else _minus(f"{value:,.0f}")


def number(value: float | None, digits: int = 3) -> str:
    """Return `digits` significant digits, never in exponent form.

    >>> number(-0.061234), number(1234.5), number(None)
    ('−0.0612', '1,234', 'not known')
    """
    if value is None:
        return NOT_KNOWN
    return _minus(f"{value:,.{_decimals(value, digits)}f}")


def percent(value: float | None) -> str:
    """Return a share (0 to 1) in percent with three significant digits, at most one decimal from 10 % on.

    >>> percent(0.1234), percent(0.00012), percent(0.0)
    ('12.3%', '0.012%', '0%')
    """
    if value is None:
        return NOT_KNOWN
    scaled = 100 * value
    decimals = 1 if abs(scaled) >= 10 else min(_decimals(scaled, 2), 4)
    return _minus(f"{_trim(f'{scaled:,.{decimals}f}')}%")


def points(value: float | None) -> str:
    """Return a difference of shares in percentage points, always signed, with one decimal from 0.1 on.

    >>> points(-0.056), points(0.0024), points(0.00024), points(0.0)
    ('−5.6 pp', '+0.2 pp', '+0.024 pp', '0.0 pp')
    """
    return NOT_KNOWN if value is None else _signed(100 * value, _point_decimals(100 * value)) + " pp"


def signed(value: float | None) -> str:
    """Return a difference in its own unit, always signed.

    >>> signed(0.012), signed(-3.0)
    ('+0.012', '−3.0')
    """
    return NOT_KNOWN if value is None else _signed(value, _two_digits(value))


def difference(value: float | None, unit: str) -> str:
    """Return a difference in `unit`: "share" gives percentage points, anything else the signed number."""
    return points(value) if unit == "share" else signed(value)


def level(value: float | None, unit: str) -> str:
    """Return a value in `unit`: "share" gives percent, "count" a whole number, anything else the number."""
    return {"share": percent, "count": count}.get(unit, number)(value)


def interval(low: float | None, high: float | None, unit: str = "share", *, of_difference: bool = True) -> str:
    """Return `[low, high]` in `unit` without repeating it.

    >>> interval(-0.079, -0.034), interval(0.1, None), interval(0.12, 0.2, of_difference=False)
    ('[−7.9, −3.4]', 'not known', '[12%, 20%]')
    """
    if low is None or high is None:
        return NOT_KNOWN
    if not of_difference:
        return f"[{level(low, unit)}, {level(high, unit)}]"
    scale, decimals = (100, _point_decimals) if unit == "share" else (1, _two_digits)
    fine = decimals(scale * max(abs(low), abs(high)))
    return f"[{_signed(scale * low, fine)}, {_signed(scale * high, fine)}]"


def _point_decimals(points: float) -> int:
    """Return one decimal from 0.1 points on, so that columns compare, and more only below it."""
    return 1 if points == 0 or abs(points) >= 0.0995 else _two_digits(points)


def _two_digits(value: float) -> int:
    return _decimals(value, 2)


def _signed(value: float, decimals: int) -> str:
    text = f"{abs(value):,.{decimals}f}"
    if not any(digit in "123456789" for digit in text):
        return text if decimals < MOST_DECIMALS else "0.0"
    return ("+" if value > 0 else MINUS) + text


def _decimals(value: float, digits: int) -> int:
    """Return how many decimals show `digits` significant digits of `value` (0 to 6)."""
    if value == 0:
        return 1
    exponent = int(f"{abs(value):.{digits - 1}e}".split("e")[1])
    return max(0, min(MOST_DECIMALS, digits - 1 - exponent))


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _minus(text: str) -> str:
    return text.replace("-", MINUS)


def cutoff(value: float | None) -> str:
    """Return a cutoff with four significant digits; none in force is a dash.

    >>> cutoff(0.59779), cutoff(620.0), cutoff(None)
    ('0.5978', '620', '–')
    """
    return "–" if value is None else _minus(f"{value:.4g}")
