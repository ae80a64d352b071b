"""Data given from Python: arrays, lists and torch data sets as data sources."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from gantk.data.arrays import BEYOND, MOST, image_array
from gantk.data.labels import label_array
from gantk.data.source import ArraySource, DataSource, Indices
from gantk.errors import DataError, briefly

__all__ = ["DatasetSource", "as_source"]

LOOKED_AT = 64
"""Number of items, spread evenly, from which the range of float images is determined."""

IMAGES, LABELS = ("image", "images", "img", "pixel_values"), ("label", "labels", "target")
"""Accepted keys of the image and the label in an item that is a dictionary."""


def as_source(data: Any) -> DataSource | None:
    """Images as a data source: an array, a tensor, a list, a torch data set, or (images, labels).

    Args:
        data: images as accepted by `ArraySource` (`[N, H, W, C]` is recognized by its size); a tuple of such images and
            their labels; a `torch.utils.data.Dataset`; or a data source, which is returned unchanged.

    Raises:
        DataError: the data is none of these.
    """
    if data is None or isinstance(data, DataSource):
        return data
    if isinstance(data, (str, os.PathLike)):
        name = repr(os.fspath(data))
        raise DataError(f"data: {name} is a name, not images: use gantk.construct.construct('data', {name}).")
    if isinstance(data, Mapping):
        raise DataError("data: a dictionary; pass its images, or (images, labels).")
    if isinstance(data, DataLoader):
        raise DataError("data: a DataLoader; gantk creates its own batches: pass loader.dataset.")
    if isinstance(data, IterableDataset):
        raise DataError("data: an IterableDataset has no length and no indices; gantk reads images by index.")
    is_listed = isinstance(data, (list, tuple, np.ndarray, Tensor)) or hasattr(data, "__array__")
    if isinstance(data, Dataset) or (not is_listed and hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        return DatasetSource(data)
    if isinstance(data, tuple) and len(data) == 2 and _are_labels(data[1]):
        return ArraySource(data[0], data[1], name="data", channels_last=_channels_last(data[0]))
    return ArraySource(data, name="data", channels_last=_channels_last(data))


def _are_labels(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_is_label(each) for each in value)
    return getattr(value, "ndim", 0) in (1, 2)


def _channels_last(images: Any) -> bool:
    shape = tuple(getattr(images, "shape", ()))
    return len(shape) == 4 and shape[3] <= MOST < shape[1]


class DatasetSource(DataSource):
    """A torch data set, read item by item, so that random transforms stay random.

    Args:
        dataset: an object with a length whose items are images, `(image, label)`, or dictionaries with `image` and
            `label`. Images are PIL images, uint8, or float in [0, 1], or in [-1, 1] if any is negative. A label is
            a class index or a vector; other labels are ignored.

    Raises:
        DataError: the items are not images, or have different sizes.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._name = f"data set {type(dataset).__name__}"
        try:
            self._count = len(dataset)
        except TypeError as error:
            raise DataError(f"{self._name}: it has no length; gantk reads images by index.") from error
        if not self._count:
            raise DataError(f"{self._name}: it is empty.")
        spread = np.unique(np.linspace(0, self._count - 1, min(self._count, LOOKED_AT)).astype(np.int64))
        seen = [self._item(int(index)) for index in spread]
        self._signed = any(_is_float(image) and float(np.min(_array(image))) < -BEYOND for image, _ in seen)
        self.image_shape = (0, 0, 0)
        first = self._bytes(seen[0][0], 0).shape
        self.image_shape = (first[0], first[1], first[2])
        for index, (image, _) in zip(spread, seen, strict=True):
            self._bytes(image, int(index))
        self._labels = self._read_labels() if all(_is_label(label) for _, label in seen) else None
        if self._labels is not None and self._labels.ndim == 2:
            self.label_dim = self._labels.shape[1]
        elif self._labels is not None:
            names = getattr(dataset, "classes", None)
            numbered = [str(number) for number in range(int(self._labels.max()) + 1)]
            fits = isinstance(names, (list, tuple)) and len(names) >= len(numbered)
            self.classes = tuple(map(str, names)) if fits and names else tuple(numbered)

    def __len__(self) -> int:
        return self._count

    def images(self, indices: Indices) -> Tensor:
        found = [self._bytes(self._item(int(index))[0], int(index)) for index in indices]
        return torch.from_numpy(np.stack(found) if found else np.empty((0, *self.image_shape), dtype=np.uint8))

    def labels(self, indices: Indices) -> Tensor | None:
        if self._labels is None:
            return None
        return torch.from_numpy(self._labels[np.asarray(indices, dtype=np.int64)])

    def _item(self, index: int) -> tuple[Any, Any]:
        """An image and its label, if any."""
        try:
            item = self._dataset[index]
        except Exception as error:
            raise DataError(f"{self._name}: item {index}: {type(error).__name__}: {briefly(error)}.") from error
        if isinstance(item, Mapping):
            image = next((item[name] for name in IMAGES if name in item), None)
            if image is None:
                raise DataError(
                    f"{self._name}: items have the keys {', '.join(map(str, item))}; expected one of "
                    f"{', '.join(IMAGES)}."
                )
            return image, next((item[name] for name in LABELS if name in item), None)
        if isinstance(item, (tuple, list)) and item:
            return item[0], item[1] if len(item) > 1 else None
        return item, None

    def _bytes(self, image: Any, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        name = f"{self._name}: item {index}"
        if isinstance(image, Image.Image):
            found = image_array([image], False, name)[0]
        else:
            array = _array(image)
            if array.ndim == 2:
                array = array[None]
            if array.ndim != 3:
                raise DataError(f"{name}: an image is [C, H, W] or [H, W], not {list(array.shape)}.")
            if array.shape[2] <= MOST < array.shape[0]:
                array = array.transpose(2, 0, 1)
            found = self._scaled(array, name) if array.dtype.kind == "f" else image_array(array[None], False, name)[0]
        if self.image_shape[0] and found.shape != self.image_shape:
            raise DataError(
                f"{name}: its shape is {list(found.shape)}, but that of item 0 is {list(self.image_shape)}; "
                "resize all images to one size in the data set's transform."
            )
        return np.asarray(found, dtype=np.uint8)

    def _scaled(self, array: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        low = -1.0 if self._signed else 0.0
        if not (array.min() >= low - BEYOND and array.max() <= 1 + BEYOND):
            raise DataError(
                f"{name}: its values are in [{array.min():g}, {array.max():g}]; float images of this data set are in "
                f"[{low:g}, 1]: scale them in its transform."
            )
        scaled = np.rint((array.astype(np.float32) - low) * (255.0 / (1 - low))).clip(0, 255)
        return np.asarray(scaled, dtype=np.uint8)

    def _read_labels(self) -> np.ndarray[Any, Any]:
        for attribute in ("targets", "labels"):
            known = getattr(self._dataset, attribute, None)
            if known is not None and np.shape(known) == (self._count,) and np.asarray(known).dtype.kind in "iu":
                return label_array(known, self._count, None, self._name)
        each = [_array(self._item(index)[1]) for index in range(self._count)]
        return label_array(np.stack(each), self._count, None, self._name)


def _array(image: Any) -> np.ndarray[Any, Any]:
    return image.detach().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)


def _is_float(image: Any) -> bool:
    return not isinstance(image, Image.Image) and _array(image).dtype.kind == "f"


def _is_label(label: Any) -> bool:
    """Whether it is a class index or a vector."""
    if label is None or isinstance(label, (str, Image.Image)):
        return False
    array = _array(label)
    return (array.ndim == 0 and array.dtype.kind in "iu") or (array.ndim == 1 and array.dtype.kind in "iuf")
