"""Divide images, features and neighbors among several devices of this machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from queue import SimpleQueue
from typing import TypeVar

import torch

from gantk.errors import UsageError

__all__ = ["current_devices", "on_devices", "spread"]

C = TypeVar("C")
T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Items per device that are given out before the first of them is asked for, so that no device waits for the caller."""

_devices: ContextVar[tuple[torch.device, ...]] = ContextVar("devices", default=())


@contextmanager
def on_devices(devices: int | Sequence[str | torch.device]) -> Iterator[None]:
    """Within this context, generate images, extract features and find nearest neighbors on several devices at once.

    The results are those of one device of their kind: each device computes whole batches, or all neighbors of some of
    the points::

        with gantk.on_devices(4):
            gantk.evaluate("runs/x", n=50_000)

    Args:
        devices: how many of this machine's accelerators, such as GPUs, 1 or more; or which, such as
            `["cuda:0", "cuda:2"]`.

    Raises:
        UsageError: this machine has fewer, or no such devices.
    """
    set_before = _devices.set(_counted(devices) if isinstance(devices, int) else _named(devices))
    try:
        yield
    finally:
        _devices.reset(set_before)


def current_devices() -> tuple[torch.device, ...]:
    """The devices of the innermost `on_devices`; empty outside."""
    return _devices.get()


def spread(own: C, copy: Callable[[C, torch.device], C], call: Callable[[C, T], R], items: Iterable[T]) -> Iterator[R]:
    """Call a function for each item, on whichever device is free; the results are in the order of the items.

    Outside of `on_devices`, there are no threads and no copies.

    Args:
        own: what the function needs, such as a network.
        copy: copies it to a device; called once for each.
        call: the function; without gradients, and in a thread for each device.
        items: its second arguments.
    """
    devices = current_devices()
    if not devices:
        yield from (call(own, item) for item in items)
        return
    free: SimpleQueue[tuple[torch.device, C]] = SimpleQueue()
    for device in devices:
        free.put((device, copy(own, device)))

    def called(item: T) -> R:
        device, copied = free.get()
        try:
            with torch.no_grad(), _current(device):
                return call(copied, item)
        finally:
            free.put((device, copied))

    given: deque[Future[R]] = deque()
    with ThreadPoolExecutor(len(devices), "gantk-device") as pool:
        try:
            for item in items:
                given.append(pool.submit(called, item))
                if len(given) >= AHEAD * len(devices):
                    yield given.popleft().result()
            while given:
                yield given.popleft().result()
        finally:
            for each in given:
                each.cancel()


def _current(device: torch.device) -> AbstractContextManager[object]:
    """Kernels are started on the thread's current device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _counted(number: int) -> tuple[torch.device, ...]:
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    there = torch.accelerator.device_count() if found is not None else 0
    if isinstance(number, bool) or number < 1:
        raise UsageError(f"devices is a number of accelerators, 1 or more, not {number}.")
    if found is None or number > there:
        has = f"has {there}" if there else "has none, and computes on its CPU, with all of its cores"
        raise UsageError(f"{number} accelerators are asked for, but this machine {has}: use fewer devices.")
    return tuple(torch.device(found.type, index) for index in range(number))


def _named(devices: Sequence[str | torch.device]) -> tuple[torch.device, ...]:
    found = []
    for each in devices:
        try:
            found.append(torch.empty(0, device=each).device)
        except (RuntimeError, AssertionError, TypeError) as error:  # torch without CUDA asserts
            raise UsageError(f"device {each!r} is not available on this machine: {error}.") from error
    if not found:
        raise UsageError("the list of devices is empty.")
    return tuple(found)
