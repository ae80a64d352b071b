"""Metrics of neighbors' labels, of the intrinsic dimension and of reconstructions."""

from __future__ import annotations

import pytest
import torch
from sides import SHAPE, comparison, images, of_images
from torch import Tensor

from gantk import Model
from gantk.data import to_float, to_uint8
from gantk.errors import FitError, UsageError
from gantk.measures import Comparison, Side, image_errors, measure, nearest_label_accuracy
from gantk.testing.toys import ToyDiscriminator, ToyGenerator, ToyNoise
from gantk_metrics.dimension import IntrinsicDimension
from gantk_metrics.nearest_label import NearestNeighborAccuracy
from gantk_metrics.reconstruction import Reconstruction


def test_nearest_label_is_the_definition() -> None:
    rng = torch.Generator().manual_seed(0)
    points, reference = (torch.randn(n, 3, generator=rng) for n in (40, 30))
    labels, others = (torch.randint(0, 4, (n,), generator=rng) for n in (40, 30))
    expected = (others[torch.cdist(points, reference).argmin(1)] == labels).double().mean().item()
    assert nearest_label_accuracy(points, labels, reference, others) == expected
    with pytest.raises(UsageError, match="each point needs one label"):
        nearest_label_accuracy(points, labels[:5], reference, others)


def test_samples_with_right_labels_classify_held_out_images() -> None:
    good = comparison(held_out=90)
    assert measure(NearestNeighborAccuracy(), good) == {"neighbor_accuracy": 1, "neighbor_accuracy_real": 1}
    classes = torch.arange(150) % 3
    wrong = of_images(images(150, 5, classes), "generated", (classes + 1) % 3)
    found = measure(NearestNeighborAccuracy(), Comparison(good.real, wrong, good.held_out))
    assert found["neighbor_accuracy"] == 0
    assert found["neighbor_accuracy_real"] == 1


def test_neighbors_need_held_out_images_of_the_same_classes() -> None:
    with pytest.raises(FitError, match="no held-out images"):
        measure(NearestNeighborAccuracy(), comparison())
    good = comparison(held_out=90)
    classes = torch.arange(60) % 2
    two = of_images(images(60, 5, classes), "two", classes)
    with pytest.raises(FitError, match="have different classes"):
        measure(NearestNeighborAccuracy(), Comparison(good.real, two, good.held_out))


def on_a_surface(n: int, dim: int, seed: int) -> Side:
    """Images that vary in so many ways."""
    directions = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(7))).Q[:dim]
    found = 0.3 * torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)) @ directions
    return of_images(to_uint8(found.reshape(n, *SHAPE)), f"{dim} ways")


def test_dimension_tells_in_how_many_ways_samples_vary() -> None:
    torch.manual_seed(0)
    found = measure(IntrinsicDimension(), Comparison(on_a_surface(900, 6, 1), on_a_surface(600, 2, 2)))
    assert found["dimension"] == pytest.approx(2, rel=0.15)
    assert found["dimension_real"] == pytest.approx(6, rel=0.15)
    same = measure(IntrinsicDimension(), Comparison(on_a_surface(600, 4, 1), on_a_surface(600, 4, 2)))
    assert same["dimension"] == pytest.approx(same["dimension_real"], rel=0.1)


def test_dimension_of_a_single_image_is_refused() -> None:
    repeated = of_images(images(1, 5, torch.zeros(1, dtype=torch.int64)).repeat(60, 1, 1, 1), "repeated")
    with pytest.raises(UsageError, match="59 duplicates"):
        measure(IntrinsicDimension(), Comparison(on_a_surface(100, 4, 1), repeated))


class Inverse(ToyGenerator):
    """A generator whose encoder finds the noise again."""

    def __init__(self) -> None:
        super().__init__(SHAPE, 12)
        torch.nn.init.eye_(self.decoder.weight)
        torch.nn.init.zeros_(self.decoder.bias)
        torch.nn.init.zeros_(self.encoder.weight)
        torch.nn.init.zeros_(self.encoder.bias)
        self.encoder.weight.data[:12] = torch.eye(12)

    def encode(self, images: Tensor) -> object:  # type: ignore[override]
        return super().encode(torch.atanh(images.clamp(-0.999, 0.999)))


def test_reconstruction_is_the_error_of_what_is_generated_from_codes() -> None:
    model = Model(ToyNoise(12), Inverse()).eval()
    good = comparison(held_out=60)
    perfect = measure(Reconstruction(), Comparison(good.real, good.generated, good.held_out, model))
    assert perfect["reconstruction_squared"] == pytest.approx(0, abs=1e-4)
    torch.manual_seed(0)
    model = Model(ToyNoise(5), ToyGenerator(SHAPE, 5)).eval()
    assert good.held_out is not None
    found = measure(Reconstruction(), Comparison(good.real, good.generated, good.held_out, model))
    expected = image_errors(model, [to_float(batch) for batch in good.held_out.images()]).again
    assert found["reconstruction_squared"] == pytest.approx(expected.squared)
    assert found["reconstruction_absolute"] == pytest.approx(expected.absolute)
    assert found["reconstruction_squared_seen"] > 0


def test_reconstruction_needs_a_model_that_encodes_images() -> None:
    good = comparison(held_out=60)
    with pytest.raises(FitError, match="without their model"):
        measure(Reconstruction(), good)
    judge = ToyDiscriminator(frozenset({"logits"}), SHAPE, 5)
    without = ToyGenerator(SHAPE, 5)
    without.provides = frozenset()
    model = Model(ToyNoise(5), without, judge).eval()
    with pytest.raises(FitError, match="cannot encode images"):
        measure(Reconstruction(), Comparison(good.real, good.generated, good.held_out, model))
