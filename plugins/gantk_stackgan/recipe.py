"""The schedules of StackGAN, one stage after the other, and of StackGAN-v2, a game for each size in one stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gantk import Binding, Joined, Model, Player, Stage, Step, Terms, require
from gantk.errors import FitError
from gantk.nn import Size, size_list, size_name
from gantk.recipe import Recipe
from gantk_stackgan.games import Games, blank, games_of, mismatched

__all__ = ["GamePerSize", "StackedGames"]

BATCH = 64


class StackedGames(Recipe):
    """Two games, one after the other: stage I generates small images, and stage II refines them at the full size.

    Stage II reads the images of stage I, which it does not train. Each stage has its own discriminator. In a
    conditional model, discriminators also learn whether an image has its condition.

    Args:
        matching: in a conditional model, whether discriminators are also shown real images with the conditions of
            others, as generated ones, for half of their loss.
    """

    paper = "Zhang et al. 2017, arXiv:1612.03242, section 3"
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "gaussian:dim=256",
        "generator": "stackgan",
        "discriminator": "pyramid:sizes=2,doublings=2",
        "loss": ["nonsaturating"],
    }

    def __init__(self, *, matching: bool = True) -> None:
        self.matching = matching

    def stages(self, model: Model) -> Sequence[Stage]:
        """`stage-1` and `stage-2`: in each, the discriminator's turn, then the generator's."""
        if missing := [name for name in ("first", "second") if name not in dict(model.generator.named_children())]:
            raise FitError(
                f"this recipe trains a generator's modules first and second in turn, but "
                f"{type(model.generator).__name__} has no {' and no '.join(missing)}",
                "use --generator stackgan",
            )
        coarse, _ = _sizes(model)
        small = Binding("discriminator.judges.0", "generator.first", real="coarse", fake="coarse_fake")
        full = Binding("discriminator.judges.1")
        values = {"coarse": _shrunk(coarse), "coarse_fake": _generated("generator.first", "noise"), "blank": blank}
        values |= {f"{game.real}-mismatched": mismatched(game.real, game.fake) for game in (small, full)}
        one = self._players(model, small, ("generator.first", "noise?", "condition?"))
        two = self._players(model, full, ("generator.second",))
        first = {**values, "fake": _generated("generator", "noise")}
        second = {**values, "fake": _generated("generator.second", "noise", "coarse_fake")}
        return [
            # Refiners join stage II only, since stage I's images are small.
            Stage("stage-1", one, "600 epochs", BATCH, values=first, enter=_refines(False)),
            Stage("stage-2", two, "600 epochs", BATCH, adversarial=True, values=second, enter=_refines(True)),
        ]

    def _players(self, model: Model, binding: Binding, moves: tuple[str, ...]) -> list[Player]:
        judge = model.get_submodule(binding.discriminator)
        return [
            Player(role, moved, _objective(model, role, binding, judge, matching=self.matching))
            for role, moved in (("discriminator", (binding.discriminator,)), ("generator", moves))
        ]


class GamePerSize(Recipe):
    """One generator plays a game for each size of its images, against a discriminator of that size.

    In a conditional model, every discriminator plays twice: on images with their conditions and on images alone.

    Args:
        matching: in a conditional model, whether discriminators are also shown real images with the conditions of
            others, as generated ones, for half of their conditional loss.
        unconditional: in a conditional model, weight of the games without conditions, 0 or more.
        color: weight of the color consistency, 0 or more: each size has the mean color and the covariance of colors of
            the size below.
    """

    paper = "Zhang et al. 2018, arXiv:1710.10916, section 4"
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "gaussian:dim=256",
        "generator": "stackgan-v2",
        "discriminator": "pyramid:of='gantk:stackgan:unconditional=true'",
        "loss": ["nonsaturating"],
    }

    def __init__(self, *, matching: bool = True, unconditional: float = 1.0, color: float = 50.0) -> None:
        require(0 <= unconditional < math.inf, f"unconditional must be 0 or more and finite, not {unconditional}.")
        require(0 <= color < math.inf, f"color must be 0 or more and finite, not {color}.")
        self.matching = matching
        self.unconditional = unconditional
        self.color = color

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `game`: the turn of each discriminator, from the smallest images to the largest, then G's."""
        if "tree" not in dict(model.generator.named_children()):
            raise FitError(
                f"this recipe trains a generator of images of several sizes, and {type(model.generator).__name__} "
                "generates one",
                "use --generator stackgan-v2",
            )
        sizes = _sizes(model)
        names = [size_name(size) for size in sizes]
        values: dict[str, Callable[[Step], Any]] = {"images": _images, "blank": blank}
        games = [self._game(index, name, len(sizes)) for index, name in enumerate(names)]
        for index, (game, size) in enumerate(zip(games, sizes, strict=True)):
            values |= {game.real: _shrunk(size), game.fake: _image(index)}
            values[f"{game.real}-mismatched"] = mismatched(game.real, game.fake)
        values.pop("real")
        judges = [model.get_submodule(game.discriminator) for game in games]
        options: dict[str, Any] = {"matching": self.matching, "unconditional": self.unconditional}
        players, parts = [], {}
        for name, game, judge in zip(names, games, judges, strict=True):
            objective = _objective(model, "discriminator", game, judge, **options)
            players.append(Player(f"discriminator-{name}", (game.discriminator,), objective, "discriminator"))
            parts[f"size-{name}"] = _objective(model, "generator", game, judge, **options)
        joined = Joined({**parts, **({"color": ColorConsistency(self.color)} if self.color else {})})
        players.append(Player("generator", ("generator", "noise?", "condition?"), joined))
        return [Stage("game", players, batch_size=24, adversarial=True, values=values)]

    @staticmethod
    def _game(index: int, name: str, count: int) -> Binding:
        path = f"discriminator.judges.{index}"
        if index == count - 1:
            return Binding(path)
        return Binding(path, f"generator.at.{index}", real=f"real-{name}", fake=f"fake-{name}")


