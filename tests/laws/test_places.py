"""Sums by place against one row at a time; keys found in a list against a search; sums beyond cutoffs against each bit."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from release_core.cube import places
from release_core.cube.labels import EVENT
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE

LABELS = {EVENT: EVERYONE, 1: POSITIVE, 0: NEGATIVE}


def rows(seed, size=200):
    rng = np.random.default_rng(seed)
    found = {name: rng.integers(0, most, size) for name, most in (("segment", 3), ("version", 2), ("band", 16))}
    found["label"] = rng.choice([EVENT, 0, 1, places.MATURED, places.SILENT], size)
    return found | {"n": rng.integers(-5, 100, size)}


@pytest.mark.parametrize("size", [0, 1, 200])
def test_sums_by_place_are_those_of_each_row(size):
    cells = rows(1, size)
    expected = np.zeros((3, 3, 2))
    for segment, version, label, n in zip(*(cells[k] for k in ("segment", "version", "label", "n")), strict=True):
        if label in LABELS:
            expected[LABELS[label], segment, version] += n
    index = (cells["segment"], cells["version"])
    found = places.Places((3, 2), index, places.population(cells["label"])).sums(cells["n"])
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("shift", [0, 60])
def test_sums_beyond_cutoffs_are_those_of_the_rows_whose_band_has_the_bit(shift):
    cells = rows(2)
    cells["band"] = cells["band"] + shift
    release = SimpleNamespace(cutoff_ids=tuple("abcdefg"))
    found = places.Bands(release, (3, 2), ("segment",), cells).n
    for k in range(len(release.cutoff_ids)):
        reached = cells["band"] >> k & 1 == 1
        for segment, version in np.ndindex(3, 2):
            for label, population in LABELS.items():
                mine = (cells["segment"] == segment) & (cells["version"] == version) & (cells["label"] == label)
                assert found[population, segment, version, k] == cells["n"][mine & reached].sum()


keys = hnp.arrays(np.int64, st.integers(0, 40), elements=st.integers(-3, 30) | st.integers(0, 3 * places.MOST_LISTED))


@given(keys, keys)
def test_keys_are_found_as_a_search_finds_them(known, asked):
    assert np.array_equal(places.present(known), np.unique(known))
    different = np.unique(known)
    assert np.array_equal(places.place_in(different, known), np.searchsorted(different, known))
    if len(different) and len(asked):
        within = asked[(asked >= 0)]
        assert np.array_equal(places.place_in(different, within), np.searchsorted(different, within))
