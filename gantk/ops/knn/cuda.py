"""Exact nearest neighbors among bytes on a GPU.

Squared distances between uint8 vectors are integers, which the 8-bit products of tensor cores compute exactly. The
search avoids a selection among all pairs:

1. The distances from each row to a random sample of the columns give a threshold: slightly more than k columns should
   be within it.
2. One pass over all pairs appends the columns within a row's threshold to the row's list. In a search among one set of
   points, each pair is computed once, for both of its rows.
3. A list with at least k entries that has not overflowed contains the k nearest, whatever the sample was.
4. The few other rows are searched again, against all columns.

The order within a list is random, but the keys (squared distance, index) are sorted, so results are deterministic: ties
are broken by the smaller index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.ops.knn.cuda_kernels import BLOCK, FAR, INDEX, ByteRows, Kernels, Near, kernels_here, pack, parts, why_not
from gantk.ops.knn.plan import Plan

__all__ = ["Progress", "collect", "sample_thresholds", "search", "why_not"]

Progress = Callable[[int, int], object]

LAUNCH = 2**44
"""Number of byte products per launch: a few hundredths of a second."""
SLICE = 32768
"""Number of dimensions processed at a time if there are too many for 32 bits; a multiple of 64."""


def search(
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
        x: `[N, D]` uint8 on a CUDA device.
        k: from 1 to N − 1, or to the number of rows of the reference.
        reference: `[M, D]` uint8 on the same device.
        progress: receives the number of rows done, and N.
        kernels, plan: replacements for this installation's kernels and plan, for tests.
        list_bytes: memory for lists in bytes; by default, half of the free memory. If the lists of all rows exceed it,
            a search among the rows themselves takes up to twice as long.

    Returns:
        squared distances `[N, k]` int64, ascending, and indices `[N, k]` int64; ties are broken by the smaller index.

    Raises:
        UsageError: k is out of range, there are too many points for one search, or there is no native CUDA code.
    """
    kernels = kernels or kernels_here()
    among = x if reference is None else reference
    check_k(k, len(among), reference is None)
    own = torch.arange(len(x), device=x.device) if reference is None else None
    found = _Found(len(x), k, x.device)
    left = torch.arange(len(x), device=x.device)
    distances: Distances
    if x.shape[1] > kernels.largest_dimension:
        found.bits = len(among).bit_length()
        if x.shape[1] * 255**2 >= 2 ** (63 - found.bits):
            raise UsageError(f"{len(among)} points of {x.shape[1]} dimensions are too many for one search.")
        distances = _WideDistances(kernels, x, among)
    else:
        rows = pack(x)
        columns = rows if reference is None else pack(reference)
        distances = _PackedDistances(kernels, rows, columns)
        if (chosen := plan(len(columns), k)) is not None:
            thresholds = sample_thresholds(kernels, rows, columns, chosen, own)
            again = []
            capacity = max(chosen.capacity, k)
            for ids, keys, counts in collect(kernels, rows, columns, thresholds, capacity, own, list_bytes, progress):
                found.store(ids, keys.topk(k, largest=False).values)
                again.append(ids[counts < k])
            left = torch.cat(again)
            progress = None
    for ids, keys in nearest_dense(distances, left, len(among), k, found.bits, own is not None, progress):
        found.store(ids, keys)
    return found.distances, found.indices


def check_k(k: int, points: int, own: bool) -> None:
    """Raise `UsageError` if there are too few points for k."""
    if not 1 <= k <= points - own:
        raise UsageError(f"k is from 1 to {points - own} for {points} points, not {k}.")


class _Found:
    """The result, row by row."""

    def __init__(self, rows: int, k: int, device: torch.device) -> None:
        self.distances = torch.empty((rows, k), dtype=torch.int64, device=device)
        self.indices = torch.empty_like(self.distances)
        self.bits = INDEX.bit_length()
        """The number of lower bits of a key, which contain the column's index."""

    def store(self, rows: Tensor, keys: Tensor) -> None:
        self.distances[rows] = keys >> self.bits
        self.indices[rows] = keys & (2**self.bits - 1)


def sample_thresholds(kernels: Kernels, rows: ByteRows, columns: ByteRows, plan: Plan, own: Tensor | None) -> Tensor:
    """`[N]` int32: each row's `plan.rank`-th smallest squared distance to a sample of the columns without itself."""
    rng = torch.Generator().manual_seed(len(columns))
    chosen = torch.randperm(len(columns), generator=rng)[: plan.sample].sort().values.to(rows.data.device)
    sample = columns.part(chosen)
    thresholds = torch.empty_like(rows.norms)
    for part in parts(len(rows), len(sample)):
        distances = kernels.dense(rows.part(part), sample)
        if own is not None:
            distances.masked_fill_(own[part, None] == chosen, 2**31 - 1)
        thresholds[part] = distances.topk(plan.rank, largest=False).values[:, -1]
    return thresholds


