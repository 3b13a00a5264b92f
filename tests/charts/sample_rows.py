"""Numbers made up by hand: the rows that the sample charts are drawn from."""

from __future__ import annotations

import itertools
import math

from release_core import charts
from release_core.charts import Caption

CAPTION = Caption(
    "lr-1", "gbm-1", "n = 6,000 · as of 2005-09-30 · baseline lr-1 vs candidate gbm-1", "", "select 1 as one"
)
CUTOFFS = [
    {"label": "review t12", "score": 0.32, "version": "baseline"},
    {"label": "review t13", "score": 0.38, "version": "candidate"},
    {"label": "block t12", "score": 0.62, "version": "baseline"},
    {"label": "block t13", "score": 0.66, "version": "candidate"},
]


def expit(x):
    return 1 / (1 + math.exp(-x))


def bell(x, middle, width):
    return math.exp(-0.5 * ((x - middle) / width) ** 2)


def bins():
    places = [-6 + i / 4 for i in range(40)]
    old = [bell(x, -1.6, 0.9) for x in places]
    new = [0.75 * bell(x, -2.1, 0.7) + 0.25 * bell(x, 0.5, 1.0) for x in places]
    return [
        {"low": expit(x), "high": expit(x + 0.25), "baseline": a / sum(old), "candidate": b / sum(new)}
        for x, a, b in zip(places, old, new, strict=True)
    ]


def segments():
    table = [
        ("age 25 and under", -0.056, 0.022, "FAIL", 2301),
        ("limit under 50k / age 26-35", -0.012, 0.030, "INCONCLUSIVE", 1133),
        ("age 26-35", 0.010, 0.012, "PASS", 4279),
        ("limit 50-200k", -0.008, 0.007, "MARGINAL", 8217),
        ("education <other> & unknown", -0.030, 0.060, "OBSERVE", 61),
        ("undocumented code P11 with a very long name", None, None, "NODATA", 4),
        ("limit under 50k", -0.041, 0.018, "FAIL", 3539),
        ("overall", 0.004, 0.006, "PASS", 6000),
    ]
    return [
        {
            "segment": name,
            "difference": change,
            "low": None if change is None else change - width,
            "high": None if change is None else change + width,
            "verdict": verdict,
            "n": n,
        }
        for name, change, width, verdict, n in table
    ]


def curves():
    edges = [-5, -4, -3.2, -2.5, -1.8, -1, -0.2, 0.6, 1.3, 2]
    return {
        version: [
            {"low": expit(a), "high": expit(b), "rate": expit(slope * (a + b) / 2 + shift), "n": 600, "positives": 90}
            for a, b in itertools.pairwise(edges)
        ]
        for version, slope, shift in (("baseline", 0.8, -0.5), ("candidate", 1.0, 0.1))
    }


def ratios():
    table = [("age 25 and under", 1.6, 1.3), ("limit <50k>", 0.9, 1.02), ("46+", 1.0, 0.97), ("new", None, None)]
    rows = []
    for name, old, new in table:
        row = {"segment": name, "baseline": old, "candidate": new, "n": 900, "positives": 80 if old else 0}
        for version, value in (("baseline", old), ("candidate", new)):
            row[f"{version}_low"] = None if value is None else value * 0.9
            row[f"{version}_high"] = None if value is None else value * 1.1
        rows.append(row)
    return rows


def band():
    places = [-5 + i / 2 for i in range(15)]
    return [
        {"score": expit(x), "low": expit(x - 0.3 - x * x / 20), "high": expit(x + 0.3 + x * x / 20)} for x in places
    ]


def trade_points():
    return [
        {
            "cutoff": expit(x),
            "baseline_recall": 0.95 * expit(-1.5 * (x + 0.6)),
            "candidate_recall": expit(-1.5 * (x + 0.5)),
            "baseline_precision": expit(0.7 * x + 0.1) if x < 1.5 else None,
            "candidate_precision": expit(0.8 * x + 0.2) if x < 2 else None,
        }
        for x in (-5 + i / 8 for i in range(60))
    ]


def cost_points():
    rows = []
    for place in range(60):
        old, new = 900 + 1.8 * (place - 30) ** 2, 860 + 1.7 * (place - 33) ** 2
        row = {"cutoff": expit(-5 + place / 8), "baseline": old, "candidate": new}
        ends = {
            "baseline_low": old - 30,
            "baseline_high": old + 30,
            "candidate_low": new - 30,
            "candidate_high": new + 30,
        }
        rows.append(row | ends)
    return rows


def ages():
    known = [(5 * i, 1 - math.exp(-i / 4)) for i in range(25)]
    return [
        {
            "age_days": age,
            "known": share,
            "low": max(0, share - 0.03),
            "high": min(1, share + 0.03),
            "n": 6000 - 20 * age,
        }
        for age, share in known
    ]


