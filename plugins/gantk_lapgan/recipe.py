"""LAPGAN's schedule: a game on each level of a Laplacian pyramid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from gantk import Binding, Generator, Model, Player, Stage, Step, Terms
from gantk.errors import FitError
from gantk.nn import Size, size_list, size_name
from gantk.parts import ImageShape
from gantk.recipe import Recipe
from gantk_lapgan.pyramid import shrunk, upsampled

__all__ = ["ResidualGames"]

Images = Callable[[Step], Tensor]


class ResidualGames(Recipe):
    """A game on each level of a pyramid of sizes: the smallest images, and for each further size the residual.

    On every level but the smallest, the generator reads the upsampled smaller version of a real image and generates
    what it lacks; the discriminator judges their sum. So the levels train independently of each other, all in one
    stage; images are sampled through all of them.

    Args:
        pairs: whether discriminators see the upsampled image and the residual as separate channels instead.
    """

    paper = "Denton et al. 2015, arXiv:1506.05751, Figure 2"
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "uniform:dim=300",
        "generator": "lapgan",
        "discriminator": "pyramid:of=gantk:lapgan,sizes=3",
        "loss": ["nonsaturating"],
    }

    def __init__(self, *, pairs: bool = False) -> None:
        self.pairs = pairs

    def judged_shape(self, generator: Generator) -> ImageShape:
        channels, height, width = generator.image_shape
        return (2 * channels if self.pairs else channels), height, width

    def judged(self, model: Model, images: Tensor) -> Tensor:
        """Images as the discriminator of the full size judges them."""
        if not self.pairs:
            return images
        *_, small, size = _sizes(model)
        low = upsampled(shrunk(images, small), size)
        return torch.cat([low, images - low], dim=1)

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `game`: for each level, the discriminator's turn, then the generator's."""
        sizes = _sizes(model)
        values: dict[str, Images] = {}
        players: list[Player] = []
        for index, size in enumerate(sizes):
            name = size_name(size)
            values |= self._values(index, name, size, sizes[index - 1] if index else None)
            path = f"discriminator.judges.{index}"
            sees = Binding(path, real=f"judged-real-{name}", fake=f"judged-fake-{name}")
            moves = (f"generator.finer.{index - 1}",) if index else ("generator.coarsest", "noise?", "condition?")
            for role, moved in (("discriminator", (path,)), ("generator", moves)):
                players.append(Player(f"{role}-{name}", moved, Terms(model.losses, role, sees), role))
        return [Stage("game", players, adversarial=True, values=values)]

    def _values(self, index: int, name: str, size: Size, below: Size | None) -> dict[str, Images]:
        """What the level sees: `low`, an upsampled real image, and the real and the generated `residual` of it."""
        if below is None:

            def smallest(step: Step) -> Tensor:
                images: Tensor = step.use("generator.coarsest")(step["noise"])
                return images

            return {
                f"judged-real-{name}": lambda step: self._shown(None, shrunk(step["real"], size)),
                f"judged-fake-{name}": lambda step: self._shown(None, smallest(step)),
            }

        def low(step: Step) -> Tensor:
            return upsampled(shrunk(step["real"], below), size)

        def generated(step: Step) -> Tensor:
            residual: Tensor = step.use(f"generator.finer.{index - 1}")(step["noise"], step[f"low-{name}"])
            return residual

        return {
            f"low-{name}": low,
            f"judged-real-{name}": lambda step: self._shown(
                step[f"low-{name}"], shrunk(step["real"], size) - step[f"low-{name}"]
            ),
            f"judged-fake-{name}": lambda step: self._shown(step[f"low-{name}"], generated(step)),
        }

    def _shown(self, low: Tensor | None, residual: Tensor) -> Tensor:
        """What a discriminator judges; the smallest images are the residuals of nothing."""
        known = torch.zeros_like(residual) if low is None else low.to(residual.dtype)
        return torch.cat([known, residual], dim=1) if self.pairs else known + residual


def _sizes(model: Model) -> Sequence[Size]:
    """The sizes of the generator's levels, which the discriminators must have too."""
    modules = dict(model.generator.named_children())
    sizes: Sequence[Size] = getattr(model.generator, "sizes", ())
    if not sizes or not {"coarsest", "finer"} <= modules.keys():
        raise FitError(
            f"this recipe trains the levels of a pyramid, which {type(model.generator).__name__} does not have",
            "use --generator lapgan",
        )
    judged: Sequence[Size] = getattr(model.discriminator, "sizes", ())
    if list(judged) != list(sizes):
        found = f"has the sizes {size_list(judged)}" if judged else "judges one size"
        raise FitError(
            f"the generator has the sizes {size_list(sizes)}, but the discriminator {found}",
            f"use --discriminator pyramid:sizes={len(sizes)}",
        )
    return sizes
