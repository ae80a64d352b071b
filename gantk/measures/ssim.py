"""Multi-scale structural similarity of images (Wang, Simoncelli & Bovik 2003)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gantk.errors import UsageError

__all__ = ["ms_ssim", "ssim_scales"]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the paper's five scales, the finest first."""

WINDOW, SIGMA = 11, 1.5
"""Side and standard deviation of the Gaussian window, in pixels."""

LEVELS = 255.0


def ssim_scales(height: int, width: int) -> int:
    """The number of scales, at most five, at which the window fits into the images; at least 1.

    It is 5 from 176 pixels on, 4 at 128, 3 at 64, and 2 at 28 and 32.
    """
    scales, side = 1, min(height, width) // 2
    while side >= WINDOW and scales < len(WEIGHTS):
        scales, side = scales + 1, side // 2
    return scales


def ms_ssim(one: Tensor, other: Tensor) -> Tensor:
    """The similarity of pairs of images: 1 if they are equal, about 0 if they have nothing in common.

    For images smaller than 176 pixels, only the finer scales are used (see `ssim_scales`), with their weights divided
    by their sum; for images smaller than the window, the window is as large as the image. Compare values at one image
    size only.

    Args:
        one: uint8 `[N, C, H, W]`.
        other: uint8 `[N, C, H, W]`, the second image of each pair.

    Returns:
        float64 `[N]`.

    Raises:
        UsageError: the images have another shape or dtype.
    """
    if one.dtype != torch.uint8 or one.shape != other.shape or other.dtype != torch.uint8 or one.ndim != 4:
        raise UsageError(
            f"pairs of images are uint8 [N, C, H, W], not {one.dtype} {list(one.shape)} and {other.dtype} "
            f"{list(other.shape)}."
        )
    height, width = one.shape[2:]
    scales = ssim_scales(height, width)
    weights = torch.tensor(WEIGHTS[:scales], dtype=torch.float64)
    window = _window(min(WINDOW, height, width))
    x, y = one.double(), other.double()
    found = torch.ones(len(x), dtype=torch.float64)
    for scale, weight in enumerate(weights / weights.sum()):
        similarity, contrast = _ssim(x, y, window)
        last = scale == scales - 1
        found *= (similarity if last else contrast).clamp_min(0) ** weight
        x, y = (x, y) if last else (avg_pool2d(x, 2), avg_pool2d(y, 2))
    return found


def _ssim(x: Tensor, y: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """The structural similarity of pairs, and its factor for contrast and structure: `[N]` each."""
    c1, c2 = (0.01 * LEVELS) ** 2, (0.03 * LEVELS) ** 2
    mean_x, mean_y, xx, yy, xy = (_blurred(each, window) for each in (x, y, x * x, y * y, x * y))
    contrast = (2 * (xy - mean_x * mean_y) + c2) / (xx - mean_x.square() + yy - mean_y.square() + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    return (luminance * contrast).mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _blurred(images: Tensor, window: Tensor) -> Tensor:
    """Filtered images, at positions where the whole window lies inside."""
    rows, columns = (_band(window, size) for size in images.shape[2:])
    return rows @ images @ columns.T


def _band(window: Tensor, size: int) -> Tensor:
    """`[size - window + 1, size]`: the window at each position along a line."""
    places = size - len(window) + 1
    found = torch.zeros(places, size, dtype=window.dtype)
    steps = torch.arange(places)[:, None] + torch.arange(len(window))
    return found.scatter_(1, steps, window.expand(places, -1))


def _window(size: int) -> Tensor:
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    found = torch.exp(-0.5 * (places / (SIGMA * size / WINDOW)) ** 2)
    return found / found.sum()
