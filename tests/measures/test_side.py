"""One side of a comparison: images as a stream, features in a file, found again by their content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gantk import Extractor, Metric
from gantk.data import ArraySource, to_float
from gantk.errors import FitError
from gantk.measures import Comparison, Side, measure, missing
from gantk.testing.toys import ToyExtractor
from gantk_metrics.pixels import Pixels

IMAGES = torch.randint(0, 256, (300, 1, 4, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def source(count: int = 300, labels: bool = False) -> ArraySource:
    return ArraySource(IMAGES[:count], torch.arange(count) % 3 if labels else None)


class Counted(Pixels):
    """Pixels that count the images they have seen."""

    seen = 0

    def forward(self, images: Tensor) -> Tensor:
        type(self).seen += len(images)
        return super().forward(images)


def test_a_side_is_its_images_and_their_features() -> None:
    side = Side(source(labels=True), ToyExtractor())
    assert len(side) == 300
    assert side.image_shape == (1, 4, 3)
    assert torch.equal(torch.cat(list(side.images(batch=7))), IMAGES)
    with torch.no_grad():
        expected = side.extractor(to_float(IMAGES))
    assert torch.allclose(side.features, expected, atol=1e-6)
    assert torch.allclose(side.probabilities, side.extractor.classify(expected), atol=1e-6)
    assert side.labels is not None
    assert side.labels[:4].tolist() == [0, 1, 2, 0]
    assert Side(source()).labels is None


def test_features_are_found_again_by_content_and_by_nothing_else(tmp_path: Path) -> None:
    def seen(images: Tensor, extractor: Extractor) -> int:
        Counted.seen = 0
        found = Side(ArraySource(images), extractor, folder=tmp_path).features
        assert torch.allclose(found, extractor(to_float(images)))
        return Counted.seen - len(images)

    assert seen(IMAGES, Counted((1, 4, 3))) == 300
    assert seen(IMAGES.clone(), Counted((1, 4, 3))) == 0, "the same images and extractor, given anew"
    other = IMAGES.clone()
    other[299, 0, 3, 2] ^= 1
    assert seen(other, Counted((1, 4, 3))) == 300, "one bit of one image is another"
    assert seen(IMAGES, Counted((1, 4, 3), size=2)) == 300, "another option of the extractor"


def test_an_interrupted_extraction_leaves_nothing_behind(tmp_path: Path) -> None:
    class Stopped(Pixels):
        def forward(self, images: Tensor) -> Tensor:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _ = Side(source(), Stopped((1, 4, 3)), folder=tmp_path).features
    assert not list(tmp_path.iterdir())


class Wide(Pixels):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)[:, :5]


class Infinite(Pixels):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) / 0


@pytest.mark.parametrize(
    ("extractor", "said"),
    [
        (Wide((1, 4, 3)), r"Wide returned \[256, 5\] for 256 images; expected \[256, 12\]\."),
        (Infinite((1, 4, 3)), "samples: features of Infinite are NaN or infinite"),
        (None, "samples: features need an extractor, but none is given"),
    ],
)
def test_features_that_cannot_be_are_refused(extractor: Extractor | None, said: str) -> None:
    with pytest.raises(FitError, match=said):
        _ = Side(source(), extractor, name="samples").features


def test_probabilities_of_an_extractor_without_classes_are_refused() -> None:
    with pytest.raises(FitError, match="Pixels has none: use an extractor with classes"):
        _ = Side(source(), Pixels((1, 4, 3))).probabilities


class Reading(Metric):
    """The distance between the means of the features.

    Args:
        needs: what it says that it reads.
        images: how many it needs.
    """

    def __init__(self, needs: frozenset[str], images: int = 2) -> None:
        super().__init__()
        self.needs, self.images = needs, images

    def least(self, comparison: Comparison) -> int:
        return self.images

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        real, generated = comparison.real.features.mean(0), comparison.generated.features.mean(0)
        return {"distance": (real - generated).norm().item()}


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        ({"features"}, ""),
        ({"labels"}, "the data set has no classes"),
        ({"generated labels"}, "generated images have no labels"),
        ({"held out"}, "the data set has no held-out images"),
        ({"model"}, "only images are given, without their model"),
        ({"probabilities"}, "the extractor Pixels has no class probabilities"),
    ],
)
def test_what_a_metric_misses_is_said(needs: set[str], reason: str) -> None:
    extractor = Pixels((1, 4, 3))
    comparison = Comparison(Side(source(), extractor, name="the data"), Side(source(200), extractor, name="samples"))
    found = missing(Reading(frozenset(needs)), comparison)
    assert found.startswith(reason) if reason else not found
    if reason:
        with pytest.raises(FitError, match=f"metric Reading: {reason}"):
            measure(Reading(frozenset(needs)), comparison)
    else:
        expected = (to_float(IMAGES).mean(0) - to_float(IMAGES[:200]).mean(0)).norm().item()
        assert measure(Reading(frozenset(needs)), comparison)["distance"] == pytest.approx(expected, rel=1e-5)


def test_a_metric_says_how_many_images_it_needs() -> None:
    extractor = Pixels((1, 4, 3))
    comparison = Comparison(Side(source(), extractor, name="the data"), Side(source(200), extractor, name="samples"))
    reason = missing(Reading(frozenset({"features"}), 250), comparison)
    assert reason == "it needs 250 images of each side, but samples has 200"
