"""How much images differ from each other: the paper's diversity, and structural similarity of pairs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sides import SHAPE, Classifier, comparison, images, of_images
from torch import Tensor

from gantk.data import to_float
from gantk.errors import FitError, UsageError
from gantk.measures import Comparison, diversity, measure, ms_ssim, ssim_scales
from gantk_metrics.diversity import DiversityOfPixels, MultiScaleSimilarity, RelativeDiversity, _pairs
from gantk_metrics.pixels import Pixels


def random_images(n: int, shape: tuple[int, ...], seed: int) -> Tensor:
    """Smooth ones, as pictures are."""
    coarse = torch.rand(n, shape[0], 6, 6, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, shape[1:], mode="bilinear")
    noise = 0.1 * torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed + 1))
    return (255 * (0.9 * smooth + noise)).to(torch.uint8)


def test_diversity_is_the_definition_by_class() -> None:
    classes = torch.tensor([0, 2, 2, 0, 2, 3] * 10 + [4])
    some = images(61, 3, classes % 3)
    found = diversity(some.split(7), classes)
    assert found.counts.tolist() == [20, 0, 30, 10, 1]
    for each in (0, 2, 3):
        expected = to_float(some[classes == each]).double().flatten(1).var(0).sum()
        assert found.values[each].item() == pytest.approx(expected.item(), rel=1e-6)
    assert found.values.isnan().tolist() == [False, True, False, False, True]
    whole = diversity([some]).values
    assert whole.item() == pytest.approx(to_float(some).double().flatten(1).var(0).sum().item(), rel=1e-6)


def test_diversity_needs_a_class_for_each_image() -> None:
    some = images(6, 3, torch.zeros(6, dtype=torch.int64))
    for given in (5, 7):
        with pytest.raises(UsageError, match="one class for each image"):
            diversity(some.split(2), torch.zeros(given, dtype=torch.int64))
    with pytest.raises(UsageError, match="at least one image is needed"):
        diversity([])


def test_relative_diversity_of_samples_as_good_as_real_images_is_one() -> None:
    good, noisy = (comparison(extractor=Classifier(), noise=noise) for noise in (0, 20))
    found = measure(RelativeDiversity(), good)
    assert found["rdd"] == pytest.approx(1, abs=0.1)
    assert found["rdd_least"] <= found["rdd"] <= found["rdd_most"]
    assert measure(RelativeDiversity(), noisy)["rdd"] > 1.5
    assert measure(DiversityOfPixels(), good)["diversity_relative"] == pytest.approx(1, abs=0.1)


def test_one_image_of_each_class_is_caught() -> None:
    whole = comparison(extractor=Classifier())
    repeated = images(3, 5, torch.arange(3)).repeat(40, 1, 1, 1)
    collapsed = Comparison(whole.real, of_images(repeated, "collapsed", torch.arange(120) % 3, Classifier()))
    assert measure(RelativeDiversity(), collapsed)["rdd"] == 0
    single = Comparison(whole.real, of_images(repeated[:1].repeat(50, 1, 1, 1), "a single image"))
    assert measure(DiversityOfPixels(), single) == {"diversity": 0, "diversity_relative": 0}
    found = measure(MultiScaleSimilarity(pairs=50, within_classes=True), collapsed)
    assert found["ms_ssim"] == pytest.approx(1)
    assert found["ms_ssim_real"] < 0.9
    assert measure(MultiScaleSimilarity(pairs=50), collapsed)["ms_ssim"] < 0.9, "images of different classes too"


def test_relative_diversity_needs_classes_and_images_that_differ() -> None:
    with pytest.raises(FitError, match="no class probabilities"):
        measure(RelativeDiversity(), comparison(extractor=Pixels(SHAPE)))
    same = of_images(images(1, 5, torch.zeros(1, dtype=torch.int64)).repeat(9, 1, 1, 1), "same", None, Classifier())
    with pytest.raises(FitError, match="none can be compared"):
        measure(RelativeDiversity(), Comparison(same, same))


@pytest.mark.parametrize(("shape", "scales"), [((1, 28, 28), 2), ((3, 64, 48), 3), ((1, 176, 192), 5), ((1, 8, 6), 1)])
def test_similarity_is_one_of_equal_images_and_falls_with_noise(shape: tuple[int, int, int], scales: int) -> None:
    assert ssim_scales(*shape[1:]) == scales
    some, others = random_images(4, shape, 0), random_images(4, shape, 9)
    assert torch.allclose(ms_ssim(some, some), torch.ones(4, dtype=torch.float64))
    noise = 25 * torch.randn(some.shape, generator=torch.Generator().manual_seed(3))
    noisy = (some + noise).clamp(0, 255).to(torch.uint8)
    between = ms_ssim(some, noisy)
    assert (between < 1).all()
    assert (between > ms_ssim(some, others)).all()
    assert torch.allclose(between, ms_ssim(noisy, some))


def by_hand(one: Tensor, other: Tensor) -> float:
    """The paper's formulas, window by window, with a window of 11 x 11 pixels."""
    places = torch.arange(11, dtype=torch.float64) - 5
    window = torch.exp(-(places[:, None].square() + places.square()) / (2 * 1.5**2))
    window = window / window.sum()
    weights = torch.tensor([0.0448, 0.2856], dtype=torch.float64)
    product = 1.0
    for scale, weight in enumerate(weights / weights.sum()):
        values = []
        for top in range(one.shape[0] - 10):
            for left in range(one.shape[1] - 10):
                x, y = (side[top : top + 11, left : left + 11] for side in (one, other))
                mean_x, mean_y = (window * x).sum(), (window * y).sum()
                variances = (window * (x - mean_x) ** 2).sum() + (window * (y - mean_y) ** 2).sum()
                covariance = (window * (x - mean_x) * (y - mean_y)).sum()
                value = (2 * covariance + 58.5225) / (variances + 58.5225)
                if scale == 1:
                    value *= (2 * mean_x * mean_y + 6.5025) / (mean_x**2 + mean_y**2 + 6.5025)
                values.append(value)
        product *= float(torch.stack(values).mean() ** weight)
        one, other = (side.unflatten(0, (-1, 2)).unflatten(2, (-1, 2)).mean((1, 3)) for side in (one, other))
    return product


