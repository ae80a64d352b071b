"""Data sources: uint8 images with, where there are any, class labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.data.arrays import image_array, label_array
from gantk.data.content import digest, sampled_digest
from gantk.parts import ImageShape

__all__ = ["ArraySource", "DataSource", "to_float", "to_uint8"]

Indices = Sequence[int] | npt.NDArray[np.int64]


def to_float(images: Tensor) -> Tensor:
    """uint8 0…255 → float in [-1, 1], scaled and nothing else (Radford et al. 2016)."""
    return images.float().div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] → uint8 0…255, rounded; values outside are clamped. Inverts `to_float` exactly."""
    return images.detach().float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


class DataSource(ABC):
    """Images that a model learns from; a plugin of kind `data` is one of these.

    A constructor checks what it can without decoding every image, and decodes on first use. What is missing,
    damaged or hostile raises `DataError` with the file's name.
    """

    image_shape: ImageShape
    """(channels, height, width) of every image."""
    classes: tuple[str, ...] | None = None
    """Class names by label, or `None` where images have no labels or other ones."""
    label_dim: int = 0
    """Length of the vector that describes each image, such as its attributes, where labels are vectors; else 0."""
    held_out: ClassVar[Mapping[str, Any]] = {}
    """The options that open the part which nobody trains on, as `{"split": "test"}`; empty where there is none."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """Former names of options, which are still read, with a warning: old name → new name."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def images(self, indices: Indices) -> Tensor:
        """uint8 `[len(indices), C, H, W]`."""

    def labels(self, indices: Indices) -> Tensor | None:
        """Class indices int64 `[n]` of n indices, vectors float32 `[n, label_dim]`, or `None` without labels."""
        return None

    def digest(self) -> str:
        """A text that is another one where the images are others; empty where they cannot be compared.

        A run that is resumed compares it. Here up to 4,096 images are read for it, spread evenly; a source that holds
        its images in an array takes all of them.
        """
        return sampled_digest(self)

    def prepare(self, progress: Callable[[float], object]) -> None:  # noqa: B027
        """Do now what the first use would wait for. Training calls it before its first step.

        Args:
            progress: told what share is done, above 0 to 1; not called where nothing takes long.
        """


class ArraySource(DataSource):
    """Images that lie in one array, in memory or memory-mapped.

    Args:
        images: uint8 `[N, C, H, W]`: a NumPy array, a tensor, or a list of arrays, tensors or PIL images (L, RGB or
            RGBA) of one size. `[N, H, W]` is `[N, 1, H, W]`. Floats are in [0, 1], or in [-1, 1] where any is negative;
            booleans are black and white. What is uint8 is not copied.
        labels: class indices `[N]`; or a vector for each image `[N, dim]`, such as its attributes or the embedding of a
            text; or `None`.
        classes: class names by label; without them classes are called 0, 1, ….
        name: what errors call this data set.
        channels_last: whether images are `[N, H, W, C]`.

    Raises:
        DataError: the images are none, or of another shape, type or range, or labels do not fit them.
    """

    def __init__(
        self,
        images: npt.ArrayLike | Tensor | Sequence[Any],
        labels: npt.ArrayLike | Tensor | None = None,
        classes: Sequence[str] | None = None,
        name: str = "array",
        *,
        channels_last: bool = False,
    ) -> None:
        self._images = image_array(images, channels_last, name)
        self._labels = None if labels is None else label_array(labels, len(self._images), classes, name)
        _, channels, height, width = self._images.shape
        self.image_shape = (channels, height, width)
        if self._labels is not None and self._labels.ndim == 2:
            self.label_dim = self._labels.shape[1]
        elif self._labels is not None:
            self.classes = tuple(classes or map(str, range(int(self._labels.max()) + 1)))

    def __len__(self) -> int:
        return len(self._images)

    def digest(self) -> str:
        return digest(self._images)

    def images(self, indices: Indices) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self._images[np.asarray(indices, dtype=np.int64)]))

    def labels(self, indices: Indices) -> Tensor | None:
        if self._labels is None:
            return None
        return torch.from_numpy(self._labels[np.asarray(indices, dtype=np.int64)])
