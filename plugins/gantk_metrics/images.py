"""Convert images to the size and channels of an extractor's network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import interpolate

from gantk.errors import FitError

__all__ = ["LUMA", "as_taken", "check_channels", "resized_as"]

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue for gray (ITU-R BT.601, as in Pillow)."""


def check_channels(given: int, taken: int) -> None:
    """Check that the channels of images can be converted to those of a network.

    Raises:
        FitError: the numbers of channels differ, and are not 1 and 3.
    """
    if given != taken and {given, taken} != {1, 3}:
        raise FitError(
            f"the extractor needs images with {'1 or 3' if taken in (1, 3) else taken} channels, but these have "
            f"{given}."
        )


def as_taken(images: Tensor, shape: Sequence[int]) -> Tensor:
    """Convert images `[N, C, H, W]` to `[N, *shape]`: gray is repeated or colors are converted to gray; then resized.

    Args:
        images: in [-1, 1].
        shape: (channels, height, width) of the result.

    Raises:
        FitError: the channels cannot be converted.
    """
    channels, *size = shape
    check_channels(images.shape[1], channels)
    if images.shape[1] < channels:
        images = images.expand(-1, channels, -1, -1)
    elif images.shape[1] > channels:
        images = (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    if list(images.shape[2:]) == size:
        return images
    return interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)


def resized_as(given: Sequence[int], taken: Sequence[int]) -> str:
    """A description of the conversion by `as_taken`, for the protocol."""
    if [*given] == [*taken]:
        return "none"
    colors = {(1, 3): "gray repeated", (3, 1): "luma"}.get((given[0], taken[0]), "")
    size = f"bilinear to {taken[1]}x{taken[2]}, antialias" if [*given[1:]] != [*taken[1:]] else ""
    return ", ".join(text for text in (colors, size) if text)
