"""The two parts against what their papers say, worked out by hand."""

import torch
from gantk_spherical.losses import FeatureMatching
from gantk_spherical.noise import Spherical
from torch import Tensor

from gantk import Discriminator, Play, Verdict


class Pixels(Discriminator):
    """Its one hidden map is the image itself."""

    provides = frozenset({"hidden"})

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(hidden=(images,))


def test_spherical_noise_has_length_root_dim_and_no_direction() -> None:
    noise = Spherical(dim=9).sample(4000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(noise.norm(dim=1), torch.full((4000,), 3.0))
    assert noise.mean(dim=0).abs().max() < 5 / 4000**0.5  # five standard errors: each number has variance 1


def test_feature_matching_compares_means() -> None:
    real, fake = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    play = Play(Pixels(), real=real.view(2, 1, 1, 2), fake=fake.view(2, 1, 1, 2))
    assert FeatureMatching().generator(play).item() == (2 - 1) ** 2 + (3 - 0) ** 2


def test_feature_matching_leaves_the_real_images_alone() -> None:
    real, fake = torch.zeros(2, 1, 1, 2, requires_grad=True), torch.ones(2, 1, 1, 2, requires_grad=True)
    FeatureMatching().generator(Play(Pixels(), real=real, fake=fake)).backward()
    assert real.grad is None
    assert fake.grad is not None
