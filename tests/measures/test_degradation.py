"""Degraded images: values by hand, seeds, and what is refused."""

from __future__ import annotations

import pytest
import torch

from gantk.errors import OptionError
from gantk.measures.degradation import Degradation, degrade
from gantk.seeds import rng_for


def degraded(images: torch.Tensor, *texts: str, seed: int = 0) -> torch.Tensor:
    return degrade(images, [Degradation.parse(text) for text in texts], rng_for(seed))


def test_noise_has_its_deviation_and_stays_in_range() -> None:
    found = degraded(torch.zeros(4, 1, 64, 64), "noise=0.2")
    assert found.std().item() == pytest.approx(0.2, rel=0.02)
    assert found.mean().item() == pytest.approx(0, abs=0.01)
    strong = degraded(torch.full((1, 1, 64, 64), 0.9), "noise=2")
    assert strong.max() == 1
    assert strong.min() == -1


def test_downscale_takes_means_of_blocks() -> None:
    ramp = torch.arange(16.0).view(1, 1, 4, 4) / 16
    found = degraded(ramp, "downscale=4")
    torch.testing.assert_close(found, torch.full_like(ramp, ramp.mean().item()))
    found = degraded(ramp, "downscale=2")
    means = torch.tensor([[2.5, 4.5], [10.5, 12.5]]) / 16
    # Scaled up bilinearly, a corner lies beyond the centers of the blocks and takes the nearest one's mean.
    torch.testing.assert_close(found[0, 0, ::3, ::3], means)
    assert found[0, 0, 1, 1].item() == pytest.approx(
        (9 * means[0, 0] + 3 * means[0, 1] + 3 * means[1, 0] + means[1, 1]).item() / 16
    )


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 31, 17), (1, 5, 4)])
def test_shapes_stay(shape: tuple[int, int, int]) -> None:
    images = torch.rand(3, *shape) * 2 - 1
    for text in ("noise=0.1", "downscale=3", "mask=0.01", "mask=0.99"):
        found = degraded(images, text)
        assert found.shape == images.shape
        assert found.abs().max() <= 1


def test_mask_blackens_its_share_at_places_of_its_own() -> None:
    images = torch.ones(6, 3, 20, 40)
    found = degraded(images, "mask=0.25")
    black = found == -1
    assert black.flatten(1).float().mean(1).tolist() == pytest.approx([0.25] * 6)
    assert torch.equal(black[:, 0], black[:, 2]), "all channels alike"
    rows, columns = black[0, 0].any(1), black[0, 0].any(0)
    assert (int(rows.sum()), int(columns.sum())) == (10, 20)
    assert len({tuple(each.flatten().tolist()) for each in black[:, 0]}) > 1
    assert (images == 1).all(), "the images themselves are left alone"


def test_same_seed_same_images_whatever_their_number() -> None:
    images = torch.rand(5, 1, 8, 8) * 2 - 1
    chain = ("noise=0.3", "mask=0.25")
    found = degraded(images, *chain)
    assert torch.equal(found, degraded(images, *chain))
    assert torch.equal(found[:2], degraded(images[:2], *chain))
    assert not torch.equal(found, degraded(images, *chain, seed=1))


def test_several_go_in_order() -> None:
    images = torch.ones(1, 1, 8, 8)
    assert (degraded(images, "mask=0.25", "downscale=8") == 0.5).all()
    assert sorted(set(degraded(images, "downscale=8", "mask=0.25").flatten().tolist())) == [-1.0, 1.0]
    assert degraded(images) is images


REFUSED = {
    "noise": "such as noise=0.3",
    "": "such as noise=0.3",
    "=0.3": "no degradation ''",
    "nois=0.3": "Did you mean 'noise'",
    "noise=": "noise is above 0 and finite, not ''",
    "noise=0": "above 0",
    "noise=-1": "above 0",
    "noise=nan": "above 0",
    "noise=inf": "above 0",
    "noise=a": "not 'a'",
    "downscale=1": "a whole number of at least 2",
    "downscale=2.5": "a whole number",
    "downscale=inf": "a whole number",
    "mask=0": "above 0 and below 1",
    "mask=1": "above 0 and below 1",
    "mask=0.2=3": "not '0.2=3'",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_what_it_does_not_take(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Degradation.parse(text)


def test_no_smaller_than_a_pixel() -> None:
    with pytest.raises(OptionError, match="downscale=9: the shorter side of these images has 8 pixels"):
        degraded(torch.zeros(1, 1, 8, 20), "downscale=9")
    assert degraded(torch.zeros(1, 1, 8, 20), "downscale=8").shape == (1, 1, 8, 20)
    assert str(Degradation.parse("downscale=8")) == "downscale=8"
