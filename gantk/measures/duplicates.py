"""Exact duplicates, and points that differ only by rounding error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gantk.ops.knn import knn_distances

__all__ = ["distinct", "nearly_equal", "resolution"]

BLOCK = 4096
"""Number of points processed at a time."""

UNITS = 4
"""Maximum rounding difference in units in the last place (root mean square over a point's coordinates) between two
computations of the same value, for example in another order."""

DIGITS = {torch.bfloat16: 8, torch.float16: 11, torch.float32: 24, torch.float64: 53}
"""Significant binary digits of each dtype, in ascending order."""


def distinct(points: Tensor) -> Tensor:
    """The indices `[M]` of the first row of every group of exactly equal rows of `[N, D]`.

    Rows are compared by 128-bit BLAKE2b hashes: the probability of a false match is N² / 2^129.
    """
    seen: set[bytes] = set()
    first: list[int] = []
    for start, rows in _blocks(points):
        rows = rows.cpu().contiguous()
        rows = rows + 0.0 if rows.is_floating_point() else rows  # -0.0 equals 0.0, but has different bits
        for index, row in enumerate(rows.numpy(), start):
            digest = hashlib.blake2b(row, digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                first.append(index)
    return torch.tensor(first, dtype=torch.int64)


def resolution(points: Tensor, nearest: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """The maximum distance between two copies of a point that differ by rounding error only.

    It is UNITS × the norm of the vector of units in the last place of the point's coordinates, in the coarsest dtype
    that represents all points exactly: converted float16 data still has float16 precision. Integers are counts or
    levels without rounding error.

    Args:
        points: `[N, D]`.
        nearest: `[N]`, each point's distance to its nearest neighbor; if it exceeds any rounding error, the result
            is 0.
        dtype: the original dtype of the points, if it differs from theirs.

    Returns:
        distances `[N]`, float64.
    """
    found = torch.zeros(len(points), dtype=torch.float64, device=points.device)
    if not points.is_floating_point() or _all(points, lambda rows: rows == rows.round()):
        return found
    digits = _digits(points, dtype or points.dtype)
    largest = max(float(rows.abs().amax()) for _, rows in _blocks(points))
    bound = UNITS * 2.0 ** (1 - digits) * largest * points.shape[1] ** 0.5
    (near,) = (nearest <= bound).nonzero(as_tuple=True)
    for start, rows in _blocks(points[near]):
        units = torch.exp2((torch.frexp(rows).exponent - digits).double())
        units[rows == 0] = 0
        found[near[start : start + BLOCK]] = UNITS * torch.linalg.vector_norm(units, dim=1)
    return found


def nearly_equal(points: Tensor, suspects: Tensor, reach: Tensor) -> Tensor:
    """The suspects within their reach of an earlier point: ascending indices `[M]` of `[N, D]` points.

    Args:
        points: `[N, D]`, without exact duplicates.
        suspects: ascending indices of points, which include both points of every such pair.
        reach: `[N]`, float64.
    """
    left, found = suspects, []
    while len(left) > 1:
        among = points[left]
        distances, indices = knn_distances(among, min(8, len(left) - 1), return_indices=True)
        own = torch.arange(len(left), device=left.device)[:, None]
        pairs = distances <= reach[left, None]
        later = torch.zeros(len(left), dtype=torch.bool, device=left.device)
        later[torch.maximum(own, indices)[pairs]] = True
        if not bool(later.any()):
            break
        found.append(left[later])
        left = left[~later]
    return torch.cat(found).sort().values if found else suspects[:0]


def _digits(points: Tensor, dtype: torch.dtype) -> int:
    """The digits of the coarsest dtype, at most `dtype`, that represents all points exactly."""
    for coarser, digits in DIGITS.items():
        if digits >= DIGITS[dtype]:
            break
        if _all(points, lambda rows, coarser=coarser: rows == rows.to(coarser).to(rows.dtype)):  # type: ignore[misc]
            return digits
    return DIGITS[dtype]


def _all(points: Tensor, holds: Callable[[Tensor], Tensor]) -> bool:
    return all(bool(holds(rows).all()) for _, rows in _blocks(points))


def _blocks(points: Tensor) -> Iterator[tuple[int, Tensor]]:
    return ((start, points[start : start + BLOCK]) for start in range(0, len(points), BLOCK))
