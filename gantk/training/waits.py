"""Operators for which the processor waits for a device: they read its tensors, or hand it numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Waits"]

READS = (
    *("_local_scalar_dense", "is_nonzero", "item", "equal", "allclose"),
    *("nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "bincount", "repeat_interleave"),
)
"""Operators whose result, or its shape, depends on values of tensors."""
INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_")
MOVES = ("_to_copy", "copy_")
HANDS = "lift_fresh"
"""What `torch.tensor` does with numbers: on another device than the CPU, a copy that is waited for."""


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts, while it is entered, the operators for which the processor would wait for a device.

    Args:
        device: the device. On a CPU nothing waits; the operators that would on another device are counted all the same,
            except copies from one device to another, of which there are none.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._type = device.type
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*arguments, **(options or {}))
        if self._waits(function.overloadpacket.__name__, arguments, result):
            self.found[function.overloadpacket.__name__] += 1
        return result

    def _waits(self, name: str, arguments: tuple[Any, ...], result: Any) -> bool:
        tensors = [each for each in arguments if isinstance(each, Tensor)]
        if name in MOVES:
            return any(each.device != result.device for each in tensors)
        if not any(each.device.type == self._type for each in tensors):
            return False
        if name in INDEXED:
            return any(isinstance(each, Tensor) and each.dtype in (torch.bool, torch.uint8) for each in arguments[1])
        return name in READS or name.startswith(HANDS)
