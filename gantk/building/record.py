"""The record of a model's build: everything that is known of a model beside its networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gantk.data import DataSource
from gantk.recipe import Recipe
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
    """

    spec: dict[str, Any]
    recipe: Recipe
    data: DataSource | None = None
    stages: list[Stage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def shape(self) -> Mapping[str, Any]:
        """What the data were at build: `image_shape`, `images`, and `classes` where it has them."""
        shape: Mapping[str, Any] = self.spec["shape"]
        return shape
