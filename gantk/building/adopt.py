"""Give a model that was assembled by hand a recipe, data and settings, like a built one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gantk.building.build import build
from gantk.errors import UsageError
from gantk.kinds import LISTS, SLOTS
from gantk.model import Model
from gantk.run.folder import Run

__all__ = ["adopt", "save"]


def adopt(
    model: Model,
    *,
    data: Any,
    recipe: Any = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | Sequence[Any] = (),
) -> None:
    """Give a model that was assembled by hand the record of a build with its parts.

    Args:
        model: the model; parts and losses that it lacks come from the recipe.
        data: the training data, as for `gantk.build`.
        recipe, seed, settings: as for `gantk.build`.

    Raises:
        UsageError: there is no data, or the recipe needs other parts.
    """
    if data is None:
        raise UsageError("this model was assembled by hand: give its training data with data=….")
    parts = {slot: getattr(model, slot) for slot in SLOTS if getattr(model, slot) is not None}
    parts |= {slot: list(getattr(model, slot).values()) for slot in LISTS if len(getattr(model, slot))}
    built = build(recipe, data=data, seed=seed, settings=settings, **parts)
    for name in (*SLOTS, *LISTS, "state", "average"):
        setattr(model, name, getattr(built, name))
    model.built = built.built
    model.eval()


def save(model: Model, run: str | os.PathLike[str] | Run, *, data: Any = None, recipe: Any = None) -> Run:
    """Save a model with its current weights as a new run, for `gantk sample` and the other commands.

    Args:
        model: the model.
        run: the folder of the run.
        data, recipe: for a model that was assembled by hand, as for `gantk.train`.

    Raises:
        UsageError: the folder exists, or a model that was assembled by hand has no data.
        RunError, CheckpointError: the folder cannot be written.
    """
    if not model.is_built:
        adopt(model, data=data, recipe=recipe)
    return model.save(run)
