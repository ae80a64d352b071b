"""Sources of noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from gantk.parts.part import Part
from gantk.renamed import renamed

__all__ = ["DISTRIBUTIONS", "NoiseSource"]

DISTRIBUTIONS: Mapping[str, str] = {
    "normal": "standard normal",
    "uniform": "uniform in [-1, 1]",
    "sphere": "uniform on the unit sphere",
}
"""Common distributions of noise, by name; the coordinates of `normal` and `uniform` noise are independent."""


class NoiseSource(Part, ABC):
    """The source of a generator's input."""

    dim: int
    """Length of one noise vector."""
    distribution: str | None = None
    """The distribution of its vectors: `normal` is N(0, I), `uniform` U(-1, 1) in each coordinate, `sphere` uniform on
    the unit sphere; any other name for another distribution, and `None` if it is unknown. `build` compares it with what
    losses assume (`Loss.prior`)."""

    @abstractmethod
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Draw `[n, dim]` noise vectors on this part's device.

        All random numbers must be drawn from `rng` if it is given, so that the same seed draws the same noise, and
        otherwise from torch's global random number generator. `draw_normal` and `draw_uniform` do that.
        """

    @property
    def device(self) -> torch.device:
        """The device of this source's noise."""
        return self._anchor.device

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_anchor", torch.empty(0), persistent=False)
        self._anchor: Tensor

    @renamed(generator="rng")
    def draw_normal(self, *shape: int, rng: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers, drawn on the device of `rng`, then moved to this part's dtype and device."""
        where = rng.device if rng is not None else self.device
        return torch.randn(*shape, generator=rng, device=where).to(self._anchor)

    @renamed(generator="rng")
    def draw_uniform(self, *shape: int, rng: torch.Generator | None = None) -> Tensor:
        """Uniform numbers in [0, 1), drawn on the device of `rng`, then moved to this part's dtype and device."""
        where = rng.device if rng is not None else self.device
        return torch.rand(*shape, generator=rng, device=where).to(self._anchor)
