"""The command line as other programs use it: results on standard output, words on standard error, exit codes."""

import csv
import io
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from tests import factory

ROOT = Path(__file__).parents[2]
GATE = {
    "id", "metric", "comparison", "level", "scope", "segment", "verdict", "counts", "baseline", "candidate", "difference", "low", "high",
    "low_adjusted", "high_adjusted", "confidence", "method", "n", "positives", "margin", "unseen", "unseen_low",
    "unseen_high", "sentence",
}  # fmt: skip
ALONE = {"scope": "overall", "stages": ["replay"], "level": "stop"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs a command in a process of its own, with cache, ledger and releases below `tmp_path`."""
    for name in ("CACHE", "RELEASES"):
        monkeypatch.setenv(f"RELEASE_REVIEW_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("RELEASE_REVIEW_LEDGER", str(tmp_path / "ledger.sqlite"))

    def command(*words):
        done = subprocess.run(
            [sys.executable, "-m", "release_core", *map(str, words)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout
        return done

    return command


@pytest.fixture
def release(tmp_path):
    """Return a function that writes a release folder from a log."""

    def write(log=None, told=..., **changes):
        log = factory.decisions(1200, seed=21) if log is None else log
        return factory.write(tmp_path / "r", log, factory.outcomes(log) if told is ... else told, **changes)

    return write


def same(log):
    return log.assign(candidate_score=log["baseline_score"])


@pytest.mark.parametrize(
    ("case", "code", "verdict"),
    [
        ("pass", 0, "PASS"),
        ("marginal", 10, "MARGINAL"),
        ("inconclusive", 20, "INCONCLUSIVE"),
        ("nodata", 30, "NODATA"),
        ("fail", 40, "FAIL"),
    ],
)
def test_the_exit_code_says_the_verdict(case, code, verdict, run, release):
    log = factory.decisions(20_000, seed=22, rate=0.3)
    calibrated = 1 / (1 + np.exp(-np.log(log["baseline_score"] / (1 - log["baseline_score"]))))
    log = log.assign(baseline_score=calibrated, candidate_score=calibrated)
    rng = np.random.default_rng(3)
    log["bad"] = rng.random(len(log)) < calibrated
    told = factory.outcomes(log)
    if case == "marginal":
        lost = log["bad"] & (log["candidate_score"] >= 0.3) & (rng.random(len(log)) < 0.006)
        log.loc[lost, "candidate_score"] = 0.01
    if case == "inconclusive":
        log, told = log[:250], told[:250]
    if case == "nodata":
        told = None
    if case == "fail":
        log["candidate_score"] = rng.permutation(log["candidate_score"])
    done = run("check", release(log, told, segments={"dims": [], "min_events": 200}), "--format", "json")
    assert (json.loads(done.stdout)["verdict"], done.returncode) == (verdict, code), [
        g["sentence"] for g in json.loads(done.stdout)["gates"] if g["verdict"] != "PASS"
    ]


def test_check_prints_the_agreed_json(run, release):
    done = run("check", release(), "--format", "json")
    told = json.loads(done.stdout)
    assert set(told) >= {
        "release",
        "kind",
        "changed",
        "stage",
        "as_of",
        "verdict",
        "manifest_hash",
        "data_fingerprint",
        "rows",
        "logs",
        "gates",
    }
    assert told["rows"] == {"read": 2400, "accepted": 2400, "quarantined": 0, "pending": 0}
    assert set(told["logs"]) == {"decisions", "outcomes", "runtime"}
    assert all(set(gate) == GATE for gate in told["gates"])
    assert (told["kind"], told["changed"], told["stage"]) == ("model", ["model"], "replay")
    assert "NaN" not in done.stdout


def test_check_speaks_junit_markdown_and_plain_text(run, release):
    folder = release()
    suite = ET.fromstring(run("check", folder, "--format", "junit").stdout)
    assert int(suite.get("tests")) == len(suite.findall("testcase")) > 10
    assert "| verdict | gate |" in run("check", folder, "--format", "markdown").stdout
    assert re.search(r"\d+ of \d+ judged rows pass", run("check", folder).stdout)


def test_a_bare_date_means_its_end_and_the_step_used_is_told(run, release):
    folder = release()
    asked = {
        text: json.loads(run("check", folder, "--as-of", text, "--format", "json").stdout)["as_of"]
        for text in ("2026-01-10", "2026-01-11T12:00:00Z")
    }
    assert set(asked.values()) == {"2026-01-10T23:59:59.999999Z"}


def test_metrics_prints_the_agreed_rows_as_json_and_csv(run, release):
    folder = release()
    rows = json.loads(run("metrics", folder, "--by", "market", "--metric", "recall", "--format", "json").stdout)
    assert [set(row) for row in rows] == [
        {"metric", "version", "segment", "value", "low", "high", "method", "n", "positives", "reason"}
    ] * 9
    assert {row["version"] for row in rows} == {"baseline", "candidate", "difference"}
    overall = json.loads(run("metrics", folder, "--metric", "auc", "--format", "json").stdout)
    assert [row["segment"] for row in overall] == [{}] * 3
    table = list(
        csv.DictReader(
            io.StringIO(
                run("metrics", folder, "--by", "market", "--metric", "precision_block", "--format", "csv").stdout
            )
        )
    )
    assert set(table[0]) == {
        "metric",
        "version",
        "market",
        "value",
        "low",
        "high",
        "method",
        "n",
        "positives",
        "reason",
    }


def test_what_is_not_known_is_null_and_an_empty_field(run, release):
    folder = release(told=None)
    (row, *_) = json.loads(run("metrics", folder, "--metric", "auc", "--format", "json").stdout)
    assert (row["value"], row["n"], row["reason"]) == (None, 0, "no labelled event in the denominator")
    (line, *_) = csv.DictReader(io.StringIO(run("metrics", folder, "--metric", "auc", "--format", "csv").stdout))
    assert (line["value"], line["low"]) == ("", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "nowhere"), "'nowhere'"),
        (("check", "{r}", "--stage", "canary"), "a stage with decisions"),
        (("check", "{r}", "--as-of", "tomorrow"), "ISO 8601"),
        (("check", "{r}", "--as-of", "2001-01-01"), "or later"),
        (("metrics", "{r}", "--by", "colour"), "'colour'"),
        (("metrics", "{r}", "--metric", "accuracy"), "'accuracy'"),
        (("metrics", "{r}", "--where", "market"), "DIM=VALUE"),
        (("check",), "Missing argument"),
        (("check", "{r}", "--format", "pdf"), "'pdf'"),
    ],
)
def test_wrong_words_are_explained_and_exit_with_2(words, said, run, release):
    folder = str(release())
    done = run(*(word.replace("{r}", folder) for word in words))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_broken_manifest_tells_every_problem_at_once(run, release):
    folder = release()
    text = (
        (folder / "release.toml")
        .read_text()
        .replace('kind = "model"', 'kind = "modell"')
        .replace("min_events = 50", "min_event = 50")
    )
    (folder / "release.toml").write_text(text)
    done = run("check", folder)
    assert done.returncode == 2
    assert "modell" in done.stderr
    assert "min_event" in done.stderr


def damage(folder, how):
    """Damage a log in one of the ways that happen, and return how many rows stay good (None: the file is set aside)."""
    path = folder / "decisions" / "00.parquet"
    frame = pd.read_parquet(path)
    if how == "truncated":
        (folder / "decisions" / "01.parquet").write_bytes(path.read_bytes()[:500])
        return len(frame)
    if how == "missing columns":
        frame.drop(columns=["event_time"]).head(5).to_parquet(folder / "decisions" / "01.parquet")
        return len(frame)
    if how == "bad dates":
        frame = frame.assign(event_time=frame["event_time"].astype(str))
        frame.loc[:2, "event_time"] = ["soon", "2026-13-45", ""]
    if how == "nan scores":
        frame.loc[:2, "candidate_score"] = [np.nan, np.inf, 7.0]
        frame.to_csv(folder / "decisions" / "00.csv", index=False, na_rep="NaN")
        path.unlink()
        return len(frame) - 3
    frame.to_parquet(path)
    return len(frame) - 3


@pytest.mark.parametrize("how", ["truncated", "missing columns", "bad dates", "nan scores"])
def test_bad_rows_and_files_are_set_aside_and_the_good_ones_count(how, run, release):
    folder = release()
    good = damage(folder, how)
    told = json.loads(run("check", folder, "--format", "json").stdout)
    log = told["logs"]["decisions"]
    assert log["accepted"] == good
    assert log["read"] == log["accepted"] + log["quarantined"]
    assert log["rejected"] or log["reasons"]


@pytest.mark.parametrize("what", ["no file", "only a header", "no rows"])
def test_empty_logs_are_explained(what, run, release):
    folder = release()
    path = folder / "decisions" / "00.parquet"
    frame = pd.read_parquet(path)
    path.unlink()
    if what == "only a header":
        frame.head(0).to_csv(folder / "decisions" / "00.csv", index=False)
    if what == "no rows":
        frame.head(0).to_parquet(path)
    done = run("check", folder)
    assert done.returncode in {2, 30, 40}
    assert (done.stderr or done.stdout).strip()


def test_one_class_and_a_segment_of_three_events_are_no_data(run, release):
    log = same(factory.decisions(900, seed=23))
    log["bad"] = False
    log.loc[:2, "market"] = "XX"
    done = run("check", release(log, factory.outcomes(log)), "--format", "json")
    gates = json.loads(done.stdout)["gates"]
    assert {gate["verdict"] for gate in gates if gate["metric"] in {"auc", "recall"}} == {"NODATA"}
    (tiny,) = [gate for gate in gates if gate["metric"] == "fpr" and gate["segment"] == {"market": "XX"}]
    assert (tiny["n"], tiny["verdict"], tiny["counts"]) == (3, "NODATA", False)


def vendor(log, name):
    if name == "csv":
        return log, "decisions.csv"
    if name == "arize":
        return log.rename(columns={"event_id": "prediction_id", "event_time": "prediction_ts"}), "decisions.parquet"
    if name == "points":
        points = {f"{v}_score": np.round(850 - 550 * log[f"{v}_score"]) for v in ("baseline", "candidate")}
        return log.assign(**points, baseline_action=factory.actions(log["baseline_score"])), "decisions.parquet"
    both = [
        log.assign(version=v, score=log[f"{v}_score"]).drop(columns=["baseline_score", "candidate_score"])
        for v in ("baseline", "candidate")
    ]
    return pd.concat(both), "decisions.csv"


@pytest.mark.parametrize("name", ["csv", "arize", "points", "long"])
def test_init_guesses_a_manifest_that_check_can_use_at_once(name, run, tmp_path):
    log = factory.decisions(800, seed=24).assign(event_time=lambda frame: frame["event_time"].astype(str))
    frame, file = vendor(log, name)
    (tmp_path / "logs").mkdir()
    frame = frame.drop(columns="bad")
    frame.to_csv(tmp_path / "logs" / file, index=False) if file.endswith("csv") else frame.to_parquet(
        tmp_path / "logs" / file
    )
    told = factory.outcomes(factory.decisions(800, seed=24))
    told.to_csv(tmp_path / "logs" / "outcomes.csv", index=False)
    made = run("init", tmp_path / "logs", "--into", tmp_path / "mine")
    assert made.returncode == 0, made.stderr
    assert "guessed: market is a segment dimension: text with 3 values" in made.stdout
    found = json.loads(run("check", tmp_path / "mine", "--format", "json").stdout)
    assert found["logs"]["decisions"]["quarantined"] == 0
    assert next(gate for gate in found["gates"] if gate["metric"] == "auc" and not gate["segment"])["positives"] > 50
    again = run("init", tmp_path / "logs", "--into", tmp_path / "mine")
    assert again.returncode == 2
    assert "a manifest" in again.stderr


def test_a_go_against_a_failing_verdict_needs_an_override_and_the_chain_shows_edits(run, release, tmp_path):
    log = factory.decisions(3000, seed=25)
    log["candidate_score"] = np.random.default_rng(1).permutation(log["candidate_score"])
    folder = release(log)
    words = ("sign", folder, "--reason", "we need it", "--signer", "A. Lee")
    refused = run(*words, "--decision", "go")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "override" in refused.stderr.lower()
    why = "The old model stops working tomorrow, and the harm is small against that."
    assert run(*words, "--decision", "go", "--override-reason", why).returncode == 0
    assert run(*words, "--decision", "no_go").returncode == 0
    assert run("ledger", "verify").stdout == "the chain holds: 2 records\n"
    (first, _) = json.loads(run("ledger", "export").stdout)
    assert "AUC" in json.dumps(first)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as book:
        (table,) = book.execute(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite%'"
        ).fetchone()
        book.execute("drop trigger if exists never_changed")
        for (trigger,) in book.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            book.execute(f"drop trigger {trigger}")
        book.execute(f"update {table} set payload = replace(payload, 'A. Lee', 'B. Lee') where seq = 1")
    broken = run("ledger", "verify")
    assert (broken.returncode, "record 1" in broken.stdout) == (40, True)


def test_a_mixed_release_can_only_be_refused(run, release):
    own = factory.tables()["release"]
    both = own | {"to": own["to"] | {"thresholds": "t2"}}
    folder = release(release=both, thresholds={"t1": {"default": {"review": 0.3}}, "t2": {"default": {"review": 0.6}}})
    assert run("check", folder).returncode == 40
    words = ("sign", folder, "--reason", "because", "--signer", "A. Lee")
    assert run(*words, "--decision", "go", "--override-reason", "x" * 80).returncode == 2
    assert run(*words, "--decision", "no_go").returncode == 0


def test_a_rollback_and_a_drill_are_recorded(run, release):
    folder = release()
    done = run("drill", folder, "--minutes", 12, "--who", "sam", "--at", "2026-01-10T10:00Z")
    assert done.returncode == 0, done.stderr
    done = run("rollback", folder, "--stage", "canary", "--reason", "queue overran", "--signer", "sam")
    assert done.returncode == 0, done.stderr
    assert "restore m1: load m1" in done.stdout
    records = json.loads(run("ledger", "export").stdout)
    assert [record["type"] for record in records] == ["drill", "rollback"]
    assert run("ledger", "verify").returncode == 0


def test_a_rollback_without_a_reason_or_at_no_stage_is_refused(run, release):
    folder = release()
    assert run("rollback", folder, "--stage", "canary", "--reason", " ", "--signer", "sam").returncode == 2
    assert "one of replay" in run("rollback", folder, "--stage", "moon", "--reason", "x", "--signer", "sam").stderr
