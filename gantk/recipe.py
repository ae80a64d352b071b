"""Recipes: a schedule in code, which takes parts and puts their players into stages.

A preset that only chooses values is a TOML file that `extends` another recipe; only a new schedule is a `Recipe`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from gantk.parts import Generator, ImageShape
from gantk.schedule import Stage

if TYPE_CHECKING:
    from gantk.model import Model

__all__ = ["Recipe"]


class Recipe(ABC):
    """A schedule. Its constructor's typed keyword arguments are its options, as with any plugin."""

    paper: ClassVar[str] = ""
    slots: ClassVar[tuple[str, ...]] = ("noise", "generator", "discriminator")
    """The parts that it must be given."""
    optional: ClassVar[tuple[str, ...]] = ("refiner", "condition")
    """The parts that it can also take."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """What is used where neither a preset nor the user says otherwise, in the form of a preset's TOML."""

    @abstractmethod
    def stages(self, model: Model) -> Sequence[Stage]:
        """The stages of the assembled model, in order; those that its parts bring come before them."""

    def judged_shape(self, generator: Generator) -> ImageShape:
        """Shape of what the discriminator judges: the images, unless the game is played on something else."""
        return generator.image_shape

    def judged(self, model: Model, images: Tensor) -> Tensor:
        """What the discriminator judges in place of real images: themselves, unless the game is on something else."""
        return images
