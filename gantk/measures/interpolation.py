"""Paths between two noise vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

__all__ = ["PATHS", "linear", "spherical", "strips"]

Path = Callable[[Tensor, Tensor, Tensor], Tensor]


def linear(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """(1 - t)·start + t·end; `[…, dim]` each, t `[…, 1]` in [0, 1]."""
    return torch.lerp(start, end, t)


def spherical(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Along the great circle (Shoemake 1985; White 2016, arXiv:1609.04468), lengths interpolated linearly.

    If the points are collinear with the origin, the great circle is undefined and the path is linear.
    """
    lengths = start.norm(dim=-1, keepdim=True), end.norm(dim=-1, keepdim=True)
    one, other = (v / n.clamp_min(torch.finfo(v.dtype).tiny) for v, n in zip((start, end), lengths, strict=True))
    # Kahan's formula: the arccos of the dot product loses half of its digits near 0 and π.
    angle = 2 * torch.atan2((one - other).norm(dim=-1, keepdim=True), (one + other).norm(dim=-1, keepdim=True))
    sine = torch.sin(angle)
    safe = sine.clamp_min(1e-6)
    direction = torch.sin((1 - t) * angle) / safe * one + torch.sin(t * angle) / safe * other
    on_circle = torch.lerp(lengths[0], lengths[1], t) * direction
    return torch.where((sine > 1e-4) & (lengths[0] * lengths[1] > 0), on_circle, linear(start, end, t))


PATHS: Mapping[str, Path] = {"linear": linear, "spherical": spherical}


def strips(points: Tensor, steps: int, path: Path) -> Tensor:
    """Rows of `steps` points on paths from points 0, 2, 4, … to points 1, 3, 5, … of `[2 · rows, dim]`.

    Returns:
        `[rows · steps, dim]`.
    """
    start, end = points[0::2].unsqueeze(1), points[1::2].unsqueeze(1)
    t = torch.linspace(0, 1, steps, device=points.device, dtype=points.dtype).view(1, steps, 1)
    return path(start, end, t).flatten(0, 1)
