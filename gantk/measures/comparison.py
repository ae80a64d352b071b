"""The input of metrics: real images, generated images, and the model that generated them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gantk.calls import calling
from gantk.errors import FitError
from gantk.measures.figures import checked_figures
from gantk.measures.side import Side
from gantk.parts import Metric

if TYPE_CHECKING:
    from gantk.model import Model

__all__ = ["NEEDS", "Comparison", "measure", "missing"]

NEEDS = frozenset({"features", "probabilities", "labels", "generated labels", "held out", "model"})
"""What a metric can need from a comparison."""

LABELED = "they come with a conditional model, or from folders named after the data's classes"
HELD_OUT = "mnist and other well-known sets have some, and folder and zip with held_out=0.1"


@dataclass(frozen=True)
class Comparison:
    """Real and generated images.

    Args:
        real: the training images, or other reference images.
        generated: the generated images to evaluate.
        held_out: real images that were not used in training, if the data set has any.
        model: the model that generated the images, in evaluation mode; `None` if only images are given, such as a
            folder.
    """

    real: Side
    generated: Side
    held_out: Side | None = None
    model: Model | None = None


def missing(metric: Metric, comparison: Comparison) -> str:
    """The reason why a metric cannot be computed from a comparison; empty if it can."""
    sources: Mapping[
        str, tuple[Callable[[], object], str]
    ] = {  # read only where a metric needs them: labels of generated images may have to be drawn
        "labels": (lambda: comparison.real.labels, "the data set has no classes"),
        "generated labels": (lambda: comparison.generated.labels, f"generated images have no labels: {LABELED}"),
        "held out": (lambda: comparison.held_out, f"the data set has no held-out images: {HELD_OUT}"),
        "model": (lambda: comparison.model, "only images are given, without their model"),
    }
    for need in sorted(metric.needs & sources.keys()):
        found, reason = sources[need]
        if found() is None:
            return reason
    if "probabilities" in metric.needs and not comparison.real.extractor.class_count:
        name = type(comparison.real.extractor).__name__
        return f"the extractor {name} has no class probabilities: name another, as classifier:data=mnist"
    least = metric.least(comparison)
    for side in (comparison.real, comparison.generated):
        if len(side) < least:
            return f"it needs {least:,} images of each side, but {side.name} has {len(side):,}"
    return ""


def measure(metric: Metric, comparison: Comparison) -> dict[str, float]:
    """Compute a metric; returns its scores by name.

    Raises:
        FitError: something that it needs is missing, its code fails, or it does not return numbers by name.
    """
    if reason := missing(metric, comparison):
        raise FitError(f"metric {type(metric).__name__}: {reason}.")
    method = f"{type(metric).__name__}.compute"
    with calling(method, "the comparison"):
        return checked_figures(metric.compute(comparison), method)
