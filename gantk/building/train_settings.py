"""How a run is trained, whatever its model: the `train` table of a recipe and of `model.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gantk.parts import require

__all__ = ["TrainSettings"]


@dataclass(frozen=True)
class TrainSettings:
    """The `train` settings.

    Args:
        log_every: steps between log lines.
        sample_every: steps between sample grids.
        checkpoint_every: steps between checkpoints; there is also one at the end of every stage.
        keep: how many checkpoints stay; older ones are deleted.
        samples: images in a sample grid.
        ema: decay of the exponential moving average of the generator's weights, used for sampling; 0 for none.
        accelerator: where to train (Lightning Fabric chooses where it is auto).
        devices: how many devices.
        strategy: how several devices work together; ddp where it is auto.
        precision: 32-true, or bf16-mixed for bfloat16 where it is safe.
    """

    log_every: int = 50
    sample_every: int = 500
    checkpoint_every: int = 500
    keep: int = 3
    samples: int = 64
    ema: float = 0.0
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        for name in ("log_every", "sample_every", "checkpoint_every", "keep", "samples", "devices"):
            require(getattr(self, name) >= 1, f"train: {name} must be at least 1, not {getattr(self, name)}.")
        require(0 <= self.ema < 1, f"train: ema must be in [0, 1), not {self.ema}.")
