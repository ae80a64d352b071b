"""Measures of data, samples and models."""

from gantk.measures.classification import (
    ClassBalance,
    ClassScore,
    class_balance,
    class_score,
    confident_share,
    present_classes,
)
from gantk.measures.comparison import NEEDS, Comparison, measure, missing
from gantk.measures.copies import Memorization, NearestTraining, memorization, nearest_training
from gantk.measures.dimension import LevinaBickel, Plateau, intrinsic_dimension
from gantk.measures.dimension_range import DimensionRange, dimension_range
from gantk.measures.frechet import Frechet, Moments, frechet_distance, frechet_estimate, frechet_floor
from gantk.measures.kernel import KernelDistance, kernel_distance, squared_mmd
from gantk.measures.manifold import Manifolds, compare_manifolds
from gantk.measures.nearest_label import nearest_label_accuracy
from gantk.measures.neighbors import Neighbors
from gantk.measures.reconstruction import Error, ImageErrors, image_errors, mean_image
from gantk.measures.side import Side
from gantk.measures.ssim import ms_ssim, ssim_scales
from gantk.measures.svm import LinearSVM, fit_svm
from gantk.measures.twonn import TwoNN, two_nn
from gantk.measures.variety import Diversity, diversity

__all__ = [
    "NEEDS",
    "ClassBalance",
    "ClassScore",
    "Comparison",
    "DimensionRange",
    "Diversity",
    "Error",
    "Frechet",
    "ImageErrors",
    "KernelDistance",
    "LevinaBickel",
    "LinearSVM",
    "Manifolds",
    "Memorization",
    "Moments",
    "NearestTraining",
    "Neighbors",
    "Plateau",
    "Side",
    "TwoNN",
    "class_balance",
    "class_score",
    "compare_manifolds",
    "confident_share",
    "dimension_range",
    "diversity",
    "fit_svm",
    "frechet_distance",
    "frechet_estimate",
    "frechet_floor",
    "image_errors",
    "intrinsic_dimension",
    "kernel_distance",
    "mean_image",
    "measure",
    "memorization",
    "missing",
    "ms_ssim",
    "nearest_label_accuracy",
    "nearest_training",
    "present_classes",
    "squared_mmd",
    "ssim_scales",
    "two_nn",
]
