"""Nearest neighbors among floats on a GPU, as exact as direct differences in float64.

The byte search is used as a filter: x is quantized to q = round((x − low) / step). With the quantization error e_i =
|x_i − (step · q_i + low)|, the triangle inequality gives |d_ij − step · |q_i − q_j|| ≤ e_i + e_j. The list of a row is
a set of candidates, whose distances are computed directly; U, the k-th smallest of them, is an upper bound of the k-th
smallest of all. Every point at most U away has |q_i − q_j| ≤ (U + e_i + max e) / step. If the list was made with at
least that threshold, it contains the row's k nearest; other rows are searched again with that threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gantk.ops.knn.cuda import Progress, check_k, collect, sample_thresholds
from gantk.ops.knn.cuda_kernels import BLOCK, FAR, INDEX, ByteRows, Kernels, kernels_here, pack, parts
from gantk.ops.knn.plan import ERROR_MARGIN, ROUNDING, Plan

__all__ = ["search_float"]


def search_float(
    x: Tensor,
    k: int,
    reference: Tensor | None = None,
    progress: Progress | None = None,
    *,
    kernels: Kernels | None = None,
    plan: Callable[[int, int], Plan | None] = Plan.for_lists,
    list_bytes: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Find the k nearest neighbors of each row among the other rows, or among those of `reference`.

    Args:
        x: `[N, D]` float32 or float64 on a CUDA device, with squared distances that are finite in float64.
        k, reference, progress, kernels, plan, list_bytes: as for the search among bytes.

    Returns:
        squared distances `[N, k]` float64, ascending, and indices `[N, k]` int64; ties are broken by the smaller index.

    Raises:
        UsageError: k is out of range, or there is no native CUDA code.
    """
    kernels = kernels or kernels_here()
    among = x if reference is None else reference
    check_k(k, len(among), reference is None)
    everything = torch.arange(len(x), device=x.device)
    own = everything if reference is None else None
    distances = torch.empty((len(x), k), dtype=torch.float64, device=x.device)
    indices = torch.empty((len(x), k), dtype=torch.int64, device=x.device)

    def store(ids: Tensor, squared: Tensor, candidates: Tensor) -> None:
        distances[ids] = squared[:, :k]
        indices[ids] = candidates[:, :k]

    left = everything
    chosen = plan(len(among), k)
    screen = None if chosen is None else _Screen.of(x, among, kernels)
    if chosen is not None and screen is not None:
        rows, columns = screen.rows, screen.columns
        capacity = max(chosen.capacity, k)
        thresholds = sample_thresholds(kernels, rows, columns, chosen, own)
        short, open_ids, open_thresholds = [], [], []
        for ids, keys, counts in collect(kernels, rows, columns, thresholds, capacity, own, list_bytes, progress):
            squared, candidates = _nearest_of(x, among, ids, keys, counts, k)
            store(ids, squared, candidates)
            needed = screen.threshold(ids, squared[:, k - 1])
            enough = counts >= k
            short.append(ids[~enough])
            again = enough & (needed > thresholds[ids])
            open_ids.append(ids[again])
            open_thresholds.append(needed[again])
        progress = None
        some, needed = torch.cat(open_ids), torch.cat(open_thresholds)
        if len(some):
            own = None if own is None else some
            lists = collect(kernels, rows.part(some), columns, needed, 2 * capacity, own, list_bytes)
            for places, keys, counts in lists:
                store(some[places], *_nearest_of(x, among, some[places], keys, counts, k))
                short.append(some[places][counts < k])
        left = torch.cat(short)
    for ids, squared, candidates in _nearest_dense(x, among, left, k, reference is None, progress):
        store(ids, squared, candidates)
    return distances, indices


