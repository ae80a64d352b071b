"""Gray images of another data set as the channels of one: a thousand modes that can be counted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.data import DataSource
from gantk.parts import require
from gantk_data.other import other_data

__all__ = ["Stacked"]

Indices = Sequence[int] | npt.NDArray[np.int64]

MOST_CLASSES = 100_000
"""Beyond, images have no labels: nothing could count so many."""


class Stacked(DataSource):
    """Images whose channels are gray images of another data set, drawn at random with replacement.

    With three channels of MNIST it is Stacked MNIST, whose 1,000 classes are the three digits, first that of the first
    channel; `--extractor "channels:of='classifier:data=mnist'"` recognizes them, and metric `classes` counts them. With
    more than 100,000 combinations, as of six digits, images have no labels.

    Args:
        of: the data set, with options, such as mnist. Its images must be gray.
        images: number of images, at least 1.
        channels: channels of an image, at least 1.
        seed: random seed of the drawing, 0 or more.
        split: whether channels are drawn from the images of the other data set or from those that it holds out.
    """

    paper = "Metz et al. 2017, arXiv:1611.02163, section 3.3.1"
    held_out: ClassVar[Mapping[str, Any]] = {"split": "test"}

    def __init__(
        self,
        *,
        of: str,
        images: int = 50_000,
        channels: int = 3,
        seed: int = 0,
        split: Literal["train", "test"] = "train",
    ) -> None:
        require(images >= 1, f"images must be at least 1, not {images}.")
        require(channels >= 1, f"channels must be at least 1, not {channels}.")
        require(seed >= 0, f"seed must be 0 or more, not {seed}.")
        self._gray = other_data(of, split)
        depth, height, width = self._gray.image_shape
        require(depth == 1, f"of must be gray images; those of {of} have {depth} channels.")
        self.image_shape = (channels, height, width)
        self.ahead = self._gray.ahead
        self.symmetric = self._gray.symmetric
        digits = self._gray.classes or ()
        if digits and len(digits) ** channels <= MOST_CLASSES:
            apart = "" if all(len(each) == 1 for each in digits) else " "
            self.classes = tuple(apart.join(each) for each in product(digits, repeat=channels))
        self._drawn = np.random.default_rng(seed).integers(len(self._gray), size=(images, channels))

    def __len__(self) -> int:
        return len(self._drawn)

    def images(self, indices: Indices) -> Tensor:
        chosen = self._chosen(indices)
        return self._gray.images(chosen.reshape(-1)).view(len(chosen), *self.image_shape)

    def labels(self, indices: Indices) -> Tensor | None:
        if self.classes is None:
            return None
        chosen = self._chosen(indices)
        each = self._gray.labels(chosen.reshape(-1))
        assert each is not None
        assert self._gray.classes is not None
        found = torch.zeros(len(chosen), dtype=torch.int64)
        for column in each.view(len(chosen), -1).unbind(1):
            found = found * len(self._gray.classes) + column
        return found

    def digest(self) -> str:
        """Of all images of the other data set, and of which are drawn."""
        gray = self._gray.digest()
        return hashlib.blake2b(gray.encode() + self._drawn.tobytes(), digest_size=16).hexdigest() if gray else ""

    def prepare(self, progress: Callable[[float], object]) -> None:
        self._gray.prepare(progress)

    def _chosen(self, indices: Indices) -> npt.NDArray[np.int64]:
        return self._drawn[np.asarray(indices, dtype=np.int64)]
