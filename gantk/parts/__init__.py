"""Parts: what a plugin of each kind must be.

Shapes are the same everywhere: images `[N, C, H, W]`, float in [-1, 1]; noise `[N, dim]`. A constructor's typed
keyword arguments are the part's options; the arguments named `image_shape`, `noise_dim`, `condition_dim` (0 where
there is no condition), `class_count`, `class_names` and `label_dim` (0 unless labels are vectors) are filled in by
`build` so that the parts fit each other.
"""

from gantk.parts.condition import Condition
from gantk.parts.loss import Loss
from gantk.parts.metric import Extractor, Metric, weights_digest
from gantk.parts.networks import Discriminator, Generator, Posterior, Refiner, Verdict
from gantk.parts.noise import DISTRIBUTIONS, NoiseSource
from gantk.parts.part import ImageShape, Part, require

__all__ = [
    "DISTRIBUTIONS",
    "Condition",
    "Discriminator",
    "Extractor",
    "Generator",
    "ImageShape",
    "Loss",
    "Metric",
    "NoiseSource",
    "Part",
    "Posterior",
    "Refiner",
    "Verdict",
    "require",
    "weights_digest",
]
