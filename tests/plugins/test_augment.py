"""Augmentations and instance noise: contracts, what they do to images, and gradients of every order through them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import small_parts
from torch import Tensor
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk import Discriminator, Play, Verdict
from gantk.construct import construct
from gantk.data import ArraySource
from gantk.errors import FitError, OptionError
from gantk.testing import AddonContract
from gantk_augment.transforms import recolored, warped


class TestDiffAugment(AddonContract):
    plugin = "diffaugment"


class TestAdaptiveAugmentation(AddonContract):
    plugin = "ada"


class TestInstanceNoise(AddonContract):
    plugin = "instance-noise"


class Sum(Discriminator):
    """The logit of an image is the sum of its pixels."""

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=images.flatten(1).sum(dim=1))


def made(spec: str) -> Any:
    return construct("addon", spec)


def shown(spec: str, images: Tensor, p: float = 1.0, done: float = 0.0) -> Tensor:
    play = Play(Sum(), real=images, fake=images, state={"p": torch.tensor(p)}, done=done)
    torch.manual_seed(0)
    found: Tensor = made(spec).transform(images, play)
    return found


def places(n: int, height: int, width: int) -> Tensor:
    """Images whose two channels are the line and the column of each pixel, counted from 1, and 9 in between."""
    lines, columns = torch.meshgrid(torch.arange(1, height + 1), torch.arange(1, width + 1), indexing="ij")
    return torch.stack([lines, columns, 0 * lines]).float().expand(n, 3, height, width)


def test_translation_moves_by_whole_pixels_and_leaves_zero() -> None:
    shifts = set()
    for line, column, _ in shown("diffaugment:policy=translation,translation=0.25", places(80, 8, 12)):
        inside = line > 0
        assert torch.equal(inside, column > 0)
        at = inside.nonzero()
        down = {int(line[y, x]) - 1 - int(y) for y, x in at}
        across = {int(column[y, x]) - 1 - int(x) for y, x in at}
        assert len(down) == len(across) == 1
        shifts.add((down.pop(), across.pop()))
        assert len(at) == (8 - abs(at[0, 0] - 7 + at[-1, 0])) * (12 - abs(at[0, 1] - 11 + at[-1, 1]))
    assert {down for down, _ in shifts} == set(range(-2, 3))
    assert {across for _, across in shifts} == set(range(-3, 4))


def test_cutout_takes_a_rectangle_of_its_share() -> None:
    taken = shown("diffaugment:policy=cutout", torch.ones(200, 3, 8, 12)) == 0
    assert torch.equal(taken[:, 0], taken[:, 2]), "of all channels"
    sizes = taken[:, 0].flatten(1).sum(dim=1)
    assert sizes.max() == 4 * 6
    assert sizes.min() >= 2 * 3
    heights, widths = taken[:, 0].any(dim=2).sum(dim=1), taken[:, 0].any(dim=1).sum(dim=1)
    assert torch.equal(heights * widths, sizes)


def test_color_changes_brightness_contrast_and_saturation_but_not_transparency() -> None:
    """Each pixel's colors are an affine function of what they were, the same for the whole image."""
    torch.manual_seed(1)
    images = torch.rand(64, 4, 6, 6) * 2 - 1
    found = shown("diffaugment:policy=color", images)
    assert torch.equal(found[:, 3], images[:, 3])
    gray, was = found[:, :3].mean(dim=1).flatten(1), images[:, :3].mean(dim=1).flatten(1)
    contrast = (gray - gray.mean(1, True)).norm(dim=1) / (was - was.mean(1, True)).norm(dim=1)
    assert 0.5 <= contrast.min() < 0.6 < 1.4 < contrast.max() <= 1.5
    brightness = gray.mean(dim=1) - was.mean(dim=1)
    assert -0.5 <= brightness.min() < -0.4 < 0.4 < brightness.max() <= 0.5
    apart = (found[:, 0] - found[:, 1]).flatten(1).norm(dim=1) / (images[:, 0] - images[:, 1]).flatten(1).norm(dim=1)
    saturation = apart / contrast
    assert 0 <= saturation.min() < 0.2 < 1.8 < saturation.max() <= 2.0


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_adaptive_augmentation_leaves_images_alone_until_it_is_needed(channels: int) -> None:
    images = torch.rand(5, channels, 8, 6) * 2 - 1
    assert torch.equal(shown("ada", images, p=0.0), images)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_adaptive_augmentation_changes_a_share_of_the_images(channels: int) -> None:
    """Of nine changes, each image gets none with probability (1 - p)⁹ or more, as some of them may be neutral."""
    images = torch.rand(400, channels, 8, 6) * 2 - 1
    same = [torch.equal(a, b) for a, b in zip(shown("ada:color=false", images, p=0.05), images, strict=True)]
    assert 0.95**8 - 0.08 < np.mean(same) < 0.95**6 + 0.08
    changed = shown("ada", images)
    assert not any(torch.equal(a, b) for a, b in zip(changed, images, strict=True))
    if channels in (2, 4):
        assert changed[:, -1].abs().max() <= 1, "transparency is moved, and keeps its range"


def test_warping_takes_pixels_from_within_the_image() -> None:
    """Bilinear, mirrored at the edges: of values in [1, 8] and [1, 6], nothing else becomes of them."""
    torch.manual_seed(0)
    found = warped(places(500, 8, 6), torch.tensor(1.0))
    assert 1 <= found[:, 0].min() < 1.1
    assert 7.9 < found[:, 0].max() <= 8 + 1e-5
    assert found[:, 1].max() <= 6 + 1e-5
    assert not found[:, 2].any()


