"""Compare native code with plain torch, on every device and instruction set of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from gantk.ops import native
from gantk.ops.knn import check as neighbors
from gantk.ops.knn.cuda import why_not
from gantk.ops.losses import check as losses
from gantk.ops.trust import fault
from gantk.report.table import table

__all__ = ["Compared", "compared", "compared_text"]

OPERATIONS = {"knn_distances": neighbors.difference, "fused losses": losses.difference}


@dataclass(frozen=True)
class Compared:
    """An operation on a device."""

    operation: str
    device: str
    """Such as `cuda:0`; on the CPU with the instruction set."""
    fault: str
    """What differs from plain torch; empty if nothing does."""


def compared() -> list[Compared]:
    """Compare every operation that has native code here; none where there is no native code."""
    return [*_on_cpu(), *_on_gpus()]


def _on_cpu() -> Iterator[Compared]:
    device = torch.device("cpu")
    for name in native.state("cpu").usable:
        with native.using(name):
            for operation, check in OPERATIONS.items():
                yield Compared(operation, f"cpu, {name}", fault(check, device))


def _on_gpus() -> Iterator[Compared]:
    for index in range(torch.cuda.device_count()):
        device = torch.device("cuda", index)
        if not why_not(device):
            for operation, check in OPERATIONS.items():
                yield Compared(operation, str(device), fault(check, device))


def compared_text(found: list[Compared]) -> str:
    """The comparisons as a table."""
    if not found:
        return "native code: none to compare; plain torch is used everywhere"
    rows = [(each.operation, each.device, each.fault or "as plain torch") for each in found]
    return table(rows, ("NATIVE CODE", "DEVICE", "RESULTS"))
