"""Labels in a `.npy` file beside the images: class indices, or vectors such as attributes and embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from gantk.data import label_array, read_array
from gantk_data.reading import absolute, shown

__all__ = ["read_labels"]


def read_labels(path: Path, count: int) -> npt.NDArray[Any]:
    """Class indices int64 `[count]`, or vectors float32 `[count, dim]`, one row for each image.

    Args:
        path: a `.npy` file.
        count: number of images.

    Raises:
        DataError: the file cannot be read, or does not have a label for each image.
    """
    place = absolute(path)
    return label_array(read_array(place), count, None, shown(place))
