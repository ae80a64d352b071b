"""A model that was put together by hand gets a recipe, data and settings, as a built one has them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gantk.building.assembly import build
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
    """Give a model that was put together by hand the record of a build with its very parts.

    Args:
        model: the model; parts and losses that the recipe needs and it has not are the recipe's.
        data: what it is trained on, as `gantk.build` takes it.
        recipe, seed, settings: as `gantk.build` takes them.

    Raises:
        UsageError: there are no data, or the recipe takes other parts.
    """
    if data is None:
        raise UsageError("this model was built by hand: give its training data with data=….")
    parts = {slot: getattr(model, slot) for slot in SLOTS if getattr(model, slot) is not None}
    parts |= {slot: list(getattr(model, slot).values()) for slot in LISTS if len(getattr(model, slot))}
    built = build(recipe, data=data, seed=seed, settings=settings, **parts)
    for name in (*SLOTS, *LISTS, "state", "average"):
        setattr(model, name, getattr(built, name))
    model.built = built.built
    model.eval()


def save(model: Model, run: str | os.PathLike[str] | Run, *, data: Any = None, recipe: Any = None) -> Run:
    """Write a model, with its weights as they are, into a new run folder, for `gantk sample` and all others.

    Args:
        model: the model.
        run: the folder.
        data, recipe: what a model that was put together by hand is for, as `gantk.train` takes them.

    Raises:
        UsageError: there is something in that place already, or a model that was put together by hand has no data.
        RunError, CheckpointError: the place cannot be written.
    """
    if not model.is_built:
        adopt(model, data=data, recipe=recipe)
    return model.save(run)
