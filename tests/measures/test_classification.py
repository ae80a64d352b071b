"""What a classifier makes of generated images: scores by their definition, and what they catch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sides import SHAPE, Classifier, comparison, images, of_images, side
from torch import Tensor

from gantk.errors import FitError, UsageError
from gantk.measures import Comparison, class_balance, class_score, confident_share, measure
from gantk_metrics.classification import Accuracy, Classes, Confidence, ScoreOfClasses
from gantk_metrics.pixels import Pixels


def probabilities(n: int, classes: int, seed: int = 0) -> Tensor:
    return torch.softmax(3 * torch.randn(n, classes, generator=torch.Generator().manual_seed(seed)), 1)


def test_score_is_the_definition() -> None:
    some = probabilities(50, 4)
    marginal = some.double().mean(0)
    divergences = [float((p * (p / marginal).log()).sum()) for p in some.double()]
    assert class_score(some, splits=1).score == pytest.approx(math.exp(np.mean(divergences)), rel=1e-7)
    found = class_score(some, splits=5, rng=torch.Generator().manual_seed(0))
    assert found.spread > 0
    assert found == class_score(some, splits=5, rng=torch.Generator().manual_seed(0))


def test_score_is_that_of_torchmetrics() -> None:
    metric: Any = pytest.importorskip("torchmetrics.image.inception", exc_type=ImportError)
    logits = 3 * torch.randn(40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    class Given(torch.nn.Module):
        num_features = 6

        def forward(self, indices: Tensor) -> Tensor:
            return logits[indices[:, 0, 0, 0].long()]

    theirs = metric.InceptionScore(feature=Given(), splits=1)
    theirs.update(torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4))
    assert class_score(logits.softmax(1), splits=1).score == pytest.approx(float(theirs.compute()[0]), rel=1e-6)


def test_score_is_from_one_to_the_number_of_classes() -> None:
    assert class_score(torch.eye(5).repeat(20, 1), splits=1).score == pytest.approx(5)
    assert class_score(torch.eye(5)[:1].repeat(20, 1)).score == pytest.approx(1), "one class, for sure"
    assert class_score(torch.full((20, 5), 0.2)).score == pytest.approx(1), "any class, equally"


def test_confident_share_counts_what_is_above() -> None:
    some = torch.tensor([[0.95, 0.05], [0.9, 0.1], [0.4, 0.6], [0.08, 0.92]], dtype=torch.float64)
    assert confident_share(some) == 0.5
    assert confident_share(some, above=0.5) == 1


def test_balance_beside_that_of_the_data() -> None:
    real = torch.tensor([0] * 500 + [1] * 300 + [2] * 200)
    same = class_balance(real, real, 4)
    assert (same.present, same.present_real, same.commonest) == (3, 3, 0.5)
    assert same.divergence == pytest.approx(0, abs=0.01)
    few = class_balance(torch.tensor([0] * 960 + [1] * 29 + [2] * 11 + [3] * 0), real, 4)
    assert few.present == 1, "a tenth of 0.3 is more than 0.029, and a tenth of 0.2 more than 0.011"
    one = class_balance(torch.tensor([2] * 70), real, 4)
    assert (one.present, one.commonest) == (1, 1)
    assert one.divergence == pytest.approx(math.log(5), rel=0.01)
    never = class_balance(torch.tensor([3] * 70), real, 4)
    assert never.present == 0, "a class that the data does not have"
    assert math.isfinite(never.divergence)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Metrics split images at random."""
    torch.manual_seed(0)


def test_samples_as_good_as_real_images_have_their_figures_and_noise_costs_confidence() -> None:
    good, noisy = (comparison(extractor=Classifier(), generated=300, noise=noise) for noise in (0, 120))
    assert measure(Confidence(), good) == pytest.approx({"confident": 1, "confident_real": 1}, abs=0.05)
    assert measure(Confidence(), noisy)["confident"] < 0.96
    score = measure(ScoreOfClasses(), good)
    assert score["class_score"] == pytest.approx(score["class_score_real"], rel=0.05)
    assert measure(ScoreOfClasses(), noisy)["class_score"] < score["class_score"]
    assert measure(Accuracy(), good) == {"accuracy": 1, "accuracy_real": 1}


def test_a_generator_of_a_single_class_is_caught() -> None:
    extractor = Classifier()
    whole = comparison(extractor=extractor)
    classes = torch.full((200,), 1)
    one = of_images(images(200, 5, classes), "one class", extractor=extractor)
    found = measure(Classes(), Comparison(whole.real, one))
    assert (found["classes"], found["classes_real"], found["commonest"]) == (1, 3, 1)
    assert found["class_divergence"] == pytest.approx(math.log(3), rel=0.02)
    assert measure(ScoreOfClasses(), Comparison(whole.real, one))["class_score"] < 1.1
    even = measure(Classes(), whole)
    assert even["classes"] == 3
    assert even["class_divergence"] < 0.02


def test_labels_that_are_wrong_cost_accuracy() -> None:
    extractor = Classifier()
    right = side(150, 1, "real", extractor=extractor)
    wrong = of_images(images(150, 5, torch.arange(150) % 3), "generated", (torch.arange(150) + 1) % 3, extractor)
    assert measure(Accuracy(), Comparison(right, wrong)) == {"accuracy": 0, "accuracy_real": 1}
    unlabeled = of_images(images(150, 5, torch.arange(150) % 3), "generated", extractor=extractor)
    with pytest.raises(FitError, match="generated images have no labels"):
        measure(Accuracy(), Comparison(right, unlabeled))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(FitError, match="Pixels has no class probabilities"):
        measure(Confidence(), comparison(extractor=Pixels(SHAPE)))
    two = of_images(images(40, 5, torch.arange(40) % 2), "two", torch.arange(40) % 2, Classifier())
    with pytest.raises(FitError, match="has 3 classes, but two has 2"):
        measure(Accuracy(), Comparison(two, two))
    with pytest.raises(UsageError, match="splits is from 1 to the number of images, 5"):
        class_score(probabilities(5, 3), splits=10)
