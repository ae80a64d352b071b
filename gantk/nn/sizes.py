"""Size planning: sequences of halved (height, width), from the image's down to the smallest map's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from gantk.errors import FitError

__all__ = ["Rounding", "Size", "halve_until", "halved", "size_list", "size_name"]

Size = tuple[int, int]
"""(height, width)"""

Rounding = Literal["up", "down"]


def _half(size: Size, rounding: Rounding) -> Size:
    odd = 1 if rounding == "up" else 0
    return (size[0] + odd) // 2, (size[1] + odd) // 2


def halved(size: Size, times: int, rounding: Rounding = "up") -> list[Size]:
    """The size and the results of `times` halvings: `halved((28, 28), 2)` is 28x28, 14x14, 7x7.

    Raises:
        FitError: a side reaches one pixel before the last halving.
    """
    sizes = [size]
    for done in range(times):
        if min(sizes[-1]) < 2:
            raise FitError(
                f"{size[0]}x{size[1]} pixels can be halved at most {done} times, but {times} are needed",
                also="use larger images or fewer layers",
            )
        sizes.append(_half(sizes[-1], rounding))
    return sizes


def halve_until(size: Size, at_most: int, rounding: Rounding = "up") -> list[Size]:
    """The size, halved until its shorter side is at most `at_most`: `halve_until((96, 64), 7)` ends at 6x4.

    Raises:
        FitError: the size is already that small.
    """
    sizes = [size]
    while min(sizes[-1]) > at_most:
        sizes.append(_half(sizes[-1], rounding))
    if len(sizes) == 1:
        raise FitError(
            f"{size[0]}x{size[1]} pixels are too small for this network, whose shorter side must be at least "
            f"{at_most + 1} pixels",
            "use a network without convolutions",
            "use larger images",
        )
    return sizes


def size_name(size: Size) -> str:
    """A size in the name of a stage or player: its side if it is a square, and `96x64` otherwise."""
    return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"


def size_list(sizes: Iterable[Size]) -> str:
    """Sizes in a message: `7x7, 14x14, 28x28`."""
    return ", ".join(f"{height}x{width}" for height, width in sizes)
