"""The order in which images are read: an endless sequence of permutations determined by a seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from gantk.seeds import rng_for

__all__ = ["Order"]


class Order:
    """Maps positions to image indices; every epoch is a new permutation.

    The state of the sampler is a single position, so a resumed run reads the same images as an uninterrupted one.

    Args:
        images: size of the data set.
        seed: the seed of the permutations; any values.
    """

    def __init__(self, images: int, *seed: object) -> None:
        self._images = images
        self._seed = seed
        self._epoch = -1
        self._permutation = np.empty(0, dtype=np.int64)

    def indices(self, position: int, count: int) -> npt.NDArray[np.int64]:
        """The indices of `count` images starting at a position; a batch may extend into the next epoch."""
        parts: list[npt.NDArray[np.int64]] = []
        while count > 0:
            epoch, within = divmod(position, self._images)
            part = self._of(epoch)[within : within + count]
            parts.append(part)
            position += len(part)
            count -= len(part)
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _of(self, epoch: int) -> npt.NDArray[np.int64]:
        if epoch != self._epoch:
            rng = rng_for(*self._seed, "epoch", epoch)
            self._permutation = torch.randperm(self._images, generator=rng).numpy()
            self._epoch = epoch
        return self._permutation
