"""The Data health page on a log with files that are set aside whole."""

from release_core.views import health
from release_core.views.view import View
from tests import factory


def test_files_broken_alike_stand_in_one_row_with_their_number_and_a_few_names(tmp_path):
    log = factory.decisions(300, seed=61)
    folder = factory.write(tmp_path / "r", log, factory.outcomes(log))
    for number in range(12):
        (folder / "decisions" / f"torn-{number}.parquet").write_bytes(b"PAR1" + bytes(number + 20))
    (folder / "decisions" / "other.csv").write_text("event_id,event_id\n1,2\n", encoding="utf-8")
    opened = factory.opened(folder)
    page = health.health(View(opened, opened.cube.stages()[0], opened.cube.steps[-1]))
    assert sum(row["files"] for row in page.rejected) == 13
    assert [row["files"] for row in page.rejected] == sorted((row["files"] for row in page.rejected), reverse=True)
    assert len(page.rejected) <= 3
    first = page.rejected[0]
    assert first["some"].count("torn-") == health.NAMED
    assert first["some"].endswith(f"and {first['files'] - health.NAMED} more")
    assert "torn-" not in first["found"]
    twice = next(row for row in page.rejected if row["files"] == 1 and "other.csv" in row["some"])
    assert twice["found"] == "the column event_id more than once"


def test_beyond_the_most_reasons_the_rest_is_one_row(monkeypatch):
    monkeypatch.setattr(health, "MOST_REASONS", 2)
    found = [
        {"log": "decisions", "file": f"f{n}", "rejected": {"found": word, "required": "", "remedy": ""}}
        for n, word in enumerate(["a", "a", "b", "c", "d"])
    ]
    rows = health._rejected(found)
    assert [(row["files"], row["found"]) for row in rows] == [(2, "a"), (1, "b"), (2, "2 other reasons")]


def test_what_broken_files_do_not_have_in_common_is_said_to_be_an_example():
    found = [
        {
            "log": "decisions",
            "file": f"d/f{n}.csv",
            "rejected": {"found": f"no column p{n} in f{n}.csv", "required": "r", "remedy": ""},
        }
        for n in (1, 2)
    ]
    (row,) = health._rejected(found)
    assert (row["files"], row["found"], row["required"]) == (2, "for example: no column p1 in the file", "r")
    (alone,) = health._rejected(found[:1])
    assert alone["found"] == "no column p1 in the file"
