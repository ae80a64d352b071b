"""Growth: the resolutions of a growing network, which one is current, and how far it has faded in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from gantk import require
from gantk.errors import FitError
from gantk.nn import Size, halve_until, size_list
from gantk_progressive.layers import halve, twice

__all__ = ["Grows", "Growth", "channels", "check_widths", "resolutions"]

LARGEST_BASE = 7
"""The image is halved until its shorter side is at most this: 28 → 14 → 7, 64 → … → 4."""


def resolutions(size: Size) -> list[Size]:
    """The sizes through which a network grows to the image size, smallest first: 7×7, 14×14, 28×28.

    Raises:
        FitError: the image is too small to grow.
    """
    return halve_until(size, LARGEST_BASE)[::-1]


def check_widths(fmap_base: int, fmap_max: int) -> None:
    require(fmap_base >= 1, f"fmap_base must be at least 1, not {fmap_base}.")
    require(fmap_max >= 1, f"fmap_max must be at least 1, not {fmap_max}.")


def channels(depth: int, fmap_base: int, fmap_max: int) -> int:
    """Channels of the maps at a depth, as in the authors' code: fmap_base / 2^(depth + 1), at most `fmap_max`."""
    return max(1, min(int(fmap_base / 2 ** (depth + 1)), fmap_max))


@runtime_checkable
class Grows(Protocol):
    """Interface of a network's `growth`, by which the recipe recognizes growing networks."""

    @property
    def sizes(self) -> Sequence[Size]:
        """(height, width) of each resolution, smallest first."""

    def set(self, depth: int, alpha: float) -> None:
        """Make `sizes[depth]` the current resolution, faded in by `alpha`, in [0, 1]."""

    def shrunk(self, images: Tensor) -> Tensor:
        """Full-size images `[N, C, H, W]` at the current resolution, faded like the network."""


@dataclass
class _Host:
    """What was set, and the versions of the buffers since then."""

    versions: list[tuple[int, int]] = field(default_factory=list)
    depth: int = 0
    alpha: float = 1.0


class Growth(nn.Module):
    """How far a network has grown. Both numbers are buffers, so checkpoints save them; it starts fully grown.

    Args:
        sizes: (height, width) of each resolution, smallest first; each is half the next one.
    """

    def __init__(self, sizes: Sequence[Size]) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.register_buffer("depth_buffer", torch.tensor(len(sizes) - 1))
        self.register_buffer("alpha_buffer", torch.tensor(1.0))
        self.depth_buffer: Tensor
        self.alpha_buffer: Tensor
        # Reading a buffer waits for its device, many times in a step; what was set is known until another writes it.
        self._host = _Host()
        self._phase: tuple[int, bool] | None = None  # recorded steps are of one phase

    @property
    def depth(self) -> int:
        """Index of the current resolution in `sizes`."""
        return self._host.depth if self._is_known() else int(self.depth_buffer)

    @property
    def alpha(self) -> float:
        """Weight of the current resolution's own layers, from 0 (only the resolution below) to 1."""
        return self._host.alpha if self._is_known() else float(self.alpha_buffer)

    @property
    def fades(self) -> bool:
        """Whether the current resolution is not faded in completely."""
        return self.depth > 0 and self.alpha < 1

    def faded(self, below: Tensor, own: Tensor) -> Tensor:
        """`alpha` · `own` + (1 - `alpha`) · `below`; alpha is read on its device."""
        return torch.lerp(below, own, self.alpha_buffer.to(own.dtype))

    def set(self, depth: int, alpha: float = 1.0) -> None:
        """Make a resolution the current one; `alpha` in [0, 1] is how far it has faded in."""
        self.depth_buffer.fill_(depth)
        self.alpha_buffer.fill_(alpha)
        self._host.versions, self._host.depth, self._host.alpha = self._versions(), depth, float(np.float32(alpha))
        self._phase = depth, self.fades

    def _is_known(self) -> bool:
        """Whether the buffers still hold what was set; outside of training, they are read, which exports can trace."""
        return self.training and self._host.versions == self._versions()

    def _versions(self) -> list[tuple[int, int]]:
        return [(buffer.data_ptr(), buffer._version) for buffer in (self.depth_buffer, self.alpha_buffer)]

    def depth_of(self, size: Size) -> int:
        """The depth at which images have this size; `FitError` for a size that is not a resolution."""
        if size not in self.sizes:
            known = size_list(self.sizes)
            raise FitError(f"images of {size[0]}x{size[1]} pixels have none of the resolutions {known}.")
        return self.sizes.index(size)

    def shrunk(self, images: Tensor) -> Tensor:
        """Images of the full size at the current resolution, as they are judged now.

        While it fades in, they are interpolated with the resolution below (section 2).
        """
        depth = self.depth
        for _ in range(len(self.sizes) - 1 - depth):
            images = halve(images)
        return self.faded(twice(halve(images), self.sizes[depth]), images) if self.fades else images

    def enlarged(self, images: Tensor) -> Tensor:
        """Images of any resolution, upsampled to the full size by repeating pixels."""
        for size in self.sizes[self.depth_of((images.shape[2], images.shape[3])) + 1 :]:
            images = twice(images, size)
        return images
