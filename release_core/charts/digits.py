"""Takes a number or None; gives the text that a reader sees: signs, separators, units, "not known"."""

from __future__ import annotations

import math

NOT_KNOWN = "not known"
MINUS = "−"
MOST_DECIMALS = 6
_PLAIN = [f"%.{decimals}f%%" for decimals in range(MOST_DECIMALS + 1)]


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


def percent(value: float | None, decimals: int | None = None) -> str:
    """Return a share (0 to 1) in percent: two significant digits below 1%, one decimal above, so that columns compare.

    Nothing and everything are exact and get no decimals.

    >>> percent(0.1234), percent(0.02), percent(0.00012), percent(0.0), percent(1.0)
    ('12.3%', '2.0%', '0.012%', '0%', '100%')
    """
    if value is None:
        return NOT_KNOWN
    percents = 100 * value
    if value in {0, 1}:
        return f"{percents:.0f}%"
    fine = _share_decimals(percents) if decimals is None else decimals
    # Most have neither a sign nor thousands: then a template is written in half the time, and curves have hundreds of them.
    return _PLAIN[fine] % percents if 0 < percents < 999 else _minus(f"{percents:,.{fine}f}%")


def limit(value: float | None) -> str:
    """Return a share that somebody chose (a limit, a score) in percent: three significant digits, or as few as it has.

    >>> limit(0.9), limit(0.025), limit(0.65158), limit(0.9995)
    ('90%', '2.5%', '65.2%', '99.95%')
    """
    if value is None:
        return NOT_KNOWN
    scaled = 100 * value
    decimals = max(0, min(4, 2 - math.floor(math.log10(abs(scaled))))) if 0 < abs(scaled) < 99 else 2
    return f"{_minus(f'{scaled:.{decimals}f}'.rstrip('0').rstrip('.') if decimals else f'{scaled:.0f}')}%"


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
    """Return `[low, high]` in `unit` without repeating it, both ends with as many decimals as the width asks for.

    >>> interval(-0.079, -0.034), interval(0.1, None), interval(0.12, 0.2, of_difference=False)
    ('[−7.9, −3.4]', 'not known', '[12.0%, 20.0%]')
    >>> interval(0.0001, 0.0014), interval(0.000012, 0.00066, of_difference=False)
    ('[+0.01, +0.14]', '[0.001%, 0.066%]')
    """
    if low is None or high is None:
        return NOT_KNOWN
    fine = _fine(low, high, unit, of_difference=of_difference)
    if not of_difference:
        return f"[{_level(low, unit, fine)}, {_level(high, unit, fine)}]"
    scale = 100 if unit == "share" else 1
    return f"[{_signed(scale * low, fine)}, {_signed(scale * high, fine)}]"


def both(
    value: float | None, low: float | None, high: float | None, unit: str = "share", *, of_difference: bool = True
) -> str:
    r"""Return a value with its interval below it, written with the same number of decimals.

    >>> both(0.0012, 0.0005, 0.0019), both(0.022, 0.019, 0.024, of_difference=False), both(0.1, None, None)
    ('+0.12 pp\n[+0.05, +0.19]', '2.2%\n[1.9%, 2.4%]', '+10.0 pp')
    """
    if value is None or low is None or high is None:
        return (difference if of_difference else level)(value, unit)
    fine = _fine(low, high, unit, of_difference=of_difference)
    if of_difference:
        fine = 1 if value == 0 else fine
        written = _signed(100 * value, fine) + " pp" if unit == "share" else _signed(value, fine)
    else:
        written = _level(value, unit, fine)
    return f"{written}\n{interval(low, high, unit, of_difference=of_difference)}"


def _level(value: float, unit: str, decimals: int) -> str:
    if unit == "share":
        return percent(value, decimals)
    return count(value) if unit == "count" else _minus(f"{value:,.{decimals}f}")


def _fine(low: float, high: float, unit: str, *, of_difference: bool) -> int:
    """Return the decimals with which both ends of an interval are written."""
    scale = 100 if unit == "share" else 1
    most, width = scale * max(abs(low), abs(high)), scale * abs(high - low)
    if unit == "share":
        return max((_point_decimals if of_difference else _share_decimals)(most), _width_decimals(width))
    digits = 2 if of_difference else 3
    narrow = min(_width_decimals(width), _decimals(most, digits + 1)) if width < 1 else 0
    return max(_decimals(most, digits), narrow)


def _width_decimals(width: float) -> int:
    """Return how many decimals round the ends of an interval by at most a quarter of its width (1 to 4)."""
    return 1 if width <= 0 else max(1, min(4, math.ceil(-math.log10(width / 2))))


def _share_decimals(percents: float) -> int:
    size = abs(percents)
    return 1 if size >= 0.995 or size == 0 else 2 if size >= 0.0995 else 3 if size >= 0.00995 else 4


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


def _minus(text: str) -> str:
    return text.replace("-", MINUS)


def cutoff(value: float | None) -> str:
    """Return a cutoff with four significant digits; none in force is a dash.

    >>> cutoff(0.59779), cutoff(620.0), cutoff(None)
    ('0.5978', '620', '–')
    """
    return "–" if value is None else _minus(f"{value:.4g}")
