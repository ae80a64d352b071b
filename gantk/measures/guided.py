"""What the features of a discriminator respond to: images, and guided backpropagation to their pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from gantk.chunks import CHUNK
from gantk.data import DataSource, to_float
from gantk.errors import FitError
from gantk.parts import Discriminator, Verdict

__all__ = ["Responses", "guided", "last_map", "responses"]

RECTIFIERS: set[Callable[..., Any]] = {
    *(F.relu, F.relu_, F.leaky_relu, F.leaky_relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)
}


class _Positive(torch.autograd.Function):
    """Lets only positive gradients through."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.clamp(min=0)


class _Guided(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        return _Positive.apply(found) if func in RECTIFIERS else found  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Responses:
    """The images to which each of some features responds most."""

    images: Tensor
    """`[features, top, C, H, W]`, the highest response first."""
    values: Tensor
    """`[features, top]`: the response, which is the maximum over the feature's map."""
    gradients: Tensor
    """`[features, top, C, H, W]`: guided backpropagation of each response to the pixels."""
    mean: Tensor
    """`[features]`: the mean response over all images that were examined."""
    spread: Tensor
    """`[features]`: its standard deviation."""

    @property
    def selectivity(self) -> float:
        """The highest response in standard deviations above the mean over images; the mean over features."""
        spread = self.spread.clamp(min=torch.finfo(torch.float32).tiny)
        return float(((self.values[:, 0] - self.mean) / spread).mean())


def last_map(discriminator: Discriminator, images: Tensor) -> Tensor:
    """The maps `[N, features, h, w]` of its deepest hidden layer that has maps, for images `[N, C, H, W]`.

    Raises:
        FitError: no hidden layer has maps.
    """
    verdict: Verdict = discriminator(images)
    maps = [each for each in verdict.hidden or () if each.ndim == 4]
    if not maps:
        raise FitError(f"{type(discriminator).__name__} has no hidden layer with maps: choose a convolutional one.")
    return maps[-1]


def guided(discriminator: Discriminator, images: Tensor, feature: int) -> Tensor:
    """Guided backpropagation of a feature's highest response in each image to its pixels.

    Behind each ReLU or leaky ReLU, only positive gradients go further back (Springenberg et al. 2015, "Striving for
    Simplicity", section 3.4; Radford et al. 2016, section 6.2.2).

    Args:
        discriminator: in evaluation mode.
        images: `[N, C, H, W]` in [-1, 1].
        feature: a channel of `last_map`.

    Returns:
        `[N, C, H, W]`.

    Raises:
        FitError: no hidden layer has maps.
    """
    pixels = images.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        with _Guided():
            response = last_map(discriminator, pixels)[:, feature].amax((1, 2)).sum()
        gradients: Tensor = torch.autograd.grad(response, pixels)[0]
    return gradients


def responses(
    discriminator: Discriminator, source: DataSource, indices: Sequence[int], features: int, top: int
) -> Responses:
    """The images to which the first features of the deepest map respond most.

    Args:
        discriminator: in evaluation mode.
        source: images.
        indices: those that are examined, `top` or more.
        features: number of features; all if there are fewer.
        top: number of images for each.

    Raises:
        FitError: no hidden layer has maps.
        DataError: an image cannot be read.
    """
    device = next((p.device for p in discriminator.parameters()), torch.device("cpu"))
    some = []
    for start in range(0, len(indices), CHUNK):
        images = to_float(source.images(list(indices[start : start + CHUNK]))).to(device)
        with torch.no_grad():
            some.append(last_map(discriminator, images)[:, :features].amax((2, 3)).float().cpu())
    found = torch.cat(some)
    best, where = found.topk(top, dim=0)
    chosen = torch.stack([to_float(source.images([indices[i] for i in each])) for each in where.T.tolist()])
    gradients = torch.stack([guided(discriminator, each.to(device), n).cpu() for n, each in enumerate(chosen)])
    return Responses(chosen, best.T, gradients, found.mean(0), found.std(0, correction=0))
