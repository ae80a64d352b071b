"""What `bench/training.py` trains: networks, images, and the stage whose speed is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

import gantk

IMAGES = 2048
"""Images of the data."""


@dataclass(frozen=True)
class Case:
    """One training.

    Args:
        build: arguments of `gantk.build`.
        shape: of the images.
        batch: images of a batch.
        loop: the plain loop of this game, a function of `training_loops`.
        stage: the stage that is measured.
        before: settings of the stages before it, which are not measured.
    """

    build: Mapping[str, Any]
    shape: tuple[int, int, int]
    batch: int
    loop: str = "standard"
    stage: str = "game"
    before: Mapping[str, str] = field(default_factory=dict)

    def built(self, data: Any, length: str = "1000000 steps", seed: int = 0, **settings: Any) -> gantk.Model:
        measured = {f"stages.{self.stage}.length": length, f"stages.{self.stage}.batch_size": self.batch}
        return gantk.build(**self.build, data=data, seed=seed, settings={**self.before, **measured, **settings})

    def images(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Smooth blots, uint8 `[N, C, H, W]`."""
        random = np.random.default_rng(0)
        coarse = torch.from_numpy(random.random((IMAGES, self.shape[0], 4, 4), dtype=np.float32))
        fine = nn.functional.interpolate(coarse, self.shape[1:], mode="bicubic").clamp(0, 1)
        return (fine * 255).to(torch.uint8).numpy()


DEGAN = {"recipe": "degan-mnist", "noise": "gaussian", "loss": "nonsaturating"}
SHORT = {"stages.size-*.length": "1 steps"}
CASES: dict[str, Case] = {
    "degan-28": Case(DEGAN, (1, 28, 28), 64),
    "degan-28-128": Case(DEGAN, (1, 28, 28), 128),
    "dcgan-28": Case({"recipe": "dcgan"}, (1, 28, 28), 64),
    "dcgan-28-128": Case({"recipe": "dcgan"}, (1, 28, 28), 128),
    "dcgan-64": Case({"recipe": "dcgan"}, (3, 64, 64), 64),
    "dcgan-64-128": Case({"recipe": "dcgan"}, (3, 64, 64), 128),
    "wgan-gp-28": Case({"recipe": "wgan-gp"}, (1, 28, 28), 64, "penalized"),
    "progan-16": Case({"recipe": "progan-cifar10"}, (3, 32, 32), 16, "growing", "size-16", SHORT),
    "progan-32": Case({"recipe": "progan-cifar10"}, (3, 32, 32), 16, "growing", "size-32", SHORT),
    "aegan-64": Case(
        {"recipe": "aegan-64"}, (3, 64, 64), 16, "embeddings", "game", {"stages.autoencode.length": "1 steps"}
    ),
}
