"""Exact nearest neighbors."""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal, SupportsIndex, overload

import torch
from torch import Tensor
from torch.autograd import forward_ad

from gantk.errors import UsageError
from gantk.ops import native
from gantk.ops.knn import check, cpu, cuda, cuda_float, plain
from gantk.ops.knn.divided import search_divided
from gantk.ops.trust import trusted
from gantk.spread import current_devices

__all__ = ["check_values", "knn_distances"]

Progress = Callable[[float], object]

MANY = 2**31
"""Number of multiplications from which the plain-torch search warns: a few seconds."""

PART = 2**24
"""Number of values checked at a time."""

LARGEST = 1e150
"""Maximum magnitude of a value: sums of many squares stay finite in float64."""

_progress: ContextVar[Progress | None] = ContextVar("progress", default=None)
"""The progress callback of the running search: an operator's schema cannot contain a function."""


@overload
def knn_distances(
    x: Tensor,
    k: SupportsIndex,
    *,
    reference: Tensor | None = ...,
    return_indices: Literal[False] = ...,
    block: SupportsIndex | None = ...,
    progress: Progress | None = ...,
) -> Tensor: ...


@overload
def knn_distances(
    x: Tensor,
    k: SupportsIndex,
    *,
    reference: Tensor | None = ...,
    return_indices: Literal[True],
    block: SupportsIndex | None = ...,
    progress: Progress | None = ...,
) -> tuple[Tensor, Tensor]: ...


