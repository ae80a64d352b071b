"""Adapters: classes, modules and functions that are not written for gantk, as parts."""

from gantk.adapt.adapted import accepting, adapted, as_part, name_of, parts_named
from gantk.adapt.networks import Unread

__all__ = ["Unread", "accepting", "adapted", "as_part", "name_of", "parts_named"]
