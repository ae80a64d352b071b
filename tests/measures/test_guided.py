"""Guided backpropagation, by its definition, and the images to which known features respond."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.measures.guided import guided, last_map, responses
from gantk.parts import Discriminator, Verdict


class Judge(Discriminator):
    """Two convolutions, the last of which has given features."""

    def __init__(self, rectifier: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 3, 3)
        self.rectifier = rectifier

    def forward(self, images: Tensor) -> Verdict:
        below = self.rectifier(self.first(images))
        above = self.rectifier(self.second(below))
        return Verdict(above.mean((1, 2, 3)), hidden=(below, above, above.flatten(1)))


def by_definition(judge: Judge, images: Tensor, slope: float) -> Tensor:
    """Backward by hand: the derivative of the rectifier, of positive gradients only."""

    def back(gradient: Tensor, before: Tensor) -> Tensor:
        return gradient.clamp(min=0) * torch.where(before > 0, 1.0, slope)

    below = judge.first(images)
    above = judge.second(nn.functional.leaky_relu(below, slope))
    maps = nn.functional.leaky_relu(above, slope)[:, 1]
    chosen = torch.zeros_like(above)
    for n, each in enumerate(maps):
        row, column = divmod(int(each.argmax()), each.shape[1])
        chosen[n, 1, row, column] = 1
    second = nn.functional.conv_transpose2d(back(chosen, above), judge.second.weight)
    return nn.functional.conv_transpose2d(back(second, below), judge.first.weight)


@pytest.mark.parametrize(
    ("rectifier", "slope"),
    [(nn.ReLU(), 0.0), (nn.ReLU(inplace=True), 0.0), (nn.LeakyReLU(0.2), 0.2), (nn.LeakyReLU(0.2, inplace=True), 0.2)],
    ids=str,
)
def test_only_positive_gradients_pass_a_rectifier(rectifier: nn.Module, slope: float) -> None:
    judge = Judge(rectifier).requires_grad_(False)
    images = torch.randn(5, 1, 9, 9, generator=torch.Generator().manual_seed(1))
    found = guided(judge, images, 1)
    torch.testing.assert_close(found, by_definition(judge, images, slope))
    plain = images.clone().requires_grad_(True)
    last_map(judge, plain)[:, 1].amax((1, 2)).sum().backward()
    assert plain.grad is not None
    assert not torch.allclose(found, plain.grad), "it is no plain gradient"


def test_images_with_the_highest_responses_come_first() -> None:
    class Brightness(Discriminator):
        """Feature 0 is the brightness of 2x2 pixels, feature 1 their darkness."""

        def forward(self, images: Tensor) -> Verdict:
            mean = nn.functional.avg_pool2d(images, 2)
            return Verdict(mean.mean((1, 2, 3)), hidden=(torch.cat([mean, -mean], 1).relu(),))

    pixels = np.full((70, 1, 8, 8), 128, np.uint8)
    pixels[40, :, 2:4, 4:6], pixels[3, :, :2, :2], pixels[60, :, 6:, 6:] = 255, 200, 0
    found = responses(Brightness(), ArraySource(pixels), list(range(1, 70)), features=2, top=2)
    assert found.values.shape == (2, 2)
    assert found.images.shape == found.gradients.shape == (2, 2, 1, 8, 8)
    bright, dark = found.images[0], found.images[1, 0]
    assert bright[0, 0, 2, 4] == 1
    assert bright[1, 0, 0, 0] == pytest.approx(200 / 127.5 - 1)
    assert dark[0, 7, 7] == -1
    where = found.gradients[0, 0, 0].nonzero()
    assert where.tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]], "only those pixels moved it"
    assert found.selectivity > 5


def test_a_discriminator_without_maps_is_refused() -> None:
    class Flat(Discriminator):
        def forward(self, images: Tensor) -> Verdict:
            return Verdict(images.mean((1, 2, 3)), hidden=(images.flatten(1),))

    with pytest.raises(FitError, match="Flat has no hidden layer with maps"):
        guided(Flat(), torch.zeros(1, 1, 4, 4), 0)
