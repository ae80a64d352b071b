"""The few images of a data set whose labels a semi-supervised model is told."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk.data import DataSource, to_float
from gantk.errors import FitError

__all__ = ["Labeled"]


class Labeled:
    """Some images of a data set with their classes, chosen at random and evenly among the classes.

    Args:
        count: number of images, at least 1; fewer where the data has fewer of a class.
        seed: the same seed chooses the same images.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.seed = seed
        self._held: tuple[DataSource, Tensor, Tensor] | None = None

    def draw(self, data: DataSource, n: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """n of the images `[n, C, H, W]` in [-1, 1] and their classes `[n]`, drawn with replacement.

        Raises:
            FitError: the data has no classes.
        """
        if self._held is None or self._held[0] is not data:
            chosen, labels = self._chosen(data)
            self._held = (data, data.images(chosen.numpy()), labels)
        _, images, labels = self._held
        rows = torch.randint(len(labels), (n,))
        return to_float(images[rows]).to(device, non_blocking=True), labels[rows].to(device, non_blocking=True)

    def _chosen(self, data: DataSource) -> tuple[Tensor, Tensor]:
        labels = data.labels(range(len(data)))
        if labels is None or labels.dim() != 1:
            raise FitError("this recipe learns classes from some labels, and this data has no classes")
        rng = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(labels), generator=rng)
        classes = sorted({*labels.tolist()})
        shares = [self.count // len(classes) + (k < self.count % len(classes)) for k in range(len(classes))]
        chosen = [order[labels[order] == each][:share] for each, share in zip(classes, shares, strict=True)]
        indices = torch.cat(chosen).sort().values
        return indices, labels[indices].long()
