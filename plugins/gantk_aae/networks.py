"""The autoencoder of Makhzani et al.: multilayer perceptrons, for images of any shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from gantk import Generator, Posterior, require
from gantk.nn import OnSphere, Output, gaussian, init_weights, output_activation, point
from gantk.parts import ImageShape

__all__ = ["AAEGenerator"]


class AAEGenerator(Generator):
    """An autoencoder of multilayer perceptrons with ReLU; its decoder is the generator.

    Args:
        widths: units of each hidden layer of the encoder, each at least 1; the decoder has them in reverse order.
        gaussian: whether the encoder predicts a mean and a variance, from which codes are drawn. Otherwise, a code is a
            function of its image, and the log-variance a constant -30.
        sphere: whether to project codes and the decoder's input noise onto the unit sphere; not with `gaussian`.
        output: activation that bounds the images to [-1, 1].
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Makhzani et al. 2016, arXiv:1511.05644, appendix A"
    provides = frozenset({"posterior"})
    offers: Mapping[str, Mapping[str, Any]] = {"sphere": {"sphere": True, "gaussian": False}}

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        widths: tuple[int, ...] = (1000, 1000),
        gaussian: bool = False,
        sphere: bool = False,
        output: Output = "sigmoid",
        init_std: float = 0.01,
    ) -> None:
        super().__init__()
        require(
            len(widths) > 0 and min(widths) >= 1, f"widths must be one or more numbers of at least 1, not {widths}."
        )
        require(init_std > 0, f"init_std must be positive, not {init_std}.")
        self.image_shape = image_shape
        self.gaussian = gaussian
        pixels = math.prod(image_shape)
        self.encoder = nn.Sequential(nn.Flatten(), *_perceptron(pixels, widths, (1 + gaussian) * noise_dim))
        self.decoder = nn.Sequential(
            *_perceptron(noise_dim, widths[::-1], pixels), nn.Unflatten(1, image_shape), output_activation(output)
        )
        if sphere:
            require(not gaussian, "codes on a sphere cannot be drawn from a Gaussian: use gaussian=false.")
            self.provides = frozenset({"posterior", "sphere"})
            self.decoder.insert(0, OnSphere())
            self.encoder.append(OnSphere())
        init_weights(self, init_std)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.decoder(noise)
        return images

    def encode(self, images: Tensor) -> Posterior:
        outputs: Tensor = self.encoder(images)
        return gaussian(outputs) if self.gaussian else point(outputs)


def _perceptron(inputs: int, widths: tuple[int, ...], outputs: int) -> list[nn.Module]:
    hidden = [layer for i, o in pairwise((inputs, *widths)) for layer in (nn.Linear(i, o), nn.ReLU())]
    return [*hidden, nn.Linear(widths[-1], outputs)]
