"""The record of a model's build: everything that is known of a model beside its networks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gantk.data import DataSource
from gantk.model import Model
from gantk.recipe import Recipe
from gantk.run.checkpoints import Place, create, save
from gantk.run.folder import Run
from gantk.schedule import Stage

__all__ = ["Record"]


@dataclass
class Record:
    """How a model was put together and how it is trained.

    Args:
        spec: everything resolved, as `model.toml` holds it.
        recipe: the schedule.
        data: what it is trained on; none where a run was loaded to sample from it.
        stages: the stages in order, those that parts bring included.
        notes: what was chosen for the user, in sentences.
        run: where it was last trained, saved or loaded from.
        handed: whether parts were handed over with weights of their own, which do not follow from the seed.
        said_by: the run whose files say all this; empty where a user did.
        weights: what the weights were when gantk last built, loaded, trained or saved them; see `Model.fingerprint`.
    """

    spec: dict[str, Any]
    recipe: Recipe
    data: DataSource | None = None
    stages: list[Stage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    run: Run | None = None
    handed: bool = False
    said_by: str = ""
    weights: tuple[int, ...] = ()

    def save(self, model: Model, run: str | os.PathLike[str] | Run) -> Run:
        """Write a model as a run that has its weights as they are; see `Model.save`."""
        run = run if isinstance(run, Run) else Run(run)
        create(run, model)
        save(run, model, Place(), {}, {}, keep=1)
        self.run, self.weights = run, model.fingerprint()
        return run

    @property
    def shape(self) -> Mapping[str, Any]:
        """What the data were at build: `image_shape`, `images`, and `classes` where it has them."""
        shape: Mapping[str, Any] = self.spec["shape"]
        return shape
