"""Functions as addons, which transform the images that the discriminator sees, and as metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from gantk.adapt.calls import network_of
from gantk.errors import FitError
from gantk.parts import Metric, Part
from gantk.schedule import Play

if TYPE_CHECKING:
    from gantk.measures import Comparison
    from gantk.model import Model

__all__ = ["PlainAddon", "PlainMetric"]


class PlainAddon(Part):
    """A function or module that transforms all images that the discriminator sees, real and generated.

    Args:
        network: images to images of the same shape, differentiable.
    """

    def __init__(self, network: Callable[..., Any]) -> None:
        super().__init__()
        self.network = network_of(network)

    def transform(self, images: Tensor, play: Play) -> Tensor:
        shown: Tensor = self.network(images)
        return shown


class PlainMetric(Metric):
    """A function of a model that returns a figure, or several by name.

    Args:
        function: the function.
    """

    needs = frozenset({"model"})

    def __init__(self, function: Callable[[Model], Any]) -> None:
        super().__init__()
        self._function = function

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        if comparison.model is None:
            raise FitError(f"metric {type(self).__name__} is a function of a model, but only images are evaluated.")
        found = self._function(comparison.model)
        name = type(self).__name__
        try:
            return {
                key: float(value) for key, value in (found if isinstance(found, Mapping) else {name: found}).items()
            }
        except (TypeError, ValueError) as error:
            raise FitError(f"metric {name} returned {found!r:.80}; expected a number, or numbers by name.") from error
