"""Record a step on a device, and replay it: CUDA graphs behind one interface."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from gantk.training.fabric import Fabric
from gantk.training.waits import Waits

__all__ = ["CudaGraphs", "Recorder", "attributes_of", "recorder_of", "watched"]

T = TypeVar("T")


class Recorder(Protocol):
    """Records what a function does on a device."""

    device: torch.device

    def warm(self, step: Callable[[], T]) -> T:
        """Call a function that is recorded later, as it must be called before; its results count."""

    def record(self, step: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """Record a function.

        Returns:
            what it returned, whose tensors hold nothing until the second result is called, which does on the device
            what the function did, with the same tensors.
        """

    def watch(self, reasons: list[str]) -> AbstractContextManager[None]:
        """Within this context, add to the reasons what could not be recorded."""


class CudaGraphs:
    """Records CUDA graphs. Random numbers are those of the device's generator, from where it stands at a replay.

    Args:
        device: the device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def warm(self, step: Callable[[], T]) -> T:
        """Call the function on another stream, as PyTorch asks for."""
        here = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            found = step()
        here.wait_stream(self._stream)
        return found

    def record(self, step: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        graph = torch.cuda.CUDAGraph()
        # The outer context restores the stream if recording fails.
        with torch.cuda.stream(self._stream), torch.cuda.graph(graph, stream=self._stream):
            found = step()
        return found, graph.replay

    @contextmanager
    def watch(self, reasons: list[str]) -> Iterator[None]:
        before, cpu = torch.cuda.get_sync_debug_mode(), torch.get_rng_state()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield
            finally:
                torch.cuda.set_sync_debug_mode(before)
        if any("synchroniz" in str(each.message) for each in caught):
            reasons.append("a part waits for the device")
        if not torch.equal(cpu, torch.get_rng_state()):
            reasons.append("a part draws random numbers on the CPU")


def recorder_of(fabric: Fabric, wanted: bool) -> Recorder | None:
    """What records steps on these devices; `None` if they are not wanted, or this is no CUDA device, or one of many."""
    if not wanted or fabric.device.type != "cuda" or fabric.world_size > 1:
        return None
    return CudaGraphs(fabric.device)


@contextmanager
def watched(recorder: Recorder, objects: Iterable[object], reasons: list[str]) -> Iterator[None]:
    """Within this context, add to the reasons why what happens in it cannot be recorded.

    Args:
        recorder: what is to record it.
        objects: whose attributes must not change, since they would not in a replay.
        reasons: receives the reasons.
    """
    known = [*objects]
    before, python, numpy = attributes_of(known), random.getstate(), _numpy_state()
    with recorder.watch(reasons), Waits(recorder.device) as waits:
        yield
    if waits.found:
        reasons.append(f"a part reads numbers from the device ({', '.join(waits.found)})")
    if (python, numpy) != (random.getstate(), _numpy_state()):
        reasons.append("a part draws random numbers on the CPU")
    after = attributes_of(known)
    reasons += [f"{key[1]} changes from step to step" for key, value in after.items() if before.get(key) != value]


def _numpy_state() -> tuple[Any, ...]:
    kind, keys, *others = np.random.get_state()
    return (kind, np.asarray(keys).tobytes(), *others)


def attributes_of(objects: Iterable[object]) -> dict[tuple[int, str], object]:
    """What objects hold: numbers and texts by value, everything else by identity."""
    return {
        (number, f"{type(each).__name__}.{name}"): _token(value)
        for number, each in enumerate(objects)
        for name, value in getattr(each, "__dict__", {}).items()
    }


def _token(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return tuple((id(key) if isinstance(key, Tensor) else key, _inner(each)) for key, each in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(map(_inner, value))
    return id(value)


def _inner(value: object) -> object:
    return value if value is None or isinstance(value, (bool, int, float, str)) else id(value)
