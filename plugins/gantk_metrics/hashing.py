"""A hash of an extractor whose options do not say what it computes, such as a path."""

from __future__ import annotations

import hashlib

import safetensors.torch

from gantk import Extractor

__all__ = ["hash_of"]


def hash_of(extractor: Extractor, *texts: object) -> str:
    """A hash of an extractor's weights, and of texts that say what else its features follow from."""
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in extractor.state_dict().items()}
    found = hashlib.blake2b(" ".join(map(str, texts)).encode(), digest_size=16)
    found.update(safetensors.torch.save(tensors))
    return found.hexdigest()
