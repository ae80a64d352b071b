"""Read the points that a command measures, from a data plugin or a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.building.construct import construct
from gantk.data import DataSource
from gantk.data.features import ArrayFile, is_array_file
from gantk.errors import DataError
from gantk.ops.knn import LARGEST

__all__ = ["Points", "named_points"]

Indices = npt.NDArray[np.int64]
Told = Callable[[float], object]

CHUNK = 1024
"""Number of images read at a time."""


class Points(Protocol):
    """Points that are not read yet."""

    name: str
    count: int

    def read(self, indices: Indices | None, progress: Told) -> Tensor:
        """Return `[n, …]`: all points, or those at these indices.

        Raises:
            DataError: the data is missing or damaged, or a value is not finite or too large.
        """


def named_points(text: str) -> Points:
    """The points in `FILE.npy` or `FILE.npz[:array=NAME]`, or the images of a data plugin.

    Raises:
        UsageError: there is no such plugin, option or array.
        DataError: the data is missing or damaged.
    """
    return _FilePoints(ArrayFile(text)) if is_array_file(text) else _ImagePoints(text, construct("data", text))


class _FilePoints:
    def __init__(self, file: ArrayFile) -> None:
        self.name, self.count = file.name, file.shape[0]
        self._file = file

    def read(self, indices: Indices | None, progress: Told) -> Tensor:
        array = self._file.read(indices)
        # torch accepts neither foreign byte orders nor negative strides.
        points = torch.from_numpy(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")))
        if points.is_floating_point():
            self._check(points)
        return points

    def _check(self, points: Tensor) -> None:
        undefined = huge = 0
        for start in range(0, len(points), CHUNK):
            largest = points[start : start + CHUNK].flatten(1).abs().amax(1).double()  # NaN if the row contains one
            undefined += int((~largest.isfinite()).sum())
            huge += int((largest > LARGEST).sum())
        if undefined:
            raise DataError(
                f"{self.name}: {undefined} of {len(points)} points contain NaN or infinite values, so they have no "
                "distances: remove those points."
            )
        if huge:
            raise DataError(
                f"{self.name}: {huge} of {len(points)} points contain values above {LARGEST:g} in magnitude, whose "
                "squares overflow: scale the points."
            )


class _ImagePoints:
    def __init__(self, name: str, source: DataSource) -> None:
        self.name, self.count = name, len(source)
        self._source = source

    def read(self, indices: Indices | None, progress: Told) -> Tensor:
        self._source.prepare(progress)
        wanted = np.arange(self.count) if indices is None else indices
        images = torch.empty((len(wanted), *self._source.image_shape), dtype=torch.uint8)
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            images[start : start + len(chunk)] = self._source.images(chunk)
            progress((start + len(chunk)) / len(wanted))
        return images
