"""Images made of the pixels of others."""

from __future__ import annotations

from torch import Tensor

__all__ = ["pixels_at"]


def pixels_at(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Images whose pixels are taken from given places of others.

    Taking pixels has exact gradients of every order, on every device, as gradient penalties need.

    Args:
        images: `[N, C, H, W]`.
        rows, columns: from where each pixel is taken, whole numbers within the image that can be broadcast to
            `[N, H, W]`.
    """
    n, channels, height, width = images.shape
    places = (rows * width + columns).expand(n, height, width).flatten(1)
    return images.flatten(2).gather(2, places[:, None].expand(-1, channels, -1)).view_as(images)
