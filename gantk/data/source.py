"""Data sources: uint8 images with, where there are any, class labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.errors import DataError
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
    """Class names by label, or `None` where images have no labels."""
    held_out: ClassVar[Mapping[str, Any]] = {}
    """The options that open the part which nobody trains on, as `{"split": "test"}`; empty where there is none."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def images(self, indices: Indices) -> Tensor:
        """uint8 `[len(indices), C, H, W]`."""

    def labels(self, indices: Indices) -> Tensor | None:
        """int64 `[len(indices)]`, or `None` where images have no labels."""
        return None

    def prepare(self, progress: Callable[[float], object]) -> None:  # noqa: B027
        """Do now what the first use would wait for. Training calls it before its first step.

        Args:
            progress: told what share is done, above 0 to 1; not called where nothing takes long.
        """


class ArraySource(DataSource):
    """Images that lie in one array, in memory or memory-mapped.

    Args:
        images: uint8 `[N, C, H, W]`.
        labels: class indices `[N]`, or `None`.
        classes: class names by label; needed with labels.
        name: what errors call this data set.

    Raises:
        DataError: the array is empty, or not of that shape or type, or labels do not fit it.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.int64] | None = None,
        classes: Sequence[str] | None = None,
        name: str = "array",
    ) -> None:
        if images.ndim != 4 or images.dtype != np.uint8:
            raise DataError(f"{name}: images are uint8 [N, C, H, W], not {images.dtype} {list(images.shape)}.")
        if 0 in images.shape:
            raise DataError(f"{name}: there is no image in {list(images.shape)}.")
        if labels is not None:
            if classes is None or len(labels) != len(images):
                raise DataError(f"{name}: {len(images)} images have {len(labels)} labels and classes {classes}.")
            if labels.min() < 0 or labels.max() >= len(classes):
                raise DataError(f"{name}: labels {labels.min()}…{labels.max()} do not fit {len(classes)} classes.")
        self._images = images
        self._labels = labels
        self.image_shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
        self.classes = tuple(classes) if labels is not None and classes is not None else None

    def __len__(self) -> int:
        return len(self._images)

    def images(self, indices: Indices) -> Tensor:
        return torch.from_numpy(self._images[np.asarray(indices, dtype=np.int64)])

    def labels(self, indices: Indices) -> Tensor | None:
        if self._labels is None:
            return None
        return torch.from_numpy(self._labels[np.asarray(indices, dtype=np.int64)].astype(np.int64))
