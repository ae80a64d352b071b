"""What must be fast: native code behind tensors, and a plain-torch reference of each operation."""

import importlib
from typing import Any

from gantk.ops.knn import knn_distances
from gantk.ops.losses import code_loss, hidden_loss, vae_loss

__all__ = ["code_loss", "hidden_loss", "knn_distances", "vae_loss"]

_MEASURES = ("LevinaBickel", "Neighbours", "Plateau", "TwoNN", "intrinsic_dimension", "two_nn")


def __getattr__(name: str) -> Any:
    """The estimators of the intrinsic dimension, which were public here, and are in `gantk.measures`."""
    if name in _MEASURES:
        return getattr(importlib.import_module("gantk.measures"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
