"""Refuse a model that is too large before its weights take memory, whoever wrote its parts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from gantk.errors import UsageError
from gantk.memory import VARIABLE, as_text, most_for_weights

__all__ = ["TooLarge", "Weighed"]

SMALL = 2**11
"""Below this, the square of an operation's arguments, multiplied, is a few megabytes."""
META = torch.device("meta")
INSTEAD = {"device": META, "generator": None, "pin_memory": None}
"""Arguments of operations that are others on the meta device."""

OVERHEAD = 1 << 16
"""Bytes that Python's objects around a tensor take, so that a billion small layers are too large as well."""


class TooLarge(UsageError):
    """A model whose weights take more memory than they may."""


class Weighed(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, tensors that live at the same time take no more than a number of bytes.

    Every operation is asked for the shapes of its results on torch's meta device first, which has no memory, unless
    its arguments are too small for more than a few megabytes: those count when they are there.

    Raises:
        TooLarge: an operation would make more; nothing has been allocated for it.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Otherwise torch imports its compiler for the first operation, which takes seconds."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = most_for_weights()
        self._living: dict[int, tuple[StorageWeakRef, int]] = {}
        self._total = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(each.alias_info for each in function._schema.returns):
            return function(*args, **kwargs)  # in place, or a view
        self._check(_bytes_of(function, args, kwargs) if _may_be_large((args, kwargs)) else 0)
        found = function(*args, **kwargs)
        for tensor in filter(_is_tensor, tree_leaves(found)):
            self._keep(tensor)
        return found

    def _check(self, planned: int) -> None:
        if self._total + planned <= self.most:
            return
        self._living = {key: each for key, each in self._living.items() if not _gone(each[0])}
        self._total = sum(size for _, size in self._living.values())
        if self._total + planned > self.most:
            size, most = as_text(self._total + planned), as_text(self.most)
            mend = f"choose smaller options, or allow more with --memory (in Python, the variable {VARIABLE})"
            raise TooLarge(f"weights of {size} are more than the {most} that they may take here: {mend}.")

    def _keep(self, tensor: Tensor) -> None:
        if tensor.is_meta or tensor.layout != torch.strided:
            return
        storage = tensor.untyped_storage()
        reference = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
        size = storage.nbytes() + OVERHEAD
        self._living[reference.cdata] = reference, size
        self._total += size


def _gone(storage: StorageWeakRef) -> bool:
    return bool(storage.expired())  # type: ignore[no-untyped-call]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _may_be_large(arguments: Any) -> bool:
    """Whether an operation may return more than `SMALL` squared numbers in memory.

    None returns more than the square of the product of its arguments: their elements, and what numbers they are.
    """
    leaves, most = tree_leaves(arguments), 1.0
    if any(getattr(each, "device", each) == META for each in leaves):
        return False
    for each in leaves:
        if _is_tensor(each):
            most *= max(1, each.numel())
        elif isinstance(each, int | float):
            most *= max(1.0, abs(each))
    return most > SMALL


def _bytes_of(function: Any, args: Any, kwargs: Any) -> int:
    """Bytes of an operation's results; 0 if they are not known before."""
    args, kwargs = tree_map(_without_memory, (args, kwargs))
    named = {argument.name for argument in function._schema.arguments}
    elsewhere = {name: value for name, value in INSTEAD.items() if name in named}
    try:
        found = function(*args, **{**kwargs, **elsewhere})
    except Exception:  # noqa: BLE001 - not every operation runs on this device; faults are those of the operation itself
        return 0
    return sum(each.numel() * each.element_size() for each in tree_leaves(found) if _is_tensor(each))


def _without_memory(value: Any) -> Any:
    if not _is_tensor(value) or value.layout != torch.strided:
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=META)
