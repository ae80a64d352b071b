"""Generate many samples in batches, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gantk.calls import calling
from gantk.chunks import chunk_size
from gantk.errors import FitError
from gantk.model import Model
from gantk.spread import current_devices, spread

__all__ = ["Samples", "batches_of_noise", "labeled_batches", "sample_batches"]


class Samples(NamedTuple):
    """A batch of generated images."""

    images: Tensor
    """`[n, C, H, W]` in [-1, 1]."""
    labels: Tensor | None = None
    """Labels of the conditions, if the model is conditional: class indices int64 `[n]`, or vectors float32 `[n, "
    "dim]`."""


def sample_batches(
    model: Model, count: int, seed: int, refine: bool = True, conditions: Sequence[str] = ()
) -> Iterator[Tensor]:
    """The same images as `model.sample(count, seed, refine, conditions)`, in batches `[n, C, H, W]`."""
    return (batch.images for batch in labeled_batches(model, count, seed, refine, conditions))


def labeled_batches(
    model: Model,
    count: int,
    seed: int,
    refine: bool = True,
    conditions: Sequence[str] = (),
    truncation: float | None = None,
) -> Iterator[Samples]:
    """As `sample_batches`, with labels if the model is conditional."""
    rng, size = torch.Generator().manual_seed(seed), _at_once(model)

    def noise() -> Iterator[Tensor]:
        for start in range(0, count, size):  # larger batches need more memory and are not faster
            number = min(size, count - start)
            turned = [conditions[(start + index) % len(conditions)] for index in range(len(conditions))]
            yield model.sample_noise(number, rng, turned or None, truncation)

    return _generated(model, noise(), refine)


def batches_of_noise(model: Model, noise: Tensor, refine: bool = True) -> Iterator[Samples]:
    """The images of noise vectors `[N, noise_dim]`, in batches; conditions are part of the noise."""
    return _generated(model, torch.split(noise, _at_once(model)), refine)


def _at_once(model: Model) -> int:
    """Images per call of the generator, wherever it is called."""
    device = next(iter(current_devices()), torch.device(model.device))
    return chunk_size(device, model.image_shape)


def _generated(model: Model, noise: Iterable[Tensor], refine: bool) -> Iterator[Samples]:
    def drawn(own: Model, part: Tensor) -> Samples:
        return Samples(own.generate(part, refine), _labels(own, part))

    return spread(model, Model.copied, drawn, noise)


def _labels(model: Model, noise: Tensor) -> Tensor | None:
    if model.condition is None:
        return None
    name = f"condition {type(model.condition).__name__}"
    with calling(name, f"labels of {len(noise)} conditions"):
        found = model.condition.labels(noise[:, model.noise.dim :])
    if len(found) != len(noise):
        raise FitError(f"{name}: labels of {len(noise)} conditions are {list(found.shape)}; expected one for each.")
    return found.cpu()
