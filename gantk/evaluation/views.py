"""Derived data sources: a subset of another one, and the images that a model generates."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.data import DataSource, mapped_temporary, to_uint8
from gantk.data.source import Indices
from gantk.errors import WorkError
from gantk.measures.samples import labeled_batches
from gantk.model import Model

__all__ = ["Drawn", "Some"]

Progress = Callable[[float], object]


class Some(DataSource):
    """A subset of a source, in any order.

    Args:
        source: the source.
        indices: the indices of the images.
        classes: the classes that labels refer to; by default the source's. If the source has a class that is not among
            them, there are no labels.
    """

    def __init__(self, source: DataSource, indices: Sequence[int], classes: Sequence[str] | None = None) -> None:
        self._source = source
        self._indices = np.asarray(indices, dtype=np.int64)
        self.image_shape, self.symmetric = source.image_shape, source.symmetric
        own = source.classes or ()
        names = tuple(own if classes is None else classes)
        self.classes = names if own and set(own) <= set(names) else None
        self._numbers = torch.tensor([names.index(name) for name in own]) if self.classes else None

    def __len__(self) -> int:
        return len(self._indices)

    def images(self, indices: Indices) -> Tensor:
        return self._source.images(self._indices[np.asarray(indices, dtype=np.int64)])

    def labels(self, indices: Indices) -> Tensor | None:
        found = self._source.labels(self._indices[np.asarray(indices, dtype=np.int64)])
        return None if found is None or self._numbers is None else self._numbers[found]

    def prepare(self, progress: Progress) -> None:
        self._source.prepare(progress)


class Drawn(DataSource):
    """Images that a model generates on first use, as uint8 in a memory-mapped temporary file.

    Args:
        model: the model.
        count: number of images.
        seed: the sampling seed.
        refine: whether to apply the refiner, if the model has one.
        classes: the classes of the data, if the model's conditions can be classes.
        progress: receives the finished fraction, above 0 to 1.
    """

    def __init__(
        self,
        model: Model,
        count: int,
        seed: int,
        refine: bool = True,
        classes: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._model, self._count, self._seed, self._refine, self._progress = model, count, seed, refine, progress
        self.image_shape = model.image_shape
        self.classes = tuple(classes) if classes and model.condition is not None else None
        self._images: npt.NDArray[np.uint8] | None = None
        self._labels: Tensor | None = None

    def __len__(self) -> int:
        return self._count

    def images(self, indices: Indices) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self._drawn()[np.asarray(indices, dtype=np.int64)]))

    def labels(self, indices: Indices) -> Tensor | None:
        if self.classes is None:
            return None
        self._drawn()
        return None if self._labels is None else self._labels[torch.as_tensor(np.asarray(indices, dtype=np.int64))]

    def _drawn(self) -> npt.NDArray[np.uint8]:
        if self._images is None:
            self._images = self._draw()
        return self._images

    def _draw(self) -> npt.NDArray[np.uint8]:
        shape = (self._count, *self.image_shape)
        try:
            images = mapped_temporary(np.uint8, shape)
        except OSError as error:
            raise WorkError(
                f"{self._count:,} images take {math.prod(shape):,} bytes, for which {tempfile.gettempdir()} has no "
                f"room ({error.strerror}): use fewer, or set TMPDIR to another folder."
            ) from error
        labels: list[Tensor] = []
        done = 0
        for batch in labeled_batches(self._model, self._count, self._seed, self._refine):
            images[done : done + len(batch.images)] = to_uint8(batch.images).numpy()
            if batch.labels is not None and batch.labels.dim() == 1:
                labels.append(batch.labels)
            done += len(batch.images)
            if self._progress is not None:
                self._progress(done / self._count)
        self._labels = torch.cat(labels) if labels else None
        return images
