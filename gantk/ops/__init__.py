"""What must be fast: native code behind tensors, and a plain-torch reference of each operation."""

from gantk.ops.dimension import LevinaBickel, Plateau, intrinsic_dimension
from gantk.ops.knn import knn_distances
from gantk.ops.losses import code_loss, hidden_loss, vae_loss
from gantk.ops.neighbours import Neighbours
from gantk.ops.twonn import TwoNN, two_nn

__all__ = [
    "LevinaBickel",
    "Neighbours",
    "Plateau",
    "TwoNN",
    "code_loss",
    "hidden_loss",
    "intrinsic_dimension",
    "knn_distances",
    "two_nn",
    "vae_loss",
]
