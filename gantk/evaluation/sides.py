"""The sides of an evaluation, shared by all metrics that read the same features."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import torch

from gantk.data import DataSource
from gantk.errors import DataError, UsageError
from gantk.evaluation.cache import features_folder
from gantk.evaluation.choice import Chosen, Seen, default_extractor, named_extractor
from gantk.evaluation.protocol import Features, Generated, Protocol
from gantk.evaluation.real import ImageSet
from gantk.measures import Comparison, Side
from gantk.model import Model
from gantk.registry import find

__all__ = ["Progress", "RealSides", "Sample"]

Progress = Callable[[str, float], object]
"""Receives a description of the current work, such as `drawing images`, and its finished fraction, 0 to 1."""


class Sample:
    """Generated images, and their features by each extractor.

    Args:
        source: the images.
        model: the model that generates them; `None` for given images.
        record: their entry in a protocol.
    """

    def __init__(self, source: DataSource, model: Model | None, record: Generated) -> None:
        self.source, self.model, self.record = source, model, record
        self.sides: dict[str, Side] = {}


class RealSides:
    """The real images, with features by each extractor that a metric needs.

    Args:
        real: the images to compare with.
        held_out: held-out images.
        extractor: the extractor, for metrics that do not require a specific one; by default, chosen to fit the data.
        device: the device on which features are computed.
        tell: receives progress.
    """

    def __init__(
        self, real: ImageSet, held_out: ImageSet | None, extractor: Any, device: torch.device, tell: Progress
    ) -> None:
        self.real, self.held_out = real, held_out
        self.device = device
        self._extractor, self._tell = extractor, tell
        self._seen: dict[str, tuple[Seen, Features]] = {}
        self._sides: dict[tuple[str, bool], Side] = {}

    def key(self, metric: Chosen) -> str:
        """The key of a metric's extractor, which is constructed on first use; empty if the metric needs none.

        Raises:
            UsageError: there is no such extractor, or it does not accept these images.
        """
        if not metric.features:
            return ""
        wanted = metric.part.extractor
        key = wanted or "chosen"
        if key not in self._seen:
            self._tell("preparing the extractor", 0.0)
            asked = self._extractor if wanted is None else wanted
            made = default_extractor(self.real) if asked is None else self._named(asked)
            made.part.to(self.device).eval().requires_grad_(False)
            self._seen[key] = made, made.record()
        return key

    def _named(self, extractor: Any) -> Seen:
        try:
            return named_extractor(extractor, self.real)
        except DataError as error:  # of the extractor's own data: those that are evaluated are read already
            raise UsageError(f"extractor '{extractor}': {error}") from error

    def comparison(self, key: str, sample: Sample) -> Comparison:
        """Both sides, with the features of the extractor with this key."""
        if key not in sample.sides:
            doing = partial(self._tell, "features of the sample")
            part = self._seen[key][0].part if key else None
            sample.sides[key] = Side(sample.source, part, name="the sample", progress=doing)
        held_out = None if self.held_out is None else self._side(key, self.held_out)
        return Comparison(self._side(key, self.real), sample.sides[key], held_out, sample.model)

    def _side(self, key: str, images: ImageSet) -> Side:
        kept = (key, images is self.real)
        if kept not in self._sides:
            doing = partial(self._tell, f"features of {images.name}")
            part = self._seen[key][0].part if key else None
            side = Side(images.source, part, name=images.name, folder=features_folder(), progress=doing)
            self._sides[kept] = side
        return self._sides[kept]

    def protocol(self, metric: Chosen, key: str, made: Generated) -> Protocol:
        """The protocol of a metric's score."""
        needs = metric.part.needs
        held_out = self.held_out if "held out" in needs else None
        versions = {name: version(name) for name in ("gantk", "torch")} | {"python": platform.python_version()}
        plugins = [find("metric", metric.plugin)]
        plugins += [find("extractor", self._seen[key][0].plugin)] if key else []
        versions |= {each.package: each.version for each in plugins if each.package not in versions and each.version}
        self._tell(f"reading {self.real.name}", 0.0)
        return Protocol(
            real=self.real.record("labels" in needs),
            generated=made,
            held_out=None if held_out is None else held_out.record("labels" in needs),
            features=self._seen[key][1] if key else None,
            versions=versions,
        )