def steps():
    shares = [(0.2, 0.0), (0.4, 0.12), (0.6, 0.31), (0.8, 0.55), (0.93, 0.78), (1.0, 1.0)]
    return [
        {"step": f"2005-0{month}-28", "known": known, "mature": mature, "n": 1000 * month}
        for month, (known, mature) in enumerate(shares, start=4)
    ]


def months():
    rows = []
    for month in range(4, 10):
        old, new = 0.2 + 0.01 * math.sin(month), None if month == 6 else 0.21 + 0.004 * month
        row = {"step": f"2005-0{month}-28", "baseline": old, "candidate": new}
        for version, value in (("baseline", old), ("candidate", new)):
            row[f"{version}_low"] = None if value is None else value - 0.02
            row[f"{version}_high"] = None if value is None else value + 0.02
        rows.append(row)
    return rows


def cells():
    table = {
        "25 and under": (-0.036, -0.047, -0.013, None),
        "26-35": (0.031, -0.034, -0.041, -0.013),
        "46+": (-0.021, 0.007, -0.044, None),
    }
    verdicts = {-0.036: "FAIL", -0.047: "FAIL", -0.041: "FAIL", -0.044: "FAIL", 0.007: "INCONCLUSIVE", None: "NODATA"}
    return [
        {
            "row": age,
            "column": limit,
            "difference": change,
            "low": None if change is None else change - 0.02,
            "high": None if change is None else change + 0.02,
            "verdict": verdicts.get(change, "PASS"),
            "n": 240,
        }
        for age, line in table.items()
        for limit, change in zip(("under 50k", "50-200k", "200k+", "(missing)"), line, strict=True)
    ]


def shares():
    table = [("review t12", 0.25, 0.01, 0.31, 0.01), ("block t12", 0.081, 0.007, 0.102, 0.008)]
    return [
        {
            "cutoff": cutoff,
            "baseline": old,
            "baseline_low": old - a,
            "baseline_high": old + a,
            "candidate": new,
            "candidate_low": new - b,
            "candidate_high": new + b,
        }
        for cutoff, old, a, new, b in table
    ]


def flows():
    table = [
        ("approve", "approve", 4100, 0.12),
        ("approve", "review", 310, 0.31),
        ("approve", "block", 22, 0.5),
        ("review", "approve", 270, None),
        ("review", "review", 700, 0.35),
        ("review", "block", 118, 0.55),
        ("block", "review", 90, 0.44),
        ("block", "block", 390, 0.7),
    ]
    return [{"baseline": a, "candidate": b, "n": n, "share": n / 6000, "bad": bad} for a, b, n, bad in table]


def maturing():
    """Return two maturity curves, the second without an interval at its start."""
    return [
        {"name": name, "age_days": day, "known": share, "low": low, "high": min(1.0, share + 0.05), "n": 90}
        for name, pace in (("approve", 12), ("review <fast>", 2))
        for day in range(1, 40)
        for share in (1 - math.exp(-day / pace),)
        for low in (None if day == 1 else max(0.0, share - 0.05),)
    ]


def cohorts():
    """Return a development triangle of four cohorts, the newest too young for a share."""
    counts = {"2026-03-07": [40, 70, 90, 95], "2026-03-14": [38, 71, 88], "2026-03-21": [44, 80], "2026-03-28": [41]}
    return [
        {"cohort": name, "age_days": 7.0 * lag, "known": n, "share": n / 97 if len(row) > 1 else None}
        for name, row in counts.items()
        for lag, n in enumerate(row)
    ]


def readings():
    """Return a metric's course in two readings; the newest cohort has no nowcast."""
    rows = [("2026-03-07", 0.6, 0.58), ("2026-03-14", 0.66, 0.59), ("2026-03-21", 0.9, None)]
    return [
        {"step": step, "naive": naive, "nowcast": value}
        | {f"nowcast_{end}": None if value is None else value + way for end, way in (("low", -0.05), ("high", 0.05))}
        for step, naive, value in rows
    ]


def two_times():
    """Return gates at two as-of times, one of them unread then."""
    table = [
        ("recall", -0.4, 1.6, "PASS", "FAIL"),
        ("alert_rate", 0.5, 0.4, "PASS", "PASS"),
        ("auc", None, 0.7, "NODATA", "INCONCLUSIVE"),
    ]
    return [
        {"gate": gate, "segment": "all <events>", "then_verdict": a, "now_verdict": b}
        | {f"{when}{end}": None if value is None else value + way
           for when, value in (("then", then), ("now", now)) for end, way in (("", 0), ("_low", -0.8), ("_high", 0.8))}
        for gate, then, now, a, b in table
    ]  # fmt: skip


READINGS = [charts.Reading("naive", "known now", "$muted", "dot"), charts.Reading("nowcast", "nowcast", "$cand")]
COURSE = {"question": "How does recall look, cohort by cohort?", "definition": "The metric of each cohort."}
ACTIONS = ["approve", "review", "block"]


