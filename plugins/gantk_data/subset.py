"""A part of another data set: so many of its images, drawn once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from gantk.data import DataSource
from gantk.errors import DataError
from gantk.parts import require
from gantk_data.other import other_data

__all__ = ["Subset"]

Indices = Sequence[int] | npt.NDArray[np.int64]


class Subset(DataSource):
    """Some images of another data set, drawn at random once: as many of each class where it has classes.

    If the number is no multiple of the number of classes, some classes have one image more; a class with fewer images
    gives all of them. `split=test` is all that the other data set holds out.

    Args:
        of: the data set, with options, such as mnist, or a folder or zip, such as 'photos:size=64'.
        images: number of images, at least 1.
        seed: random seed of the drawing, 0 or more.
        split: the drawn images, or all that the other data set holds out.
    """

    held_out: ClassVar[Mapping[str, Any]] = {"split": "test"}

    def __init__(self, *, of: str, images: int, seed: int = 0, split: Literal["train", "test"] = "train") -> None:
        require(images >= 1, f"images must be at least 1, not {images}.")
        require(seed >= 0, f"seed must be 0 or more, not {seed}.")
        self._whole = other_data(of, split)
        if split == "test":
            images = len(self._whole)
        if images > len(self._whole):
            raise DataError(f"{of} has {len(self._whole)} images; choose images={len(self._whole)} or fewer.")
        self.image_shape = self._whole.image_shape
        self.classes, self.label_dim = self._whole.classes, self._whole.label_dim
        self.ahead = self._whole.ahead
        self._chosen = self._drawn(images, np.random.default_rng(seed))

    def _drawn(self, images: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Indices of the images, in the order of the other data set."""
        order = rng.permutation(len(self._whole))
        labels = None if self.classes is None else self._whole.labels(order)
        if labels is None:
            return np.sort(order[:images])
        # The first image of each class, in random order, then the second ones, and so on.
        found = labels.numpy()
        turn = np.empty(len(order), dtype=np.int64)
        for label in np.unique(found):
            turn[found == label] = np.arange((found == label).sum())
        return np.sort(order[np.argsort(turn, kind="stable")[:images]])

    def __len__(self) -> int:
        return len(self._chosen)

    def images(self, indices: Indices) -> Tensor:
        return self._whole.images(self._chosen[np.asarray(indices, dtype=np.int64)])

    def labels(self, indices: Indices) -> Tensor | None:
        return self._whole.labels(self._chosen[np.asarray(indices, dtype=np.int64)])

    def digest(self) -> str:
        """Of all images of the other data set, and of which are drawn."""
        whole = self._whole.digest()
        return hashlib.blake2b(whole.encode() + self._chosen.tobytes(), digest_size=16).hexdigest() if whole else ""

    def prepare(self, progress: Callable[[float], object]) -> None:
        self._whole.prepare(progress)
