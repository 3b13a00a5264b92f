"""A cube and a look in, what metrics of serving and outcomes read out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.metrics import Lived
from release_core.release import Stage

if TYPE_CHECKING:
    from release_core.cube.cube import Cube
    from release_core.cube.query import Group


def lived(cube: Cube, stage: Stage, step: int, groups: tuple[Group, ...]) -> Lived:
    """Return the serving, outcomes and runtime samples of the segments of `groups`, as of a step.

    Raises:
        Unanswerable: a group has more than one dimension beside the replay set.
    """
    serving = cube.serving(stage, groups)
    return Lived(
        serving.segments,
        tuple((place,) for place in range(len(serving.segments))),
        cube.steps.index(step),
        cube.end(step).timestamp(),
        stage is not Stage.REPLAY,
        not stage.paired,
        bool(cube.facts["clustered"]),
        cube.given("decisions"),
        frozenset(cube.kinds()),
        serving,
        lambda hours: cube.effects(stage, groups, hours),
        cube.gauges(stage),
        late=lambda: cube.late(stage, groups),
        per_entity=cube.per_entity(stage),
        began=cube.began(stage).timestamp(),
    )