def causes():
    """Return the steps of a waterfall, one of them without an interval."""
    steps = [("model", 0.13, 0.03, (0.02, 0.04), (0.01, 0.03)), ("cutoffs", 0.11, -0.02, (None, None), (-0.04, 0.01))]
    return [
        {"name": "baseline", "level": 0.10},
        *(
            {"name": name, "level": level, "change": change, "low": low, "high": high, "least": least, "most": most}
            for name, level, change, (low, high), (least, most) in steps
        ),
        {"name": "candidate", "level": 0.11},
    ]


def map_cells():
    """Return a joint table around the diagonal, with cells that hold nothing."""
    counts = {(i, j): round(400 * bell(i, 2, 2) * bell(j, i, 1)) for i in range(8) for j in range(8)}
    return [
        {"row": i, "column": j, "n": n, "bad": None if i + j < 4 else (i + j) / 20, "amount": 12.5 * n}
        for (i, j), n in counts.items()
        if n
    ]


def quantile_rows():
    rows = []
    for month in range(4, 10):
        row = {"step": f"2005-0{month}-28", "n": 0 if month == 6 else 900}
        for version, shift in (("baseline", 0.0), ("candidate", 0.05 * month)):
            levels = {"p50": -3.0 + shift, "p90": -1.0 + shift, "p99": 1.0 + shift}
            row |= {f"{version}_{level}": None if month == 6 else expit(x) for level, x in levels.items()}
        rows.append(row)
    return rows


def action_shares():
    table = [("approve", 0.91, 0.9), ("review", 0.06, 0.075), ("block", 0.03, 0.025)]
    return [{"action": action, "baseline": old, "candidate": new} for action, old, new in table]


def slice_rows():
    verdicts = ("WORSE", "OPEN", "BETTER")
    return [
        row | {"verdict": verdicts[n % 3], "shrunken": 0.7 * row["difference"]}
        for n, row in enumerate(row for row in segments() if row["difference"] is not None)
    ]


def shifts():
    table = [("AT", 0.01, -0.03), ("DE <all>", -0.002, 0.001), ("PL, one of its own kind and long", None, None)]
    return [
        {
            "segment": name,
            "mix": mix,
            "rate": rate,
            "first": 0.4,
            "second": None if mix is None else 0.3,
            "first_share": 0.3,
            "second_share": 0.35,
        }
        for name, mix, rate in table
    ]


def tail_points():
    places = [-6 + i / 4 for i in range(32)]
    return [
        {"score": expit(x), "baseline": expit(-2 - x), "candidate": expit(-1.8 - x) if x < 1 else 0.0} for x in places
    ]


def past():
    def span(name, first, last, n=1000):
        return {"name": name, "begin": f"2026-03-{first:02}T00:00:00", "end": f"2026-03-{last:02}T23:59:59", "n": n}

    at = [f"2026-03-{day:02}T12:00:00" for day in range(2, 20, 3)]
    verdicts = ("NODATA", "INCONCLUSIVE", "PASS", "PASS", "MARGINAL", "FAIL")
    decided = (("go", 0), ("conditional go", 1), ("drill", 3), ("rollback", 5))
    return {
        "stages": [span("Shadow", 1, 6), span("Canary <5%>", 7, 19)],
        "ramps": [span("1%", 7, 10), span("5%", 11, 19)],
        "verdicts": [
            {"at": a, "stage": "canary", "verdict": v, "sentence": "Why."} for a, v in zip(at, verdicts, strict=True)
        ],
        "alarms": [
            {"at": at[5], "rule": "queue", "segment": "all events", "action": "rollback", "sentence": "It overruns."}
        ],
        "decisions": [{"at": at[n], "decision": d, "stage": "canary", "who": "sam"} for d, n in decided],
        "maturity": [{"at": a, "mature": n / 6} for n, a in enumerate(at)],
    }


OF = {"what": "disagreement", "of": "events on which the actions differ / events"}


def spread():
    rows = [
        ("up to 20", 0.02, 0.01, 0.03, 900),
        ("20 to 50 <EUR>", 0.05, None, None, 12),
        ("none", None, None, None, 0),
    ]
    return [dict(zip(("segment", "value", "low", "high", "n"), row, strict=True)) for row in rows]


def covered():
    places = [-6 + i / 4 for i in range(36)]
    return [
        {
            "action": action,
            "low": expit(x),
            "high": expit(x + 0.25),
            "n": n,
            "labelled": round(n * share),
            "share": share,
        }
        for action, start, share in (("approve", -6, 0.96), ("review", -1, 1.0), ("block", 0.5, 0.0))
        for x in places
        if x >= start and (n := round(900 * bell(x, -2.0, 1.4)))
    ]
