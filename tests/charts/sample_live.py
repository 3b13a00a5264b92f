"""Numbers made up by hand: the rows of the sample charts of live stages."""

from __future__ import annotations

import math


def waiting():
    return [{"time": f"2026-03-0{1 + hour // 24}T{hour % 24:02}:00", "depth": 40 + 3 * hour} for hour in range(48)]


def waiting_ahead():
    last = waiting()[-1]
    found = [
        {"time": last["time"], "middle": last["depth"]}
        | {f"{e}_{s}": last["depth"] for e in ("low", "high") for s in (50, 80, 95)}
    ]
    for hour in range(4, 48, 4):
        middle = last["depth"] + 3 * hour
        row = {"time": f"2026-03-0{3 + hour // 24}T{hour % 24:02}:00", "middle": middle}
        for share, z in ((50, 0.7), (80, 1.3), (95, 2.0)):
            row |= {f"low_{share}": middle - z * 6 * hour**0.5, f"high_{share}": middle + z * 6 * hour**0.5}
        found.append(row)
    return found


def sampled():
    return [
        {"arm": arm, "time": f"2026-03-01T{hour:02}:00", "mean": at, "low": at - 0.05, "high": at + 0.08}
        for arm, base in (("baseline", 0.4), ("candidate", 0.5))
        for hour in range(24)
        for at in [base + 0.1 * math.sin(hour / 4)]
    ]


def aged():
    return [
        {"age_days": days, "n": 9000 - 200 * days}
        | {v: at, f"{v}_low": at - 0.001, f"{v}_high": at + 0.001}
        | {"candidate": 1.2 * at, "candidate_low": 1.2 * at - 0.001, "candidate_high": 1.2 * at + 0.001}
        for days in (0.25, 1, 2, 3, 7, 14, 30)
        for v, at in [("baseline", 0.004 * (1 - math.exp(-days / 4)))]
    ]


def a_day():
    names = {"Conversion rate": ("higher", 200), "Complaint rate": ("lower", -3), "Approval rate": ("higher", -310)}
    rows = [
        {"segment": name, "better": better, "difference": at, "low": at - 60, "high": at + 60, "n": 6376}
        for name, (better, at) in names.items()
    ]
    empty = dict.fromkeys(("difference", "low", "high"))
    return [*rows, rows[0] | {"segment": "Escalation rate", "better": ""}, rows[0] | {"segment": "Support"} | empty]
