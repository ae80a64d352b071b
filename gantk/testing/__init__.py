"""Contract suites for plugin authors: what users of a part rely on, as pytest classes.

Three lines test a plugin, with the options it is given (needs pytest)::

    from gantk.testing import NoiseContract

    class TestSpherical(NoiseContract):
        plugin = "spherical:dim=3"

Every failure says what was found, what gantk expects, and how to mend it. A part may refuse a shape that it cannot
handle by raising `gantk.errors.FitError`; it must take at least one of `shapes`, which a class can override as it can
`noise_dim`, `class_count` and every test.
"""

from gantk.testing.addon import AddonContract
from gantk.testing.condition import ConditionContract
from gantk.testing.data import DataContract
from gantk.testing.discriminator import DiscriminatorContract
from gantk.testing.generator import GeneratorContract
from gantk.testing.loss import LossContract
from gantk.testing.metric import ExtractorContract, MetricContract
from gantk.testing.noise import NoiseContract
from gantk.testing.refiner import RefinerContract
from gantk.testing.toys import ToyDiscriminator, ToyGenerator, ToyNoise

__all__ = [
    "AddonContract",
    "ConditionContract",
    "DataContract",
    "DiscriminatorContract",
    "ExtractorContract",
    "GeneratorContract",
    "LossContract",
    "MetricContract",
    "NoiseContract",
    "RefinerContract",
    "ToyDiscriminator",
    "ToyGenerator",
    "ToyNoise",
]
