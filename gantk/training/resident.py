"""Images that stay on the device they are trained on, where they fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.data import DataSource
from gantk.memory import ran_out

__all__ = ["resident"]

SHARE = 4
"""At most this part of the device's free memory is given to images."""
CHUNK = 4096
"""Images that are copied at once."""


def resident(data: DataSource, device: torch.device, free: int | None = None) -> Tensor | None:
    """All images of a data set, uint8 `[N, C, H, W]`, on a device; `None` where they do not fit, or lie in no array.

    Args:
        data: the data set.
        device: the device.
        free: bytes of free memory; by default what a CUDA device reports, and none on others, which have nothing to
            gain.
    """
    if free is None:
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
    if len(data) * int(np.prod(data.image_shape)) * SHARE > free or (array := data.array()) is None:
        return None
    try:
        return _copied(array, device)
    except RuntimeError as error:
        if not ran_out(error):
            raise
        return None


def _copied(array: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    images = torch.empty(array.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(array), CHUNK):
        images[start : start + CHUNK] = torch.from_numpy(np.array(array[start : start + CHUNK], order="C")).to(device)
    return images
