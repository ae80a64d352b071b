"""How a run is trained, whatever its model: the `train` table of a recipe and of `model.toml`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import nn

from gantk.errors import nearest
from gantk.nn import Average
from gantk.parts import require
from gantk.run.loggers import LOGGERS

__all__ = ["TrainSettings"]

AT_LEAST_ONE = (
    *("log_every", "sample_every", "checkpoint_every", "keep", "samples"),
    *("measure_every", "measure_samples", "devices", "nodes", "accumulate"),
)


@dataclass(frozen=True)
class TrainSettings:
    """The `train` settings.

    Args:
        log_every: steps between log lines.
        loggers: where figures and sample grids go besides the run's own files: tensorboard, trackio, wandb, mlflow.
        sample_every: steps between sample grids.
        checkpoint_every: steps between checkpoints; there is also one at the end of every stage.
        every_minutes: minutes after which there is a log line, a sample grid and a checkpoint, whatever the steps; the
            first ones come within one minute. 0 goes by steps alone.
        keep: how many checkpoints stay; older ones are deleted.
        samples: images in a sample grid.
        measure_every: steps between measurements, where a part of the model measures something.
        measure_samples: images that metrics generate, and real ones that they compare them with.
        extractor: what computes the features that metrics compare, as pixels or classifier:data=mnist.
        keep_best: keep the best checkpoint beside the newest ones, by the figure of a metric, as prdc/coverage; it is
            written whenever a measurement is the best so far. Empty for none.
        patience: measurements in a row without a better figure of keep_best, in the last stage, after which training
            stops; 0 trains to the end.
        ema: decay per step of the exponential moving average of the generator's weights, used for sampling; 0 for none.
        ema_half_life: images after which a weight's share of that average has halved, in place of ema; 0 for ema.
        ema_warmup: the half-life is at most this share of the images so far; 0 for no warm-up.
        accelerator: where to train (Lightning Fabric chooses where it is auto).
        devices: how many devices; of each node, if there are several.
        nodes: on how many machines, each of which has so many devices; torchrun or a cluster starts the processes.
        sync_batchnorm: let batch normalization use the statistics of the whole batch, and not of each device's share.
        strategy: how several devices work together; ddp where it is auto.
        accumulate: into how many pieces each batch is split, whose gradients are added up before the optimizer's step,
            which needs less memory; statistics of a batch are then those of a piece.
        precision: 32-true, which is float32, or bf16-mixed for bfloat16 where it is safe; auto measures at the start of
            a long training which, in which memory_format, is fastest on its device, and the run keeps to it.
        memory_format: how images and weights of convolutions lie in memory; channels_last is faster for some networks,
            and gives results that differ by rounding. auto is contiguous, unless precision=auto finds otherwise.
        deterministic: train with kernels that give the same bits each time; false allows faster ones on GPUs, with
            which a run that is repeated or resumed ends in other bits.
        tf32: on CUDA devices, let products and convolutions of float32 round what they multiply to 11 bits, which is
            faster and less exact; bf16-mixed is faster still.
        cuda_graphs: on one CUDA device, record each kind of step as a CUDA graph and replay it, which saves the time to
            start kernels; steps that cannot be recorded are computed one by one.
    """

    log_every: int = 50
    loggers: tuple[str, ...] = ("tensorboard",)
    sample_every: int = 500
    checkpoint_every: int = 500
    every_minutes: float = 10.0
    keep: int = 3
    samples: int = 64
    measure_every: int = 500
    measure_samples: int = 1000
    extractor: str = "pixels"
    keep_best: str = ""
    patience: int = 0
    ema: float = 0.0
    ema_half_life: int = 0
    ema_warmup: float = 0.0
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = 1
    nodes: int = 1
    sync_batchnorm: bool = False
    strategy: Literal["auto", "ddp"] = "auto"
    accumulate: int = 1
    precision: Literal["32-true", "bf16-mixed", "auto"] = "auto"
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    deterministic: bool = True
    tf32: bool = False
    cuda_graphs: bool = True

    def __post_init__(self) -> None:
        for name in AT_LEAST_ONE:
            require(getattr(self, name) >= 1, f"train: {name} must be at least 1, not {getattr(self, name)}.")
        require(
            0 <= self.every_minutes < math.inf, f"train: every_minutes must be 0 or more, not {self.every_minutes}."
        )
        for name in self.loggers:
            require(name in LOGGERS, f"train: there is no logger '{name}'.{nearest(name, LOGGERS)}")
        require(self.patience >= 0, f"train: patience must be 0 or more, not {self.patience}.")
        figure = "train: patience counts measurements by the figure of keep_best: set train.keep_best."
        require(bool(self.keep_best) or not self.patience, figure)
        require(0 <= self.ema < 1, f"train: ema must be in [0, 1), not {self.ema}.")
        require(self.ema_half_life >= 0, f"train: ema_half_life must be 0 or more, not {self.ema_half_life}.")
        require(0 <= self.ema_warmup < math.inf, f"train: ema_warmup must be 0 or more, not {self.ema_warmup}.")
        averages = self.ema or self.ema_half_life
        require(bool(averages) or not self.ema_warmup, "train: ema_warmup needs an average: set ema or ema_half_life.")

    @property
    def processes(self) -> int:
        """Number of processes that train together, one for each device."""
        return self.devices * self.nodes

    def average(self) -> Callable[[nn.Module], Average] | None:
        """How averages are made of weights; `None` where there are none."""
        if not (self.ema or self.ema_half_life):
            return None
        return partial(Average, decay=self.ema, half_life=self.ema_half_life, warmup=self.ema_warmup)
