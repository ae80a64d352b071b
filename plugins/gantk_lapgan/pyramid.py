"""The Laplacian pyramid: images of falling size, and what upsampling a smaller one leaves out."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from gantk.nn import Size

__all__ = ["shrunk", "split_evenly", "upsampled"]


def shrunk(images: Tensor, size: Size) -> Tensor:
    """Images `[N, C, H, W]` at a smaller size: the mean over the area of each pixel."""
    return F.adaptive_avg_pool2d(images, size)


def upsampled(images: Tensor, size: Size) -> Tensor:
    """Images `[N, C, H, W]` at a larger size, interpolated linearly."""
    return F.interpolate(images, size, mode="bilinear", align_corners=False)


def split_evenly(total: int, pieces: int) -> Sequence[tuple[int, int]]:
    """(start, end) of `pieces` nearly equal pieces of `total` numbers; the first ones are the longer."""
    short, longer = divmod(total, pieces)
    ends = [short * (index + 1) + min(index + 1, longer) for index in range(pieces)]
    return list(zip([0, *ends[:-1]], ends, strict=True))
