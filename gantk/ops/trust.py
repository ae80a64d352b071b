"""Native code for GPUs is compared with plain torch at first use, and replaced by it if they differ."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import torch

from gantk.errors import NativeMismatch, WorkError, briefly

__all__ = ["CHECKED", "fault", "trusted"]

Check = Callable[[torch.device], str]
"""Compares native code with its reference on a device: what differs; empty if nothing does."""

CHECKED = {"cuda"}
"""Types of devices whose native code is compared at first use; that of the CPU is compared by the tests."""


def fault(check: Check, device: torch.device) -> str:
    """What a check finds, or the error that it ends with; empty if native code is right."""
    try:
        with torch.inference_mode(False), torch.autocast(device.type, enabled=False):
            return check(device)
    except (RuntimeError, WorkError) as error:  # such as a kernel that was not compiled for this GPU
        return briefly(error)


def trusted(check: Check, device: torch.device) -> bool:
    """Whether native code may be used on a device: the check takes place once per process and device.

    Warns:
        NativeMismatch: once, if it may not.
    """
    return device.type not in CHECKED or _trusted(check, device)


@functools.cache
def _checked(check: Check, device: torch.device) -> bool:
    found = fault(check, device)
    if found:
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        warnings.warn(
            f"native code differs from plain torch on {device} ({name}), and is not used there: {found}. "
            "Please report it with the output of gantk doctor --check.",
            NativeMismatch,
            stacklevel=2,
        )
    return not found


def _look_up(check: Check, device: torch.device) -> bool:
    return _checked(check, device)


# torch.compile calls it while it traces, and does not trace it, which it would do with a cached function. What
# torch.compiler.assume_constant_result does, without its import of the compiler, which takes seconds.
_look_up._dynamo_marked_constant = True  # type: ignore[attr-defined]
_trusted: Callable[[Check, torch.device], bool] = _look_up
