"""One source of colours: the theme file repeats it, words are readable on every ground that they stand on."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pages.frame import show, tokens

ROOT = Path(__file__).resolve().parents[2]
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
SAME = {
    "backgroundColor": "bg",
    "secondaryBackgroundColor": "panel",
    "textColor": "text",
    "borderColor": "border",
    "linkColor": "link",
    "greenColor": "good",
    "yellowColor": "warn",
    "redColor": "bad",
    "violetColor": "undecided",
}


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_on_white_is_twenty_one():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme_file_repeats_the_tokens(theme):
    palette = tokens.palette(theme)
    assert {option: THEME[theme][option] for option in SAME} == {
        option: palette[token] for option, token in SAME.items()
    }
    scales = {"chartCategoricalColors": "cat", "chartSequentialColors": "seq", "chartDivergingColors": "div"}
    for option, name in scales.items():
        colours = THEME[theme][option]
        assert colours == [palette[f"{name}{i}"] for i in range(len(colours))]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["bg", "panel"])
@pytest.mark.parametrize("token", ["text", "muted", "link", *sorted({mark.token for mark in show.MARKS.values()})])
def test_words_are_readable(theme, ground, token):
    palette = tokens.palette(theme)
    assert contrast(palette[token], palette[ground]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "token", ["base", "cand", "cut", "good", "warn", "bad", "undecided", "approve", "review", "block"]
)
def test_lines_and_marks_are_visible(theme, token):
    palette = tokens.palette(theme)
    assert contrast(palette[token], palette["bg"]) >= 2.99


def test_settings_ask_no_other_host():
    text = (ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    assert "http" not in text
    assert "gatherUsageStats = false" in text
