"""A manifest written by `render` reads back the same, and its hash follows its values alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_core import manifest

LINES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)
PRINTABLE = LINES.filter(str.isprintable)
FREE = st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip)


@pytest.mark.parametrize("name", ["example.toml", "complete.toml"])
def test_render_reads_back_to_the_same_release(load, read_example, name):
    tables = read_example(name)
    assert load(manifest.render(tables)) == load(tables | {})
    assert manifest.render(tables) != ""


def test_render_original_text_and_rendered_text_agree(load, read_text, read_example):
    assert load(read_text("complete.toml")) == load(manifest.render(read_example("complete.toml")))


def test_render_leaves_out_what_is_not_known():
    text = manifest.render({"release": {"id": "r", "owner": None}, "watch": [{"column": "c", "max_shift": None}]})
    assert text == 'watch = [\n  { column = "c" },\n]\n\n[release]\nid = "r"\n'


@settings(max_examples=60)
@given(
    title=PRINTABLE,
    note=FREE,
    value=st.text(st.characters(exclude_categories=["Cs"])),
    cutoff=st.floats(0.3, 0.8),
    share=st.floats(0, 1),
    limit=st.floats(allow_nan=False, allow_infinity=False),
)
def test_render_keeps_every_text_and_number(load, read_example, title, note, value, cutoff, share, limit):
    tables = read_example()
    tables["release"]["title"] = title
    tables["about"] = {"note": note}
    tables["thresholds"]["t12"]["default"]["review"] = cutoff
    tables["quarantine"] = {"max_share": share}
    tables["scenario"][0]["where"] = [{"column": title, "op": "=", "value": value}]
    tables["scenario"][0]["expect"] = {"metric": "m", "at_most": limit}
    release = load(manifest.render(tables))
    assert (release.title, release.about.note) == (title, note)
    assert release.scenarios[0].where[0].column == title
    assert release.scenarios[0].where[0].value == value
    assert dict(release.tables["t12"].default)["review"] == cutoff
    assert (release.max_quarantined_share, release.scenarios[0].at_most) == (share, limit)


def test_hash_is_a_sha256(load, example):
    assert re.fullmatch(r"[0-9a-f]{64}", load(example).manifest_hash)


def test_hash_is_blind_to_layout_comments_and_number_style(load, read_text):
    text = read_text("example.toml")
    other = text.replace("maturity_days = 45", "maturity_days = 45.0 # days")
    other = other.replace('from = "2026-11-25"', "from   = 2026-11-25").replace("[costs]", "\n\n# money\n[costs]")
    assert other != text
    assert load(other).manifest_hash == load(text).manifest_hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("margin = 0.003", "margin = 0.0031"),
        ("block = 0.75", "block = 0.74"),
        ('owner = "a.lee"', 'owner = "b.lee"'),
        ('"market=EU", "risk_tier=high"', '"risk_tier=high", "market=EU"'),
    ],
)
def test_hash_follows_every_value(load, read_text, old, new):
    text = read_text("example.toml")
    assert load(text.replace(old, new)).manifest_hash != load(text).manifest_hash


def test_hash_follows_the_house_gates(load, example):
    house = manifest.HOUSE_GATES.read_text(encoding="utf-8")
    usual = load(example, house).manifest_hash
    assert load(example, "# a comment\n" + house).manifest_hash == usual == load(example).manifest_hash
    assert load(example, house.replace("at_most = 0.10", "at_most = 0.11")).manifest_hash != usual
