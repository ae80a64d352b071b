"""What generation is conditioned on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gantk.parts.part import ImageShape, Part

if TYPE_CHECKING:
    from gantk.schedule import Play

__all__ = ["Condition"]


class Condition(Part, ABC):
    """A vector per image on which generation is conditioned, such as its class.

    Row i of everything in a step, the real images, the generated ones and what is judged, has condition i. A generator
    gets it appended to its noise, which then has `noise.dim + condition.dim` numbers. A discriminator gets it as
    constant channels beside the image, unless it `reads_condition`.
    """

    dim: int
    """Length of one condition."""

    @abstractmethod
    def of(self, labels: Tensor) -> Tensor:
        """The conditions `[N, dim]` of real images with labels: class indices `[N]`, or vectors `[N, label_dim]`."""

    @abstractmethod
    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw `[n, dim]` conditions from their distribution in the data, with all random numbers from `rng`."""

    @abstractmethod
    def told(self, text: str) -> Tensor:
        """The condition `[1, dim]` for a user's text.

        Raises:
            OptionError: there is no such condition.
        """

    def seen(self, labels: Tensor) -> None:
        """Called once by `build` with all labels of the data, as for `of`; what it keeps of them must be in buffers."""

    def labels(self, conditions: Tensor) -> Tensor:
        """The labels of conditions `[N, dim]`, as for `of`; by default the conditions themselves.

        They are saved with generated images, and metrics read them.
        """
        return conditions

    def spread(self, n: int) -> Tensor:
        """`[n, dim]` conditions for a sample grid, in order; by default they are drawn."""
        return self.draw(n, torch.Generator().manual_seed(0))

    def transform(self, images: Tensor, play: Play) -> Tensor:
        """The images with their conditions as constant channels."""
        if play.discriminator.reads_condition:
            return images
        conditions = play.conditions_of(images).to(images.dtype)
        return torch.cat([images, conditions[:, :, None, None].expand(-1, -1, *images.shape[2:])], dim=1)

    def shown_shape(self, shape: ImageShape) -> ImageShape:
        """The shape with the condition's channels."""
        return (shape[0] + self.dim, *shape[1:])
