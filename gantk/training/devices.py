"""The devices that a model is trained on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import torch

from gantk.building.train_settings import TrainSettings
from gantk.errors import UsageError, WorkError
from gantk.training.fabric import Fabric, MixedPrecision

__all__ = ["Autocast", "autocast_of", "fabric_of", "is_of_connection", "launch", "measured_on"]

Autocast = Callable[[], AbstractContextManager[Any]]
"""Makes a context in which networks compute in some precision."""

LAUNCHER = "GANTK_LAUNCHER"
"""The environment variable that tells a process which one started it, as another device of the same training."""

INTERVAL = 0.5
"""Seconds between two looks at the process that started this one."""


def fabric_of(settings: TrainSettings) -> Fabric:
    """Lightning Fabric with these settings; raises `UsageError` if this machine does not support them."""
    try:
        return Fabric(
            accelerator=settings.accelerator,
            devices=settings.devices,
            num_nodes=settings.nodes,
            strategy=settings.strategy,
        )
    except (ValueError, RuntimeError, ImportError) as error:
        names = ("accelerator", "devices", "nodes", "strategy")
        chosen = ", ".join(f"{name}={getattr(settings, name)}" for name in names)
        raise UsageError(f"train: {chosen}: {str(error).rstrip('.')}.") from error


def autocast_of(precision: str, fabric: Fabric) -> Autocast:
    """What a player's objective is computed in: `32-true` or `bf16-mixed`."""
    if precision == "32-true":
        return nullcontext
    return MixedPrecision(cast(Any, precision), fabric.device.type).forward_context


def measured_on(fabric: Fabric, settings: TrainSettings) -> list[torch.device]:
    """The accelerators that measurements are divided among: those of this machine, while the others wait.

    Empty for a single one, and on a CPU, whose cores a single process uses.
    """
    kind = fabric.device.type
    count = 0 if kind == "cpu" else min(settings.devices, torch.accelerator.device_count())
    return [torch.device(kind, index) for index in range(count)] if count > 1 else []


def is_of_connection(error: RuntimeError) -> bool:
    """Whether processes could not talk to each other; errors of gloo have no type of their own."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def launch(fabric: Fabric) -> None:
    """Start the processes of all devices, and connect them.

    If the first process ends before that, so do those that it started, within a second. Otherwise they would wait for
    it until the connection times out, after half an hour.

    Raises:
        WorkError: the process of another device ended, or could not be reached, before all were connected.
    """
    try:
        _launch(fabric)
    except RuntimeError as error:
        if not is_of_connection(error):
            raise
        raise WorkError(
            "stopped, since the process of another device ended, or could not be reached, before all were connected; "
            "run the command again."
        ) from error


def _launch(fabric: Fabric) -> None:
    launcher = os.environ.pop(LAUNCHER, None)
    if launcher is not None:
        with _ending_with(launcher):
            fabric.launch()
        return
    os.environ[LAUNCHER] = str(os.getpid())
    try:
        fabric.launch()
    finally:
        del os.environ[LAUNCHER]


@contextmanager
def _ending_with(launcher: str) -> Iterator[None]:
    connected = threading.Event()

    def watch() -> None:
        while str(os.getppid()) == launcher:
            if connected.wait(INTERVAL):
                return
        os.write(2, b"gantk: error: stopped, since the process that started this one has ended.\n")
        os._exit(1)

    watching = threading.Thread(target=watch, name="gantk-launcher", daemon=True)
    watching.start()
    try:
        yield
    finally:
        connected.set()
        watching.join()
