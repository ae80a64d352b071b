"""Small smooth networks for contracts: every activation has a nonzero gradient everywhere."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gantk.nn import on_sphere
from gantk.parts import Discriminator, Extractor, Generator, ImageShape, NoiseSource, Posterior, Verdict

__all__ = ["ToyDiscriminator", "ToyExtractor", "ToyGenerator", "ToyNoise"]


class ToyDiscriminator(Discriminator):
    """A discriminator with the given outputs.

    Args:
        provides: any of `logits`, `hidden`, `code`, `classes`, `energy`, `per-sample`; it is per-sample in any case.
        image_shape: (channels, height, width) of its input.
        noise_dim: length of its code.
        class_count: number of its class logits.
    """

    def __init__(
        self, provides: frozenset[str], image_shape: ImageShape = (1, 4, 3), noise_dim: int = 5, class_count: int = 3
    ) -> None:
        super().__init__()
        self.provides = provides
        self.first = nn.Linear(math.prod(image_shape), 8)
        self.second = nn.Linear(8, 6)
        outputs = {"logits": 1, "code": noise_dim, "classes": class_count}
        self.heads = nn.ModuleDict({name: nn.Linear(6, n) for name, n in outputs.items() if name in provides})

    def forward(self, images: Tensor) -> Verdict:
        first = torch.tanh(self.first(images.flatten(1)))
        second = torch.tanh(self.second(first))
        read = {name: head(second) for name, head in self.heads.items()}
        logits = read["logits"].squeeze(1) if "logits" in read else None
        if logits is not None and "energy" in self.provides:
            logits = -nn.functional.softplus(logits)
        return Verdict(
            logits=logits,
            hidden=(first, second) if "hidden" in self.provides else None,
            code=read.get("code"),
            classes=read.get("classes"),
        )


class ToyGenerator(Generator):
    """A generator with an encoder.

    Args:
        image_shape: (channels, height, width) of its images.
        noise_dim: length of a noise vector.
        sphere: whether codes and noise are projected onto the unit sphere.
    """

    def __init__(self, image_shape: ImageShape = (1, 4, 3), noise_dim: int = 5, sphere: bool = False) -> None:
        super().__init__()
        self.provides = frozenset({"posterior", "sphere"} if sphere else {"posterior"})
        self.image_shape = image_shape
        self.decoder = nn.Linear(noise_dim, math.prod(image_shape))
        self.encoder = nn.Linear(math.prod(image_shape), 2 * noise_dim)

    def forward(self, noise: Tensor) -> Tensor:
        return torch.tanh(self.decoder(self._code(noise))).view(-1, *self.image_shape)

    def encode(self, images: Tensor) -> Posterior:
        mean, log_variance = self.encoder(images.flatten(1)).chunk(2, dim=1)
        return Posterior(self._code(mean), log_variance)

    def _code(self, vectors: Tensor) -> Tensor:
        return on_sphere(vectors) if "sphere" in self.provides else vectors


class ToyNoise(NoiseSource):
    """Standard normal noise.

    Args:
        dim: length of a noise vector.
    """

    def __init__(self, dim: int = 5) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=rng)


class ToyExtractor(Extractor):
    """An extractor with class probabilities.

    Args:
        image_shape: (channels, height, width) of its input.
        class_count: number of classes.
        dim: length of a feature vector.
    """

    def __init__(self, image_shape: ImageShape = (1, 4, 3), class_count: int = 3, dim: int = 4) -> None:
        super().__init__()
        self.dim = dim
        self.class_count = class_count
        self.body = nn.Linear(math.prod(image_shape), dim)
        self.head = nn.Linear(dim, class_count)

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.body(images.flatten(1)))

    def classify(self, features: Tensor) -> Tensor:
        return torch.softmax(self.head(features), dim=1)
