"""Call the native search on the CPU; it checks every argument."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gantk.ops import native
from gantk.ops.knn.plan import ERROR_MARGIN, ROUNDING, Plan

__all__ = ["search"]

FUNCTIONS = {torch.uint8: "knn_u8", torch.float32: "knn_f32", torch.float64: "knn_f64"}


def search(
    x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int, progress: Callable[[float], object] | None
) -> tuple[Tensor, Tensor]:
    """Distances `[N, k]` and indices `[N, k]`, or `[N, 0]` if they are not requested."""
    x = x.contiguous()
    among = x if reference is None else reference.contiguous()
    distances = torch.empty((len(x), k), dtype=torch.float64)
    found = torch.empty((len(x), k if indices else 0), dtype=torch.int64)
    if len(x) == 0:
        return distances, found
    exact = x.dtype == torch.uint8
    plan = Plan.for_shrinking_lists(len(among), k, exact=exact)
    getattr(native.cpu(), FUNCTIONS[x.dtype])(
        among,
        None if reference is None else x,
        k,
        block,
        torch.get_num_threads(),
        plan.sample,
        plan.rank,
        plan.capacity,
        *(() if exact else (ERROR_MARGIN, ROUNDING)),
        progress,
        distances,
        found if indices else None,
    )
    return distances, found
