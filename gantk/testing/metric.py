"""The contracts of metrics and extractors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gantk.data import ArraySource, to_uint8
from gantk.errors import FitError
from gantk.measures import NEEDS, Comparison, Side
from gantk.model import Model
from gantk.parts import Extractor, ImageShape, Metric, Part
from gantk.testing.base import PartContract, ShapedContract, close
from gantk.testing.toys import ToyDiscriminator, ToyExtractor, ToyGenerator, ToyNoise

__all__ = ["ExtractorContract", "MetricContract"]


class MetricContract(PartContract):
    """Tests what users of a `gantk.Metric` rely on, with a toy model and random images.

    Override `_model` if the metric needs another model, and `samples` if it needs more images.
    """

    kind = "metric"
    image_shape: ImageShape = (1, 8, 6)
    noise_dim: int = 5
    class_count: int = 3
    samples: int = 40

    def _part(self) -> Part:
        return self._metric()

    def _metric(self) -> Metric:
        made: Metric = self._make(image_shape=self.image_shape, noise_dim=self.noise_dim, class_count=self.class_count)
        return made

    def _model(self) -> Model:
        torch.manual_seed(3)
        judge = ToyDiscriminator(frozenset({"logits", "hidden"}), self.image_shape)
        return Model(ToyNoise(self.noise_dim), ToyGenerator(self.image_shape, self.noise_dim), judge).eval()

    def _comparison(self, model: Model) -> Comparison:
        """Random real and held-out images with classes, and images of the model."""
        extractor, sides = ToyExtractor(model.image_shape, self.class_count).eval(), []
        rng = torch.Generator().manual_seed(5)
        for name in ("real", "held out", "generated"):
            size = (self.samples, *model.image_shape)
            images = torch.randint(0, 256, size, generator=rng, dtype=torch.uint8)
            if name == "generated":
                images = to_uint8(model.sample(self.samples, seed=6))
            labels = torch.arange(self.samples) % self.class_count
            sides.append(Side(ArraySource(images, labels), extractor, name=name))
        real, held_out, generated = sides
        return Comparison(real, generated, held_out, model)

    def _measured(self, model: Model) -> dict[str, float]:
        comparison = self._comparison(model)
        torch.manual_seed(4)
        with torch.no_grad():
            return dict(self._metric().compute(comparison))

    def test_needs_what_there_is(self) -> None:
        unknown = self._metric().needs - NEEDS
        assert not unknown, f"`needs` contains {sorted(unknown)}; expected some of {sorted(NEEDS)}."

    def test_says_which_values_are_better(self) -> None:
        metric, figures = self._metric(), self._measured(self._model())
        for figure, direction in metric.better.items():
            assert direction in ("lower", "higher"), (
                f"`better` has {direction!r:.40} for '{figure}'; expected 'lower' or 'higher'."
            )
        assert not metric.better or figures.keys() & metric.better.keys(), (
            f"`better` contains {sorted(metric.better)}, but compute returned none of them: {sorted(figures)}."
        )

    def test_needs_a_number_of_images(self) -> None:
        least = self._metric().least(self._comparison(self._model()))
        assert type(least) is int, f"least returned {least!r:.60}; expected a number of images."
        assert least <= self.samples, (
            f"the metric needs {least} images, but `samples` of the contract is {self.samples}; increase it."
        )

    def test_measures_numbers(self) -> None:
        found = self._measured(self._model())
        assert found, "compute returned no figures; expected at least one, by name."
        for name, value in found.items():
            assert type(value) in (int, float), f"compute returned {value!r:.60} for '{name}'; expected a float."
            assert math.isfinite(value), f"compute returned {value} for '{name}'; expected a finite number."

    def test_remarks_are_a_sentence(self) -> None:
        remark = self._metric().remark(self._measured(self._model()))
        assert type(remark) is str, f"remark returned {remark!r:.60}; expected a sentence, or an empty string."
        assert "\n" not in remark, "remark returned several lines; expected one sentence."

    def test_measures_the_same_again(self) -> None:
        assert self._measured(self._model()) == self._measured(self._model()), (
            "compute returned different figures for the same model and the same random seed."
        )

    def test_leaves_the_model_alone(self) -> None:
        model = self._model()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        self._measured(model)
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name]), f"compute changed {name} of the model."
        assert not any(module.training for module in model.modules()), "compute left the model in training mode."


class ExtractorContract(ShapedContract):
    """Tests what users of a `gantk.Extractor` rely on."""

    kind = "extractor"

    def _probe(self, part: Any, shape: ImageShape) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"features": part(self._images(shape))}

    def test_features_are_vectors(self, shape: ImageShape) -> None:
        part: Extractor = self._built(shape).eval()
        for n in (4, 1):
            with torch.no_grad():
                found = part(self._images(shape, n))
            assert found.shape == (n, part.dim), (
                f"features of {n} images have the shape {list(found.shape)}; expected [n, dim] = {[n, part.dim]}."
            )
            assert torch.isfinite(found).all(), "features are NaN or infinite."

    def test_an_image_alone_has_the_same_features(self, shape: ImageShape) -> None:
        part, images = self._built(shape).eval(), self._images(shape)
        with torch.no_grad():
            close(
                part(images[:1]), part(images)[:1], "the features of an image depend on the other images in the batch."
            )

    def test_classes_are_probabilities(self, shape: ImageShape) -> None:
        part: Extractor = self._built(shape).eval()
        with torch.no_grad():
            features = part(self._images(shape))
            if not part.class_count:
                with pytest.raises(FitError):
                    part.classify(features)
                return
            found = part.classify(features)
        assert found.shape == (4, part.class_count), (
            f"classify returned {list(found.shape)} for 4 images; expected {[4, part.class_count]}."
        )
        assert (found >= 0).all(), "classify returned negative probabilities."
        close(found.sum(1), torch.ones(4, dtype=found.dtype), "the probabilities of an image do not sum to 1.")

    def test_its_hash_follows_from_its_weights(self, shape: ImageShape) -> None:
        one, other = self._built(shape, seed=0), self._built(shape, seed=0)
        assert one.fingerprint() == other.fingerprint(), (
            "two extractors with the same weights have different fingerprints."
        )
        for value in other.state_dict().values():
            if value.is_floating_point():
                value.add_(1)
        if any(value.is_floating_point() for value in other.state_dict().values()):
            assert one.fingerprint() != other.fingerprint(), (
                "two extractors with different weights have the same fingerprint."
            )
