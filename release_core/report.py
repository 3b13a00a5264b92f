"""Evidence and metric rows in, text out: JSON, JUnit XML, Markdown, CSV and plain tables."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from release_core.gates.words import number, place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release_core.frames import MetricRow

    Evidence = dict[str, Any]

GLYPHS = {"PASS": "●", "MARGINAL": "▲", "INCONCLUSIVE": "◇", "NODATA": "◌", "FAIL": "✖"}
ORDER = tuple(reversed(GLYPHS))
COLUMNS = ("metric", "version", "segment", "value", "low", "high", "method", "n", "positives", "reason")


def as_json(evidence: Evidence) -> str:
    """Return the evidence as JSON."""
    return json.dumps(evidence, indent=2, ensure_ascii=False, allow_nan=False)


def as_text(evidence: Evidence) -> str:
    """Return the verdict, and one line per judged segment that does not pass."""
    rows = evidence["rows"]
    lines = [
        f"{GLYPHS[evidence['verdict']]} {evidence['verdict']}  {evidence['release']} at {evidence['stage']}, as of {evidence['as_of']}",
        f"  {evidence['kind']} release; changed: {', '.join(evidence['changed']) or 'nothing'}",
        f"  rows read {rows['read']:,}, accepted {rows['accepted']:,}, quarantined {rows['quarantined']:,}, pending {rows['pending']:,}",
    ]
    lines += [f"  file set aside: {text}" for log in evidence["logs"].values() for text in log["rejected"]]
    lines += [
        f"  {n:,} rows quarantined in {name}: {rule}"
        for name, log in evidence["logs"].items()
        for rule, n in log["reasons"].items()
    ]
    passing = sum(gate["verdict"] == "PASS" for gate in _counting(evidence))
    lines += [
        f"  {GLYPHS[gate['verdict']]} {gate['verdict']:<12} {gate['id']}: {gate['sentence']}"
        for gate in _worst_first(evidence)
    ]
    lines.append(f"  {GLYPHS['PASS']} {passing} of {len(_counting(evidence))} judged rows pass")
    return "\n".join(lines)


def _counting(evidence: Evidence) -> list[dict[str, Any]]:
    return [gate for gate in evidence["gates"] if gate["counts"] and gate["level"] != "observe"]


def _worst_first(evidence: Evidence) -> list[dict[str, Any]]:
    found = [gate for gate in _counting(evidence) if gate["verdict"] != "PASS"]
    return sorted(found, key=lambda gate: ORDER.index(gate["verdict"]))


def as_markdown(evidence: Evidence) -> str:
    """Return the verdict and a table of every judged row, for a pull request or a wiki."""
    head = [
        f"# {GLYPHS[evidence['verdict']]} {evidence['verdict']}: {evidence['release']} at {evidence['stage']}",
        "",
        f"As of {evidence['as_of']} · {evidence['kind']} release · changed: {', '.join(evidence['changed']) or 'nothing'} · "
        f"manifest `{evidence['manifest_hash'][:12]}` · data `{evidence['data_fingerprint'][:12]}`",
        "",
        "| verdict | gate | segment | sentence |",
        "|---|---|---|---|",
    ]
    shown = _worst_first(evidence) + [gate for gate in _counting(evidence) if gate["verdict"] == "PASS"]
    rows = [
        f"| {GLYPHS[gate['verdict']]} {gate['verdict']} | {_cell(gate['id'])} | {_cell(place(gate['segment']))} "
        f"| {_cell(gate['sentence'])} |"
        for gate in shown
    ]
    return "\n".join([*head, *rows])


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def as_junit(evidence: Evidence) -> str:
    """Return JUnit XML: a failed row is a failure, one that cannot be decided an error, one that only warns passes."""
    cases = _counting(evidence)
    suite = ET.Element("testsuite", name=f"{evidence['release']} {evidence['stage']}", timestamp=evidence["as_of"])
    counts = {"tests": len(cases), "failures": 0, "errors": 0}
    for gate in cases:
        case = ET.SubElement(suite, "testcase", classname=_xml(gate["id"]), name=_xml(place(gate["segment"])))
        kind = (
            None
            if gate["level"] == "warn"
            else {"FAIL": "failure", "NODATA": "error", "INCONCLUSIVE": "error"}.get(gate["verdict"])
        )
        if kind:
            counts[f"{kind}s"] += 1
            ET.SubElement(case, kind, message=_xml(gate["sentence"]), type=gate["verdict"])
        else:
            ET.SubElement(case, "system-out").text = _xml(gate["sentence"])
    suite.attrib.update({name: str(n) for name, n in counts.items()})
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode")


def _xml(text: str) -> str:
    """Return the text without the control characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n\r" or ord(c) >= ord(" "))


REPORTS: dict[str, Callable[[Evidence], str]] = {
    "text": as_text,
    "json": as_json,
    "junit": as_junit,
    "markdown": as_markdown,
}


def metric_records(rows: Sequence[MetricRow]) -> list[dict[str, Any]]:
    """Return metric rows as plain maps."""
    return [{name: dict(row.segment) if name == "segment" else getattr(row, name) for name in COLUMNS} for row in rows]


def metrics_json(rows: Sequence[MetricRow], units: dict[str, str]) -> str:
    """Return metric rows as JSON."""
    del units
    return json.dumps(metric_records(rows), indent=2, ensure_ascii=False, allow_nan=False)


def metrics_csv(rows: Sequence[MetricRow], units: dict[str, str]) -> str:
    """Return metric rows as CSV, one column per split dimension; what is not known is an empty field."""
    del units
    dims = list(dict.fromkeys(dim for row in rows for dim in row.segment))
    names = ["metric", "version", *dims, *COLUMNS[3:]]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for record in metric_records(rows):
        flat = record | record["segment"]
        writer.writerow(["" if flat.get(name) is None else flat.get(name, "") for name in names])
    return out.getvalue().rstrip("\n")


def metrics_table(rows: Sequence[MetricRow], units: dict[str, str]) -> str:
    """Return metric rows as an aligned table."""
    lines = [("metric", "version", "segment", "value", "95% interval", "n", "bad", "")]
    for row in rows:
        unit = units.get(row.metric, "number")
        signed = row.version == "difference"
        between = (
            ""
            if row.low is None
            else f"{number(row.low, unit, signed=signed)} to {number(row.high, unit, signed=signed)}"
        )
        value = number(row.value, unit, signed=signed)
        lines.append(
            (
                row.metric,
                row.version,
                place(row.segment),
                value,
                between,
                f"{row.n:,}",
                f"{row.positives:,}",
                row.reason,
            )
        )
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


TABLES: dict[str, Callable[[Sequence[MetricRow], dict[str, str]], str]] = {
    "table": metrics_table,
    "csv": metrics_csv,
    "json": metrics_json,
}
