"""What is shown is escaped, absence is said, verdicts are glyph and word."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.frame import plot, show
from release_core.errors import Problem
from release_core.release import Verdict


def page():
    from pages.frame import show
    from release_core.errors import NotFound, Problem

    show.banner("FAIL", "<script>alert(1)</script> fails", "a & b", ["<i>point</i>"])
    columns = [
        show.Column("Result", "v", verdict=True),
        show.Column("Name <b>", "name"),
        show.Column("n", "n", number=True),
    ]
    show.table(columns, [{"v": "PASS", "name": "<img src=x>", "n": None}], "A <caption>")
    show.table(columns, [], "Gates")
    show.problems(NotFound(Problem("in <x>", "1", "2", "do"), "A sentence."))
    show.chips({"<k>": "<v>"})
    show.evidence("n = 1 · as of <now>")
    show.empty("<empty>")


@pytest.fixture(scope="module")
def written():
    app = AppTest.from_function(page).run()
    assert not app.exception
    return [element.proto.body for element in app.get("html")]


def test_nothing_from_outside_becomes_markup(written):
    text = "".join(written)
    for tag in ("<script", "<img", "<i>point", "Name <b>", "<caption>\n", "<k>", "<v>", "<now>", "<empty>", "in <x>"):
        assert tag not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; fails" in text


def test_table_says_not_known_and_has_heads(written):
    table = next(text for text in written if "rr-table" in text)
    assert '<td class="num">not known</td>' in table
    assert '<th scope="row">&lt;img src=x&gt;</th>' in table
    assert table.count('scope="col"') == 3


def test_empty_table_says_so(written):
    assert any("Gates: nothing to show." in text for text in written)


def test_problem_is_told_in_four_parts_and_a_sentence_as_it_is(written):
    told = [text for text in written if "rr-problem" in text]
    assert [part in told[0] for part in ("Where", "Found", "Required", "What to do")] == [True] * 4
    assert "A sentence." in told[1]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_badge_has_glyph_and_word_for_every_verdict(verdict):
    mark = show.MARKS[verdict.name]
    assert mark.glyph in show.badge(verdict)
    assert mark.word in show.badge(verdict.name)
    assert len({other.glyph for other in show.MARKS.values()}) == len(Verdict)


def test_evidence_line_names_n_time_and_versions():
    line = show.evidence_line(6000, "2005-09-30", "lr-1", "gbm-1")
    assert line == "n = 6,000 · as of 2005-09-30 · baseline lr-1 vs candidate gbm-1"


def test_markdown_from_outside_is_shown_letter_by_letter():
    assert show.escape_markdown("a*b_[c](d) $x$ :red[e]") == r"a\*b\_\[c\]\(d\) \$x\$ \:red\[e\]"


def test_a_table_is_taken_without_what_is_made_for_the_screen():
    row = {"segment": "DE", "shown_events": "1.2", "where": {"market": "DE"}, "n": 12, "ends": (1, 2)}
    assert {key for key, value in row.items() if plot._plain(key, value)} == {"segment", "n"}


def test_csv_leaves_unknown_empty_and_formulas_harmless():
    text = plot.csv_text([{"segment": "=1+1", "value": -0.5}, {"segment": "a,b", "value": None, "n": 3}])
    assert text == 'segment,value,n\n\'=1+1,-0.5,\n"a,b",,3\n'


def test_the_same_problem_in_many_files_is_told_once():
    same: list[Problem | str] = [
        Problem(f"decisions/{n}.csv", "no column event_time", "the column event_time", "Name it.") for n in range(6)
    ]
    found = show._grouped([*same, Problem("outcomes/1.csv", "no rows", "rows", "Write some."), "as text"])
    assert [getattr(one, "where", one) for one in found] == [
        "decisions/0.csv, and 5 more like it",
        "outcomes/1.csv",
        "as text",
    ]
