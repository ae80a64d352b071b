"""The shared values that every step has: noise, conditions, generated images and refined ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantk.errors import FitError
from gantk.parts import Condition, Generator, NoiseSource, Refiner
from gantk.schedule.step import Step, Value

__all__ = ["VALUES"]


def _noise(step: Step) -> Tensor:
    drawn = step.use("noise", NoiseSource).sample(step.size)
    if "condition" not in step.parts:
        return drawn
    return torch.cat([drawn, step["condition"].to(drawn.dtype)], dim=1)


def _condition(step: Step) -> Tensor:
    if "condition" not in step.parts:
        raise FitError("this model has no condition, but one is needed: add one with --condition.")
    return step.use("condition", Condition).of(step["labels"])


def _fake(step: Step) -> Tensor:
    images: Tensor = step.use("generator", Generator)(step["noise"])
    return images


def _refined(step: Step) -> Tensor:
    images: Tensor = step.use("refiner", Refiner)(step["fake"])
    return images


VALUES: Mapping[str, Value] = {"noise": _noise, "condition": _condition, "fake": _fake, "refined": _refined}
"""How a step computes its shared values, unless its stage overrides them."""
