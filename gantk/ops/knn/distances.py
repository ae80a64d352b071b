"""Exact nearest neighbours."""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal, SupportsIndex, overload

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.ops import native
from gantk.ops.knn import cpu, cuda, cuda_float, plain

__all__ = ["check_values", "knn_distances"]

Progress = Callable[[float], object]

MANY = 2**31
"""Multiplications, above which the plain-torch search is worth a warning: some seconds."""

PART = 2**24
"""Values that are looked at together for one that is not finite."""

LARGEST = 1e150
"""Magnitude of a value: float64 holds the sum of many squares of what is below."""

_progress: ContextVar[Progress | None] = ContextVar("progress", default=None)
"""Whom the search that is running tells: no operator's schema can hold a function."""


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
    """Euclidean distances from each point to its k nearest neighbours, exactly.

    Among uint8 points, as images are, squared distances are computed as integers, without rounding, whatever their
    size: that is also the fastest way (docs/ops.md). Distances among float points are those of direct differences in
    float64. A point is never its own neighbour, and another point that equals it is one, at distance 0. Of neighbours
    equally far, the one with the smaller index comes first. The result does not depend on the number of threads
    (`torch.set_num_threads`). torch.compile leaves a call out of its graph, as what is checked depends on the values;
    `torch.ops.gantk.knn_distances` is the operator itself, unchecked.

    Args:
        x: points `[N, D]`, or `[N, C, H, W]` as images are; uint8 or any float type, on the CPU or a CUDA device.
        k: how many neighbours, from 1 to N - 1, or to M where there is a reference.
        reference: points `[M, …]` of x's type, shape and device, among which to search; without it, among x itself.
        return_indices: whether to return the neighbours' indices too.
        block: how many points are looked at together, which memory beside the results grows with; chosen unless given.
        progress: told what share of the search is done, 0 to 1, some times a second.

    Returns:
        distances `[N, k]`, float64, ascending; with `return_indices` also indices `[N, k]`, int64.

    Raises:
        UsageError: x or the reference is not such, holds a value that is not finite, or has too few points for k.
    """
    points = _points(x, "x")
    among = points if reference is None else _points(reference, "reference")
    if reference is not None and (points.dtype, points.device, x.shape[1:]) != (
        among.dtype,
        among.device,
        reference.shape[1:],
    ):
        raise UsageError(
            f"x's points are {_described(x)} and the reference's {_described(reference)}; both must be the same."
        )
    most = len(among) - (reference is None)
    if most < 1:
        raise UsageError(
            "x is one point, without a neighbour: give 2 at least."
            if reference is None and len(x)
            else f"{'x' if reference is None else 'reference'} holds no points: the reference set is empty."
        )
    k = _whole("k", k)
    if not 1 <= k <= most:
        raise UsageError(f"k is from 1 to {most} among {len(among)} points, not {k}.")
    block = _whole("block", 0 if block is None else block)
    if block < 0:
        raise UsageError(f"block is a number of points, 1 or more, or 0 to have it chosen, not {block}.")
    if progress is not None and not callable(progress):
        raise UsageError(f"progress is a function of the share that is done, not {progress!r}.")
    told = _progress.set(progress)
    try:
        among_others = None if reference is None else among
        distances, indices = torch.ops.gantk.knn_distances(
            points, among_others, k, return_indices, min(block, len(among))
        )
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
    raise UsageError(f"{name} is a whole number, not {number!r}.")


def _points(x: Tensor, name: str) -> Tensor:
    """`[N, D]`, contiguous: uint8, float32 or float64."""
    if not isinstance(x, Tensor):
        raise UsageError(f"{name} is a tensor, not {type(x).__name__}: torch.from_numpy takes an array.")
    if x.layout != torch.strided:
        raise UsageError(
            f"{name} is a dense tensor, not {str(x.layout).removeprefix('torch.')}: x.to_dense() makes one."
        )
    if x.dtype != torch.uint8 and not x.is_floating_point():
        raise UsageError(f"{name} is uint8, as images are stored, or float, not {x.dtype}: x.float() converts it.")
    if x.ndim < 2 or 0 in x.shape[1:]:
        raise UsageError(f"{name} is [N, D] or [N, C, H, W], points of one number at least, not {list(x.shape)}.")
    if x.device.type not in ("cpu", "cuda"):
        raise UsageError(f"{name} is on the CPU or a CUDA device, not on {x.device.type}: x.cpu() moves it.")
    if x.requires_grad and torch.is_grad_enabled():
        raise UsageError(f"{name} requires gradients, and these distances have none: give {name}.detach().")
    points = x.detach().flatten(1)
    if points.dtype not in (torch.uint8, torch.float64):
        points = points.float()
    points = points.contiguous()
    check_values(points, name)
    return points


def check_values(points: Tensor, name: str) -> None:
    """Refuse `[N, D]` points that have no distances; raises `UsageError`."""
    if not points.is_floating_point():
        return
    rows = max(1, PART // points.shape[1])
    for first in range(0, len(points), rows):
        part = points[first : first + rows]
        if not bool(part.isfinite().all()):
            raise UsageError(f"{name} holds NaN or infinite values, which have no distances: leave those points out.")
        if float(part.abs().amax()) > LARGEST:
            raise UsageError(f"{name} holds values beyond {LARGEST}, whose squares overflow: scale the points.")


def _described(x: Tensor) -> str:
    return f"{list(x.shape[1:])} {x.dtype} on {x.device}".replace("torch.", "")


def _cpu(x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int) -> tuple[Tensor, Tensor]:
    if native.cpu() is not None:
        return cpu.search(x, reference, k, indices, block, _progress.get())
    return _plain(x, reference, k, indices, block)


def _cuda(x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int) -> tuple[Tensor, Tensor]:
    if cuda.why_not(x.device):
        return _plain(x, reference, k, indices, block)
    tell = _progress.get()
    progress = None if tell is None else lambda done, total: tell(done / total)
    if x.dtype == torch.uint8:
        squared, found = cuda.search(x, k, reference, progress)
    else:
        squared, found = cuda_float.search_float(x, k, reference, progress)
    return squared.double().sqrt_(), found if indices else found.new_empty((len(x), 0))


def _plain(x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int) -> tuple[Tensor, Tensor]:
    if len(x) * len(x if reference is None else reference) * x.shape[1] > MANY:
        native.warn_missing("gantk.ops.knn_distances", x.device.type)
    return plain.search(x, reference, k, indices, block, _progress.get())


def _fake(x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int) -> tuple[Tensor, Tensor]:
    distances = x.new_empty((x.shape[0], k), dtype=torch.float64)
    return distances, x.new_empty((x.shape[0], k if indices else 0), dtype=torch.int64)


def _no_gradient(ctx: Any, *grads: Tensor) -> None:
    raise UsageError("the distances of gantk.ops.knn_distances have no gradient; give it detached points.")


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
