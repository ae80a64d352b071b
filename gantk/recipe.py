"""Recipes: a schedule in code, which takes parts and puts their players into stages.

A preset that only chooses values is a TOML file that `extends` another recipe; only a new schedule is a `Recipe`.
A preset whose values depend on the data is an `AdaptivePreset`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from gantk.data import DataSource
from gantk.parts import Generator, ImageShape
from gantk.schedule import Stage

if TYPE_CHECKING:
    from gantk.model import Model

__all__ = ["Adapted", "AdaptivePreset", "Recipe", "Wanted", "is_adaptive", "is_preset"]


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


@dataclass(frozen=True)
class Wanted:
    """What an `AdaptivePreset` chooses values for.

    Args:
        data: the images.
        options: options of the data plugin that the user left open, such as `size` and `color`. With `size` among them,
            the images of `data` have `AdaptivePreset.size` pixels a side.
        seconds: time that training may take, in seconds.
        parts: the parts that the user chose, as arguments of `gantk.build`.
    """

    data: DataSource
    options: frozenset[str]
    seconds: float
    parts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Adapted:
    """Values that an `AdaptivePreset` chose.

    Args:
        preset: the values, in the form of a preset's TOML; the user's own go over them.
        reasons: what a choice is about → why, in one line: `noise`, `addon`, `stages.game.length`, `data.size`. They
            become notes of the build, except those about what the user chose otherwise.
        data: values for some of `Wanted.options`, such as `size`.
    """

    preset: Mapping[str, Any]
    reasons: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)


class AdaptivePreset(ABC):
    """A preset in code: it looks at the data, and at the time that training may take, and chooses its values for them.

    `gantk build NAME --data PATH --time 1h` writes what it chose to `model.toml` like any other value.
    """

    title: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    extends: ClassVar[str]
    """The recipe whose values it changes."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Values that do not depend on the data, in the form of a preset's TOML."""
    size: ClassVar[int] = 64
    """Side in pixels at which it looks at images whose size the user left open."""
    seconds: ClassVar[float] = 3600.0
    """Time of training if the user does not say."""

    @abstractmethod
    def adapt(self, wanted: Wanted) -> Adapted:
        """Choose values for the data."""


def is_adaptive(loaded: Any) -> bool:
    """Whether a loaded recipe is an adaptive preset."""
    return isinstance(loaded, type) and issubclass(loaded, AdaptivePreset)


def is_preset(loaded: Any) -> bool:
    """Whether a loaded recipe only chooses values for another one: the text of a preset, or an adaptive preset."""
    return isinstance(loaded, str) or is_adaptive(loaded)