@pytest.mark.parametrize("change", [warped, recolored])
def test_augmentation_is_as_exact_under_autocast(change: Callable[[Tensor, Tensor], Tensor]) -> None:
    images = torch.rand(6, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    expected = change(images, torch.tensor(0.8))
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(change(images, torch.tensor(0.8)), expected)


def test_a_mirrored_image_is_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(3, 1, 5, 4)
    draws = iter([0.9, 0.0, *[0.9] * 40])  # the first change is to mirror, which is chosen, and nothing after it
    monkeypatch.setattr("gantk_augment.transforms._Draws.uniform", lambda self: torch.full((3,), next(draws)))
    found = warped(images, torch.tensor(0.5))
    assert torch.equal(found, images.flip(3))


def test_recoloring_turns_colors_around_the_gray_axis() -> None:
    """Hue, luma and saturation keep what is gray gray; luma flips may make light dark."""
    torch.manual_seed(0)
    gray = torch.rand(200, 1, 4, 4).expand(200, 3, 4, 4)
    found = recolored(gray, torch.tensor(1.0))
    torch.testing.assert_close(found[:, :1].expand_as(found), found, atol=1e-5, rtol=1e-4)
    slopes = ((found - found.mean((1, 2, 3), True)) * (gray - gray.mean((1, 2, 3), True))).sum((1, 2, 3))
    assert 60 < (slopes < 0).sum() < 140


REAL = torch.tensor([1.0, 2.0, -1.0, 3.0]).view(4, 1, 1, 1)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("ada:images=100,target=0.4", 0.5 + 4 / 100),
        ("ada:images=100,target=0.6", 0.5 - 4 / 100),
        ("ada:images=100,target=0.5", 0.5),
        ("ada:images=100,target=0.4,of=pairs", 0.5 - 4 / 100),
        ("ada:images=1,target=0.4", 1.0),
        ("ada:images=1", 0.0),
    ],
)
def test_p_follows_the_signs_of_real_logits(spec: str, expected: float) -> None:
    """r is (3 - 1) / 4 for the real images, and -1 / 2 for their differences from the generated ones."""
    fake = torch.tensor([2.0, 1.0, 0.0, 4.0]).view(4, 1, 1, 1)
    play = Play(Sum(), real=REAL, fake=fake, state={"p": torch.tensor(0.5)})
    assert made(spec).after_discriminator(play)["p"].item() == pytest.approx(expected)


@pytest.mark.parametrize(("done", "std"), [(0.0, 0.3), (0.25, 0.15), (0.5, 0.0), (0.9, 0.0)])
def test_instance_noise_falls_linearly(done: float, std: float) -> None:
    images = torch.zeros(100, 1, 10, 10)
    found = shown("instance-noise:std=0.3,until=0.5", images, done=done)
    assert found.std().item() == pytest.approx(std, rel=0.05)
    assert found.mean().item() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("spec", ["diffaugment", "ada", "instance-noise"])
def test_gradients_of_both_orders_go_through(spec: str) -> None:
    """The generator's, and those of a gradient penalty in the discriminator's weights, against finite differences."""
    part = made(spec)
    weight = torch.randn(1, 3, 2, dtype=torch.float64, requires_grad=True)
    images = torch.rand(2, 1, 3, 2, dtype=torch.float64, requires_grad=True)
    play = Play(Sum(), real=images, fake=images, state={"p": torch.tensor(0.7)})

    def score(weight: Tensor, images: Tensor) -> Tensor:
        torch.manual_seed(3)
        return (weight * part.transform(images, play)).sin().sum()

    assert torch.autograd.gradcheck(score, (weight, images))
    assert torch.autograd.gradgradcheck(score, (weight, images))


def test_codes_are_not_augmented() -> None:
    with pytest.raises(FitError, match="this game judges codes"):
        made("ada").shown_shape((8, 1, 1))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("diffaugment:policy=[]", "policy is empty"),
        ("diffaugment:policy=colour", "'color' or 'translation' or 'cutout'"),
        ("diffaugment:translation=1", "translation must be 0 or more"),
        ("diffaugment:cutout=-1", "cutout must be 0 or more"),
        ("ada:target=1", "target must be above -1"),
        ("ada:images=0", "images must be at least 1"),
        ("instance-noise:std=-1", "std must be 0 or more"),
        ("instance-noise:until=0", "until must be above 0"),
    ],
)
def test_options_out_of_range_are_refused(spec: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        made(spec)


@pytest.mark.parametrize(
    ("recipe", "parts"),
    {
        "dcgan": {"addon": ["diffaugment", "instance-noise"], "condition": "class"},
        "wgan-gp": {"addon": "ada:images=20", "refiner": "denoiser:width=4"},
        "r3gan": {"addon": "ada:images=20,of=pairs,target=-0.9"},
    }.items(),
)
def test_augmented_games_go_the_whole_way(
    recipe: str, parts: dict[str, Any], tiny_pictures: ArraySource, tmp_path: Path
) -> None:
    """Resumed to the same bits, with p where it was."""
    model = gantk.build(recipe, data=tiny_pictures, settings=SHORT, **{**small_parts({"recipe": recipe}), **parts})
    goes_the_whole_way(model, tiny_pictures, tmp_path)
