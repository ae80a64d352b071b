"""What a metric reads: real images, generated ones, and the model that they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gantk.errors import FitError, calling
from gantk.measures.figures import checked_figures
from gantk.measures.side import Side
from gantk.parts import Metric

if TYPE_CHECKING:
    from gantk.model import Model

__all__ = ["NEEDS", "Comparison", "measure", "missing"]

NEEDS = frozenset({"features", "probabilities", "labels", "generated labels", "held out", "model"})
"""What a metric can need of a comparison."""


@dataclass(frozen=True)
class Comparison:
    """Real and generated images, side by side.

    Args:
        real: those that the model was trained on, or that it is to be compared with.
        generated: those that are judged.
        held_out: real images that nobody trained on, where the data set has some.
        model: what generated them, in evaluation mode; `None` where images alone are judged, as a folder of them.
    """

    real: Side
    generated: Side
    held_out: Side | None = None
    model: Model | None = None


def missing(metric: Metric, comparison: Comparison) -> str:
    """Why a metric cannot be computed of a comparison, with what to do; empty where it can."""
    sources: Mapping[
        str, tuple[Callable[[], object], str]
    ] = {  # read only where a metric needs them: labels of generated images may have to be drawn
        "labels": (lambda: comparison.real.labels, "the data set has no classes"),
        "generated labels": (lambda: comparison.generated.labels, "generated images have no labels"),
        "held out": (lambda: comparison.held_out, "the data set holds out no images"),
        "model": (lambda: comparison.model, "images without their model are evaluated"),
    }
    for need in sorted(metric.needs & sources.keys()):
        found, reason = sources[need]
        if found() is None:
            return reason
    if "probabilities" in metric.needs and not comparison.real.extractor.class_count:
        return f"the extractor {type(comparison.real.extractor).__name__} has no class probabilities"
    least = metric.least(comparison)
    for side in (comparison.real, comparison.generated):
        if len(side) < least:
            return f"it needs {least:,} images of each side, and {side.name} has {len(side):,}"
    return ""


def measure(metric: Metric, comparison: Comparison) -> dict[str, float]:
    """A metric's figures by name.

    Raises:
        FitError: it needs what there is not, its code fails, or what it returns are no figures.
    """
    if reason := missing(metric, comparison):
        raise FitError(f"metric {type(metric).__name__}: {reason}.")
    method = f"{type(metric).__name__}.compute"
    with calling(method, "the comparison"):
        return checked_figures(metric.compute(comparison), method)
