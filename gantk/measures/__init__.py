"""What is measured of data, samples and models."""

from gantk.measures.comparison import NEEDS, Comparison, measure, missing
from gantk.measures.dimension import LevinaBickel, Plateau, intrinsic_dimension
from gantk.measures.neighbours import Neighbours
from gantk.measures.side import Side
from gantk.measures.twonn import TwoNN, two_nn

__all__ = [
    "NEEDS",
    "Comparison",
    "LevinaBickel",
    "Neighbours",
    "Plateau",
    "Side",
    "TwoNN",
    "intrinsic_dimension",
    "measure",
    "missing",
    "two_nn",
]
