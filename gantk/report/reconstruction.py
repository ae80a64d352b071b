"""Reconstructions as a picture, and their errors as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.grids import grid
from gantk.measures.reconstruction import Error, Generated, Reconstructed
from gantk.report.pictures import colored, heat_maps, side_by_side
from gantk.report.table import table

__all__ = ["ErrorRow", "error_table", "picture_of"]


@dataclass(frozen=True)
class ErrorRow:
    """A row of the table: what was compared, the number of items, and the error."""

    what: str
    count: int
    error: Error


def error_table(rows: Sequence[ErrorRow]) -> str:
    """The errors as a table."""
    cells = [(r.what, f"{r.count:,}", f"{r.error.absolute:.4f}", f"{r.error.squared:.4f}") for r in rows]
    return table(cells, ("MEAN ERROR OF", "NUMBER", "ABSOLUTE", "SQUARED"))


def picture_of(generated: Generated, real: Reconstructed, degraded: bool) -> Tensor:
    """Reconstructions as one uint8 image `[C, H, W]`.

    From left to right: noise, image generated from it, its code, image generated from the code; then image, the
    degraded image if requested, its code, image generated from the code. Codes are heat maps on the noise's scale.

    Raises:
        UsageError: the images have too many channels.
    """
    # An outlier among the predicted codes would make all others look white.
    limit = max(generated.noise.abs().max().item(), torch.finfo(torch.float32).tiny)
    shape = colored(generated.images).shape

    def tiles(codes: Tensor) -> Tensor:
        return heat_maps(codes, (shape[2], shape[3]), limit, shape[1])

    left = [tiles(generated.noise), generated.images, tiles(generated.codes), generated.again]
    spoilt = [real.degraded] if degraded else []
    right = [real.images, *spoilt, tiles(real.codes), real.again]
    return side_by_side([_rows(left), _rows(right)])


def _rows(columns: Sequence[Tensor]) -> Tensor:
    """Arrange columns of images as one image."""
    images = torch.stack([colored(column) for column in columns], dim=1)
    return grid(images.flatten(0, 1), columns=len(columns))
