"""The parts against what their papers say, worked out by hand."""

from __future__ import annotations

import pytest
import torch
from gantk_ten.augment import AdaptiveAugmentation, patch, translated
from gantk_ten.began import BEGAN, AutoencodingDiscriminator
from gantk_ten.conditional import ProjectionDiscriminator
from gantk_ten.deligan import Mixture
from gantk_ten.r3gan import R3GAN
from torch import Tensor

from gantk import Discriminator, Play, Verdict
from gantk.errors import FitError


class Sum(Discriminator):
    """The sum of an image's pixels, times a factor."""

    provides = frozenset({"logits", "per-sample"})

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=self.factor * images.flatten(1).sum(dim=1))


REAL, FAKE = torch.full((2, 1, 2, 2), 0.5), torch.full((2, 1, 2, 2), 0.25)


def test_projection_is_a_product_with_the_condition() -> None:
    torch.manual_seed(0)
    judge, images = ProjectionDiscriminator((1, 16, 16), 3, width=4).eval(), torch.rand(2, 1, 16, 16)
    none, one = torch.zeros(2, 3), torch.eye(3)[[0, 2]]
    features = judge.down(images)[-1].sum(dim=(2, 3))
    expected = (judge.embedding.weight[:, [0, 2]].T * features).sum(dim=1)
    torch.testing.assert_close(judge(images, one).logits - judge(images, none).logits, expected)


def test_mixture_has_its_means_and_deviations() -> None:
    noise = Mixture(2, components=2)
    with torch.no_grad():
        noise.means.copy_(torch.tensor([[5.0, 0.0], [-5.0, 0.0]]))
        drawn = noise.sample(4000, torch.Generator().manual_seed(0))
    first = drawn[drawn[:, 0] > 0]
    assert len(first) == pytest.approx(2000, abs=5 * 1000**0.5)
    torch.testing.assert_close(first.mean(0), torch.tensor([5.0, 0.0]), atol=0.03, rtol=0)
    torch.testing.assert_close(first.std(0), torch.tensor([0.2, 0.2]), atol=0.02, rtol=0)
    assert noise.generator(Play()).item() == pytest.approx(0.8**2)


def test_began_by_hand() -> None:
    """L(x) = 2 · 1, L(G(z)) = 2 · 0.5 by a judge of -2 · the sum of pixels that are 0.25 and 0.125."""
    loss, judge = BEGAN(gamma=0.75, rate=0.1), Sum(-2.0)
    play = Play(judge, real=REAL / 2, fake=FAKE / 2, state={"k": torch.tensor(0.3)})
    assert loss.discriminator(play).item() == pytest.approx(2.0 - 0.3 * 1.0)
    assert loss.generator(play).item() == pytest.approx(1.0)
    assert loss.after_discriminator(play)["k"].item() == pytest.approx(0.3 + 0.1 * (0.75 * 2.0 - 1.0))
    low = Play(judge, real=FAKE / 2, fake=REAL / 2, state={"k": torch.tensor(0.0)})
    assert loss.after_discriminator(low)["k"].item() == 0


def test_began_refuses_a_discriminator_of_another_kind() -> None:
    with pytest.raises(FitError, match="--discriminator mini-autoencoding"):
        BEGAN().generator(Play(Sum(), real=REAL, fake=FAKE))


def test_autoencoding_logit_is_a_reconstruction_error() -> None:
    judge, images = AutoencodingDiscriminator((1, 28, 28), width=4), torch.rand(3, 1, 28, 28)
    verdict = judge(images)
    decoded = judge.image(judge.up(verdict.hidden[-1]))
    torch.testing.assert_close(-verdict.logits, (images - decoded).abs().mean(dim=(1, 2, 3)))


def test_r3gan_by_hand() -> None:
    """The gradient of a sum over four pixels has the squared norm 4; at lazy steps it counts `every` times."""
    game = torch.nn.functional.softplus(torch.tensor(1.0 - 2.0)).item()
    for step, every, expected in ((0, 1, game + 0.25 * 8), (0, 3, game + 3 * 0.25 * 8), (1, 3, game), (3, 3, game + 6)):
        play = Play(Sum(), real=REAL, fake=FAKE, step=step)
        assert R3GAN(penalty=0.5, every=every).discriminator(play).item() == pytest.approx(expected)
    mirrored = torch.nn.functional.softplus(torch.tensor(2.0 - 1.0)).item()
    assert R3GAN().generator(Play(Sum(), real=REAL, fake=FAKE)).item() == pytest.approx(mirrored)


def test_translation_moves_whole_pixels() -> None:
    torch.manual_seed(0)
    images = torch.arange(1.0, 65.0).view(1, 1, 8, 8).expand(50, 1, 8, 8)
    for image in translated(images, 0.25)[:, 0]:
        held = image[image > 0]
        rows = [row for row in range(8) if image[row].any()]
        assert set(held.tolist()) <= set(range(1, 65))
        assert len(rows) >= 6
        down = rows[0] if rows[0] else rows[-1] - 7
        lines, columns = image.nonzero().unbind(1)
        across = columns - (image[lines, columns].long() - 1) % 8
        assert (image[lines, columns].long() - 1 == (lines - down) * 8 + columns - across).all()
        assert across.unique().numel() == 1


def test_cutout_takes_a_share_of_each_side() -> None:
    torch.manual_seed(0)
    masks = patch(torch.zeros(200, 3, 8, 12), 0.5)
    assert masks.shape == (200, 1, 8, 12)
    taken = (1 - masks).sum(dim=(1, 2, 3))
    assert taken.max() <= 5 * 7
    assert taken.min() > 0


@pytest.mark.parametrize(("real", "expected"), [(REAL, 0.5 + 2 / 100), (-REAL, 0.5 - 2 / 100)])
def test_ada_follows_the_sign_of_real_logits(real: Tensor, expected: float) -> None:
    play = Play(Sum(), real=real, fake=FAKE, state={"p": torch.tensor(0.5)})
    assert AdaptiveAugmentation(images=100).after_discriminator(play)["p"].item() == pytest.approx(expected)


def test_ada_shows_images_as_they_are_until_it_is_needed() -> None:
    play = Play(Sum(), real=REAL, fake=FAKE, state={"p": torch.tensor(0.0)})
    assert torch.equal(AdaptiveAugmentation().transform(REAL, play), REAL)
