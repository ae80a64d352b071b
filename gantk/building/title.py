"""A title says what a model is, and so what it no longer is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gantk.building.spec import Spec
from gantk.kinds import KINDS, LISTS, SLOTS

__all__ = ["SIZE", "true_title"]

SIZE = "{size}"
"""What stands in a title for the size of the images until the data are known."""


def true_title(spec: Spec, recipe: Mapping[str, Any], usual_data: str) -> None:
    """Have a recipe's title say which of its parts were changed, and leave room for another size.

    Args:
        spec: the spec of a user's model.
        recipe: that of its recipe.
        usual_data: the data of recipes that name none.
    """
    own = recipe.get("data", {})
    named = own.get("plugin", usual_data) != usual_data
    slots = [*(["data"] if named else []), *SLOTS, *LISTS]
    changed = [kind for kind in slots if (spec.get(kind) or None) != (recipe.get(kind) or None)]
    if "title" not in spec or not changed:
        return
    title = spec["title"]
    if "data" in changed and "size" in own:
        title = title.replace(f"{own['size']}×{own['size']}", SIZE)
    spec["title"] = f"{title} (changed: {', '.join(KINDS[kind].option or kind for kind in changed)})"
