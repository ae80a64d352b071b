"""The machine and the versions that something is trained or drawn with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import torch

__all__ = ["device_name", "machine", "processor"]


def machine(device: torch.device | None = None) -> dict[str, str]:
    """This machine in words, without its name.

    Args:
        device: the device that is used, if it is to be told.
    """
    return {
        "system": platform.platform(),
        "processor": processor(),
        **({} if device is None else {"device": device_name(device)}),
        "gantk": version("gantk"),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def processor() -> str:
    """Its cores, and the instruction set that torch uses."""
    return f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"


def device_name(device: torch.device) -> str:
    """A device as `cpu`, or `cuda (NVIDIA H200)`."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
