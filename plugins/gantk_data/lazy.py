"""A data source that knows its length, shape and classes from the start and reads its images on first use."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from gantk.data import ArraySource, DataSource
from gantk.errors import DataError
from gantk.parts import ImageShape

__all__ = ["LazySource"]

Indices = Sequence[int] | npt.NDArray[np.int64]


class LazySource(DataSource):
    """Images whose number and shape are known from names and headers; `_load` reads them on first use."""

    ahead = True

    def __init__(self, count: int, image_shape: ImageShape, classes: Sequence[str] | None) -> None:
        self._count = count
        self._loaded: ArraySource | None = None
        self.image_shape = image_shape
        self.classes = None if classes is None else tuple(classes)

    @abstractmethod
    def _load(self, progress: Callable[[float], object]) -> ArraySource:
        """Read every image; report the fraction done if it takes long."""

    def prepare(self, progress: Callable[[float], object]) -> None:
        self._source(progress)

    def _source(self, progress: Callable[[float], object] = lambda done: None) -> ArraySource:
        if self._loaded is None:
            loaded = self._load(progress)
            if (len(loaded), loaded.image_shape) != (self._count, self.image_shape):
                raise DataError(
                    f"{type(self).__name__}: read {len(loaded)} images of {loaded.image_shape}, expected "
                    f"{self._count} of {self.image_shape}; the files have changed: open the data again."
                )
            self._loaded = loaded
        return self._loaded

    def __len__(self) -> int:
        return self._count

    def digest(self) -> str:
        return self._source().digest()

    def array(self) -> npt.NDArray[np.uint8] | None:
        return self._source().array()

    def images(self, indices: Indices) -> Tensor:
        return self._source().images(indices)

    def labels(self, indices: Indices) -> Tensor | None:
        return None if self.classes is None and not self.label_dim else self._source().labels(indices)
