"""Labels of images as class indices or vectors, checked against the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from gantk.data.arrays import array_of_tensor
from gantk.errors import DataError

__all__ = ["label_array"]

MOST_CLASSES = 1 << 16
"""Labels of this size or larger are identifiers, not class indices."""


def label_array(labels: Any, count: int, classes: Sequence[str] | None, name: str) -> npt.NDArray[Any]:
    """Labels as class indices int64 `[N]` or vectors float32 `[N, dim]`, checked against images and classes.

    Args:
        labels: an array, a tensor or a list.
        count: number of images.
        classes: class names, if they are known.
        name: name of the data set in errors.

    Raises:
        DataError: they are neither valid class indices, one per image, nor finite vectors.
    """
    try:
        array = array_of_tensor(labels, name) if isinstance(labels, Tensor) else np.asarray(labels)
    except ValueError as error:
        raise DataError(f"{name}: the labels differ in length; give one class index per image.") from error
    if array.dtype.kind in "UST":
        raise DataError(
            f"{name}: labels are whole numbers (classes) or floats (vectors), not text; number the classes 0, 1, 2, …."
        )
    if array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "fiub" and classes is None:
        return _vectors(array, count, name)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(
            f"{name}: labels are class indices [N] or vectors [N, dim], not {array.dtype} {list(array.shape)}."
        )
    _check_count(array, count, name)
    least, greatest = int(array.min()), int(array.max())
    if classes is None and greatest >= MOST_CLASSES:
        raise DataError(
            f"{name}: a label is {greatest}; number the classes 0, 1, 2, …, at most {MOST_CLASSES} of them."
        )
    if least < 0:
        raise DataError(f"{name}: a label is {least}; class indices start at 0.")
    if classes is not None and greatest >= len(classes):
        raise DataError(f"{name}: labels {least}…{greatest} do not fit {len(classes)} classes.")
    return array.astype(np.int64, copy=False)


def _vectors(labels: npt.NDArray[Any], count: int, name: str) -> npt.NDArray[np.float32]:
    _check_count(labels, count, name)
    if not np.isfinite(labels).all():
        raise DataError(f"{name}: labels contain NaN or infinite values; expected finite ones.")
    with np.errstate(over="ignore"):
        vectors = labels.astype(np.float32)
    beyond = labels[~np.isfinite(vectors)]
    if len(beyond):
        raise DataError(f"{name}: labels contain {beyond[0]:g}, too large for float32 (at most 3.4e38); scale them.")
    return vectors


def _check_count(labels: npt.NDArray[Any], count: int, name: str) -> None:
    if len(labels) != count:
        raise DataError(f"{name}: {count} images have {len(labels)} labels; give one per image.")
