"""Code that knows nothing of gantk, as parts: classes, modules and functions of any kind."""

from gantk.adapt.adapted import accepting, adapted, as_part, name_of, parts_named
from gantk.adapt.networks import Unread

__all__ = ["Unread", "accepting", "adapted", "as_part", "name_of", "parts_named"]
