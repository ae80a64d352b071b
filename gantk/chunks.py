"""How many images a network generates at once, so that image i of a seed is the same whatever their number is.

Kernels may round differently for another batch size, so every batch has the same size, and a last one is filled up.
"""

from __future__ import annotations

import torch

from gantk.parts import ImageShape

__all__ = ["CHUNK", "chunk_size"]

CHUNK = 32
"""Noise is drawn for this many images at a time, and a CPU generates as many."""

MOST = 8 * CHUNK
"""Images that keep a large GPU busy; a sample grid, which is filled up to them, must not take long."""

PER_PIXEL = 1024
"""Bytes that a network needs per pixel of an image, roughly: 128 channels of float32 into a layer and 128 out of it."""

SHARE = 16
"""A GPU gives this part of its memory: a training that draws a sample grid holds most of the rest."""


def chunk_size(device: torch.device, image_shape: ImageShape) -> int:
    """Images that a network generates at once: `CHUNK` times a power of 2.

    It follows from the device's whole memory, not from what is free, so that it is the same at every call.
    """
    _, height, width = image_shape
    room = _memory(device) // SHARE // (PER_PIXEL * height * width)
    size = CHUNK
    while 2 * size <= min(room, MOST):
        size *= 2
    return size


def _memory(device: torch.device) -> int:
    """Bytes of memory of a GPU; 0 of any other device."""
    return int(torch.cuda.get_device_properties(device).total_memory) if device.type == "cuda" else 0
