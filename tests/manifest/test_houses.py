"""A house of its own: what it changes of the usual gates, who may name it, and that a release may only tighten it."""

import pytest

from release_core import manifest
from release_core.errors import ManifestError
from release_core.manifest import derive, houses
from release_core.release import Level, Stage

USUAL = """
[[gate]]
id = "recall"
metric = "recall"
comparison = "non_inferiority"
margin = 0.02
stages = ["replay", "shadow", "canary", "ab"]
level = "stop"

[[gate]]
id = "fpr"
metric = "fpr"
comparison = "non_inferiority"
margin = 0.01
stages = ["replay"]
"""
OWN = """
[house]
title = "a small house"
note = "Recall may fall by 5 points, since arms are small."

[[gate]]
id = "recall"
margin = 0.05

[[gate]]
id = "shadow_recall"
metric = "recall"
comparison = "non_inferiority"
margin = 0.03
stages = ["shadow"]
"""


@pytest.fixture
def opened(tmp_path, example):
    """Return a function that loads the example as a release of a house, with rows of its own."""

    def load(house, own=OWN, **more):
        (tmp_path / "gates.toml").write_text(USUAL)
        (tmp_path / "houses").mkdir(exist_ok=True)
        (tmp_path / "houses" / "small.toml").write_text(own)
        tables = example | {"gate": [], "stop": []} | more
        tables["release"] = tables["release"] | ({"house": house} if house else {})
        (tmp_path / "release.toml").write_text(manifest.render(tables))
        return manifest.load(tmp_path, tmp_path / "gates.toml")

    return load


def test_a_house_changes_what_it_names_and_adds_what_is_new(opened):
    found = opened("small")
    gates = {gate.id: gate for gate in found.gates}
    assert (gates["recall"].margin, gates["recall"].level) == (0.05, Level.STOP)
    assert gates["fpr"].margin == 0.01
    assert gates["shadow_recall"].stages == (Stage.SHADOW,)
    assert (found.house.name, found.house.title) == ("small", "a small house")
    assert "5 points" in found.house.note


def test_without_a_house_the_usual_gates_hold_and_the_hash_tells_them_apart(opened):
    usual, own = opened(None), opened("small")
    assert [gate.margin for gate in usual.gates if gate.id == "recall"] == [0.02]
    assert (usual.house.name, usual.house.title) == ("", "the usual house gates")
    assert usual.manifest_hash != own.manifest_hash
    assert own.manifest_hash != opened("small", OWN.replace("0.05", "0.04")).manifest_hash


def test_a_release_may_tighten_its_house_and_not_loosen_it(opened):
    assert {g.id: g.margin for g in opened("small", gate=[{"id": "recall", "margin": 0.04}]).gates}["recall"] == 0.04
    with pytest.raises(ManifestError, match="laxer"):
        opened("small", gate=[{"id": "recall", "margin": 0.06}])


def test_a_house_that_does_not_exist_or_does_not_say_what_it_is_is_refused(opened):
    with pytest.raises(ManifestError, match="a house of this installation"):
        opened("smal")
    with pytest.raises(ManifestError, match="house"):
        opened("small", OWN.replace('note = "Recall may fall by 5 points, since arms are small."', ""))


def test_a_house_for_generated_data_judges_no_real_logs(opened):
    own = OWN.replace("[house]", '[house]\ndata = "generated"')
    assert opened("small", own, about={"data": "generated"}).house.name == "small"
    for about in ({"data": "real"}, {}):
        with pytest.raises(ManifestError, match="that house judges no other"):
            opened("small", own, about=about)


@pytest.mark.parametrize(
    "own", [OWN + OWN[OWN.index("[[gate]]") :], OWN[: OWN.rindex("[[gate]]")].replace("[[gate]]", "[gate]")]
)
def test_rows_of_a_house_that_would_be_lost_are_refused(opened, own):
    with pytest.raises(ManifestError, match=r"houses/small\.toml"):
        opened("small", own)


def test_releases_made_from_one_stay_in_its_house(opened):
    made = derive.manifest_text(one := opened("small"), derive.with_cutoffs(one, "candidate", one.tables["t13"], "x"))
    assert 'house = "small"' in made


def test_every_house_of_the_installation_is_watched_for_changes():
    assert manifest.HOUSE_GATES in houses.files()
    assert {path.stem for path in houses.files()} >= {"gates", "demo"}
