"""Fast operations in native code, each with a plain-torch reference."""

from gantk.ops.knn import knn_distances
from gantk.ops.losses import code_loss, hidden_loss, vae_loss

__all__ = ["code_loss", "hidden_loss", "knn_distances", "vae_loss"]
