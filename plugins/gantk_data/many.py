"""Read many image files, in order: their headers, or their pixels, in threads where those are faster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from gantk.errors import DataError
from gantk.parts import ImageShape
from gantk_data.decode import Decoding, decode, probe, quiet
from gantk_data.listing import Files, Opener, Skips
from gantk_data.reading import shown

__all__ = ["decode_files", "in_order", "probe_files"]

T = TypeVar("T")
_CHUNK = 256

THREADS_FROM = 1 << 15
"""Average file size in bytes from which threads are faster; for small files, switching threads costs more."""


def in_order(function: Callable[[str], T], names: Sequence[str], threads: bool) -> Iterator[T | DataError]:
    """The results for names, in order, optionally computed in threads; a `DataError` replaces a failed result."""

    def attempt(name: str) -> T | DataError:
        try:
            return function(name)
        except DataError as error:
            return error

    if not threads:
        yield from map(attempt, names)
        return
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(names), _CHUNK):
            yield from pool.map(attempt, names[start : start + _CHUNK])


def _size_error(title: str, shape: ImageShape, first: str, expected: ImageShape) -> DataError:
    def said(s: ImageShape) -> str:
        return f"{s[1]} x {s[2]} (height x width) with {s[0]} channels"

    return DataError(
        f"{title}: {said(shape)}, but {first} is {said(expected)}; set size=… and color=… to convert all to one shape."
    )


def probe_files(files: Files, names: Sequence[str], decoding: Decoding, skips: Skips) -> tuple[list[int], ImageShape]:
    """Read every header; return the indices of usable images and their common shape."""
    kept: list[int] = []
    expected: ImageShape | None = None
    with files.opener() as opener, quiet():

        def shape_of(name: str) -> ImageShape:
            with opener(name) as stream:
                return probe(stream, decoding, files.title(name))

        for index, shape in enumerate(in_order(shape_of, names, threads=False)):
            if isinstance(shape, DataError):
                skips.refuse_image(shape)
            elif expected is not None and shape != expected:
                first = files.title(names[kept[0]])
                skips.refuse(_size_error(files.title(names[index]), shape, first, expected), "of another size")
            else:
                expected = shape
                kept.append(index)
    if expected is None:
        raise DataError(f"{shown(files.where)}: none of {len(names)} images can be used.")
    return kept, expected


def decode_some(
    files: Files, opener: Opener, names: Sequence[str], decoding: Decoding, shape: ImageShape
) -> list[npt.NDArray[np.uint8]]:
    """The pixels of images, in order; Pillow's warnings are the caller's.

    Raises:
        DataError: one of them cannot be read, or has another shape.
    """

    def pixels_of(name: str) -> npt.NDArray[np.uint8]:
        with opener(name) as stream:
            return decode(stream, decoding, files.title(name))

    found = []
    for name, pixels in zip(names, in_order(pixels_of, names, files.average_size() >= THREADS_FROM), strict=True):
        if isinstance(pixels, DataError):
            raise pixels
        if pixels.shape != shape:
            raise _size_error(files.title(name), pixels.shape, "the set", shape)
        found.append(pixels)
    return found


def decode_files(
    files: Files,
    names: Sequence[str],
    decoding: Decoding,
    skips: Skips,
    into: npt.NDArray[np.uint8],
    progress: Callable[[float], object],
) -> list[int]:
    """Decode images into an array's first rows; return the index in `names` of each row."""
    kept: list[int] = []
    expected: ImageShape = into.shape[1:]
    with files.opener() as opener, quiet():

        def pixels_of(name: str) -> npt.NDArray[np.uint8]:
            with opener(name) as stream:
                return decode(stream, decoding, files.title(name))

        for index, pixels in enumerate(in_order(pixels_of, names, files.average_size() >= THREADS_FROM)):
            if isinstance(pixels, DataError):
                skips.refuse_image(pixels)
            elif pixels.shape != expected:
                error = _size_error(files.title(names[index]), pixels.shape, "the set", expected)
                skips.refuse(error, "of another size")
            else:
                into[len(kept)] = pixels
                kept.append(index)
            progress((index + 1) / len(names))
    if not kept:
        raise DataError(f"{shown(files.where)}: none of {len(names)} images can be decoded.")
    return kept
