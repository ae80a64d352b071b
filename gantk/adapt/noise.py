"""Functions, modules and distributions as noise sources."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from gantk.adapt.calls import network_of, parameters_of
from gantk.calls import calling
from gantk.errors import FitError, GantkWarning
from gantk.parts import NoiseSource
from gantk.seeds import forked

__all__ = ["PlainNoise"]


class PlainNoise(NoiseSource):
    """Any function of n, or of n and `rng`, a `torch.Generator`, that draws n noise vectors.

    Of a module, `sample` is called if it has one, otherwise the module itself; a `torch.distributions.Distribution` is
    sampled from. For code without an argument `rng`, the global random number generators of Python, NumPy and torch
    are seeded. If its samples have gradients, its parameters are trained by the generator's player.

    Args:
        source: the function, module or distribution.
    """

    def __init__(self, source: Any) -> None:
        super().__init__()
        sample = getattr(source, "sample", None)
        if isinstance(source, torch.distributions.Distribution):
            self._draw: Any = lambda n: source.sample((n,))
        elif isinstance(source, nn.Module):
            self.network = source
            self._draw = None if sample is None else "sample"
        else:
            self.network = network_of(sample or source)
            self._draw = None
        called = sample or (source.forward if isinstance(source, nn.Module) else source)
        self._seeded_by = _rng_argument(called, type(self).__name__)
        with forked(0):
            drawn = self.sample(2)
        if drawn.requires_grad:
            self.learned = ("network",)
        self.dim = drawn.shape[1]

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        if self._seeded_by:
            return self._checked(n, {self._seeded_by: rng})
        if rng is None:
            return self._checked(n, {})
        with forked(int(torch.randint(2**63 - 1, (), generator=rng, device=rng.device).item())):
            return self._checked(n, {})

    def _checked(self, n: int, how: dict[str, Any]) -> Tensor:
        name = type(self).__name__
        with calling(f"noise {name}", f"n={n}"):
            if callable(self._draw):
                drawn = self._draw(n)
            else:
                drawn = (getattr(self.network, self._draw) if self._draw else self.network)(n, **how)
            drawn = torch.as_tensor(drawn).to(self._anchor)
        if drawn.dim() < 2 or drawn.shape[0] != n:
            raise FitError(f"noise {name} returned {list(drawn.shape)} for n={n}; expected [{n}, dim].")
        return drawn.flatten(1)


def _rng_argument(function: Any, name: str) -> str:
    """The name of the argument that takes a `torch.Generator`; empty if there is none."""
    names = {parameter.name for parameter in parameters_of(function)}
    if "rng" in names:
        return "rng"
    if "generator" not in names:
        return ""
    warnings.warn(f"noise {name}: the argument generator is called rng now.", GantkWarning, stacklevel=2)
    return "generator"
