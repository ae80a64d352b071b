"""The first GAN's networks: multilayer perceptrons, for images of any shape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

from torch import Tensor, nn

from gantk import Discriminator, Generator, Verdict, require
from gantk.nn import Head, output_activation, provided, read_off
from gantk.parts import ImageShape

__all__ = ["MLPDiscriminator", "MLPGenerator"]


def _check(widths: tuple[int, ...]) -> None:
    require(len(widths) > 0 and min(widths) >= 1, f"widths are one or more of at least 1, not {widths}.")


class MLPGenerator(Generator):
    """A multilayer perceptron from noise to pixels: ReLU, and tanh at the end.

    Args:
        widths: units of each hidden layer, each at least 1; the paper's MNIST generator has two of 1200.
    """

    paper = "Goodfellow et al. 2014, arXiv:1406.2661"

    def __init__(self, image_shape: ImageShape, noise_dim: int, *, widths: tuple[int, ...] = (1200, 1200)) -> None:
        super().__init__()
        _check(widths)
        self.image_shape = image_shape
        self.noise_dim = noise_dim
        hidden = [layer for i, o in pairwise((noise_dim, *widths)) for layer in (nn.Linear(i, o), nn.ReLU())]
        self.layers = nn.Sequential(
            *hidden,
            nn.Linear(widths[-1], math.prod(image_shape)),
            nn.Unflatten(1, image_shape),
            output_activation("tanh"),
        )

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.layers(noise)
        return images


class MLPDiscriminator(Discriminator):
    """A multilayer perceptron from pixels to a logit, with LeakyReLU(0.2) where the paper has maxout.

    Nothing is normalized, so the verdict on an image never depends on the other images. The hidden maps are the hidden
    layers' activations; the code, if any, is a linear function of the last one.

    Args:
        widths: units of each hidden layer, each at least 1; the paper's MNIST discriminator has two of 240 maxout
            units with five pieces each.
        code: whether to also predict a code of the noise's dimension for each image.
    """

    paper = "Goodfellow et al. 2014, arXiv:1406.2661"
    offers: Mapping[str, Mapping[str, Any]] = {"code": {"code": True}}

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        widths: tuple[int, ...] = (512, 256),
        code: bool = False,
    ) -> None:
        super().__init__()
        _check(widths)
        self.provides = provided(norm="none", code=code)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(i, o), nn.LeakyReLU(0.2)) for i, o in pairwise((math.prod(image_shape), *widths))
        )
        self.logit = Head(widths[-1], 1)
        self.code = Head(widths[-1], noise_dim) if code else None

    def forward(self, images: Tensor) -> Verdict:
        hidden = tuple(self._activations(images.flatten(1)))
        return read_off(hidden[-1], hidden, logit=self.logit, code=self.code)

    def _activations(self, x: Tensor) -> Iterator[Tensor]:
        for layer in self.layers:
            x = cast(Tensor, layer(x))
            yield x
