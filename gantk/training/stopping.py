"""Why training stops before its end: a signal to the process of any device, the time, or figures that get no better."""

from __future__ import annotations

import signal
import time
from typing import Any

import torch

from gantk.building.train_settings import TrainSettings
from gantk.errors import Interrupted
from gantk.run.checkpoints import Place
from gantk.run.folder import Run
from gantk.schedule import Stage
from gantk.training.fabric import Fabric
from gantk.training.progress import Progress
from gantk.training.signals import StopRequest

__all__ = ["LATE", "SIGNALS", "Stopping"]

LATE, SIGNALS = 1, 1
"""Codes of why to stop: the time is over, and a signal, whose number is added."""


class Stopping:
    """Asks after every step whether training stops there, and says why.

    Args:
        run: the run, for messages.
        fabric: the devices, all of which stop after the same step.
        request: whether this process has received a signal.
        progress: receives messages.
        seconds: time from now on after which training stops; None for no limit.
    """

    def __init__(
        self, run: Run, fabric: Fabric, request: StopRequest, progress: Progress, seconds: float | None
    ) -> None:
        self._run, self._fabric, self._request, self._progress = run, fabric, request, progress
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def begin(self) -> None:
        """Before the first step.

        Raises:
            Interrupted: a signal was received.
        """
        if (asked := self.asked()) > LATE:
            raise self._interrupted(asked, "before the first step")

    def asked(self) -> int:
        """Whether the process of any device was asked to stop: a code, or 0."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        own = self._request.signal.value + SIGNALS if self._request.signal is not None else LATE * late
        if self._fabric.world_size == 1:
            return own
        most: Any = self._fabric.all_reduce(torch.tensor(own, device=self._fabric.device), reduce_op="max")
        return int(most)

    def tell(self, asked: int, reached: Place, stage: Stage, steps: int) -> None:
        """Say that everything is saved.

        Args:
            asked: the code.
            reached: the place.
            stage: its stage.
            steps: the stage's number of steps.

        Raises:
            Interrupted: a signal was received.
        """
        if asked > LATE:
            raise self._interrupted(asked, f"after step {reached.total}, saved")
        if reached.step < steps:
            done = f"stage '{stage.name}' is saved after {reached.step:,} of {steps:,} steps"
            self._progress.say(f"the time is over: {done}; {self._again}")

    def _interrupted(self, asked: int, when: str) -> Interrupted:
        found = signal.Signals(asked - SIGNALS)
        message = f"stopped by {found.name} {when}; {self._again}"
        return Interrupted(message, found.value, told=not self._fabric.is_global_zero)

    @property
    def _again(self) -> str:
        return f"resume with: gantk train {self._run.typed}"

    def tell_idle(self, reached: Place, settings: TrainSettings) -> None:
        """Say that the figure of `keep_best` got no better."""
        many = f"{settings.patience} measurement{'s' * (settings.patience > 1)}"
        self._progress.say(
            f"stopped at step {reached.total} after {many} of {settings.keep_best} without a better one; "
            f"train on with: gantk train {self._run.typed} --set train.patience=0"
        )
