"""The schedule of Progressive GAN: a stage per resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from gantk import Binding, Player, Stage, Step, Terms, require
from gantk.errors import FitError
from gantk.model import Model
from gantk.nn import Size, size_name
from gantk.parts import Part
from gantk.recipe import Recipe
from gantk_progressive.growth import Grows

__all__ = ["Growing"]

ADAM: Mapping[str, Any] = {"optimizer": "adam", "lr": 1e-3, "betas": [0.0, 0.99], "eps": 1e-8}
BATCH_SIZES: Mapping[str, int] = {"4": 16, "256": 14, "512": 6, "1024": 3}


class Growing(Recipe):
    """A game that grows: one stage per resolution, `size-4`, `size-8` and so on, each faded in over its first part.

    Players, optimizers, length and batch size of every stage can be set as usual; `stages.size-*` addresses all of
    them. Each stage starts with fresh optimizers, as in the authors' code.

    Args:
        fade: fraction of a stage over which its resolution fades in, in [0, 1).
        images: number of real images shown to the discriminator per stage; images · (1 - fade) in the first stage,
            which has no fade-in.
        batch_sizes: batch size by the longer side of a resolution, such as {4 = 16, 256 = 14}; a side that is not
            listed uses the next smaller one.
    """

    paper = "Karras et al. 2018, arXiv:1710.10196, section 2 and appendix A.1"

    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "gaussian",
        "generator": "progan",
        "discriminator": "progan",
        "loss": ["wgan-gp:per_sample=false"],
    }

    def __init__(
        self, *, fade: float = 0.5, images: int = 1_600_000, batch_sizes: Mapping[str, int] = BATCH_SIZES
    ) -> None:
        require(0 <= fade < 1, f"fade must be in [0, 1), not {fade}.")
        require(images >= 1, f"images must be at least 1, not {images}.")
        self.fade = fade
        self.images = images
        self.batch_sizes = _table(batch_sizes)

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage per resolution, smallest first; in each, the discriminator's turn, then the generator's."""
        growth, _ = _growths(model)
        return [self._stage(model, growth, depth) for depth in range(len(growth.sizes))]

    def judged(self, model: Model, images: Tensor) -> Tensor:
        """Real images at the current resolution of the networks."""
        return _growths(model)[0].shrunk(images)

    def _stage(self, model: Model, growth: Grows, depth: int) -> Stage:
        def grow(model: Model, done: float) -> None:
            for each in _growths(model):
                each.set(depth, min(1.0, done / self.fade) if depth and self.fade else 1.0)

        def shown_real(step: Step) -> Tensor:
            return growth.shrunk(step["real"])

        size = growth.sizes[depth]
        sees = Binding(real="shown_real", fake="shown_fake", generator="generator.images")
        moves = {"discriminator": ("discriminator",), "generator": ("generator", "noise?", "condition?")}
        players = [
            Player(role, moved, Terms(model.losses, role, sees), optimizer=dict(ADAM)) for role, moved in moves.items()
        ]
        shown = self.images if depth else max(1, round(self.images * (1 - self.fade)))
        return Stage(
            f"size-{size_name(size)}",
            players,
            length=f"{shown} images",
            batch_size=self.batch_size(size),
            adversarial=True,
            values={"shown_real": shown_real, "shown_fake": _shown_fake, "fake": _fake},
            each=grow,
        )

    def batch_size(self, size: Size) -> int:
        """Batch size at this resolution."""
        sides = [side for side in self.batch_sizes if side <= max(size)] or [min(self.batch_sizes)]
        return self.batch_sizes[max(sides)]


def _shown_fake(step: Step) -> Tensor:
    images: Tensor = step.use("generator.images")(step["noise"])
    return images


def _fake(step: Step) -> Tensor:
    """Images of the full size, for refiners and other parts."""
    images: Tensor = step.use("generator").finished(step["shown_fake"])
    return images


def _growths(model: Model) -> tuple[Grows, Grows]:
    """The growth of the generator and of the discriminator; `FitError` if one does not grow."""
    return _growth("generator", model.generator), _growth("discriminator", model.discriminator)


def _growth(slot: str, part: Part | None) -> Grows:
    growth = getattr(part, "growth", None)
    if not isinstance(growth, Grows):
        raise FitError(
            f"recipe 'growing' needs a {slot} that grows, which {type(part).__name__} does not", f"use --{slot} progan"
        )
    return growth


def _table(batch_sizes: Mapping[str, int]) -> dict[int, int]:
    """Side → batch size, in whole numbers of at least 1."""
    try:
        table = {int(side): int(images) for side, images in batch_sizes.items()}
    except (TypeError, ValueError):
        table = {}
    whole = bool(table) and min(table) >= 1 and min(table.values()) >= 1
    require(whole, f"batch_sizes are like {{4 = 16, 256 = 14}}, not {dict(batch_sizes)}.")
    return table
