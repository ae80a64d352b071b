"""A generator whose normalizations are scaled and shifted by its condition or by its noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from gantk import Generator, Posterior, require
from gantk.construct import nested, offers_of
from gantk.errors import FitError
from gantk.nn import Modulation, evaluating
from gantk.parts import ImageShape

__all__ = ["ModulatedGenerator"]

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)


class ModulatedGenerator(Generator):
    """Modulated normalization in any generator: scale and shift are functions of the condition, or of the noise.

    Every normalization on the way from noise to image gets its scale and shift for each image from a vector. From
    the `condition` they are linear, so that with classes each has a scale and shift of its own (conditional batch
    normalization); the generator within then reads the noise alone. From the `noise`, to which a condition is appended,
    they are linear(ReLU(linear(z))) (self-modulation), with or without a condition.

    Args:
        of: the generator within, with options, such as dcgan:width=32.
        by: what scales and shifts are computed from.
        hidden: units of the hidden layer, at least 1; only by noise.
    """

    paper = "Chen et al. 2019, arXiv:1810.01365; Dumoulin et al. 2017, arXiv:1610.07629"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        *,
        of: str = "gantk:dcgan",
        by: Literal["condition", "noise"] = "noise",
        hidden: int = 32,
    ) -> None:
        require(hidden >= 1, f"hidden must be at least 1, not {hidden}.")
        if by == "condition" and not condition_dim:
            raise FitError(
                "by=condition needs a condition, but this model has none",
                "use --condition class or --generator modulated:by=noise",
            )
        super().__init__()
        self.image_shape = image_shape
        self.by_condition = by == "condition"
        self.own = noise_dim - condition_dim if self.by_condition else noise_dim
        appended = 0 if self.by_condition else condition_dim
        self.within: Generator = nested(
            "generator", of, image_shape=image_shape, noise_dim=self.own, condition_dim=appended
        )
        self.provides = self.within.provides - {"sphere"}  # styles may be of any length
        self.offers: Mapping[str, Mapping[str, Any]] = offers_of("of", of, self.within)
        style_dim, units = (condition_dim, 0) if self.by_condition else (noise_dim, hidden)
        used = _normalizations(self.within, self.own)
        if not used:
            raise FitError(f"generator '{of}' has no normalization to modulate", "use --generator modulated:of=dcgan")
        self._paths = list(used)
        for path, norm in used.items():
            above, _, name = path.rpartition(".")
            setattr(self.within.get_submodule(above), name, _Styled(norm, style_dim, units))

    def forward(self, noise: Tensor) -> Tensor:
        style = noise[:, self.own :] if self.by_condition else noise
        with self._styled(style):
            images: Tensor = self.within(noise[:, : self.own])
        return images

    def encode(self, images: Tensor) -> Posterior:
        return self.within.encode(images)

    @contextmanager
    def _styled(self, style: Tensor) -> Iterator[None]:
        """Within this context, the normalizations read this vector for each image."""
        layers = [cast(_Styled, self.within.get_submodule(path)) for path in self._paths]
        for layer in layers:
            layer.vectors = style
        try:
            yield
        finally:
            for layer in layers:
                layer.vectors = None


class _Styled(nn.Module):
    """A normalization within another network, which is told the vectors for its scale and shift beforehand."""

    vectors: Tensor | None = None

    def __init__(self, norm: nn.Module, style_dim: int, hidden: int) -> None:
        super().__init__()
        bare, channels = _without_affine(norm)
        self.modulation = Modulation(bare, channels, style_dim, hidden)

    def forward(self, x: Tensor) -> Tensor:
        if self.vectors is None:
            raise FitError(
                "generator 'modulated' is modulated as a whole, but this recipe uses a module within it by itself",
                "choose another generator",
            )
        images: Tensor = self.modulation(x, self.vectors.to(x.dtype))
        return images


def _without_affine(norm: nn.Module) -> tuple[nn.Module, int]:
    """The same normalization without scale and shift, and its number of channels."""
    if isinstance(norm, nn.GroupNorm):
        return nn.GroupNorm(norm.num_groups, norm.num_channels, norm.eps, affine=False), norm.num_channels
    assert isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d))
    settings: dict[str, Any] = {"eps": norm.eps, "momentum": norm.momentum, "affine": False}
    return type(norm)(norm.num_features, track_running_stats=norm.track_running_stats, **settings), norm.num_features


def _normalizations(generator: Generator, noise_dim: int) -> dict[str, nn.Module]:
    """Path → the normalizations that images are generated through, and not those of an encoder."""
    found: dict[str, nn.Module] = {}
    paths: dict[nn.Module, str] = {layer: path for path, layer in generator.named_modules() if isinstance(layer, NORMS)}

    def note(layer: nn.Module, _: object) -> None:
        found[paths[layer]] = layer

    handles = [layer.register_forward_pre_hook(note) for layer in paths]
    with evaluating(generator), torch.no_grad():
        generator(torch.zeros(2, noise_dim))
    for handle in handles:
        handle.remove()
    return found
