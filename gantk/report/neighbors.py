"""Samples beside their nearest training images, as a picture, and in words whether they are copies."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gantk.grids import opaque
from gantk.measures.nearest import TrainingNeighbors
from gantk.parts import ImageShape

__all__ = ["drawn_shape", "neighbors_picture", "verdict"]

SIDE = 72
"""Smaller images are drawn larger, a whole number of times, so that there is room for their distances."""

GAP, LINE, FRAME = 6, 16, 2
"""Pixels between images, of a line of text, and of a frame's width."""

RED, BLACK = (200, 30, 30), (0, 0, 0)


def verdict(found: TrainingNeighbors, name: str = "pixels") -> str:
    """What was found, in sentences.

    Args:
        found: the nearest training images of samples.
        name: what distances are computed on, as `pixels` or the features of an extractor.
    """
    n, m = len(found.samples.distance), len(found.left_out.distance)
    lines = [
        f"{found.copied:.1%} of {n:,} samples are as near to a training image as that image is to any other, or "
        f"nearer; so are {found.expected:.1%} of {m:,} training images (distances of {name})."
    ]
    if found.equal:
        equal = "1 sample equals" if found.equal == 1 else f"{found.equal:,} samples equal"
        lines.append(f"{equal} a training image exactly.")
    if found.is_memorized:
        lines.append(
            "That is more than chance explains: the model may have memorized training images. Blurred images are near "
            "to many others too, so compare the pictures."
        )
    elif not found.equal:
        lines.append("That is no sign that the model has memorized training images.")
    return " ".join(lines)


def drawn_shape(shape: ImageShape) -> ImageShape:
    """(channels, height, width) of an image with its line of text, as it is drawn."""
    channels, height, width = shape
    scale = _scale(height, width)
    return channels, height * scale + LINE, width * scale


def neighbors_picture(
    samples: Tensor, neighbors: Tensor, found: TrainingNeighbors, words: str, unit: float = 1.0
) -> Tensor:
    """One uint8 RGB picture `[3, H, W]`: in each row a sample, then its nearest training images with their distances.

    The nearest image has a red frame where the sample is no farther from it than any other training image is. Words
    follow below.

    Args:
        samples: uint8 `[n, C, H, W]`, the first of those that `found` is about.
        neighbors: uint8 `[n, k, C, H, W]`.
        found: their distances.
        words: written below.
        unit: distances are divided by it.

    Raises:
        UsageError: no picture has so many channels.
    """
    count, k = neighbors.shape[:2]
    scale = _scale(*samples.shape[2:])
    width, height = samples.shape[3] * scale, samples.shape[2] * scale
    step_x, step_y = width + GAP, height + LINE + GAP
    font = ImageFont.load_default(12)
    across = (k + 1) * step_x + 3 * GAP
    words += " A red frame marks samples that are as near."
    lines = textwrap.wrap(words, max(20, int((across - 2 * GAP) * len(words) / font.getlength(words) * 0.97)))
    canvas = Image.new("RGB", (across, LINE + 2 * GAP + count * step_y + len(lines) * LINE), "white")
    pen = ImageDraw.Draw(canvas)

    def put(image: Tensor, left: int, top: int, below: str) -> None:
        canvas.paste(opaque(image).convert("RGB").resize((width, height), Image.Resampling.NEAREST), (left, top))
        pen.text((left, top + height + 1), below, BLACK, font)

    second = 2 * GAP + step_x
    pen.text((GAP, GAP - 3), "sample", BLACK, font)
    pen.text((second, GAP - 3), "nearest training images", BLACK, font)
    for row in range(count):
        top = LINE + GAP + row * step_y
        put(samples[row], GAP, top, "")
        for column in range(k):
            left = second + column * step_x
            put(neighbors[row, column], left, top, f"{float(found.distances[row, column]) / unit:.4g}")
            if column == 0 and bool(found.samples.copied[row]):
                box = (left - FRAME, top - FRAME, left + width + FRAME - 1, top + height + FRAME - 1)
                pen.rectangle(box, outline=RED, width=FRAME)
    for index, line in enumerate(lines):
        pen.text((GAP, LINE + GAP + count * step_y + index * LINE), line, BLACK, font)
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1)


def _scale(height: int, width: int) -> int:
    return max(1, math.ceil(SIDE / max(height, width)))
