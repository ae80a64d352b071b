"""What is measured of data, samples and models."""

from gantk.measures.dimension import LevinaBickel, Plateau, intrinsic_dimension
from gantk.measures.neighbours import Neighbours
from gantk.measures.twonn import TwoNN, two_nn

__all__ = ["LevinaBickel", "Neighbours", "Plateau", "TwoNN", "intrinsic_dimension", "two_nn"]