def knn_distances(
    x: Tensor,
    k: SupportsIndex,
    *,
    reference: Tensor | None = None,
    return_indices: bool = False,
    block: SupportsIndex | None = None,
    progress: Progress | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Compute the exact Euclidean distances from each point to its k nearest neighbors.

    For uint8 points, such as images, squared distances are computed as integers without rounding; this is also the
    fastest way (docs/ops.md). For float points, distances are computed from direct differences in float64. A point is
    never its own neighbor, but an exact duplicate of it is one, at distance 0. Ties are broken by the smaller index.
    The result does not depend on the number of threads (`torch.set_num_threads`). Within `gantk.on_devices`, each
    device searches the neighbors of some points. A call breaks the graph of
    torch.compile, because the checks depend on the values; the operator `torch.ops.gantk.knn_distances` does not.

    Args:
        x: points `[N, D]`, or images `[N, C, H, W]`; uint8 or any float dtype, on the CPU or a CUDA device.
        k: number of neighbors, from 1 to N - 1, or to M with a reference.
        reference: points `[M, …]` to search, of x's dtype, shape and device; by default x itself.
        return_indices: whether to return the indices of the neighbors too.
        block: number of points processed together, which determines the memory besides the results; by default chosen
            automatically.
        progress: receives the fraction of the search done, 0 to 1, several times a second.

    Returns:
        distances `[N, k]`, float64, ascending; with `return_indices` also indices `[N, k]`, int64.

    Raises:
        UsageError: x or the reference is invalid, contains non-finite values, or has too few points for k.
    """
    points = _points(x, "x")
    among = points if reference is None else _points(reference, "reference")
    if reference is not None and (points.dtype, points.device, x.shape[1:]) != (
        among.dtype,
        among.device,
        reference.shape[1:],
    ):
        raise UsageError(
            f"points of x are {_described(x)}, but those of the reference {_described(reference)}; expected the same."
        )
    k = _whole("k", k)
    block = _whole("block", 0 if block is None else block)
    if progress is not None and not callable(progress):
        raise UsageError(f"progress is a function of the fraction done, not {progress!r}.")
    among_others = None if reference is None else among
    if current_devices() and len(points):
        _check(points, among_others, k, block)
        distances, indices = search_divided(points, among_others, k, return_indices, block, progress)
    else:
        told = _progress.set(progress)
        try:
            distances, indices = torch.ops.gantk.knn_distances(points, among_others, k, return_indices, block)
        finally:
            _progress.reset(told)
    if progress is not None:
        progress(1.0)
    return (distances, indices) if return_indices else distances


def _whole(name: str, number: SupportsIndex) -> int:
    try:
        if not isinstance(number, bool):
            return operator.index(number)
    except TypeError:
        pass
    raise UsageError(f"{name} is an integer, not {number!r}.")


def _points(x: Tensor, name: str) -> Tensor:
    """`[N, D]`, contiguous: uint8, float32 or float64."""
    if not isinstance(x, Tensor):
        raise UsageError(f"{name} is a tensor, not {type(x).__name__}: convert arrays with torch.from_numpy.")
    if x.layout != torch.strided:
        raise UsageError(
            f"{name} is a dense tensor, not {str(x.layout).removeprefix('torch.')}: convert it with x.to_dense()."
        )
    if x.dtype != torch.uint8 and not x.is_floating_point():
        raise UsageError(f"{name} is uint8, such as images, or float, not {x.dtype}: convert it with x.float().")
    if x.ndim < 2 or 0 in x.shape[1:]:
        raise UsageError(f"{name} is [N, D] or [N, C, H, W] with non-empty points, not {list(x.shape)}.")
    if x.device.type not in ("cpu", "cuda"):
        raise UsageError(f"{name} is on the CPU or a CUDA device, not on {x.device.type}: move it with x.cpu().")
    if (x.requires_grad and torch.is_grad_enabled()) or _has_tangent(x):
        raise UsageError(f"{name} requires gradients, but these distances have none: pass {name}.detach().")
    points = x.detach().flatten(1)
    if points.dtype not in (torch.uint8, torch.float64):
        points = points.float()
    return points.contiguous()


def check_values(points: Tensor, name: str) -> None:
    """Raise `UsageError` if `[N, D]` points contain non-finite or too large values."""
    if not points.is_floating_point():
        return
    rows = max(1, PART // points.shape[1])
    for first in range(0, len(points), rows):
        part = points[first : first + rows]
        if not bool(part.isfinite().all()):
            raise UsageError(f"{name} contains NaN or infinite values: remove those points.")
        if float(part.abs().amax()) > LARGEST:
            raise UsageError(
                f"{name} contains values above {LARGEST} in magnitude, whose squares overflow: scale the points."
            )


def _described(x: Tensor) -> str:
    return f"{list(x.shape[1:])} {x.dtype} on {x.device}".replace("torch.", "")


def _has_tangent(x: Tensor) -> bool:
    return forward_ad.unpack_dual(x).tangent is not None  # type: ignore[no-untyped-call]


def _check(x: Tensor, reference: Tensor | None, k: int, block: int) -> int:
    """Check the operator's arguments, whoever calls it; return the block, at most as large as the points."""
    for name, points in (("x", x), ("reference", x if reference is None else reference)):
        if points.dtype not in (torch.uint8, torch.float32, torch.float64) or points.ndim != 2 or not points.shape[1]:
            raise UsageError(f"{name} is [N, D] of uint8, float32 or float64, not {list(points.shape)} {points.dtype}.")
        if (points.dtype, points.device, points.shape[1]) != (x.dtype, x.device, x.shape[1]):
            raise UsageError(f"x is {_described(x)}, but the reference {_described(points)}; expected the same.")
    among = x if reference is None else reference
    most = len(among) - (reference is None)
    if most < 1:
        raise UsageError(
            "x is one point, which has no neighbors: expected at least 2."
            if reference is None and len(x)
            else f"{'x' if reference is None else 'reference'} contains no points: the reference set is empty."
        )
    if not 1 <= k <= most:
        raise UsageError(f"k is from 1 to {most} among {len(among)} points, not {k}.")
    if block < 0:
        raise UsageError(f"block is a number of points, 1 or more, or 0 for automatic, not {block}.")
    check_values(x, "x")
    if reference is not None:
        check_values(reference, "reference")
    return min(block, len(among))


def _cpu(x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int) -> tuple[Tensor, Tensor]:
    block = _check(x, reference, k, block)
    if native.cpu() is not None:
        return cpu.search(x, reference, k, indices, block, _progress.get())
    return _plain(x, reference, k, indices, block)


def _cuda(x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int) -> tuple[Tensor, Tensor]:
    block = _check(x, reference, k, block)
    if cuda.why_not(x.device) or not trusted(check.difference, x.device):
        return _plain(x, reference, k, indices, block)
    tell = _progress.get()
    progress = None if tell is None else lambda done, total: tell(done / total)
    if x.dtype == torch.uint8:
        squared, found = cuda.search(x, k, reference, progress)
    else:
        squared, found = cuda_float.search_float(x, k, reference, progress)
    return plain.roots(squared.double()), found if indices else found.new_empty((len(x), 0))


def _plain(x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int) -> tuple[Tensor, Tensor]:
    if len(x) * len(x if reference is None else reference) * x.shape[1] > MANY:
        native.warn_missing("gantk.ops.knn_distances", x.device.type)
    return plain.search(x, reference, k, indices, block, _progress.get())


def _fake(x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int) -> tuple[Tensor, Tensor]:
    distances = x.new_empty((x.shape[0], k), dtype=torch.float64)
    return distances, x.new_empty((x.shape[0], k if indices else 0), dtype=torch.int64)


def _no_gradient(ctx: Any, *grads: Tensor) -> None:
    raise UsageError("the distances of gantk.ops.knn_distances have no gradient: pass detached points.")


Library: Any = torch.library.Library  # untyped, in torch
_library = Library("gantk", "FRAGMENT")
_library.define(
    "knn_distances(Tensor x, Tensor? reference, int k, bool indices, int block) -> (Tensor, Tensor)",
    tags=(torch.Tag.pt2_compliant_tag,),
)
_library.impl("knn_distances", _cpu, "CPU")
_library.impl("knn_distances", _cuda, "CUDA")
torch.library.register_fake("gantk::knn_distances", _fake, lib=_library)
torch.library.register_autograd("gantk::knn_distances", _no_gradient, lib=_library)
