"""Pictures in a page: decoded, made small enough, and encoded again, so that no file is passed on as it is."""

from __future__ import annotations

import io
import re
import warnings
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from gantk.errors import RunError, briefly
from gantk.files import read_whole
from gantk.report.pictures import MOST_PIXELS
from gantk.run.folder import PICTURE, Run

__all__ = ["Frame", "Picture", "picture_of", "sample_frames", "thumbnail"]

QUALITIES = ((24, 1120, 88), (24, 1120, 72), (16, 900, 72), (12, 720, 65), (8, 560, 60), (5, 400, 50), (2, 300, 40))
"""Number of frames, their longest side and their quality: the first that fits is taken."""

PROBED = 3
"""Number of frames that are encoded first."""

THUMBNAIL = 128
"""Longest side of a single image."""


@dataclass(frozen=True)
class Picture:
    """A picture as an HTML page holds it."""

    uri: str
    width: int
    height: int

    @property
    def small(self) -> bool:
        """Whether it has so few pixels that they are shown as squares."""
        return max(self.width, self.height) <= THUMBNAIL


@dataclass(frozen=True)
class Frame:
    """The grid of samples that training drew after a step."""

    step: int
    picture: Picture


def picture_of(image: Image.Image, quality: int = 85) -> Picture:
    """A Pillow image as WebP; gray ones without loss, since they are small and lines in them are sharp."""
    file = io.BytesIO()
    shown = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGBA" if "A" in image.mode else "RGB")
    shown.save(file, format="WEBP", quality=quality, method=4)
    return Picture(f"data:image/webp;base64,{b64encode(file.getvalue()).decode()}", shown.width, shown.height)


def thumbnail(image: Image.Image, side: int = THUMBNAIL, quality: int = 85) -> Picture:
    """The same, with a side of at most this length."""
    return picture_of(_within(image, side), quality)


def _within(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def sample_frames(run: Run, most: int) -> list[Frame]:
    """The grids that training drew, evenly chosen from the first to the last.

    Args:
        run: the run.
        most: characters that they take together, at most.

    Raises:
        RunError: none can be read.
    """
    files = [(int(found[1]), path) for path in run.samples if (found := re.fullmatch(r"step-(\d{1,18})", path.stem))]
    if not files:
        return []
    opened = _Opened()
    for count, side, quality in QUALITIES:
        chosen = _chosen(files, count)
        few = opened.frames(_chosen(chosen, PROBED), side, quality)  # tell how many characters all take, in less time
        if _size(few) * len(chosen) > most * max(1, len(few)):
            continue
        frames = opened.frames(chosen, side, quality)
        if not frames:
            raise RunError(f"{opened.fault}.")
        if _size(frames) <= most:
            return frames
    return few[-1:]


class _Opened:
    """Pictures that were decoded; those that cannot be are left out."""

    def __init__(self) -> None:
        self._known: dict[Path, Image.Image | None] = {}
        self.fault = ""

    def frames(self, files: Sequence[tuple[int, Path]], side: int, quality: int) -> list[Frame]:
        found = [(step, self._image(path)) for step, path in files]
        return [Frame(step, picture_of(_within(image, side), quality)) for step, image in found if image is not None]

    def _image(self, path: Path) -> Image.Image | None:
        if path not in self._known:
            try:
                self._known[path] = _opened(path)
            except (OSError, ValueError) as error:
                self._known[path] = None
                self.fault = self.fault or f"{path.name} cannot be read ({briefly(error)})"
        return self._known[path]


def _size(frames: Sequence[Frame]) -> int:
    return sum(len(frame.picture.uri) for frame in frames)


def _chosen(files: Sequence[tuple[int, Path]], count: int) -> list[tuple[int, Path]]:
    """Some files, evenly, with the first and the last."""
    count, last = min(count, len(files)), len(files) - 1
    return [files[round(number * last / max(1, count - 1))] for number in range(count)]


def _opened(path: Path) -> Image.Image:
    """A PNG, decoded.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none, or a decompression bomb.
    """
    content = read_whole(path, PICTURE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError(f"it has {image.width}×{image.height} pixels")
                return _within(image.convert("RGBA" if "A" in image.getbands() else "RGB"), QUALITIES[0][1])
        except (Image.DecompressionBombWarning, Image.DecompressionBombError, SyntaxError, EOFError) as error:
            raise ValueError(str(error)) from error
