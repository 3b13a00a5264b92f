"""Every chart: Plotly accepts its spec, colours are tokens that exist, words say the takeaway, absence is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import plotly
import plotly.graph_objects as go
import pytest

from pages.frame import tokens
from release_core import charts
from release_core.charts import style
from tests.charts import sample_live, samples

FULL, EMPTY = samples.full(), samples.empty()
TOKEN = re.compile(r"^\$([a-z]+\d*)(?:/(\.\d+))?$")


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)


def painted(value, palette):
    if isinstance(value, str):
        found = TOKEN.match(value)
        return palette[found[1]] if found else value
    if isinstance(value, dict):
        return {key: painted(item, palette) for key, item in value.items()}
    return [painted(item, palette) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_spec_is_a_valid_figure_in_both_themes(name, theme):
    spec = json.loads(FULL[name].json)
    figure = go.Figure(painted(spec, tokens.palette(theme)))
    assert len(figure.data) >= 1


@pytest.mark.parametrize("name", FULL)
def test_spec_uses_only_tokens_that_exist_and_no_other_colour(name):
    found = list(strings(FULL[name].spec))
    used = {TOKEN.match(text)[1] for text in found if TOKEN.match(text)}
    assert used
    assert used <= style.TOKENS
    assert [text for text in found if re.search(r"#[0-9a-fA-F]{6}\b", text)] == []


def test_every_token_has_a_colour_in_both_themes():
    for theme in ("light", "dark"):
        palette = tokens.palette(theme)
        assert set(palette) == style.TOKENS
        assert all(re.fullmatch(r"#[0-9A-F]{6}", colour) for colour in palette.values())


@pytest.mark.parametrize("name", FULL)
def test_trace_types_are_in_the_served_bundle(name):
    bundle = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    used = {trace["type"] for trace in FULL[name].spec["data"]}
    assert used <= style.TRACE_TYPES
    assert all(f'moduleType:"trace",name:"{kind}"' in bundle for kind in used)


@pytest.mark.parametrize("name", FULL)
def test_chart_names_both_versions_its_evidence_and_definition(name):
    chart = FULL[name]
    assert chart.question.endswith("?")
    assert chart.alt.endswith(".")
    assert chart.definition.endswith(".")
    assert "n = 6,000" in chart.evidence
    assert chart.data


@pytest.mark.parametrize("name", EMPTY)
def test_empty_chart_has_no_picture_and_says_why(name):
    chart = EMPTY[name]
    assert chart.spec == {}
    assert chart.data == []
    assert len(chart.alt) > 25
    assert chart.alt.endswith(".")


def test_json_of_not_a_number_is_refused():
    chart = charts.Chart("Q?", {"data": [{"y": [float("nan")]}]}, "A.", "D.")
    with pytest.raises(ValueError, match="JSON"):
        chart.json  # noqa: B018


def test_alt_of_forest_counts_fails_and_names_the_worst():
    assert FULL["forest"].alt == (
        "2 of 8 segments fail on recall. Worst: age 25 and under, −5.6 pp [−7.8, −3.4], fail."
    )


def test_alt_ends_with_the_takeaway_of_the_caption():
    caption = charts.Caption("a", "b", "n = 1", takeaway="Nothing moved.")
    assert charts.distribution(samples.bins(), [], caption).alt.endswith("Nothing moved.")


def test_a_day_marks_what_is_worse_or_better_beyond_chance_and_leaves_out_what_is_not_known():
    marks = {row["segment"]: row["verdict"] for row in FULL["daily"].data}
    assert marks == {
        "Conversion rate": "BETTER", "Complaint rate": "OPEN", "Approval rate": "WORSE", "Escalation rate": "OBSERVE",
    }  # fmt: skip
    assert FULL["daily"].alt.startswith("Change in events a day, beyond chance: Conversion rate +200")


def test_a_currency_on_an_axis_keeps_its_letters():
    chart = charts.daily(sample_live.a_day(), samples.CAPTION, question="What?", what="EUR a day")
    assert chart.spec["layout"]["xaxis"]["title"]["text"] == "change in EUR a day"


def test_forest_puts_the_worst_on_top_and_keeps_segments_without_data():
    chart = FULL["forest"]
    assert [row["segment"] for row in chart.data][:2] == ["age 25 and under", "limit under 50k"]
    assert chart.data[-1]["verdict"] == "NODATA"
    axis = chart.spec["layout"]["yaxis"]
    assert axis["ticktext"][0] == "age 25 and under"
    assert axis["tickvals"][0] == 7
    assert any("no data: n = 4" in note["text"] for note in chart.spec["layout"]["annotations"])


@pytest.mark.parametrize(("better", "at"), [("higher", [-2.0]), ("lower", [2.0]), ("neither", [-2.0, 2.0])])
def test_forest_draws_the_margin_on_the_harmful_side(better, at):
    chart = charts.forest(samples.segments(), samples.CAPTION, metric="Recall", better=better, margin=0.02)
    assert [shape["x0"] for shape in chart.spec["layout"]["shapes"]] == at


def test_forest_orders_by_harm_when_lower_is_better():
    rows = [
        {"segment": name, "difference": d, "low": d, "high": d, "verdict": "FAIL", "n": 9}
        for name, d in (("small", 0.01), ("large", 0.05))
    ]
    chart = charts.forest(rows, samples.CAPTION, metric="Block rate", better="lower", margin=None)
    assert [row["segment"] for row in chart.data] == ["large", "small"]


def test_heatmap_paints_harm_orange_and_leaves_undecided_cells_grey():
    trace = FULL["heatmap"].spec["data"][0]
    assert trace["colorscale"][0] == [0.0, "$div9"]
    lower = charts.heatmap(samples.cells(), samples.CAPTION, dims=("a", "b"), metric="Block rate", better="lower")
    assert lower.spec["data"][0]["colorscale"][0] == [0.0, "$div0"]
    assert trace["zmin"] == -trace["zmax"] == -0.047
    assert sum(value is None for line in trace["z"] for value in line) == 3


def test_transition_colours_only_what_changes():
    trace = FULL["transition"].spec["data"][0]
    assert [trace["z"][i][i] for i in range(3)] == [0.0, 0.0, 0.0]
    assert trace["zmax"] == pytest.approx(310 / 6000)
    assert trace["text"][2][0] == "0"
    assert "approve to review, 310 events" in FULL["transition"].alt


def test_timeline_leaves_a_gap_in_line_and_band():
    spec = FULL["timeline"].spec
    candidate = spec["data"][3]
    assert candidate["y"][2] is None
    assert candidate["connectgaps"] is False
    assert spec["data"][1]["x"].count(None) == 2


def test_names_from_outside_are_shown_letter_by_letter():
    assert "education &lt;other&gt; &amp; unknown" in FULL["forest"].spec["layout"]["yaxis"]["ticktext"]


@pytest.mark.parametrize(("score", "place"), [(0.5, 0.0), (0.0, -16.0), (1.0, 16.0), (None, None), (0.9, 2.1972)])
def test_place_of_a_probability_is_its_log_odds(score, place):
    assert charts.PROBABILITY.place(score) == (None if place is None else pytest.approx(place, abs=1e-4))


def test_place_of_points_is_the_points():
    points = charts.Score("points", "score (points)")
    assert points.place(620.0) == 620.0
    assert points.write(620.0) == "620"


def test_cutoff_labels_of_neighbours_stand_below_each_other():
    _, notes = style.cutoff_marks(samples.CUTOFFS, charts.PROBABILITY, None)
    assert len({note["y"] for note in notes}) == len(notes)
    assert notes[0]["text"] == "review t12 ≥ 32%"


def test_draggable_line_lies_above_the_others_and_says_its_scale():
    layout = FULL["trade"].spec["layout"]
    assert layout["meta"] == {"drag": len(samples.CUTOFFS), "scale": "log_odds"}
    assert len(layout["shapes"]) == len(samples.CUTOFFS) + 1
    assert layout["shapes"][-1]["x0"] == 0.0


def test_cost_axis_spans_what_lies_below_its_top_and_the_lines():
    points = [{"cutoff": at, "baseline": None, "candidate": cost}
              for at, cost in zip((0.001, 0.01, 0.1, 0.2, 0.3, 0.9, 0.99), (900, 500, 90, 80, 95, 700, 800), strict=True)]  # fmt: skip
    chart = charts.cost(points, [{"label": "t review", "score": 0.4, "version": "candidate"}], samples.CAPTION, top=100)
    low, high = chart.spec["layout"]["xaxis"]["range"]
    place = charts.PROBABILITY.place
    assert place(0.001) < low < place(0.01)
    assert place(0.4) < place(0.9) < high < place(0.95)
    assert len(chart.data) == len(points)
    everything = charts.cost(points, [], samples.CAPTION).spec["layout"]["xaxis"]["range"]
    assert everything[0] < place(0.001)


def test_hover_over_a_reliability_step_reads_all_or_nothing_of_exact_shares_alone():
    step = {"low": 0.02, "high": 0.9996, "rate": 0.9996, "n": 2500, "positives": 2499}
    sure = step | {"low": 0.99999, "rate": 1.0}
    chart = charts.reliability({"candidate": [step, sure]}, [], [], samples.CAPTION)
    trace = next(one for one in chart.spec["data"] if one.get("customdata"))
    told = [trace["hovertemplate"].split("<br>")[0].replace("%{customdata[0]}", score).replace("%{customdata[1]}", rate)
            for score, rate, *_ in trace["customdata"]]  # fmt: skip
    assert told[0] == "score 2.0%: observed 100.0%"
    assert told[2] == "score 100.0%: observed 100%"
    assert "~p" not in trace["hovertemplate"]
