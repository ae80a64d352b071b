"""Labels in a `.npy` file beside the images: class indices, or vectors such as attributes and embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gantk.errors import DataError
from gantk_data.reading import absolute, shown

__all__ = ["read_labels"]


def read_labels(path: Path, count: int) -> npt.NDArray[Any]:
    """Class indices int64 `[count]`, or vectors float32 `[count, dim]`, one row for each image.

    Args:
        path: a `.npy` file.
        count: number of images.

    Raises:
        DataError: the file cannot be read, or its rows are no labels of so many images.
    """
    place = absolute(path)
    try:
        found = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{shown(place)}: no .npy file of numbers ({shown(error)}); write one with numpy.save."
        ) from error
    if not isinstance(found, np.ndarray):
        raise DataError(f"{shown(place)}: an .npz archive; expected the .npy file of one array.")
    what = f"{found.dtype} {list(found.shape)}"
    vectors = found.ndim == 2 and found.shape[1] > 1 and found.dtype.kind in "fiub"
    if not vectors and not (found.ndim == 1 and found.dtype.kind in "iu"):
        raise DataError(
            f"{shown(place)}: {what}; expected class indices [N], or vectors [N, dim] of at least 2 numbers."
        )
    if len(found) != count:
        raise DataError(f"{shown(place)}: {len(found)} rows, but there are {count} images; expected a row for each.")
    if vectors:
        rows = found.astype(np.float32)
        if not np.isfinite(rows).all():
            raise DataError(f"{shown(place)}: contains NaN or infinite values; expected finite ones.")
        return rows
    if found.min() < 0:
        raise DataError(f"{shown(place)}: a class index is {found.min()}; expected 0 or more.")
    return found.astype(np.int64)
