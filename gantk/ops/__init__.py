"""What must be fast: native code behind tensors, and a plain-torch reference of each operation."""

from gantk.ops.knn import knn_distances
from gantk.ops.losses import code_loss, hidden_loss, vae_loss

__all__ = ["code_loss", "hidden_loss", "knn_distances", "vae_loss"]
