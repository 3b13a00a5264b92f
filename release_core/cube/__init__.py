"""Rows in, cells out: builds the cube file by file, keeps it in a cache, and answers slices of it."""

from release_core.cube.build import build
from release_core.cube.cube import Cube
from release_core.cube.query import PERIOD, REPLAY_SET, WINDOW

__all__ = ["PERIOD", "REPLAY_SET", "WINDOW", "Cube", "build"]
