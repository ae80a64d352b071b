"""The recipe for one's own pictures: what it sees in them, and what it chooses."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gantk
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.training.estimate import Estimate
from gantk_pictures import recipe
from gantk_pictures.look import looked_at


def blobs(count: int, side: int, channels: int = 3) -> np.ndarray:
    """Pictures of one bright disk, whose place (two numbers) is all that differs."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:side, :side][:, None] - rng.uniform(side / 4, 3 * side / 4, (2, count, 1, 1))
    disk = np.exp(-(row**2 + column**2) / (side / 6) ** 2)
    return np.repeat((disk * 250)[:, None], channels, axis=1).astype(np.uint8)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that trains 1,000 images of 32 pixels by networks of width 16 in a second."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(
        recipe, "_seconds_per_image", lambda plan, shape, parts, most: 1e-3 * (plan.width / 16) * (shape[1] / 32) ** 2
    )


def saved(pictures: np.ndarray, folder: Path) -> Path:
    for index, picture in enumerate(pictures):
        image = picture[0] if picture.shape[0] == 1 else picture.transpose(1, 2, 0)
        Image.fromarray(image).save(folder / f"{index:03d}.png")
    return folder


def test_it_sees_size_color_dimension_and_copies() -> None:
    pictures = blobs(300, 24)
    look = looked_at(ArraySource(np.concatenate([pictures, pictures[:100]])))
    assert (look.count, look.side, look.aspect, look.gray) == (400, 24, 1.0, False)
    assert look.dimension == pytest.approx(2, abs=0.4)
    assert look.copies == pytest.approx(0.25)


def test_size_widths_and_length_follow_the_time(fast: None, tmp_path: Path) -> None:
    saved(blobs(40, 80), tmp_path)
    sizes = {}
    for time in ("1min", "10min", "1h"):
        model = gantk.build("pictures", data=tmp_path, time=time)
        spec = model.built.spec
        length, unit = spec["stages"]["game"]["length"].split()
        assert unit == "images"
        sizes[time] = (model.image_shape, spec["generator"]["width"], int(length))
    assert sizes["1min"] == ((3, 32, 32), 16, pytest.approx(54_000, rel=1e-3)), "the smallest"
    assert sizes["10min"] == ((3, 32, 32), 24, pytest.approx(360_000, rel=1e-3))
    assert sizes["1h"] == ((3, 64, 64), 32, pytest.approx(405_000, rel=1e-3))


def test_each_choice_has_its_reason(fast: None, tmp_path: Path) -> None:
    pictures = blobs(30, 40, 1)
    saved(np.concatenate([pictures, pictures[:10]]), tmp_path)
    model = gantk.build("pictures", data=tmp_path, time="10min")
    assert model.image_shape[0] == 1, "gray pictures stay gray"
    said = "\n".join(model.built.notes)
    for reason in (
        r"40 gray pictures of about 40 pixels",
        r"size 32: the largest that see 300,000 images in 10 minutes",
        r"width 24: the largest that see",
        r"length 360,000 images",
        r"noise of 64 dimensions: at least twice the pictures' intrinsic dimension, about \d",
        r"augmentation: each picture is seen 9,000 times",
        r"30 different pictures: a GAN learns little from fewer than 100; about 25% of the pictures are copies",
    ):
        assert re.search(reason, said), reason
    assert "of the recipe" not in said, "size and color of the data are no recipe's"


@pytest.mark.parametrize(("often", "augmented"), [(1000, True), (20_000, False)])
def test_pictures_that_are_seen_often_are_augmented(
    fast: None, often: int, augmented: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "OFTEN", often)
    model = gantk.build("pictures", data=blobs(40, 28), time="10min")
    assert ("addon" in model.built.spec) == augmented
    assert model.image_shape == (3, 28, 28), "an array is taken as it is"


def test_what_the_user_chose_is_not_explained(fast: None, tmp_path: Path) -> None:
    saved(blobs(40, 40), tmp_path)
    mine = {"noise": "gaussian:dim=7", "generator": "dcgan:width=8", "without": "diffaugment"}
    model = gantk.build(
        "pictures", data=f"{tmp_path}:size=16", settings={"stages.*.length": "3 steps"}, time=60, **mine
    )
    said = "\n".join(model.built.notes)
    assert "40 color pictures" in said
    assert not re.search(r"noise of|width \d|size \d|length|augmentation:", said)


def test_one_tiny_picture_is_enlarged_and_told_of(fast: None, tmp_path: Path) -> None:
    saved(blobs(1, 3), tmp_path)
    model = gantk.build("pictures", data=tmp_path, time="1min", settings={"stages.game.batch_size": 2})
    said = "\n".join(model.built.notes)
    assert "1 color picture of about 3 pixels" in said
    assert "size 8: the pictures are enlarged" in said
    assert "1 different picture: a GAN learns little" in said


@pytest.mark.parametrize(("most", "times"), [(math.inf, 2), (1e-9, 1)])
def test_a_plan_is_timed_on_this_machine(most: float, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once if it is far too slow."""
    found, estimate = [], gantk.estimate
    monkeypatch.setattr(gantk, "estimate", lambda model: found.append(estimate(model)) or found[-1])
    plan = recipe._Plan(None, 4, 0)
    seconds = recipe._seconds_per_image(plan, (1, 16, 16), {"loss": "hinge"}, most)
    assert seconds == min(each.stages["game"] for each in found) / recipe.BATCH
    assert len(found) == times


def test_a_plan_that_cannot_be_timed_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gantk, "estimate", lambda model: Estimate({"game": math.nan}, {"game": "too few images"}))
    with pytest.raises(FitError, match=r"cannot be estimated: too few images\.$"):
        recipe._seconds_per_image(recipe._Plan(None, 4, 0), (1, 16, 16), {}, math.inf)
