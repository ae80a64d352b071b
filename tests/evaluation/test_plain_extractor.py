"""Modules and functions as extractors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk.errors import FitError
from gantk.evaluation.evaluate import Evaluation

IMAGES = torch.randint(0, 256, (60, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
OTHERS = torch.randint(0, 256, (80, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def corner(images: Tensor) -> Tensor:
    return images[:, :, :4, :4].flatten(1)


def evaluated(extractor: object) -> Evaluation:
    return gantk.evaluate(IMAGES, data=OTHERS, metrics=["kernel-distance"], extractor=extractor)


@pytest.mark.parametrize(
    ("extractor", "dim"),
    [(nn.Flatten(), 64), (nn.AvgPool2d(2), 16), (corner, 16), (lambda x: x.flatten(1)[:, ::8], 8)],
    ids=["module", "maps", "function", "lambda"],
)
def test_features_are_what_it_returns(extractor: object, dim: int) -> None:
    (score,) = evaluated(extractor)
    assert score.protocol.features is not None
    assert score.protocol.features.dim == dim


def test_pixels_by_a_module_give_the_figures_of_pixels() -> None:
    assert evaluated(nn.Flatten())[0].figures == pytest.approx(evaluated("pixels")[0].figures, rel=1e-5)


def test_the_hash_is_that_of_code_and_weights() -> None:
    def scaled(by: float) -> object:
        return lambda images: by * images.flatten(1)

    def hashed(extractor: object) -> str:
        features = evaluated(extractor)[0].protocol.features
        assert features is not None
        return features.hash

    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    before = hashed(network)
    assert hashed(network) == before
    nn.init.zeros_(network[1].bias)
    assert hashed(network) != before
    assert hashed(scaled(2.0)) == hashed(scaled(2.0)) != hashed(scaled(3.0))
    tables = [torch.arange(5000.0), torch.arange(5000.0)]
    tables[1][2500] = 0
    shifted = [lambda images, by=by: images.flatten(1) - by[2468:2532] for by in tables]
    assert hashed(shifted[0]) != hashed(shifted[1]), "tensors whose repr is the same"
    assert hashed(shifted[0]) == hashed(shifted[0])
    assert hashed(nn.AvgPool2d(2)) != hashed(nn.AvgPool2d(2, ceil_mode=True))


@pytest.mark.parametrize(
    ("extractor", "message"),
    [
        (nn.Linear(3, 4), r"extractor Linear fails on images \[2, 1, 8, 8\]"),
        (lambda images: 3, "returned int for 2 images; expected features"),
        (lambda images: images.sum(), r"returned \[\] for 2 images"),
    ],
)
def test_others_are_refused(extractor: object, message: str) -> None:
    with pytest.raises(FitError, match=message):
        evaluated(extractor)


def test_the_hash_follows_what_the_code_refers_to(monkeypatch: pytest.MonkeyPatch) -> None:
    before = evaluated(halves)[0]
    assert evaluated(halves)[0].protocol == before.protocol
    monkeypatch.setitem(globals(), "PART", 4)
    after = evaluated(halves)[0]
    assert after.protocol.features != before.protocol.features
    assert after.figures == evaluated(lambda images: images.flatten(1)[:, ::4])[0].figures != before.figures


PART = 2


def halves(images: Tensor) -> Tensor:
    return images.flatten(1)[:, ::PART]