class _Screen:
    """The points quantized to 8 bits, and their quantization errors."""

    def __init__(self, rows: ByteRows, columns: ByteRows, errors: Tensor, error: float, step: float) -> None:
        self.rows, self.columns = rows, columns
        self._errors, self._error, self._step = errors, error, step

    @classmethod
    def of(cls, x: Tensor, among: Tensor, kernels: Kernels) -> _Screen | None:
        """None if quantization is not possible: too many dimensions for the kernels, or a range beyond float64."""
        if not 1 <= x.shape[1] <= kernels.largest_dimension:
            return None
        low = min(float(x.min()), float(among.min()))
        high = max(float(x.max()), float(among.max()))
        step = (high - low) / 255 or 1.0
        if not math.isfinite((high - low) ** 2 * x.shape[1]) or step * step < 1e-290:
            return None
        rows, errors = _quantised(x, low, step)
        columns, others = (rows, errors) if among is x else _quantised(among, low, step)
        return cls(rows, columns, errors, float(others.max()), step)

    def threshold(self, ids: Tensor, squared: Tensor) -> Tensor:
        """An upper bound of the quantized squared distance of all points within these squared distances of the rows."""
        reach = squared.sqrt() * (1 + ROUNDING) + self._errors[ids] + self._error
        return ((reach / self._step).square() * (1 + ROUNDING) + 1).clamp(max=2**31 - 1).int()


def _quantised(x: Tensor, low: float, step: float) -> tuple[ByteRows, Tensor]:
    data = torch.empty(x.shape, dtype=torch.uint8, device=x.device)
    errors = torch.empty(len(x), dtype=torch.float64, device=x.device)
    for part in parts(*x.shape):
        # The difference is computed first: low + step · level would lose digits if low is large.
        above = x[part].double() - low
        levels = (above / step).round_().clamp_(0, 255)
        errors[part] = (above - levels * step).norm(dim=1) * (1 + ERROR_MARGIN) + step * ERROR_MARGIN
        data[part] = levels.byte()
    return pack(data), errors


def _nearest_of(x: Tensor, among: Tensor, ids: Tensor, keys: Tensor, counts: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The candidates in lists of keys, nearest first, and their squared distances, padded with infinity."""
    nobody = len(among)
    candidates = torch.where(keys == FAR, nobody, keys & INDEX).sort(dim=1).values
    candidates = candidates[:, : max(k, int(counts.max()))]
    # A list that has overflowed is useless, and would be the most expensive.
    candidates = candidates.masked_fill(counts[:, None] < 0, nobody)
    squared = torch.full(candidates.shape, math.inf, dtype=torch.float64, device=x.device)
    places, columns = (candidates < nobody).nonzero(as_tuple=True)
    for part in parts(len(places), x.shape[1]):
        to = among[candidates[places[part], columns[part]]].double()
        squared[places[part], columns[part]] = to.sub_(x[ids[places[part]]]).square_().sum(1)
    found = squared.sort(dim=1, stable=True)
    return found.values, candidates.gather(1, found.indices)


def _nearest_dense(
    x: Tensor, among: Tensor, ids: Tensor, k: int, own: bool, progress: Progress | None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Direct differences of some rows to all columns: row indices, squared distances, indices."""
    height, depth = 64, min(512, max(1, x.shape[1]))
    width = max(1, BLOCK // (height * depth))
    for part in parts(len(ids), 1, height):
        rows = ids[part]
        best = torch.empty((len(rows), 0), dtype=torch.float64, device=x.device)
        indices = torch.empty((len(rows), 0), dtype=torch.int64, device=x.device)
        for first in range(0, len(among), width):
            numbers = torch.arange(first, min(first + width, len(among)), device=x.device)
            squared = torch.zeros((len(rows), len(numbers)), dtype=torch.float64, device=x.device)
            for start in range(0, x.shape[1], depth):
                some = slice(start, start + depth)
                to = among[first : first + width, some].double()
                squared += (x[rows, some].double()[:, None] - to).square_().sum(2)
            if own:
                squared.masked_fill_(numbers == rows[:, None], math.inf)
            best = torch.cat((best, squared), dim=1)
            order = best.sort(dim=1, stable=True)
            best = order.values[:, :k]
            indices = torch.cat((indices, numbers.expand(len(rows), -1)), dim=1).gather(1, order.indices[:, :k])
        yield rows, best, indices
        if progress is not None:
            progress(part.stop, len(ids))
