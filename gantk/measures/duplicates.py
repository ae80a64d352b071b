"""Points that are equal, and points that only rounding tells apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gantk.ops.knn import knn_distances

__all__ = ["distinct", "nearly_equal", "resolution"]

BLOCK = 4096
"""Points that are looked at together."""

UNITS = 4
"""A value that is computed twice, in another order or by way of a factor that is taken back, comes out some units in
the last place apart: so many at most, as a root mean square over a point's numbers."""

DIGITS = {torch.bfloat16: 8, torch.float16: 11, torch.float32: 24, torch.float64: 53}
"""Binary digits of a number, in ascending order."""


def distinct(points: Tensor) -> Tensor:
    """The indices `[M]` of the first of every group of rows of `[N, D]` that are equal in every number.

    Rows are told apart by 128 bits of BLAKE2b: two that differ are taken for equal with a chance of N² / 2^129.
    """
    seen: set[bytes] = set()
    first: list[int] = []
    for start, rows in _blocks(points):
        rows = rows.cpu().contiguous()
        rows = rows + 0.0 if rows.is_floating_point() else rows  # -0.0 equals 0.0, and has other bits
        for index, row in enumerate(rows.numpy(), start):
            digest = hashlib.blake2b(row, digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                first.append(index)
    return torch.tensor(first, dtype=torch.int64)


def resolution(points: Tensor, nearest: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """How far apart rounding alone can put two copies of each point, where its nearest neighbor may be one.

    That is UNITS × the length of the vector of the units in the last place of a point's numbers, in the coarsest type
    that holds all points as they are: float16 data that somebody has converted are still as coarse as float16. Whole
    numbers are counts or levels, which nothing has rounded.

    Args:
        points: `[N, D]`.
        nearest: `[N]`, each point's distance to its nearest neighbor; where that is beyond all rounding, 0 is returned.
        dtype: the type that the points came in; theirs unless told.

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
    """The suspects that lie within their reach of an earlier point, ascending: `[M]`, indices of `[N, D]` points.

    Args:
        points: `[N, D]`, of which no two are equal.
        suspects: indices of points, ascending, that include both of every two that lie so near.
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
    """Of the coarsest type that holds all points as they are, and is no finer than `dtype`."""
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
