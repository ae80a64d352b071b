from gantk.testing import LossContract, NoiseContract


class TestSpherical(NoiseContract):
    plugin = "spherical:dim=3"


class TestFeatureMatching(LossContract):
    plugin = "mini-feature-matching"
