"""The classification error of a semi-supervised autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from gantk import Metric
from gantk.data import to_float
from gantk.errors import FitError
from gantk.measures import Comparison
from gantk.nn import evaluating
from gantk_aae.semi import SemiSupervisedAutoencoder

__all__ = ["ClassificationError"]


class ClassificationError(Metric):
    """The share of held-out images to which the encoder of a semi-supervised autoencoder assigns a wrong class."""

    needs = frozenset({"model", "held out", "labels"})
    paper = "Makhzani et al. 2016, arXiv:1511.05644, Table 2"
    costly = True
    better: ClassVar = {"classification_error": "lower"}

    def least(self, comparison: Comparison) -> int:
        return 1

    @torch.no_grad()
    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        model, held_out = comparison.model, comparison.held_out
        assert model is not None
        assert held_out is not None
        recipe = model.built.recipe if model.is_built else None
        if not isinstance(recipe, SemiSupervisedAutoencoder):
            raise FitError("the encoder of this model assigns no classes: build recipe aae-semi.")
        if held_out.labels is None:
            raise FitError(f"{held_out.name} has no classes.")
        with evaluating(model):
            found = [recipe.classes(model, to_float(each).to(model.device)).cpu() for each in held_out.images()]
        return {"classification_error": (torch.cat(found) != held_out.labels).double().mean().item()}