def test_similarity_is_the_papers_formula() -> None:
    one, other = random_images(2, (1, 28, 24), 0)
    other = (0.5 * one + 0.5 * other).to(torch.uint8)
    found = ms_ssim(one[None], other[None])
    assert found.item() == pytest.approx(by_hand(one[0].double(), other[0].double()), rel=1e-9)


@pytest.mark.parametrize("shape", [(1, 128, 128), (1, 64, 64), (3, 20, 16)])
def test_similarity_is_that_of_torchmetrics(shape: tuple[int, int, int]) -> None:
    """Scale by scale: theirs of several scales takes the coarsest over mirrored borders as well."""
    image: Any = pytest.importorskip("torchmetrics.functional.image", exc_type=ImportError)
    one, other = random_images(3, shape, 0), random_images(3, shape, 5)
    other = (0.5 * one + 0.5 * other).to(torch.uint8)
    scales = ssim_scales(*shape[1:])
    weights = torch.tensor([0.0448, 0.2856, 0.3001, 0.2363, 0.1333][:scales], dtype=torch.float64)
    expected, x, y = torch.ones(3, dtype=torch.float64), one.double(), other.double()
    for scale, weight in enumerate(weights / weights.sum()):
        options = {"data_range": 255.0, "reduction": "none"}
        found = image.structural_similarity_index_measure(x, y, return_contrast_sensitivity=True, **options)[1]
        if scale == scales - 1:
            whole = image.structural_similarity_index_measure(x, y, return_full_image=True, **options)[1]
            found = whole[:, :, 5:-5, 5:-5].mean((1, 2, 3))
        expected *= found**weight
        x, y = (torch.nn.functional.avg_pool2d(side, 2) for side in (x, y))
    assert torch.allclose(ms_ssim(one, other), expected, rtol=1e-6)


def test_images_without_a_pair_are_refused() -> None:
    with pytest.raises(UsageError, match="pairs of images are uint8"):
        ms_ssim(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8))


def test_pairs_are_of_one_class_and_never_of_one_image() -> None:
    torch.manual_seed(0)
    classes = torch.tensor([2, 0, 2, 1, 2, 0])
    one, other = _pairs(classes, 3000)
    assert not (one == other).any()
    assert torch.equal(classes[one], classes[other])
    assert 3 not in one, "the only one of its class"
    counts = torch.bincount(one * 6 + other)
    assert len(counts[counts > 0]) == 8, "2 · 1 + 3 · 2 ordered pairs"
    assert counts[counts > 0][:6].min() > 200
    with pytest.raises(FitError, match="no class has two images"):
        _pairs(torch.arange(4), 10)
