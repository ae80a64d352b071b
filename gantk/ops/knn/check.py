"""Compare the native neighbor search with plain torch, on a few hundred points."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk.ops.knn import cpu, cuda, cuda_float, plain

__all__ = ["difference"]

POINTS, DIMENSIONS, K = 300, 70, 5


def difference(device: torch.device) -> str:
    """The first search whose neighbors differ from those of plain torch on a device; empty if none does."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (POINTS, DIMENSIONS), generator=generator, dtype=torch.uint8)
    pixels[7] = pixels[3]  # a duplicate
    for dtype in (torch.uint8, torch.float32, torch.float64):
        points = (pixels if dtype == torch.uint8 else torch.randn(pixels.shape, generator=generator)).to(device, dtype)
        for among in (None, points[POINTS // 3 :]):
            distances, indices = _native(points, among)
            expected, nearest = plain.search(points, among, K, True, 0, None)
            what = f"the neighbors of {str(dtype).removeprefix('torch.')} points"
            off = (distances - expected).abs().amax().item()
            if not off <= 1e-9 * expected.amax().item():
                return f"{what}: a distance differs by {off:.2g}"
            if not torch.equal(indices, nearest):
                return f"{what}: other indices"
    return ""


def _native(points: Tensor, among: Tensor | None) -> tuple[Tensor, Tensor]:
    if points.device.type == "cpu":
        return cpu.search(points, among, K, True, 0, None)
    search = cuda.search if points.dtype == torch.uint8 else cuda_float.search_float
    squared, found = search(points, K, among)
    return plain.roots(squared.double()), found
