"""The CUDA kernels' work in plain torch, for tests of what is built on them, and the search by brute force."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk.ops.knn.cuda_kernels import ByteRows, Near


class TorchKernels:
    """As csrc/knn/knn.cu, entries of lists in an order of its own."""

    tile = 128
    band = 2048
    largest_dimension = 33024

    def __init__(self) -> None:
        self.calls: list[str] = []

    def dense(self, rows: ByteRows, columns: ByteRows) -> Tensor:
        self.calls.append("dense")
        return _squared(rows.data, columns.data).int()

    def collect(self, rows: ByteRows, columns: ByteRows, near: Near) -> None:
        self.calls.append("collect")
        squared = _squared(rows.data, columns.data)
        _append(near, 0, squared, squared <= near.thresholds[:, None], 0)

    def collect_pairs(self, points: ByteRows, first: int, last: int, near: Near) -> None:
        self.calls.append("collect_pairs")
        assert first % self.tile == 0
        squared = _squared(points.data[first:last], points.data)
        later = torch.arange(len(points)) > torch.arange(first, last)[:, None]
        _append(near, first, squared, later & (squared <= near.thresholds[first:last, None]), 0)
        _append(near, 0, squared.T, (later & (squared <= near.thresholds)).T, first)


def _append(near: Near, first_row: int, squared: Tensor, taken: Tensor, first_column: int) -> None:
    """From the last column to the first."""
    capacity = near.lists.shape[1]
    counts = near.counts[first_row : first_row + len(taken)]
    places = taken.flip(1).cumsum(1).flip(1) - 1 + counts[:, None]
    rows, columns = (taken & (places < capacity)).nonzero(as_tuple=True)
    keys = (squared[rows, columns] << 32) | (columns + first_column)
    near.lists[rows + first_row, places[rows, columns]] = keys
    counts += taken.sum(1).int()


def _squared(rows: Tensor, columns: Tensor) -> Tensor:
    a, b = rows.double(), columns.double()  # integers below 2⁵³: exact
    return ((a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T).round().long()


def brute_force(x: Tensor, k: int, reference: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Squared distances and indices by definition: direct differences, ties by index."""
    among = x if reference is None else reference
    squared = torch.stack([(among.long() - row.long()).square().sum(1) for row in x])
    if reference is None:
        squared.fill_diagonal_(2**62)
    found = squared.sort(dim=1, stable=True)
    return found.values[:, :k], found.indices[:, :k]
