"""Takes what a day would have more of, metric by metric; gives one picture of all of them on one axis."""

from __future__ import annotations

from dataclasses import replace

from release_core.charts import digits
from release_core.charts.chart import Caption, Chart, Row, blank
from release_core.charts.forest import forest

DEFINITION = (
    "Each row is candidate minus baseline, times the events of a day of the choice: what a day would have more of (right of "
    "the line) or fewer, if the candidate decided all traffic as it decided its part, with the 95% interval. The mark says "
    "whether that is worse or better beyond chance; what is neither good nor bad by itself is only observed."
)


def daily(rows: list[Row], caption: Caption, *, question: str, what: str, why: str = "") -> Chart:
    """Return the forest of changes a day, in the order in which they are given.

    Args:
        rows: segment (the metric's title), difference, low, high (a day; None where not known), n, and better (higher,
            lower or "").
        caption: version ids and evidence.
        question: what the picture answers.
        what: what is counted a day, as the axis says it, e.g. "events a day".
        why: the sentence to show where nothing is known.
    """
    told = [row | {"verdict": _mark(row)} for row in rows if row["difference"] is not None]
    if not told:
        return blank(question, why or "Nothing of this is known here.", DEFINITION, caption)
    chart = forest(
        told, caption, metric=what, unit="number", better="neither", margin=None, sort=False, question=question
    )
    sure = [row for row in told if row["verdict"] in {"WORSE", "BETTER"}]
    listed = "; ".join(
        f"{row['segment']} {digits.difference(row['difference'], 'number')} {digits.interval(row['low'], row['high'], 'number')}"
        for row in sure or told
    )
    head = f"Change in {what}, {'beyond chance' if sure else 'none beyond chance'}: {listed}."
    return replace(chart, alt=" ".join(part for part in (head, caption.takeaway) if part), definition=DEFINITION)


def _mark(row: Row) -> str:
    """Return the mark of a row: worse or better beyond chance, undecided, or observed only."""
    low, high = row["low"], row["high"]
    if row["better"] not in {"higher", "lower"}:
        return "OBSERVE"
    if low is None or high is None or low <= 0 <= high:
        return "OPEN"
    return "BETTER" if (low > 0) == (row["better"] == "higher") else "WORSE"
