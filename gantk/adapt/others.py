"""Functions as addons, which transform the images that the discriminator sees, as metrics, and as extractors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gantk.adapt.calls import network_of, required, trial, type_of
from gantk.adapt.hashes import module_code
from gantk.calls import calling
from gantk.errors import FitError
from gantk.parts import Extractor, ImageShape, Metric, Part, require, weights_digest
from gantk.schedule import Play

if TYPE_CHECKING:
    from gantk.measures import Comparison
    from gantk.model import Model

__all__ = ["PlainAddon", "PlainExtractor", "PlainMetric"]


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
        arguments = required(function)
        require(
            len(arguments) <= 1,
            f"metric {type(self).__name__}: its arguments are {', '.join(arguments)}, but a function that is a metric "
            "takes one, the model; to compare generated with real images, write a gantk.Metric.",
        )
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


class PlainExtractor(Extractor):
    """A function or module from images to features; further dimensions of what it returns are flattened.

    Args:
        network: images `[N, C, H, W]` in [-1, 1] to features `[N, …]`.
        image_shape: shape of the images.
    """

    def __init__(self, network: nn.Module, image_shape: ImageShape) -> None:
        super().__init__()
        self.network = network
        images = torch.rand(2, *image_shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        name = type(self).__name__
        with trial(network), calling(f"extractor {name}", f"images {list(images.shape)}"):
            found = network(images.to(**type_of(network)))
        if not isinstance(found, Tensor) or found.ndim < 2 or len(found) != 2:
            shown = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise FitError(f"extractor {name} returned {shown} for 2 images; expected features [2, dim].")
        self.dim = found[0].numel()

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.network(images.to(**type_of(self.network)))
        return found.flatten(1)

    def fingerprint(self) -> str:
        """A hash of its weights, its modules' settings, its code, and what that refers to by name.

        It is another one each time if that includes objects of which no hash can be computed.
        """
        own = [(name, module_code(module)) for name, module in self.network.named_modules()]
        return weights_digest(self, repr(self.network), own)
