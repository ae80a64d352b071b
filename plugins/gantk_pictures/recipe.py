"""The preset `pictures`: which parts, sizes and length suit the pictures, the machine and the time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

import gantk
from gantk import AdaptivePreset
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.parts import ImageShape
from gantk.recipe import Adapted, Wanted
from gantk_pictures.look import Look, looked_at

__all__ = ["Pictures"]

SIDES = (64, 32)
"""Sides in pixels, the largest first."""
WIDTHS = (64, 48, 32, 24, 16)
"""Widths of the networks, the largest first."""
BATCH = 32
ENOUGH = 300_000
"""Images that training should see: the largest networks are chosen that see as many in the time."""
SMALLEST = 8
"""Side in pixels to which smaller pictures are enlarged."""
LEAST = 100
"""Fewer different pictures than this are warned of."""
OFTEN = 1000
"""Pictures are augmented if training passes over them more often than this; in shorter trainings it did not help
(bench/little_data.py)."""
ON_ACCELERATOR = 2_000_000
"""Images that training sees on an accelerator, where no time is estimated."""
REPEATS = 2
"""Times that a plan is timed; the shortest counts, as a machine may be busy for a moment."""
FAR = 2.0
"""A plan that takes this many times longer than it may is timed only once."""
TRAINING = 0.9
"""Share of the time for training steps; the rest is for sampling, saving and a machine that is not quiet."""


@dataclass(frozen=True)
class _Plan:
    """A size of images and networks, and what training does with it in the time."""

    side: int | None
    width: int
    images: int

    def networks(self) -> dict[str, Any]:
        return {"generator": f"dcgan:width={self.width}", "discriminator": f"dcgan:width={self.width}"}


class Pictures(AdaptivePreset):
    """A DCGAN game whose size, widths, noise, augmentation and length are chosen for the pictures and the time."""

    title = "A GAN for your own pictures, chosen for them, this machine and the time"
    paper = "Radford, Metz & Chintala 2016, arXiv:1511.06434; Zhao et al. 2020, arXiv:2006.10738"
    extends = "dcgan"
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "gaussian:dim=128",
        "train": {"ema_half_life": 10_000, "ema_warmup": 0.05},
        "stages": {"game": {"batch_size": BATCH}},
    }

    def adapt(self, wanted: Wanted) -> Adapted:
        look = looked_at(wanted.data)
        plan, reasons = _plan(wanted, look)
        dim = _noise(look.dimension)
        preset: dict[str, Any] = {
            **plan.networks(),
            "noise": f"gaussian:dim={dim}",
            "stages": {"game": {"length": f"{max(1, plan.images)} images"}},
        }
        reasons = {"data": _seen(look), **reasons, "noise": _noise_reason(dim, look.dimension)}
        if plan.images > OFTEN * look.count:
            preset["addon"] = ["diffaugment"]
            times = f"{plan.images // look.count:,} times"
            reasons["addon"] = (
                f"augmentation: each picture is seen {times}, so that a discriminator could memorize them."
            )
        if warning := _too_few(look):
            reasons["data.few"] = warning
        data: dict[str, Any] = {}
        if plan.side is not None:
            data["size"] = plan.side
        if "color" in wanted.options and look.gray:
            data["color"] = "gray"
        return Adapted(preset, reasons, data)


def _seen(look: Look) -> str:
    kind = "gray" if look.gray else "color"
    said = f"{_counted(look.count, f'{kind} picture')} of about {_counted(look.side, 'pixel')} on the shorter side"
    if 0.8 < look.aspect < 1.25:
        return f"{said}."
    wide = (
        f"{look.aspect:.1f} times as wide as high"
        if look.aspect > 1
        else f"{1 / look.aspect:.1f} times as high as wide"
    )
    return f"{said}, {wide}: the center is used; size=[H,W],crop=none uses whole pictures."


def _too_few(look: Look) -> str:
    """What to say of pictures that are few, or copies of each other."""
    different = round(look.count * (1 - look.copies))
    copies = f"about {look.copies:.0%} of the pictures are copies of others: remove them if you can" * (
        look.copies > 0.01
    )
    few = f"{_counted(different, 'different picture')}: a GAN learns little from fewer than {LEAST}" * (
        different < LEAST
    )
    return f"{'; '.join(filter(None, (few, copies)))}." if few or copies else ""


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' * (count != 1)}"


def _noise(dimension: float) -> int:
    """Twice the intrinsic dimension, a multiple of 16 from 64 to 256."""
    return 128 if math.isnan(dimension) else min(256, max(64, 16 * math.ceil(dimension / 8)))


def _noise_reason(dim: int, dimension: float) -> str:
    if math.isnan(dimension):
        return f"noise of {dim} dimensions: the usual one, as the pictures' intrinsic dimension cannot be estimated."
    if 2 * dimension > dim:
        return f"noise of {dim} dimensions, the most: the pictures' intrinsic dimension is about {dimension:.0f}."
    return f"noise of {dim} dimensions: at least twice the pictures' intrinsic dimension, about {dimension:.0f}."


def _plan(wanted: Wanted, look: Look) -> tuple[_Plan, dict[str, str]]:
    """The largest images and networks for which training sees enough images in the time, and the reasons."""
    sides: list[int | None] = [None]
    if "size" in wanted.options:
        sides = [side for side in SIDES if side <= look.side] or [max(SMALLEST, look.side // 4 * 4)]
    if torch.accelerator.is_available():
        plan = _Plan(sides[0], WIDTHS[0], ON_ACCELERATOR)
        return plan, {"stages.game.length": f"length {plan.images:,} images: times are estimated on CPUs only."}
    minutes = _counted(max(1, round(wanted.seconds / 60)), "minute")
    for side in sides:
        for width in WIDTHS:
            plan = _Plan(side, width, 0)
            last = side == sides[-1] and width == WIDTHS[-1]
            most = math.inf if last else TRAINING * wanted.seconds / ENOUGH
            each = _seconds_per_image(plan, _shape(wanted, look, side), wanted.parts, most)
            images = int(TRAINING * wanted.seconds / each)
            if images >= ENOUGH or last:
                return _Plan(side, width, images), _reasons(plan, images, minutes, look)
    raise AssertionError("the last plan is always chosen")


def _reasons(plan: _Plan, images: int, minutes: str, look: Look) -> dict[str, str]:
    chosen = "the largest that see" if images >= ENOUGH else "the smallest, though they see fewer than"
    why = f"{chosen} {ENOUGH:,} images in {minutes} on this CPU."
    enlarged = f"size {plan.side}: " + ("the pictures are enlarged." if (plan.side or 0) > look.side else why)
    sizes = {} if plan.side is None else {"data.size": enlarged}
    return sizes | {
        "generator": f"width {plan.width}: {why}",
        "stages.game.length": f"length {images:,} images, which take about {minutes}.",
    }


def _shape(wanted: Wanted, look: Look, side: int | None) -> ImageShape:
    channels, height, width = wanted.data.image_shape
    if look.gray and "color" in wanted.options:
        channels = 1
    return (channels, height, width) if side is None else (channels, side, side)


def _seconds_per_image(plan: _Plan, shape: ImageShape, parts: Mapping[str, Any], most: float) -> float:
    """Seconds of training per image, measured on a few steps with the parts that the user chose.

    Args:
        most: seconds that an image may take; a plan that takes far longer is timed only once.

    Raises:
        FitError: a step with these parts cannot be timed.
    """
    images = ArraySource(torch.zeros(BATCH, *shape, dtype=torch.uint8))
    settings = {"stages.game.batch_size": BATCH, "stages.game.length": "1 steps"}
    chosen = {**plan.networks(), **{kind: part for kind, part in parts.items() if kind != "condition"}}
    model = gantk.build("dcgan", data=images, settings=settings, **chosen)
    found = math.inf
    for _ in range(REPEATS):
        estimated = gantk.estimate(model)
        if "game" in estimated.reasons:
            raise FitError(f"how long training takes cannot be estimated: {estimated.reasons['game']}.")
        found = min(found, estimated.stages["game"] / BATCH)
        if found > FAR * most:
            break
    return found
