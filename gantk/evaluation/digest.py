"""A hash of a model's weights."""

from __future__ import annotations

import hashlib

import torch

from gantk.model import Model

__all__ = ["weights_digest"]


@torch.no_grad()
def weights_digest(model: Model) -> str:
    """A hash of the bits of every weight and buffer, with their names: the same wherever the model lies."""
    found = hashlib.blake2b(digest_size=16)
    for name, value in sorted(model.state_dict().items()):
        found.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()
