"""Tensors by name in files of the safetensors format, and whether they are what a model has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

__all__ = ["difference", "first_not_finite", "pieces", "size", "tensors_of"]

TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""The format's names of types."""
HEADER = 1 << 10
"""Bytes that each tensor takes in the header at most, unless its name is longer than most."""


def pieces(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    """A safetensors file in pieces: its header, and each tensor as it lies in memory, without copies on the CPU.

    Raises:
        ValueError: a tensor's type cannot be saved.
    """
    # Wide types first, so that every tensor is aligned.
    ordered = sorted(tensors.items(), key=lambda each: (-each[1].element_size(), each[0]))
    header, end = {}, 0
    for name, tensor in ordered:
        if tensor.dtype not in TYPES:
            raise ValueError(f"{name} is of {tensor.dtype}, which cannot be saved")
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for _, tensor in ordered:
        if tensor.numel():
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            yield flat.view(torch.uint8).numpy().data


def size(tensors: Mapping[str, Tensor]) -> int:
    """Bytes that such a file has at most."""
    return 8 + sum(t.numel() * t.element_size() + HEADER + 6 * len(name) for name, t in tensors.items()) + HEADER


def tensors_of(content: bytes) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        ValueError: it is not such a file.
    """
    try:
        found = load(content)
    except (SafetensorError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        raise ValueError(str(error)) from error
    if odd := next((name for name, tensor in found.items() if tensor.dtype not in TYPES), None):
        raise ValueError(f"{odd} is of {_name(found[odd])}, which no model has")
    return found


def difference(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """How tensors differ in names, shapes or types from those of a model; empty if they do not.

    A model that was saved in half or double precision as a whole is accepted.
    """
    if only := sorted(set(found) ^ set(expected)):
        named = ", ".join(only[:3]) + (", …" if len(only) > 3 else "")
        return f"{named} {'is' if len(only) == 1 else 'are'} only {'there' if only[0] in found else 'in the model'}"
    floating = {tensor.dtype for tensor in found.values() if tensor.is_floating_point()}
    for name, tensor in found.items():
        own = expected[name]
        if tensor.shape != own.shape:
            return f"{name} is {list(tensor.shape)} there and {list(own.shape)} in the model"
        whole = len(floating) == 1 and tensor.is_floating_point() and own.is_floating_point()
        if tensor.dtype != own.dtype and not whole:
            return f"{name} is of {_name(tensor)} there and of {_name(own)} in the model"
    return ""


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def first_not_finite(tensors: Mapping[str, Any]) -> str | None:
    """The name of a tensor that contains NaN or infinity, if there is one."""
    for name, tensor in tensors.items():
        # A sum is several times faster than a test of each number, and finite only if all of them are.
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
            return name
    return None
