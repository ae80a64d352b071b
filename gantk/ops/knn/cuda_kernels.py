"""The kernels of the CUDA search, and their data structures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.ops import native

__all__ = [
    "BLOCK",
    "FAR",
    "INDEX",
    "ByteRows",
    "Kernels",
    "NativeKernels",
    "Near",
    "kernels_here",
    "pack",
    "parts",
    "why_not",
]

FAR = 2**63 - 1
"""A key greater than all others."""
INDEX = 2**32 - 1
"""The bits of a key that contain the column's index; the squared distance is in the bits above."""
BLOCK = 2**24
"""Number of pairs, list entries or values processed at a time outside of the kernels."""


@dataclass(frozen=True, eq=False)
class ByteRows:
    """Rows in the layout of the kernels: `[N, stride]` uint8, zero-padded to a multiple of 64; and their norms."""

    data: Tensor
    norms: Tensor
    """`[N]` int32: sums of squares."""

    def __len__(self) -> int:
        return len(self.data)

    def part(self, which: slice | Tensor) -> ByteRows:
        return ByteRows(self.data[which], self.norms[which])


@dataclass(frozen=True, eq=False)
class Near:
    """The lists that the kernels append to: see `NearLists` in csrc/knn/knn_cuda.h."""

    thresholds: Tensor
    """`[N]` int32: the maximum squared distance of an entry."""
    lists: Tensor
    """`[N, capacity]` int64: keys in any order."""
    counts: Tensor
    """`[N]` int32: number of entries found, which may exceed the capacity."""

    @classmethod
    def below(cls, thresholds: Tensor, capacity: int) -> Near:
        lists = torch.empty((len(thresholds), capacity), dtype=torch.int64, device=thresholds.device)
        return cls(thresholds.contiguous(), lists, torch.zeros_like(thresholds))

    def part(self, which: slice) -> Near:
        return Near(self.thresholds[which], self.lists[which], self.counts[which])

    def keys(self, own: Tensor | None) -> tuple[Tensor, Tensor]:
        """The keys, padded with FAR, and the number of entries in each row; −1 if the list has overflowed.

        `own` are the rows' own indices, if they are among the columns.
        """
        capacity = self.lists.shape[1]
        places = torch.arange(capacity, device=self.lists.device)
        keys = self.lists.masked_fill(places >= self.counts[:, None], FAR)
        counts = self.counts
        if own is not None:
            mine = (keys & INDEX) == own[:, None]
            keys = keys.masked_fill(mine, FAR)
            counts = counts - mine.sum(1)
        return keys, torch.where(self.counts <= capacity, counts, -1)


class Kernels(Protocol):
    """The two kernels: on a GPU, emulated, or in plain torch."""

    tile: int
    band: int
    """Number of rows processed side by side; a launch has a multiple of them."""
    largest_dimension: int

    def dense(self, rows: ByteRows, columns: ByteRows) -> Tensor:
        """All squared distances, `[rows, columns]` int32."""

    def collect(self, rows: ByteRows, columns: ByteRows, near: Near) -> None:
        """Append the columns within every row's threshold to its list."""

    def collect_pairs(self, points: ByteRows, first: int, last: int, near: Near) -> None:
        """As `collect`, for both points of each pair i < j with first ≤ i < last; first is a multiple of the tile."""


class NativeKernels:
    """The kernels of csrc/knn/knn.cu, which run on the current stream of the tensors' device."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self.tile: int = module.knn_tile
        self.band: int = module.knn_band
        self.largest_dimension: int = module.knn_largest_dimension

    def dense(self, rows: ByteRows, columns: ByteRows) -> Tensor:
        distances = torch.empty((len(rows), len(columns)), dtype=torch.int32, device=rows.data.device)
        self._module.knn_dense(rows.data, rows.norms, columns.data, columns.norms, distances, *_where(rows))
        return distances

    def collect(self, rows: ByteRows, columns: ByteRows, near: Near) -> None:
        lists = (near.thresholds, near.lists, near.counts)
        self._module.knn_collect(rows.data, rows.norms, columns.data, columns.norms, *lists, *_where(rows))

    def collect_pairs(self, points: ByteRows, first: int, last: int, near: Near) -> None:
        lists = (near.thresholds, near.lists, near.counts)
        self._module.knn_collect_pairs(points.data, points.norms, first, last, *lists, *_where(points))


def _where(rows: ByteRows) -> tuple[int, int]:
    """The device number and the stream handle; −1 and 0 for the emulation, which works on CPU tensors."""
    device = rows.data.device
    return (rows.data.get_device(), torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0)


def why_not(device: torch.device) -> str:
    """Why the kernels cannot be used on a device; empty if they can."""
    if native.cuda() is None:
        return native.state("cuda").reason
    if device.type != "cuda":
        return f"{device.type} is not a CUDA device"
    if torch.version.hip:
        return "the kernels need an NVIDIA GPU"
    major, minor = torch.cuda.get_device_capability(device)
    return "" if major >= 8 else f"the GPU's compute capability is {major}.{minor}, but the kernels need 8.0"


def kernels_here() -> Kernels:
    """The kernels of this installation.

    Raises:
        UsageError: there are none; check `why_not` before.
    """
    module = native.cuda()
    if module is None:
        raise UsageError(f"the CUDA search needs gantk's native CUDA code: {native.state('cuda').reason}.")
    return NativeKernels(module)


def pack(x: Tensor) -> ByteRows:
    """`[N, D]` uint8 in the layout of the kernels; D is at most 33024, so that squared distances fit into 31 bits."""
    count, dimension = x.shape
    stride = max(64, -(-dimension // 64) * 64)
    data = x.contiguous()
    if stride != dimension or data.data_ptr() % 16:
        data = torch.zeros((count, stride), dtype=torch.uint8, device=x.device)
        data[:, :dimension] = x
    norms = torch.empty(count, dtype=torch.int32, device=x.device)
    for part in parts(count, stride):
        norms[part] = data[part].int().square_().sum(1, dtype=torch.int32)
    return ByteRows(data, norms)


def parts(rows: int, width: int, block: int | None = None) -> Iterator[slice]:
    """Slices of rows with about `block` (default: BLOCK) values, `width` per row."""
    step = max(1, (BLOCK if block is None else block) // max(1, width))
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))
