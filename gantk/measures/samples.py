"""Many samples, a batch at a time: they need not fit into memory together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gantk.model import CHUNK, Model

__all__ = ["sample_batches"]

BATCH = 8 * CHUNK


def sample_batches(
    model: Model, count: int, seed: int, refine: bool = True, conditions: Sequence[str] = ()
) -> Iterator[Tensor]:
    """The images of `model.sample(count, seed, refine, conditions)`, the same ones, in batches `[n, C, H, W]`."""
    rng = torch.Generator().manual_seed(seed)
    for start in range(0, count, BATCH):
        number = min(BATCH, count - start)
        turned = [conditions[(start + index) % len(conditions)] for index in range(len(conditions))]
        yield model.generate(model.sample_noise(number, rng, turned or None), refine)
