"""The contracts of metrics and extractors."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from gantk.model import Model
from gantk.parts import Extractor, ImageShape, Metric, Part
from gantk.testing.base import PartContract, ShapedContract, close
from gantk.testing.toys import ToyDiscriminator, ToyGenerator, ToyNoise

__all__ = ["ExtractorContract", "MetricContract"]


class MetricContract(PartContract):
    """What users of a `gantk.Metric` rely on: it measures a toy model. A metric of other models overrides `_model`."""

    kind = "metric"
    image_shape: ImageShape = (1, 8, 6)
    noise_dim: int = 5
    class_count: int = 3

    def _part(self) -> Part:
        return self._metric()

    def _metric(self) -> Metric:
        made: Metric = self._make(image_shape=self.image_shape, noise_dim=self.noise_dim, class_count=self.class_count)
        return made

    def _model(self) -> Model:
        torch.manual_seed(3)
        judge = ToyDiscriminator(frozenset({"logits", "hidden"}), self.image_shape)
        return Model(ToyNoise(self.noise_dim), ToyGenerator(self.image_shape, self.noise_dim), judge).eval()

    def _measured(self, model: Model) -> dict[str, float]:
        torch.manual_seed(4)
        with torch.no_grad():
            return dict(self._metric().measure(model))

    def test_measures_numbers(self) -> None:
        found = self._measured(self._model())
        assert found, "measure returned nothing; return the figures by name."
        for name, value in found.items():
            assert type(value) in (int, float), f"measure returned {value!r:.60} for '{name}'; a float is expected."
            assert math.isfinite(value), f"measure returned {value} for '{name}'; a finite number is expected."

    def test_measures_the_same_again(self) -> None:
        assert self._measured(self._model()) == self._measured(self._model()), (
            "the same model, measured twice from the same random seed, has other figures."
        )

    def test_leaves_the_model_alone(self) -> None:
        model = self._model()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        self._measured(model)
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name]), f"measure changed {name} of the model."
        assert not any(module.training for module in model.modules()), "measure left the model in training mode."


class ExtractorContract(ShapedContract):
    """What users of a `gantk.Extractor` rely on."""

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
                f"{n} images gave {list(found.shape)}; [n, dim] = {[n, part.dim]} is expected."
            )
            assert torch.isfinite(found).all(), "features are NaN or infinite."

    def test_an_image_alone_has_the_same_features(self, shape: ImageShape) -> None:
        part, images = self._built(shape).eval(), self._images(shape)
        with torch.no_grad():
            close(part(images[:1]), part(images)[:1], "the features of an image depend on the rest of the batch.")
