"""One side of a comparison: images and their features."""

from __future__ import annotations

import copy
import hashlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gantk.calls import calling
from gantk.data import DataSource, map_file, mapped_file, mapped_temporary, to_float
from gantk.errors import FitError, WorkError
from gantk.files import UNFINISHED
from gantk.nn import evaluating
from gantk.parts import Extractor, ImageShape
from gantk.spread import spread

__all__ = ["BATCH", "Side", "content_digest"]

BATCH = 256
"""Number of images decoded, or from which features are extracted, at a time."""

Progress = Callable[[float], object]


def content_digest(source: DataSource) -> str:
    """A hash of all bytes of all images of a source, in order."""
    found = hashlib.blake2b(repr((len(source), *source.image_shape)).encode(), digest_size=16)
    for start in range(0, len(source), BATCH):
        found.update(source.images(range(start, min(start + BATCH, len(source)))).numpy().tobytes())
    return found.hexdigest()


class Side:
    """Real or generated images and their features; each is computed once, on first use.

    Nothing is held in memory as a whole: images are read in batches, and features are in a memory-mapped file.

    Args:
        source: the images, uint8.
        extractor: computes the features; `None` if metrics only read images.
        name: name of this side in messages, such as `mnist:split=test`.
        folder: cache folder for features, keyed by the content of images and extractor, so that later evaluations
            reuse them; by default they are not cached.
        progress: receives the fraction of features extracted, above 0 to 1.
    """

    def __init__(
        self,
        source: DataSource,
        extractor: Extractor | None = None,
        *,
        name: str = "images",
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.source = source
        self.name = name
        self._extractor = extractor
        self._folder = folder
        self._progress = progress

    def __len__(self) -> int:
        return len(self.source)

    @property
    def image_shape(self) -> ImageShape:
        """(channels, height, width) of the images."""
        return self.source.image_shape

    @property
    def extractor(self) -> Extractor:
        """The extractor.

        Raises:
            FitError: there is none.
        """
        if self._extractor is None:
            raise FitError(f"{self.name}: features need an extractor, but none is given.")
        return self._extractor

    def images(self, batch: int = BATCH) -> Iterator[Tensor]:
        """The images in order, as uint8 batches `[n, C, H, W]`."""
        for start in range(0, len(self), batch):
            yield self.source.images(range(start, min(start + batch, len(self))))

    @cached_property
    def labels(self) -> Tensor | None:
        """Class indices int64 `[N]`, if the images have classes."""
        return self.source.labels(range(len(self))) if self.source.classes else None

    @cached_property
    def content(self) -> str:
        """A hash of every image."""
        return content_digest(self.source)

    @cached_property
    def features(self) -> Tensor:
        """`[N, dim]` float32, memory-mapped."""
        shape = (len(self), self.extractor.dim)
        if self._folder is None:
            with _finding_room(tempfile.gettempdir(), "TMPDIR"):
                mapped = mapped_temporary(np.float32, shape)
            self._extract(mapped)
            return torch.from_numpy(mapped)
        key = hashlib.blake2b(f"{self.content} {self.extractor.fingerprint()}".encode(), digest_size=16).hexdigest()
        path = self._folder / f"{key}.npy"
        if not path.is_file():
            written = self._folder / f"{UNFINISHED}{secrets.token_hex(8)}"
            try:
                with _finding_room(self._folder, "GANTK_CACHE"):
                    self._folder.mkdir(parents=True, exist_ok=True)
                    mapped = mapped_file(written, np.float32, shape)
                self._extract(mapped)
                mapped.flush()
                written.replace(path)
            finally:
                written.unlink(missing_ok=True)
        return torch.from_numpy(map_file(path))

    @cached_property
    def probabilities(self) -> Tensor:
        """`[N, class_count]` float32: the extractor's class probabilities.

        Raises:
            FitError: the extractor has no classes.
        """
        extractor = self.extractor
        if not extractor.class_count:
            raise FitError(
                f"class probabilities are needed, but {type(extractor).__name__} has none: use an extractor with "
                "classes, such as classifier."
            )
        with torch.no_grad(), evaluating(extractor):
            parts = torch.split(self.features, BATCH)
            return torch.cat([extractor.classify(part.to(extractor.device)).float().cpu() for part in parts])

    @torch.no_grad()
    def _extract(self, into: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
        name, done = type(self.extractor).__name__, 0
        with evaluating(self.extractor):
            for found in spread(self.extractor, _copied, _features, self.images()):
                into[done : done + len(found)] = found.numpy()
                if not np.isfinite(into[done : done + len(found)]).all():
                    raise FitError(f"{self.name}: features of {name} are NaN or infinite.")
                done += len(found)
                if self._progress is not None:
                    self._progress(done / len(self))


def _copied(extractor: Extractor, device: torch.device) -> Extractor:
    with calling(f"copying {type(extractor).__name__}", f"device {device}"):
        return copy.deepcopy(extractor).to(device)


def _features(extractor: Extractor, images: Tensor) -> Tensor:
    """`[n, dim]` float32 of uint8 images, on the CPU."""
    found: Tensor = extractor(to_float(images).to(extractor.device))
    if list(found.shape) != [len(images), extractor.dim]:
        raise FitError(
            f"{type(extractor).__name__} returned {list(found.shape)} for {len(images)} images; "
            f"expected {[len(images), extractor.dim]}."
        )
    return found.float().cpu()


@contextmanager
def _finding_room(folder: str | Path, variable: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkError(
            f"{folder}: cannot write features ({error.strerror}); set {variable} to a folder with enough space."
        ) from error
