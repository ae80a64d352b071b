"""StackGAN-v2: one generator makes images of several sizes, and a discriminator for each judges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gantk import Binding, Discriminator, Generator, Joined, Player, Stage, Step, Terms, Verdict, require
from gantk.construct import nested, offers_of
from gantk.errors import FitError
from gantk.model import Model
from gantk.nn import halved, normalization, output_activation, upsampler
from gantk.parts import ImageShape
from gantk.recipe import Recipe


class PyramidGenerator(Generator):
    """A generator of images of several sizes, each half the next; the last is what it generates.

    Args:
        scales: how many sizes, at least 2; the paper has 3, for which images need 32 pixels and more.
        width: channels of the last map, at least 1; those before have twice as many each.
    """

    paper = "Zhang et al. 2018, arXiv:1710.10916, section 4"

    def __init__(self, image_shape: ImageShape, noise_dim: int, *, scales: int = 2, width: int = 32) -> None:
        super().__init__()
        require(scales >= 2, f"scales must be at least 2, not {scales}.")
        require(width >= 1, f"width must be at least 1, not {width}.")
        self.image_shape = image_shape
        sizes = halved(image_shape[1:], scales - 1)[::-1]
        widths = [width * 2**depth for depth in reversed(range(scales))]
        (height, breadth), first = sizes[0], widths[0]
        self.project = nn.Sequential(
            nn.Linear(noise_dim, first * height * breadth, bias=False),
            nn.Unflatten(1, (first, height, breadth)),
            nn.BatchNorm2d(first),
            nn.ReLU(),
        )
        self.grow = nn.ModuleList(
            nn.Sequential(
                upsampler(wide, narrow, small, large, 4, bias=False), normalization("batch", narrow), nn.ReLU()
            )
            for wide, narrow, small, large in zip(widths, widths[1:], sizes, sizes[1:], strict=False)
        )
        self.paint = nn.ModuleList(
            nn.Sequential(nn.Conv2d(each, image_shape[0], 3, padding=1), output_activation("tanh")) for each in widths
        )

    def pyramid(self, noise: Tensor) -> tuple[Tensor, ...]:
        """The images of every size, the smallest first."""
        maps = [self.project(noise)]
        for layer in self.grow:
            maps.append(layer(maps[-1]))
        return tuple(paint(each) for paint, each in zip(self.paint, maps, strict=True))

    def forward(self, noise: Tensor) -> Tensor:
        return self.pyramid(noise)[-1]


class PyramidDiscriminator(Discriminator):
    """A discriminator for each size of a pyramid, all of one kind; images are judged by that of their size.

    Args:
        of: discriminator plugin for each size, with options.
        scales: how many sizes, at least 2; the paper has 3, for which images need 32 pixels and more.
    """

    paper = "Zhang et al. 2018, arXiv:1710.10916, section 4"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        class_count: int,
        *,
        of: str = "gantk:dcgan:width=32",
        scales: int = 2,
    ) -> None:
        super().__init__()
        require(scales >= 2, f"scales must be at least 2, not {scales}.")
        channels, context = image_shape[0], {"noise_dim": noise_dim, "class_count": class_count}
        self.sizes = halved(image_shape[1:], scales - 1)[::-1]
        self.scales = nn.ModuleList(
            nested("discriminator", of, image_shape=(channels, *size), **context) for size in self.sizes
        )
        largest = self.scales[-1]
        if largest.reads_condition:
            raise FitError(
                f"of={of} reads conditions, which a pyramid shows as channels: choose another discriminator."
            )
        self.provides = largest.provides
        self.offers: Mapping[str, Mapping[str, Any]] = offers_of("of", of, largest)

    def forward(self, images: Tensor) -> Verdict:
        height, width = images.shape[2:]
        verdict: Verdict = self.scales[self.sizes.index((height, width))](images)
        return verdict


class StackedGame(Recipe):
    """One generator plays a game for each size of its images, against a discriminator of that size."""

    paper = "Zhang et al. 2018, arXiv:1710.10916, section 4.1"
    optional: ClassVar[tuple[str, ...]] = ("refiner", "condition")

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `game`: the turn of each discriminator, from the smallest images to the largest, then G's."""
        painted, judges = getattr(model.generator, "paint", None), getattr(model.discriminator, "scales", None)
        if painted is None or judges is None:
            raise FitError(
                "this recipe plays with images of several sizes",
                "use --generator mini-pyramid or --discriminator mini-pyramid, whichever is missing",
            )
        count = len(judges)
        if count != len(painted):
            raise FitError(f"the generator has {len(painted)} sizes, the discriminator {count}: set scales alike.")
        games = [
            Binding(discriminator=f"discriminator.scales.{i}", real=f"real-{i}", fake=f"fake-{i}") for i in range(count)
        ]
        players = [
            Player(
                f"discriminator-{i}",
                (game.discriminator,),
                Terms(model.losses, "discriminator", game),
                role="discriminator",
            )
            for i, game in enumerate(games)
        ]
        objective = Joined({f"scale-{i}": Terms(model.losses, "generator", game) for i, game in enumerate(games)})
        players.append(Player("generator", ("generator", "noise?", "condition?"), objective))
        values = {"pyramid": _pyramid, "fake": _picked("pyramid", count - 1)}
        values |= {f"fake-{i}": _picked("pyramid", i) for i in range(count)}
        values |= {f"real-{i}": _shrunk(size) for i, size in enumerate(halved(model.image_shape[1:], count - 1)[::-1])}
        return [Stage("game", players, adversarial=True, values=values)]


def _pyramid(step: Step) -> tuple[Tensor, ...]:
    images: tuple[Tensor, ...] = step.use("generator").pyramid(step["noise"])
    return images


def _picked(name: str, index: int) -> Any:
    return lambda step: step[name][index]


def _shrunk(size: tuple[int, int]) -> Any:
    return lambda step: adaptive_avg_pool2d(step["real"], size)
