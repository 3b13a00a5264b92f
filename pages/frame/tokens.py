"""Every colour, once for light and once for dark; gives CSS for our HTML and the palette of the charts' script."""

from __future__ import annotations

LIGHT = {
    "bg": "#FFFFFF",
    "text": "#0F1720",
    "muted": "#5A6572",
    "border": "#D5DBE1",
    "grid": "#E6EAEE",
    "panel": "#F4F6F8",
    "link": "#0A5FC0",
    "base": "#50565E",
    "cand": "#0A6FE0",
    "cut": "#C2680C",
    "good": "#14786C",
    "warn": "#96670F",
    "bad": "#7E1A12",
    "undecided": "#6331AD",
    "approve": "#396CAA",
    "review": "#B88F1B",
    "block": "#651819",
}
DARK = {
    "bg": "#0F1419",
    "text": "#E6EAEF",
    "muted": "#A3AEBB",
    "border": "#323C48",
    "grid": "#2A333D",
    "panel": "#1A212A",
    "link": "#7DB8FF",
    "base": "#C4C7CC",
    "cand": "#5C9CF5",
    "cut": "#FF9A52",
    "good": "#8FDDD0",
    "warn": "#FFD75A",
    "bad": "#E06A5E",
    "undecided": "#A284EC",
    "approve": "#3DB4EA",
    "review": "#FFD970",
    "block": "#C9606F",
}
SCALES_LIGHT = {
    "cat": "#0B3F91 #B9892A #277452 #E0307D #5A1920 #4599C8",
    "seq": "#EAF3FC #D3E6F8 #B3D3F2 #8DBBE9 #659FDD #4084CE #2369BB #12519D #0A3C79 #062A57",
    "div": "#0A3C79 #2369BB #659FDD #B3D3F2 #EAF0F5 #FBEEDD #F2CD9B #DD9A4B #B96A14 #7A4108",
}
SCALES_DARK = {
    "cat": "#74B6FE #DCB63D #629D79 #E771B6 #DB502F #B1F9FC",
    "seq": "#132233 #15304D #174069 #1B5288 #2466A8 #357CC6 #5495DC #7BB0EC #A6CBF6 #D3E6F8",
    "div": "#7BB0EC #4B8FDB #2F6DB3 #234C79 #1D2F42 #332A1F #5C431F #8A5E1E #BF7F24 #F0A848",
}


def palette(theme: str) -> dict[str, str]:
    """Return token name to colour for `theme` (light or dark); scales are numbered from 0: seq0, div9."""
    colours, scales = (LIGHT, SCALES_LIGHT) if theme == "light" else (DARK, SCALES_DARK)
    numbered = {f"{name}{i}": colour for name, row in scales.items() for i, colour in enumerate(row.split())}
    return colours | numbered


def css_variables() -> str:
    """Return CSS declarations `--token`, which follow the theme in the browser, without a rerun."""
    return "".join(f"--{name}:light-dark({light},{DARK[name]});" for name, light in LIGHT.items())
