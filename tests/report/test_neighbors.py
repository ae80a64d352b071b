"""The picture of nearest training images: every image is where it belongs, and the words say what was found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gantk.measures.copies import NearestTraining
from gantk.measures.nearest import TrainingNeighbors
from gantk.report.neighbors import FRAME, GAP, LINE, drawn_shape, neighbors_picture, verdict


def found(share: float, expected: float, copies: int = 0, n: int = 1000) -> TrainingNeighbors:
    distances = torch.ones(n, 2, dtype=torch.float64)
    distances[:copies] = 0
    indices = torch.zeros(n, 2, dtype=torch.int64)

    def near(part: float, distance: torch.Tensor) -> NearestTraining:
        return NearestTraining(indices[:, 0], distance, torch.where(torch.arange(n) < part * n, 1.0, 0.5))

    return TrainingNeighbors(distances, indices, near(share, distances[:, 0]), near(expected, torch.ones(n)))


def test_the_verdict_compares_with_training_images() -> None:
    calm = verdict(found(0.26, 0.25))
    assert "26.0% of 1,000 samples are as near to a training image as that image is to any other, or nearer" in calm
    assert "so are 25.0% of 1,000 training images (distances of pixels)" in calm
    assert "no sign" in calm
    assert "may have memorized" in verdict(found(0.4, 0.25))
    assert "no sign" in verdict(found(0.4, 0.25, n=20)), "twenty samples tell less"
    assert "3 samples equal a training image exactly" in verdict(found(0.26, 0.25, copies=3))
    assert "no sign" not in verdict(found(0.26, 0.25, copies=3))
    assert "may have memorized" in verdict(found(1.0, 0.25, copies=1000))
    assert "1 sample equals a training image exactly" in verdict(found(0.26, 0.25, copies=1))
    assert "features of x" in verdict(found(0.26, 0.25), "features of x")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_image_is_drawn_in_its_place(channels: int) -> None:
    levels = torch.tensor([[10, 20, 30], [40, 50, 60]], dtype=torch.uint8)
    images = levels[:, :, None, None, None].expand(2, 3, channels, 50, 40).clone()
    if channels in (2, 4):
        images[:, :, -1] = 255
    near = found(0.5, 0.5, n=2)
    drawn = neighbors_picture(images[:, 0], images[:, 1:], near, "some words that are long enough for two lines " * 3)
    assert drawn_shape((channels, 50, 40)) == (channels, 100 + LINE, 80)
    assert drawn.dtype == torch.uint8
    assert drawn.shape[0] == 3
    for row in range(2):
        for column in range(3):
            top = LINE + GAP + row * (100 + LINE + GAP)
            left = GAP + column * (80 + GAP) + (GAP if column else 0)
            tile = drawn[:, top : top + 100, left : left + 80]
            assert (tile == levels[row, column]).all()
            framed = drawn[:, top + 50, left - FRAME].tolist() == [200, 30, 30]
            assert framed == (column == 1 and bool(near.samples.copied[row]))
            below = drawn[:, top + 100 + FRAME : top + 100 + LINE, left : left + 80].float().mean()
            assert (below < 255) == (column > 0), "distances are written below the training images"
    assert np.ptp(drawn[:, -LINE:].numpy()) > 0, "the words are at the bottom"
