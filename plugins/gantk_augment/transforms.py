"""Random affine maps of images and of their colors, each applied with a probability."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gantk.nn import pixels_at
from gantk_augment.shared import colors_of, uniform

__all__ = ["recolored", "warped"]

SCALE = 0.2
"""Standard deviation of the binary logarithm of a random scale."""
SHIFT = 0.125
"""The most that an image moves by whole pixels, and the standard deviation of other shifts, as shares of its sides."""
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0
"""Standard deviations: of what is added, and of the binary logarithms of two factors."""


class _Draws:
    """Random numbers, one per image, that are neutral except with probability p."""

    def __init__(self, images: Tensor, p: Tensor) -> None:
        self.images, self.count, self.p = images, len(images), p

    def uniform(self) -> Tensor:
        return uniform(self.images, self.count)

    def normal(self) -> Tensor:
        return torch.randn_like(self.uniform())

    def some(self, values: Tensor, neutral: float, p: Tensor | None = None) -> Tensor:
        """Each value with probability p, and else the neutral one."""
        chosen = self.uniform() < (self.p if p is None else p)
        return torch.where(chosen, values, torch.full_like(values, neutral))

    def matrices(self, rows: list[list[Tensor | float]]) -> Tensor:
        """`[N, n, n]` of their entries, each `[N]` or a number for all."""
        like = self.uniform()
        entries = [[e if isinstance(e, Tensor) else torch.full_like(like, e) for e in row] for row in rows]
        return torch.stack([torch.stack(row, dim=-1) for row in entries], dim=-2)

    def scale(self, x: Tensor, y: Tensor | float) -> Tensor:
        return self.matrices([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])

    def shift(self, x: Tensor, y: Tensor) -> Tensor:
        return self.matrices([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])

    def rotation(self, cosine: Tensor, sine: Tensor) -> Tensor:
        return self.matrices([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _exactly(images: Tensor) -> torch.autocast:
    """Without autocast: places in bfloat16 would be wrong by pixels."""
    return torch.autocast(images.device.type, enabled=False)


def warped(images: Tensor, p: Tensor) -> Tensor:
    """Images that are mirrored, turned, scaled, stretched and moved, each change with probability p.

    Pixels are interpolated bilinearly; outside, an image is mirrored at its edges.

    Args:
        images: `[N, C, H, W]`.
        p: a scalar in [0, 1].
    """
    with _exactly(images):
        return _interpolated(images, _places(images, p))


def _places(images: Tensor, p: Tensor) -> Tensor:
    """`[N, 3, 3]`: from where each image's pixels are taken, in pixels from its center."""
    height, width = images.shape[2:]
    draw = _Draws(images, p)
    turned = 1 - (1 - p).clamp(min=0).sqrt()  # of two rotations, at least one happens with probability p

    def rotated() -> Tensor:
        angle = draw.some(math.tau * draw.uniform(), 0.0, turned)
        return draw.rotation(angle.cos(), angle.sin())

    mirrored = draw.scale(1 - 2 * draw.some((2 * draw.uniform()).floor(), 0.0), 1.0)
    quarters = draw.some((4 * draw.uniform()).floor(), 0.0)
    cosine, sine = ((quarters == a).to(quarters) - (quarters == b).to(quarters) for a, b in ((0, 2), (1, 3)))
    by_pixels = [draw.some((SHIFT * side * (2 * draw.uniform() - 1)).round(), 0.0) for side in (width, height)]
    size = draw.some((SCALE * draw.normal()).exp2(), 1.0)
    stretch = draw.some((SCALE * draw.normal()).exp2(), 1.0)
    by_parts = [draw.some(SHIFT * side * draw.normal(), 0.0) for side in (width, height)]
    source = mirrored @ draw.rotation(cosine, sine) @ draw.shift(*by_pixels) @ draw.scale(size, size)
    return source @ rotated() @ draw.scale(stretch, 1 / stretch) @ rotated() @ draw.shift(*by_parts)


def _interpolated(images: Tensor, source: Tensor) -> Tensor:
    """Images whose pixel at a place is that at `source` times the place, both measured from the center."""
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device, dtype=source.dtype) - (height - 1) / 2
    x = torch.arange(width, device=images.device, dtype=source.dtype) - (width - 1) / 2
    across, down, fixed = (source[:, :2, k, None, None] for k in range(3))
    places = across * x + down * y[:, None] + fixed
    columns, lines = places[:, 0] + (width - 1) / 2, places[:, 1] + (height - 1) / 2
    left, top = columns.floor(), lines.floor()
    total = torch.zeros_like(images)
    for line, down_weight in ((top, 1 - (lines - top)), (top + 1, lines - top)):
        for column, across_weight in ((left, 1 - (columns - left)), (left + 1, columns - left)):
            pixels = pixels_at(images, _mirrored(line, height), _mirrored(column, width))
            total = total + pixels * (down_weight * across_weight)[:, None].to(images.dtype)
    return total


def _mirrored(places: Tensor, side: int) -> Tensor:
    """Whole places on an axis, mirrored at its first and last pixel until they are within."""
    period = 2 * (side - 1)
    within = places.long() % period
    return torch.minimum(within, period - within)


def recolored(images: Tensor, p: Tensor) -> Tensor:
    """Images of another brightness, contrast, luma, hue and saturation, each changed with probability p.

    Args:
        images: `[N, C, H, W]`; transparency, the last of 2 or 4 channels, stays as it is. Hue is changed in RGB only.
        p: a scalar in [0, 1].
    """
    with _exactly(images):
        return _recolored(images, p)


def _recolored(images: Tensor, p: Tensor) -> Tensor:
    count = colors_of(images)
    draw = _Draws(images, p)
    like = draw.uniform()
    identity = torch.eye(count, dtype=like.dtype, device=like.device)
    luma = torch.full((count, count), 1 / count, dtype=like.dtype, device=like.device)

    def each(values: Tensor) -> Tensor:
        return values[:, None, None]

    added = draw.some(BRIGHTNESS * draw.normal(), 0.0)
    contrast = draw.some((CONTRAST * draw.normal()).exp2(), 1.0)
    flipped = draw.some((2 * draw.uniform()).floor(), 0.0)
    colors = each(contrast) * (identity - 2 * each(flipped) * luma)
    if count == 3:
        colors = _hue(draw.some(math.tau * draw.uniform(), 0.0), luma) @ colors
    if count > 1:
        saturation = draw.some((SATURATION * draw.normal()).exp2(), 1.0)
        colors = (luma + each(saturation) * (identity - luma)) @ colors
    moved = images[:, :count] + added[:, None, None, None].to(images.dtype)
    changed = (colors.to(images.dtype) @ moved.flatten(2)).view_as(moved)
    return torch.cat([changed, images[:, count:]], dim=1)


def _hue(angle: Tensor, luma: Tensor) -> Tensor:
    """`[N, 3, 3]`: rotations of colors around the gray axis."""
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    identity = torch.eye(3, dtype=luma.dtype, device=luma.device)
    # [[0, -1, 1], [1, 0, -1], [-1, 1, 0]] / √3, of what is on the device
    cross = (identity.roll(1, dims=0) - identity.roll(1, dims=1)) / math.sqrt(3)
    return cosine * identity + sine * cross + (1 - cosine) * luma
