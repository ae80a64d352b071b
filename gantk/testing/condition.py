"""The contract of conditions."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor

from gantk.errors import OptionError
from gantk.parts import Condition, ImageShape, Part
from gantk.schedule import Play
from gantk.testing.base import PartContract, close
from gantk.testing.toys import ToyDiscriminator

__all__ = ["ConditionContract"]


class ConditionContract(PartContract):
    """Tests what users of a `gantk.Condition` rely on.

    Attributes:
        told: a condition as a user would write it, such as `"3"`.
    """

    kind = "condition"
    image_shape: ClassVar[ImageShape] = (2, 4, 3)
    class_count: ClassVar[int] = 3
    told: ClassVar[str] = "0"
    label_dim: ClassVar[int] = 0
    """Length of the labels if they are vectors; 0 for class indices."""

    def _part(self) -> Part:
        return self._condition()

    def _condition(self) -> Condition:
        names = tuple(f"class {index}" for index in range(self.class_count))
        made: Condition = self._make(
            class_count=self.class_count, class_names=names, image_shape=self.image_shape, label_dim=self.label_dim
        )
        return made

    @property
    def _labels(self) -> Tensor:
        if self.label_dim:
            return torch.rand(6, self.label_dim, generator=torch.Generator().manual_seed(1))
        return torch.arange(6) % self.class_count

    def test_reads_labels(self) -> None:
        part = self._condition()
        part.seen(self._labels)
        found = part.of(self._labels)
        assert found.shape == (6, part.dim), (
            f"of(labels) returned {list(found.shape)}; expected [6, dim] = {[6, part.dim]}."
        )
        assert found.dtype == torch.float32, f"of(labels) returned {found.dtype}; expected float32."

    def test_draws_from_the_rng_alone(self) -> None:
        part = self._condition()
        part.seen(self._labels)
        drawn, again = (part.draw(16, torch.Generator().manual_seed(3)) for _ in range(2))
        assert drawn.shape == (16, part.dim), f"draw(16, rng) returned {list(drawn.shape)}; expected {[16, part.dim]}."
        close(again, drawn, "the same seed drew different conditions; draw every random number from `rng`.")

    def test_told_is_one_row(self) -> None:
        part = self._condition()
        found = part.told(self.told)
        assert found.shape == (1, part.dim), (
            f"told('{self.told}') returned {list(found.shape)}; expected {[1, part.dim]}."
        )

    def test_refuses_what_there_is_not(self) -> None:
        text = "no such condition"
        with pytest.raises(OptionError, match=text):
            self._condition().told(text)

    def test_labels_are_one_for_each_condition(self) -> None:
        part = self._condition()
        found = part.labels(part.of(self._labels))
        assert len(found) == 6, f"labels of 6 conditions have the shape {list(found.shape)}; expected 6 rows."

    def test_spreads(self) -> None:
        part = self._condition()
        for n in (1, 7):
            found = part.spread(n)
            assert found.shape == (n, part.dim), f"spread({n}) returned {list(found.shape)}; expected {[n, part.dim]}."

    def test_is_shown_as_it_says(self) -> None:
        part = self._condition()
        shape = part.shown_shape(self.image_shape)
        play = Play(ToyDiscriminator(frozenset({"logits"}), shape), condition=part.of(self._labels))
        found = part.transform(torch.zeros(6, *self.image_shape), play)
        assert found.shape == (6, *shape), (
            f"transform returned {list(found.shape)} for {[6, *self.image_shape]}; expected {[6, *shape]}, as "
            "shown_shape says."
        )
