"""Features of the discriminator of a run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

import gantk
from gantk import Extractor, require
from gantk.errors import FitError
from gantk.parts import Discriminator, ImageShape, weights_digest
from gantk_metrics.images import as_taken, check_channels, resized_as

__all__ = ["DiscriminatorFeatures"]


class DiscriminatorFeatures(Extractor):
    """The hidden layers of a trained run's discriminator, each max-pooled to 4x4 and concatenated.

    These are DCGAN's features for classification (Radford et al. 2016, section 5.1).

    Args:
        run: the folder of the run, or of one of its checkpoints.
        step: the step of the checkpoint; by default the newest.
        layer: index of the hidden layer to use, from 0, or from -1 backwards; by default all layers.
        pool: size to which each layer is max-pooled, at least 1; smaller layers are not pooled.
    """

    paper = "Radford, Metz & Chintala 2016 (ICLR), section 5.1"

    def __init__(
        self, image_shape: ImageShape, *, run: Path, step: int | None = None, layer: int | None = None, pool: int = 4
    ) -> None:
        super().__init__()
        require(pool >= 1, f"pool must be at least 1, not {pool}.")
        require(step is None or step >= 0, f"step must be at least 0, not {step}.")
        model = gantk.load(run, step=step)
        self.taken = model.image_shape
        self.layer, self.pool = layer, pool
        self.discriminator = _plain(model, run)
        check_channels(image_shape[0], self.taken[0])
        self.resize = resized_as(image_shape, self.taken)
        self.eval().requires_grad_(False)
        found = self._of(torch.rand(2, *self.taken, generator=torch.Generator().manual_seed(0)) * 2 - 1)
        alone = self._of(torch.rand(2, *self.taken, generator=torch.Generator().manual_seed(0))[:1] * 2 - 1)
        if not torch.allclose(found[:1], alone, rtol=1e-3, atol=1e-4):
            raise FitError(
                f"the discriminator of {run} computes other features for an image if the batch contains others, such "
                "as by batch statistics: name another run."
            )
        self.dim = found.shape[1]

    def forward(self, images: Tensor) -> Tensor:
        return self._of(as_taken(images, self.taken))

    def fingerprint(self) -> str:
        """A hash of its weights, independent of the path to the run."""
        kind = type(self.discriminator)
        return weights_digest(self, kind.__module__, kind.__qualname__, self.layer, self.pool, self.resize)

    def _of(self, images: Tensor) -> Tensor:
        hidden = self.discriminator(images).hidden
        if not hidden:
            raise FitError(f"{type(self.discriminator).__name__} has no hidden layers to read.")
        if self.layer is not None:
            if not -len(hidden) <= self.layer < len(hidden):
                raise FitError(f"layer must be from {-len(hidden)} to {len(hidden) - 1}, not {self.layer}.")
            hidden = (hidden[self.layer],)
        return torch.cat([self._pooled(layer) for layer in hidden], dim=1)

    def _pooled(self, layer: Tensor) -> Tensor:
        if layer.ndim == 4:
            height, width = layer.shape[2:]
            layer = adaptive_max_pool2d(layer, (min(self.pool, height), min(self.pool, width)))
        return layer.flatten(1)


def _plain(model: gantk.Model, run: Path) -> Discriminator:
    """A model's discriminator, if its only input is images."""
    found = model.discriminator
    if found is None:
        raise FitError(f"{run} has no discriminator: choose the run of a GAN.")
    if model.condition is not None:
        raise FitError(f"the discriminator of {run} needs conditions: choose the run of an unconditional model.")
    return found
