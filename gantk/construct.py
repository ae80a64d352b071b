"""Construction of a part from its name and options, for plugins that have parts within."""

from gantk.building.construct import construct, part_class
from gantk.building.nested import nested, offers_of

__all__ = ["construct", "nested", "offers_of", "part_class"]
