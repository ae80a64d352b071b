"""What is told and logged of a stage while it is played: the means of its values, its speed and the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from gantk.duration import duration
from gantk.run.log import Log
from gantk.schedule import Stage
from gantk.training.averages import Averages
from gantk.training.progress import Progress
from gantk.training.runaway import Runaway

__all__ = ["Reports"]

EARLY = 5.0
"""Seconds into a stage after which its duration is printed."""

INSTANT = 1e-6
"""The shortest time that is divided by, in seconds: clocks of virtual machines may stand still."""


class Reports:
    """The reports of one stage, from its beginning or from where training is resumed.

    Args:
        stage: the stage.
        steps: its number of steps.
        done: those that are done.
        interval: the result of `state`, to go on from it.
        device: the device of the values, which is named beside the stage's duration.
        progress: receives the reports.
        log: receives them too; `None` on all devices but the first.
    """

    def __init__(
        self,
        stage: Stage,
        steps: int,
        done: int,
        interval: Mapping[str, Any],
        device: torch.device,
        progress: Progress,
        log: Log | None,
    ) -> None:
        self._stage, self._steps, self._device, self._progress, self._log = stage, steps, device, progress, log
        self._images = stage.batch_size * stage.batches()
        self._averages, self._runaway = Averages(interval, device), Runaway()
        self._since, self._first = time.monotonic(), done
        self._early: float | None = self._since + EARLY
        progress.start(stage.name, steps, done, self._images)

    def add(self, turns: Iterable[Mapping[str, Tensor | float]], done: int) -> None:
        """Add the values of a step's turns; soon after the beginning, tell how long the stage takes.

        Args:
            turns: the values.
            done: the steps that are done now.
        """
        for values in turns:
            self._averages.add(values)
        self._progress.step()
        if self._early is not None and time.monotonic() > self._early and done < self._steps:
            left = (time.monotonic() - self._since) / (done - self._first) * (self._steps - done)
            self._progress.say(f"{self._stage.name}: {duration(left)} left on this machine ({self._device})")
            self._early = None

    def share(self, mean: Callable[[Tensor], Tensor]) -> None:
        """Take the means over devices of what was added; all devices call it at the same step.

        Args:
            mean: the mean of a tensor over devices.
        """
        self._averages.share(mean)

    def report(self, done: int, total: int) -> None:
        """Tell and log the means since the last report.

        Args:
            done: the steps of the stage that are done.
            total: those of the run.
        """
        rate = (done - self._first) * self._images / max(time.monotonic() - self._since, INSTANT)
        entry, values = self.entry(done, total), self._averages.take()
        self._progress.report(values, rate, (self._steps - done) * self._images / rate)
        if self._log:
            self._log.write({**entry, "values": values, "images_per_second": round(rate, 1)})
        for warning in self._runaway.warnings(values):
            self._progress.say(f"step {total}: warning: {warning}")
        self._since, self._first = time.monotonic(), done

    def entry(self, done: int, total: int) -> dict[str, Any]:
        """The first entries of a line of the log."""
        return {
            "step": total,
            "stage": self._stage.name,
            "stage_step": done,
            "stage_images": done * self._images,
            "stage_seconds": round(self._averages.seconds, 3),
            "time": round(time.time(), 3),
        }

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint, so that a resumed run reports the same means."""
        return self._averages.state()
