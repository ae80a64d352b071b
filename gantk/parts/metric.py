"""Metrics, and the extractors of the features that they compare."""

from __future__ import annotations

import hashlib
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from gantk.errors import FitError
from gantk.parts.part import Part

if TYPE_CHECKING:
    from gantk.measures import Comparison

__all__ = ["Extractor", "Metric", "weights_digest"]


def weights_digest(module: nn.Module, *texts: object) -> str:
    """A hash of the bits of every weight and buffer, with their names: the same on every device.

    Args:
        module: the module.
        texts: further texts that the hash depends on.
    """
    found = hashlib.blake2b(" ".join(map(str, texts)).encode(), digest_size=16)
    for name, value in sorted(module.state_dict().items()):
        found.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()


class Extractor(Part, ABC):
    """A network from images to the features of metrics and, if it has classes, to class probabilities.

    It takes images of any size, and resizes them itself if its network needs another size.
    """

    dim: int
    """Length of one feature vector."""
    class_count: int = 0
    """Number of classes of `classify`; 0 if it has none."""
    preference: ClassVar[int] = 0
    """If no extractor is named, the one with the greatest preference that accepts the data set is used; those with 0
    only if they are named. An extractor with an option `data` is then given the data set."""
    resize: str = "none"
    """How it resizes images, for the protocol of every score, such as `bilinear to 224x224, antialias`."""

    @property
    def device(self) -> torch.device:
        """The device on which it expects images."""
        return next((value.device for value in (*self.parameters(), *self.buffers())), torch.device("cpu"))

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """`[N, dim]` features of `[N, C, H, W]` images in [-1, 1]; they must not depend on the rest of the batch."""

    def classify(self, features: Tensor) -> Tensor:
        """`[N, class_count]` class probabilities of `[N, dim]` features.

        Raises:
            FitError: it was not trained on classes.
        """
        raise FitError(f"{type(self).__name__} has no class probabilities; use an extractor with classes.")

    def fingerprint(self) -> str:
        """A hash of what it computes: the text of its class, its options and its weights."""
        arguments, options = self.constructed
        found = hashlib.blake2b(f"{arguments!r} {sorted(options.items())!r}".encode(), digest_size=16)
        for cls in type(self).__mro__[: type(self).__mro__.index(Extractor)]:
            found.update(f"{cls.__module__}.{cls.__qualname__}".encode())
            try:
                found.update(inspect.getsource(cls).encode())
            except (OSError, TypeError):  # defined interactively: the source is not available
                found.update(os.urandom(16))
        return weights_digest(self, found.hexdigest())


class Metric(Part, ABC):
    """Figures that compare generated images with real ones."""

    needs: frozenset[str] = frozenset({"features"})
    """What it needs of a comparison: `features`, `probabilities`, `labels` (of the real images), `generated labels`,
    `held out` and `model`; images are always available."""
    extractor: str | None = None
    """The extractor that it requires, with options, if its name implies one; `None` for any."""
    collapses: ClassVar[Mapping[str, float]] = {}
    """Figures that fall when the generator collapses, such as coverage → fraction of their greatest value so far, below
    which training warns: 0.5 if it halves, 1 if it falls at all."""
    costly: ClassVar[bool] = False
    """Whether `gantk evaluate` computes it only if it is named, because it takes long."""
    better: ClassVar[Mapping[str, str]] = {}
    """Figure → `lower` or `higher`, whichever is better, as in `{"precision": "higher"}`; without figures for which
    neither is better, such as a floor. `gantk compare` uses it to mark the best run, and `train.keep_best` to keep the
    best checkpoint."""

    @abstractmethod
    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        """Compute the figures, by name, from `comparison.real` and `comparison.generated`.

        Large data is streamed: `side.images()` yields batches, and `side.features` is a memory-mapped tensor, to be
        read in pieces with `torch.split`. It is called with a fixed random seed and without gradients.
        """

    def least(self, comparison: Comparison) -> int:
        """The minimum number of images of each side."""
        return 2

    def remark(self, figures: Mapping[str, float]) -> str:
        """A warning about its figures, such as a collapse, in one sentence; empty for none.

        `gantk evaluate` prints it below the table.
        """
        return ""
