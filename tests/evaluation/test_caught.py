"""Generators that cheat are caught: they replay training images, draw one class, or draw one image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

import gantk
from gantk.construct import construct
from gantk.data import ArraySource

COUNT = 300
Digits = tuple[Tensor, Tensor, Tensor]


@pytest.fixture(scope="module")
def digits() -> Digits:
    """Images and labels, and the order in which they are taken."""
    source = construct("data", "digits")
    labels = source.labels(range(len(source)))
    assert labels is not None
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))
    return source.images(range(len(source))), labels, order


def replay(digits: Digits) -> Tensor:
    images, _, order = digits
    return images[order[:COUNT]]


def noisy_replay(digits: Digits) -> Tensor:
    noise = 3 * torch.randn(COUNT, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    return (replay(digits) + noise).round().clamp(0, 255).byte()


def single_class(digits: Digits) -> Tensor:
    images, labels, _ = digits
    return images[labels == 7][:COUNT].roll(1, 2)


def single_image(digits: Digits) -> Tensor:
    return replay(digits)[:1].repeat(COUNT, 1, 1, 1)


@pytest.mark.parametrize(
    ("generator", "metric", "said"),
    [
        (replay, "memorization", "100% of the images are closer to a training image"),
        (noisy_replay, "memorization", "they are copies or near copies"),
        (single_image, "prdc", "the images hardly vary"),
    ],
)
def test_a_remark_says_so(
    generator: Callable[[Digits], Tensor], metric: str, said: str, digits: Digits, tmp_path: Path
) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    for number, image in enumerate(generator(digits)):
        Image.fromarray(image[0].numpy()).save(folder / f"{number:04}.png")
    found = gantk.evaluate(folder, data="digits", metrics=[metric], extractor="pixels")
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith(f"{metric}: ")
    assert said in found.remarks[0]
    again = gantk.evaluate(folder, data="digits", metrics=[metric], extractor="pixels")
    assert again.remarks == found.remarks, "what was measured before says the same"


@pytest.mark.slow
def test_a_single_class_is_missed_by_the_classifier(digits: Digits) -> None:
    quick = "classifier:data=digits,width=8,epochs=2"
    found = gantk.evaluate(single_class(digits), data="digits", metrics=["classes"], extractor=quick, n=COUNT)
    assert "1 of 10 classes" in found.remarks[0]


def test_real_images_are_not_suspected(digits: Digits) -> None:
    images, labels, order = digits
    half = len(order) // 2
    training = ArraySource(images[order[:half]], labels[order[:half]])
    found = gantk.evaluate(
        images[order[half : half + COUNT]], data=training, metrics=["memorization", "prdc"], extractor="pixels"
    )
    assert found.remarks == []
    assert len(found) == 2
