"""Contract suites for plugin authors: pytest classes that test what users of a part rely on.

Three lines test a plugin and its options (requires pytest)::

    from gantk.testing import NoiseContract

    class TestSpherical(NoiseContract):
        plugin = "spherical:dim=3"

Every failure states what was found, what gantk expects, and how to fix it. A part may refuse a shape that it does not
support by raising `gantk.errors.FitError`, but must accept at least one of `shapes`. A class can override `shapes`,
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
