"""Which metrics are computed, and on which features, by default and by name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from gantk.building.construct import construct, part_class
from gantk.building.given import named
from gantk.building.resolved import resolved
from gantk.building.spec import part_table
from gantk.errors import BrokenPlugin, DataError, GantkError, GantkWarning, UnknownName, UsageError
from gantk.evaluation.protocol import Features
from gantk.evaluation.real import ImageSet, short_name
from gantk.options import read_options, typed_options
from gantk.parts import Extractor, Metric
from gantk.registry import PYTHON, Plugin, find, plugins

__all__ = ["Chosen", "Seen", "context_of", "default_extractor", "default_metrics", "named_extractor", "named_metrics"]

POOR = 0.3
"""The test error from which a classifier is warned of."""

HOME = "gantk"
"""The package whose metrics are computed by default."""


@dataclass(frozen=True)
class Chosen:
    """A metric to compute."""

    plugin: str
    """`package:name`"""
    options: Mapping[str, Any]
    """All of its options."""
    part: Metric

    @property
    def name(self) -> str:
        """Its name without the package."""
        return self.plugin.rpartition(":")[2]

    @property
    def features(self) -> bool:
        """Whether it reads features."""
        return bool(self.part.needs & {"features", "probabilities"})

    @property
    def fixed(self) -> bool:
        """Whether its name identifies what it computes; code that is given from Python can change."""
        return not self.plugin.startswith(f"{PYTHON}:")


@dataclass(frozen=True)
class Seen:
    """A constructed extractor."""

    name: str
    """Such as `classifier:data=mnist`."""
    plugin: str
    """`package:name`"""
    part: Extractor

    @property
    def test_error(self) -> float | None:
        """The share of held-out images that it gives the wrong class, if it is a classifier that was tested."""
        error = getattr(self.part, "test_error", None)
        return None if error is None else float(error)

    def record(self) -> Features:
        """Its entry in a protocol."""
        return Features(
            extractor=self.name,
            hash=self.part.fingerprint(),
            resize=self.part.resize,
            dim=self.part.dim,
            dtype="float32",
            test_error=self.test_error,
        )


def named_metrics(metrics: Any, context: Mapping[str, Any]) -> list[Chosen]:
    """The named metrics.

    Args:
        metrics: one or several, each a name with options, or code, as for `gantk.build(metric=…)`.
        context: context arguments of their constructors.

    Raises:
        UsageError: there is no such metric or option, or one is named twice.
    """
    found = [_metric(each, context) for each in named("metric", metrics)]
    for number, each in enumerate(found):
        if any((each.plugin, each.options) == (other.plugin, other.options) for other in found[:number]):
            raise UsageError(f"metric '{each.plugin.rpartition(':')[2]}' is given twice.")
    if not found:
        raise UsageError("the list of metrics is empty; leave it out to use those that fit the data.")
    return found


def default_metrics(context: Mapping[str, Any]) -> tuple[list[Chosen], dict[str, str]]:
    """The bundled metrics that are fast and fit the data, and, by name, the reasons why others are left out."""
    chosen, left_out = [], {}
    for plugin in plugins("metric"):
        if plugin.package != HOME:
            continue
        try:
            made = _metric(plugin.qualified, context)
        except (UsageError, BrokenPlugin) as error:
            left_out[plugin.name] = str(error).rstrip(".")
            continue
        if made.part.costly:
            left_out[plugin.name] = f"it takes long; name it with --metrics {plugin.name}"
        else:
            chosen.append(made)
    return chosen, left_out


def _metric(value: Any, context: Mapping[str, Any]) -> Chosen:
    table = resolved("metric", part_table("metric", value))
    part: Metric = construct("metric", table, **context)
    return Chosen(table["plugin"], {name: each for name, each in table.items() if name != "plugin"}, part)


def named_extractor(extractor: Any, images: ImageSet) -> Seen:
    """Construct the named extractor for images of this shape.

    Raises:
        UsageError: there is no such extractor or option, or it does not accept such images.
        WorkError: it cannot be trained, or its weights cannot be read.
    """
    table = part_table("extractor", named("extractor", extractor))
    classes = images.source.classes
    context = {"image_shape": images.source.image_shape, "class_count": len(classes) if classes else None}
    part: Extractor = construct("extractor", table, **context)
    found = Seen(_name(table), find("extractor", table["plugin"]).qualified, part)
    if found.test_error is not None and found.test_error > POOR:
        warnings.warn(
            f"{found.name} gives {found.test_error:.0%} of held-out images the wrong class, so figures by it tell "
            "little: choose another --extractor.",
            GantkWarning,
            stacklevel=2,
        )
    return found


def _name(table: Mapping[str, Any]) -> str:
    """The extractor with its options as text, without options that are objects, such as a data source."""
    plain = (bool, int, float, str, list, tuple, Mapping, PurePath)
    options = {name: value for name, value in table.items() if name != "plugin" and isinstance(value, plain)}
    name = str(table["plugin"])
    typed = typed_options(part_class("extractor", name), options, f"extractor '{name.rpartition(':')[2]}'")
    return short_name("extractor", {"plugin": name, **typed})


def default_extractor(images: ImageSet) -> Seen:
    """The extractor with the greatest preference among those that accept a data set."""
    failed: GantkError = UnknownName("no installed extractor accepts these images; choose one with --extractor.")
    for plugin, made_of in _preferred():
        table: dict[str, Any] = {"plugin": plugin.qualified}
        if "data" in read_options(made_of):
            table["data"] = images.source if images.table is None else short_name("data", images.table)
        try:
            return named_extractor(table, images)
        except (UsageError, BrokenPlugin, DataError) as error:
            failed = error
    raise failed


def _preferred() -> list[tuple[Plugin, type[Extractor]]]:
    """The extractors that can be used by default, in order of preference."""
    found = []
    for plugin in plugins("extractor"):
        try:
            made_of: type[Extractor] = part_class("extractor", plugin.qualified)
        except BrokenPlugin:
            continue
        if made_of.preference > 0:
            found.append((plugin, made_of))
    return sorted(found, key=lambda each: -each[1].preference)


def context_of(images: ImageSet, noise_dim: int | None) -> dict[str, Any]:
    """Context arguments for the constructors of metrics."""
    classes: Sequence[str] = images.source.classes or ()
    found = {"image_shape": images.source.image_shape, "noise_dim": noise_dim}
    told = {"class_count": len(classes), "class_names": tuple(classes)} if classes else {}
    return {name: value for name, value in {**found, **told}.items() if value is not None}