def collect(
    kernels: Kernels,
    rows: ByteRows,
    columns: ByteRows,
    thresholds: Tensor,
    capacity: int,
    own: Tensor | None,
    list_bytes: int | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield the columns within each row's threshold: row indices, keys `[…, capacity]`, and counts as in `Near.keys`.

    Every row occurs once. `own` are the indices of the rows among the columns, if they are columns. If all rows are the
    columns, each pair is computed once.
    """
    total = len(rows)
    group = max(kernels.tile, (list_bytes or _free_bytes(rows.data.device) // 2) // (8 * capacity))
    launch = max(1, LAUNCH // (len(columns) * rows.data.shape[1]) // kernels.band) * kernels.band

    def tell(done: float) -> None:
        if progress is not None:
            if rows.data.is_cuda:
                torch.cuda.synchronize(rows.data.device)
            progress(round(done * total), total)

    if rows is columns and group >= total:
        near = Near.below(thresholds, capacity)
        for first in range(0, total, launch):
            last = min(first + launch, total)
            kernels.collect_pairs(rows, first, last, near)
            tell(1 - ((total - last) / total) ** 2)
        yield from _entries(near, 0, None)
        return
    for start in range(0, total, group):
        ids = slice(start, min(start + group, total))
        near = Near.below(thresholds[ids], capacity)
        for first in range(ids.start, ids.stop, launch):
            some = slice(first, min(first + launch, ids.stop))
            kernels.collect(rows.part(some), columns, near.part(slice(some.start - start, some.stop - start)))
            tell(some.stop / total)
        yield from _entries(near, start, None if own is None else own[ids])


def _entries(near: Near, start: int, own: Tensor | None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    for part in parts(*near.lists.shape):
        keys, counts = near.part(part).keys(None if own is None else own[part])
        yield torch.arange(start + part.start, start + part.stop, device=keys.device), keys, counts


def _free_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return 2**32
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


Distances = Callable[[Tensor, int, int], Tensor]
"""Squared distances of the rows with these indices to columns first … last − 1: `[rows, last − first]`, integers."""


class _PackedDistances:
    def __init__(self, kernels: Kernels, rows: ByteRows, columns: ByteRows) -> None:
        self._kernels, self._rows, self._columns = kernels, rows, columns

    def __call__(self, ids: Tensor, first: int, last: int) -> Tensor:
        return self._kernels.dense(self._rows.part(ids), self._columns.part(slice(first, last)))


class _WideDistances:
    """Sums over slices of dimensions, each of which fits into 32 bits."""

    def __init__(self, kernels: Kernels, x: Tensor, among: Tensor) -> None:
        self._kernels, self._x, self._among = kernels, x, among

    def __call__(self, ids: Tensor, first: int, last: int) -> Tensor:
        rows = self._x[ids]
        total = torch.zeros((len(ids), last - first), dtype=torch.int64, device=rows.device)
        for start in range(0, rows.shape[1], SLICE):
            columns = self._among[first:last, start : start + SLICE]
            total += self._kernels.dense(pack(rows[:, start : start + SLICE]), pack(columns))
        return total


def nearest_dense(
    distances: Distances, ids: Tensor, columns: int, k: int, bits: int, own: bool, progress: Progress | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """The k smallest keys of some rows, from all their distances; a key's lower `bits` bits are the column's index.

    Yields row indices and `[…, k]` keys; `own` excludes each row itself.
    """
    height = min(2048, max(1, len(ids)))
    width = max(k, BLOCK // height)
    for rows in parts(len(ids), 1, height):
        some = ids[rows]
        best = torch.empty((len(some), 0), dtype=torch.int64, device=ids.device)
        for first in range(0, columns, width):
            last = min(first + width, columns)
            numbers = torch.arange(first, last, device=ids.device)
            keys = (distances(some, first, last).long() << bits) | numbers
            if own:
                keys.masked_fill_(numbers == some[:, None], FAR)
            best = torch.cat((best, keys.topk(min(k, last - first), largest=False).values), dim=1)
            best = best.topk(min(k, best.shape[1]), largest=False).values
        yield some, best
        if progress is not None:
            progress(rows.stop, len(ids))
