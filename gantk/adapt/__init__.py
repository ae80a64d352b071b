"""Code that knows nothing of gantk, as parts: classes, modules and functions of any kind."""

from gantk.adapt.adapted import accepting, adapted, as_part, name_of, parts_named

__all__ = ["accepting", "adapted", "as_part", "name_of", "parts_named"]
