"""Transparency given by one color: the pixels of exactly this color are clear, the others opaque."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["ClearColor", "clear_color"]

_FACTORS = {"L;2": 85, "L;4": 17}
"""By how much Pillow spreads samples of 2 and 4 bits over a byte; the clear color is written as a sample."""

_DEEP = "RGB;16B"
"""PNG's colors of 16 bits a sample, of which Pillow keeps the high byte."""


class ClearColor:
    """One image's clear color, as a sample or three.

    Args:
        color: one gray value or `(r, g, b)`, in the image's own bit depth.
        stored: how Pillow names the way in which pixels are stored in the file.
    """

    def __init__(self, color: Any, stored: str) -> None:
        self._color, self._stored = color, stored

    def alpha(self, image: Image.Image, stream: IO[bytes]) -> Image.Image:
        """The alpha channel, mode L: 0 where a pixel has this color, else 255.

        Args:
            image: the decoded image.
            stream: the file that it was decoded from.
        """
        pixels = np.asarray(image).astype(np.int64)
        color = np.asarray(self._color, dtype=np.int64)
        if image.mode == "1":
            color = np.minimum(color, 1)  # 1 or 255, by Pillow's version
        if self._stored == _DEEP:
            pixels = pixels * 256 + _low_bytes(stream)
        clear = pixels == color * _FACTORS.get(self._stored, 1)
        if clear.ndim == 3:
            clear = clear.all(axis=2)
        return Image.fromarray(np.where(clear, np.uint8(0), np.uint8(255)))


def clear_color(image: Image.Image) -> ClearColor | None:
    """The clear color of an image that is not decoded yet, or `None`; a palette's alpha is no such color."""
    color = image.info.get("transparency")
    if color is None or image.mode not in ("1", "L", "I", "I;16", "RGB"):
        return None
    tile = getattr(image, "tile", None)
    return ClearColor(color, str(tile[0][3]) if tile else "")


def _low_bytes(stream: IO[bytes]) -> npt.NDArray[np.int64]:
    """The low bytes of a PNG's 16-bit colors, `[H, W, 3]`: Pillow keeps them if it is told that they come first."""
    stream.seek(0)
    with Image.open(stream, formats=("PNG",)) as image:
        file: Any = image  # a PngImageFile, whose tile is a plain tuple in older versions
        codec, box, offset, _ = file.tile[0]
        entry = (codec, box, offset, "RGB;16L")
        kind = type(file.tile[0])
        file.tile = [entry if kind is tuple else kind(*entry)]
        return np.asarray(image).astype(np.int64)
