"""Data sources: uint8 images with optional labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.data.arrays import image_array
from gantk.data.content import digest, sampled_digest
from gantk.data.labels import label_array
from gantk.data.mapped import check_whole
from gantk.parts import ImageShape

__all__ = ["ArraySource", "DataSource", "to_float", "to_uint8"]

Indices = Sequence[int] | npt.NDArray[np.int64]


def to_float(images: Tensor) -> Tensor:
    """uint8 0…255 → float in [-1, 1], only scaled (Radford et al. 2016)."""
    return images.float().div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] → uint8 0…255, rounded; values outside are clamped. Inverts `to_float` exactly."""
    return images.detach().float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


class DataSource(ABC):
    """The base class of plugins of kind `data`: the images that a model is trained on.

    The constructor checks as much as possible without decoding every image; images are decoded on first use. Missing,
    damaged or hostile files raise a `DataError` that names the file.
    """

    image_shape: ImageShape
    """(channels, height, width) of every image."""
    classes: tuple[str, ...] | None = None
    """Class names by label, or `None` if the images have no class labels."""
    label_dim: int = 0
    """Dimension of vector labels, such as attributes; 0 if labels are not vectors."""
    held_out: ClassVar[Mapping[str, Any]] = {}
    """The options that select the held-out split, such as `{"split": "test"}`; empty if no data of this kind has one.
    Data that holds nothing out raises `gantk.errors.NothingHeldOut` when it is constructed with these options."""

    symmetric: bool | None = None
    """Whether mirrored images could be images of this data with the same label: true for photographs of things, false
    for letters; `None` if it is not known."""

    ahead: bool = False
    """Whether training may call `images` and `labels` in another thread while it computes a step. They must depend on
    the indices alone, not on random numbers, and allow two calls at once."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """Deprecated option names, which are still accepted with a warning: old name → new name."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def images(self, indices: Indices) -> Tensor:
        """uint8 `[len(indices), C, H, W]`."""

    def labels(self, indices: Indices) -> Tensor | None:
        """Class indices int64 `[n]` for n indices, vectors float32 `[n, label_dim]`, or `None` without labels."""
        return None

    def array(self) -> npt.NDArray[np.uint8] | None:
        """All images `[N, C, H, W]` in one array, in memory or mapped; `None` where there is none.

        Training copies them to a GPU once, if they fit there.
        """
        return None

    def original_shapes(self, indices: Indices) -> list[ImageShape]:
        """(channels, height, width) of images before this source resized or converted them."""
        return [self.image_shape] * len(indices)

    def digest(self) -> str:
        """A digest that changes when the images do; empty if they cannot be compared.

        Resuming a run compares it. By default it covers up to 4,096 images, spread evenly; a source with an array
        covers all of them.
        """
        return sampled_digest(self)

    def prepare(self, progress: Callable[[float], object]) -> None:  # noqa: B027
        """Do the work that the first use would otherwise wait for. Training calls it before its first step.

        Args:
            progress: receives the fraction done, above 0 to 1; not called if nothing takes long.
        """

    def keep(self, progress: Callable[[float], object]) -> bool:
        """Store decoded images in the cache, from which later openings of the same data read them.

        Args:
            progress: receives the fraction done, above 0 to 1.

        Returns:
            whether they are stored; false if this data has nothing to decode.

        Raises:
            DataError: an image cannot be read, or the cache cannot be written.
        """
        return False


class ArraySource(DataSource):
    """Images in one array, in memory or memory-mapped.

    Args:
        images: uint8 `[N, C, H, W]`: a NumPy array, a tensor, or a list of arrays, tensors or PIL images (L, RGB or
            RGBA) of one size. `[N, H, W]` is read as `[N, 1, H, W]`. Floats are in [0, 1], or in [-1, 1] if any is
            negative; booleans are black and white. uint8 arrays are not copied.
        labels: class indices `[N]`; vectors `[N, dim]`, such as attributes or text embeddings; or `None`.
        classes: class names by label; by default 0, 1, ….
        name: name of the data set in errors.
        channels_last: whether images are `[N, H, W, C]`.

    Raises:
        DataError: there are no images, their shape, dtype or range is wrong, or the labels do not match them.
    """

    ahead = True

    def __init__(
        self,
        images: npt.ArrayLike | Tensor | Sequence[Any],
        labels: npt.ArrayLike | Tensor | None = None,
        classes: Sequence[str] | None = None,
        name: str = "array",
        *,
        channels_last: bool = False,
    ) -> None:
        self._name = name
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
        check_whole(self._images, self._name)
        return digest(self._images)

    def array(self) -> npt.NDArray[np.uint8]:
        check_whole(self._images, self._name)
        return self._images

    def images(self, indices: Indices) -> Tensor:
        check_whole(self._images, self._name)
        return torch.from_numpy(np.ascontiguousarray(self._images[np.asarray(indices, dtype=np.int64)]))

    def labels(self, indices: Indices) -> Tensor | None:
        if self._labels is None:
            return None
        return torch.from_numpy(self._labels[np.asarray(indices, dtype=np.int64)])
