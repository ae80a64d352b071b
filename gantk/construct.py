"""Construction of a part from its name and options, for plugins that have parts within."""

from gantk.building.construct import construct, part_class

__all__ = ["construct", "part_class"]
