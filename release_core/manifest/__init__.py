"""A manifest in TOML in, a frozen Release out; every problem in it is collected before anything is raised."""

from release_core.manifest.assemble import load
from release_core.manifest.houses import files as house_files
from release_core.manifest.tables import cutoffs
from release_core.manifest.text import HOUSE_GATES, render

__all__ = ["HOUSE_GATES", "cutoffs", "house_files", "load", "render"]
