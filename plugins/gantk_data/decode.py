"""Decode an image to uint8 `[C, H, W]`, with the same result on every machine, or raise a `DataError` that names it.

Pillow raises almost any exception on a damaged file; this module turns them into gantk's own.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from gantk.errors import DataError
from gantk.parts import ImageShape
from gantk_data.reading import shown
from gantk_data.transparency import clear_color

__all__ = ["PIXEL_LIMIT", "Decoding", "decode", "probe", "quiet"]

logging.getLogger("PIL").addHandler(logging.NullHandler())  # `_opened` raises what Pillow logs

Color = Literal["rgb", "gray", "grey", "rgba", "keep"]

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
"""Formats that Pillow may open: without this list, a file's content could select any of its decoders."""

PIXEL_LIMIT = 1 << 26
"""Maximum number of pixels of an image (8192 x 8192): below Pillow's own limit, and cannot be disabled by accident."""

_MODES = {"rgb": "RGB", "gray": "L", "grey": "L", "rgba": "RGBA"}
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_EIGHT_BIT = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"})
_GRAY = frozenset({"1", "L", "I;16", "I;16L", "I;16B", "I;16N", "I"})
_EIGHT_OF_16 = ((np.arange(1 << 16) * 255 + 32767) // 65535).astype(np.uint8)
"""16-bit values → 8-bit ones; a table takes an eighth of the memory that the formula does."""
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoding:
    """How every image is converted: its size (height, width), how it is resized, and its colors."""

    size: tuple[int, int] | None = None
    crop: Literal["center", "none"] = "center"
    color: Color = "rgb"

    @property
    def shape(self) -> ImageShape | None:
        """The shape of every decoded image, if it does not depend on the image."""
        if self.size is None or self.color not in _MODES:
            return None
        return _CHANNELS[_MODES[self.color]], *self.size


def probe(stream: IO[bytes], decoding: Decoding, title: str) -> ImageShape:
    """The shape of the decoded image, from its header alone."""
    with _opened(stream, title) as image:
        height, width = decoding.size or _oriented_size(image)
        return _CHANNELS[_target_mode(image, decoding.color)], height, width


def decode(stream: IO[bytes], decoding: Decoding, title: str) -> npt.NDArray[np.uint8]:
    """An image's pixels, uint8 `[C, H, W]`; the first frame of an animation."""
    with _opened(stream, title) as image:
        target = _target_mode(image, decoding.color)
        clear = clear_color(image)
        image.load()
        converted = _convert(image, target, clear.alpha(image, stream) if clear else None)
        if (turn := _TURNS.get(_orientation(image))) is not None:
            converted = converted.transpose(turn)
        pixels = np.asarray(_resized(converted, decoding))
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings about single files: unreadable pixels raise an error, and other contents do not matter.

    Enter it in the main thread, since warning filters are per process.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


@contextmanager
def _opened(stream: IO[bytes], title: str) -> Iterator[Image.Image]:
    try:
        with Image.open(stream, formats=FORMATS) as image:
            width, height = image.size
            if width * height > PIXEL_LIMIT:
                raise ValueError(f"{width} x {height} pixels, more than {PIXEL_LIMIT}")
            yield image
    except UnidentifiedImageError as error:
        raise DataError(f"{title}: not an image; expected {', '.join(FORMATS)}: remove it.") from error
    except Exception as error:
        reason = shown(error) or type(error).__name__
        raise DataError(f"{title}: cannot be decoded ({reason}); replace it.") from error


def _oriented_size(image: Image.Image) -> tuple[int, int]:
    """(height, width) after applying the EXIF orientation."""
    if image.format == "PNG" and "exif" not in image.info:
        return image.height, image.width  # reading EXIF would decode the whole image
    if _orientation(image) < 5:
        return image.height, image.width
    if image.format == "TIFF":
        image.load()  # Pillow rotates a TIFF itself, in some versions only here
        return image.height, image.width
    return image.width, image.height


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 (upright) if the EXIF data is missing or damaged."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - Pillow's EXIF reader raises anything on damaged data
        return 1
    return value if value in _TURNS else 1


def _target_mode(image: Image.Image, color: Color) -> str:
    if color != "keep":
        return _MODES[color]
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode in _GRAY else "RGB"


def _convert(image: Image.Image, target: str, alpha: Image.Image | None) -> Image.Image:
    """Convert to 8-bit colors: scales 16-bit gray, and composites on white if the target has no transparency."""
    transparent = alpha is not None or image.has_transparency_data
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        image = _from_16_bit(image)
    elif image.mode not in _EIGHT_BIT:
        raise ValueError(f"pixels of mode {image.mode} have no defined conversion to 8 bits")
    if not transparent:
        return image if image.mode == target else image.convert(target)
    clear = _with_alpha(image, alpha)
    if target == "RGBA":
        return clear
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(clear)
    return white.convert(target)


def _with_alpha(image: Image.Image, alpha: Image.Image | None) -> Image.Image:
    if alpha is not None:
        image.info.pop("transparency", None)
        image = image.convert("RGB")
        image.putalpha(alpha)
        return image
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def _from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixels exceed 16 bits")
    return Image.fromarray(_EIGHT_OF_16[values])


def _resized(image: Image.Image, decoding: Decoding) -> Image.Image:
    if decoding.size is None:
        return image
    height, width = decoding.size
    if decoding.crop == "center":
        return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.LANCZOS)