class ColorConsistency:
    """The colors of each size are those of the size below: α (MSE of the means + 5 MSE of the covariances).

    No gradient flows to the size below (section 4.3 with the values of the authors' code).

    Args:
        weight: the factor α.
    """

    COVARIANCE = 5.0

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        statistics = [colors(images) for images in step["images"]]
        pairs = list(pairwise(statistics))
        means = torch.stack([(above - below.detach()).square().mean() for (below, _), (above, _) in pairs]).sum()
        spreads = torch.stack([(above - below.detach()).square().mean() for (_, below), (_, above) in pairs]).sum()
        return {
            "mean": step.log("mean", means, self.weight),
            "covariance": step.log("covariance", spreads, self.COVARIANCE * self.weight),
        }

    def __str__(self) -> str:
        return f"{self.weight:g}·mean + {self.COVARIANCE * self.weight:g}·covariance"


def colors(images: Tensor) -> tuple[Tensor, Tensor]:
    """Of each image, the mean color `[N, C]` and the covariance `[N, C, C]` over its pixels."""
    pixels = images.float().flatten(2)
    mean = pixels.mean(dim=2)
    centered = pixels - mean[:, :, None]
    return mean, centered @ centered.transpose(1, 2) / pixels.shape[2]


def _objective(
    model: Model, role: str, binding: Binding, judge: nn.Module, *, matching: bool, unconditional: float = 0.0
) -> Any:
    if model.condition is None:
        return Terms(model.losses, role, binding)
    return Games(model.losses, role, games_of(role, binding, judge, matching=matching, unconditional=unconditional))


def _sizes(model: Model) -> Sequence[Size]:
    """The sizes of the generator's images, which the discriminators must have too."""
    sizes: Sequence[Size] = getattr(model.generator, "sizes", ())
    judged: Sequence[Size] = getattr(model.discriminator, "sizes", ())
    if len(sizes) < 2:
        name = type(model.generator).__name__
        raise FitError(f"this recipe needs a generator with two `sizes` or more, smallest first; {name} has none")
    if list(sizes) == list(judged):
        return sizes
    doublings = round(math.log2(max(sizes[1]) / max(sizes[0])))
    mend = f"pyramid:sizes={len(sizes)}" + (f",doublings={doublings}" if doublings > 1 else "")
    found = f"has the sizes {size_list(judged)}" if judged else "judges one size"
    raise FitError(
        f"the generator has the sizes {size_list(sizes)}, but the discriminator {found}", f"use --discriminator {mend}"
    )


def _shrunk(size: Size) -> Callable[[Step], Tensor]:
    return lambda step: adaptive_avg_pool2d(step["real"], size)


def _image(index: int) -> Callable[[Step], Tensor]:
    def image(step: Step) -> Tensor:
        images: Tensor = step["images"][index]
        return images

    return image


def _images(step: Step) -> tuple[Tensor, ...]:
    images: tuple[Tensor, ...] = step.use("generator.tree")(step["noise"])
    return images


def _generated(path: str, *names: str) -> Callable[[Step], Tensor]:
    """The output of a module for values of the step."""

    def images(step: Step) -> Tensor:
        found: Tensor = step.use(path)(*(step[name] for name in names))
        return found

    return images


def _refines(refines: bool) -> Callable[[Model], None]:
    def enter(model: Model) -> None:
        flag = getattr(model.generator, "refines", None)
        if isinstance(flag, Tensor):
            flag.fill_(refines)

    return enter
