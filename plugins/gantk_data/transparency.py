"""Transparency by color: pixels of exactly one color are transparent, all others opaque."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["ClearColor", "clear_color"]

_FACTORS = {"L;2": 85, "L;4": 17}
"""Factors by which Pillow scales 2- and 4-bit samples to a byte; the transparent color is stored as a sample."""

_DEEP = "RGB;16B"
"""PNG colors with 16 bits per sample, of which Pillow keeps the high byte."""


class ClearColor:
    """The transparent color of an image, as one or three samples.

    Args:
        color: one gray value or `(r, g, b)`, in the image's own bit depth.
        stored: Pillow's name of the pixel format in the file.
    """

    def __init__(self, color: Any, stored: str) -> None:
        self._color, self._stored = color, stored

    def alpha(self, image: Image.Image, stream: IO[bytes]) -> Image.Image:
        """The alpha channel, mode L: 0 for pixels of this color, else 255.

        Args:
            image: the decoded image.
            stream: the file that it was decoded from.
        """
        pixels = np.asarray(image).astype(np.int64)
        color = np.asarray(self._color, dtype=np.int64)
        if image.mode == "1":
            color = np.minimum(color, 1)  # 1 or 255, depending on Pillow's version
        if self._stored == _DEEP:
            pixels = pixels * 256 + _low_bytes(stream)
        clear = pixels == color * _FACTORS.get(self._stored, 1)
        if clear.ndim == 3:
            clear = clear.all(axis=2)
        return Image.fromarray(np.where(clear, np.uint8(0), np.uint8(255)))


def clear_color(image: Image.Image) -> ClearColor | None:
    """The transparent color of an image that is not decoded yet, or `None`; palettes have none."""
    color = image.info.get("transparency")
    if color is None or image.mode not in ("1", "L", "I", "I;16", "RGB"):
        return None
    tile = getattr(image, "tile", None)
    return ClearColor(color, str(tile[0][3]) if tile else "")


def _low_bytes(stream: IO[bytes]) -> npt.NDArray[np.int64]:
    """The low bytes of a PNG's 16-bit colors, `[H, W, 3]`: Pillow keeps them if the byte order is swapped."""
    stream.seek(0)
    with Image.open(stream, formats=("PNG",)) as image:
        file: Any = image  # a PngImageFile, whose tile is a plain tuple in older versions
        codec, box, offset, _ = file.tile[0]
        entry = (codec, box, offset, "RGB;16L")
        kind = type(file.tile[0])
        file.tile = [entry if kind is tuple else kind(*entry)]
        return np.asarray(image).astype(np.int64)
