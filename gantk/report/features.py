"""What a discriminator's features respond to, as a picture."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk.grids import grid
from gantk.measures.guided import Responses
from gantk.report.pictures import colored, side_by_side

__all__ = ["features_picture"]


def features_picture(blocks: list[Responses]) -> Tensor:
    """One uint8 image `[C, H, W]`: for each block a row for each feature, its images and then their gradients.

    Each gradient is divided by its greatest magnitude; 0 is gray.

    Raises:
        UsageError: the images have too many channels.
    """
    return side_by_side([_block(each) for each in blocks])


def _block(found: Responses) -> Tensor:
    most = found.gradients.abs().amax((2, 3, 4), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    tiles = torch.cat([found.images, found.gradients / most], dim=1)
    return grid(colored(tiles.flatten(0, 1)), columns=tiles.shape[1])
