"""Estimate the time of a training from a few steps of every stage on small batches."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from gantk.errors import GantkError, briefly
from gantk.model import Model
from gantk.schedule import Batch, Stage
from gantk.seeds import derive_seed, forked
from gantk.training.fabric import Fabric
from gantk.training.turn import Turns

__all__ = ["Estimate", "estimate"]

SMALL, LARGER = 2, 8
"""Sizes of the timed batches; two sizes separate the time per step from the time per image."""

LONG = 1.0
"""If a step on the small batch takes longer than this, in seconds, the larger one is skipped."""


@dataclass(frozen=True)
class Estimate:
    """Time of each stage on the CPU in seconds, by name; NaN if a stage could not be timed."""

    stages: dict[str, float]
    reasons: dict[str, str]
    """The reason why a stage could not be timed, by name."""

    @property
    def total(self) -> float:
        """Time of all stages in seconds; NaN if one could not be timed."""
        return sum(self.stages.values())


def estimate(model: Model) -> Estimate:
    """Time a model's stages on the CPU in float32. This changes the model, which must not be used afterwards."""
    fabric = Fabric(accelerator="cpu", devices=1)
    found: dict[str, float] = {}
    reasons: dict[str, str] = {}
    with forked(derive_seed("estimate")):
        for stage in model.built.stages:
            steps = stage.steps(model.built.shape["images"])
            try:
                found[stage.name] = steps * _seconds(fabric, model, stage)
            except Exception as error:  # noqa: BLE001 - parts may refuse a few random images; the reason is reported
                found[stage.name] = math.nan
                said = "" if isinstance(error, GantkError) else f"{type(error).__name__}: "
                reasons[stage.name] = f"{said}{briefly(error)}"
    return Estimate(found, reasons)


def _seconds(fabric: Fabric, model: Model, stage: Stage) -> float:
    """Seconds of one step."""
    if stage.enter is not None:
        stage.enter(model)
    model.eval().requires_grad_(False)
    for path in stage.moves():
        model.get_submodule(path).train()
    turns = Turns(fabric, model, stage)
    small, larger = min(SMALL, stage.batch_size), min(LARGER, stage.batch_size)
    first = _timed(model, stage, turns, small)  # allocates; later steps are faster
    if first > LONG:
        return first / small * stage.batch_size
    one = min(first, _timed(model, stage, turns, small))
    if larger == small:
        return one
    other = _timed(model, stage, turns, larger)
    each = max(0.0, (other - one) / (larger - small))
    return max(one, one + each * (stage.batch_size - small))


def _timed(model: Model, stage: Stage, turns: Turns, size: int) -> float:
    data = model.built.data
    labels = data.labels([index % len(data) for index in range(size)]) if data is not None else None
    count = stage.batches() + stage.further_batches()
    batches = [Batch(torch.rand(size, *model.image_shape) * 2 - 1, labels) for _ in range(count)]
    begun = time.perf_counter()
    if stage.each is not None:
        stage.each(model, 0.5)
    turns.play(model.step(batch, stage.values, done=0.5) for batch in batches)
    return time.perf_counter() - begun
