"""What the pictures are like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gantk.data import DataSource, to_float
from gantk.errors import GantkError
from gantk.measures import intrinsic_dimension
from gantk.parts import ImageShape

__all__ = ["Look", "looked_at"]

HEADERS = 512
"""Pictures whose size and color are read, spread evenly over the data."""
POINTS = 1500
"""Pictures whose intrinsic dimension is estimated."""
NEIGHBORS = 20
"""Neighbors from which it is estimated: more than there are near copies of most pictures."""
SIDE = 32
"""Side in pixels at which distances between pictures are measured."""


@dataclass(frozen=True)
class Look:
    """What the pictures are like.

    Args:
        count: number of pictures.
        side: median of their shorter sides in pixels, before any resizing.
        aspect: median of width / height, before any resizing.
        gray: whether all are gray.
        dimension: their intrinsic dimension; NaN if it cannot be estimated.
        copies: share of the pictures that are copies of another one.
    """

    count: int
    side: int
    aspect: float
    gray: bool
    dimension: float
    copies: float


def looked_at(data: DataSource) -> Look:
    """Look at a data set."""
    shapes = data.original_shapes(_spread(len(data), HEADERS)) or [data.image_shape]
    dimension, copies = _neighborhood(data)
    return Look(
        count=len(data),
        side=int(np.median([min(height, width) for _, height, width in shapes])),
        aspect=float(np.median([width / height for _, height, width in shapes])),
        gray=_gray(shapes, data.image_shape),
        dimension=dimension,
        copies=copies,
    )


def _spread(count: int, most: int) -> list[int]:
    taken = min(count, most)
    return [index * count // taken for index in range(taken)]


def _gray(shapes: Sequence[ImageShape], shown: ImageShape) -> bool:
    return shown[0] == 1 or all(channels == 1 for channels, _, _ in shapes)


def _neighborhood(data: DataSource) -> tuple[float, float]:
    """The intrinsic dimension of the pictures, and the share that are copies."""
    images = to_float(data.images(_spread(len(data), POINTS)))
    factor = SIDE / max(images.shape[2:])
    if factor < 1:
        images = torch.nn.functional.interpolate(images, scale_factor=factor, mode="area")
    points = images.flatten(1)
    distinct = len(torch.unique(points, dim=0))
    try:
        dimension = float(intrinsic_dimension(points, NEIGHBORS, duplicates="drop").harmonic[0])
    except GantkError:
        dimension = math.nan
    return dimension, 1 - distinct / len(points)
