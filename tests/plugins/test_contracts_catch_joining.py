"""The contracts of conditions, addons, metrics and extractors: each of these parts breaks one promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from unregistered import check_caught, check_honest

from gantk import Condition, Extractor, Loss, Metric, Play
from gantk.errors import OptionError
from gantk.measures import Comparison
from gantk.parts import Part
from gantk.testing import AddonContract, ConditionContract, ExtractorContract, LossContract, MetricContract
from gantk.testing.base import PluginContract


class Parity(Condition):
    """Odd or even."""

    dim = 2

    def of(self, labels: Tensor) -> Tensor:
        return one_hot(labels % 2, 2).float()

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        return self.of(torch.randint(2, (n,), generator=rng))

    def told(self, text: str) -> Tensor:
        if not text.isdecimal():
            raise OptionError(f"there is no condition '{text}'.")
        return self.of(torch.tensor([int(text)]))


class Whole(Parity):
    def of(self, labels: Tensor) -> Tensor:
        return one_hot(labels % 2, 2)


class Unseeded(Parity):
    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.rand(n, 2)


class Agreeing(Parity):
    def told(self, text: str) -> Tensor:
        return self.of(torch.tensor([0]))


class Wide(Parity):
    def shown_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        return shape


class Flipping(Part):
    """Images upside down."""

    state: Mapping[str, float] = {"shown": 0.0}

    def transform(self, images: Tensor, play: Play) -> Tensor:
        return images.flip(2)

    def after_discriminator(self, play: Play) -> dict[str, Tensor]:
        return {"shown": play.state["shown"] + len(play.real)}


class Shrinking(Flipping):
    def transform(self, images: Tensor, play: Play) -> Tensor:
        return images[:, :, ::2]


class Deaf(Flipping):
    def transform(self, images: Tensor, play: Play) -> Tensor:
        return images.detach().flip(2)


class Overwriting(Flipping):
    def transform(self, images: Tensor, play: Play) -> Tensor:
        return images.mul_(0.5)


class Undeclared(Flipping):
    def after_discriminator(self, play: Play) -> dict[str, Tensor]:
        return {"seen": play.state["shown"] + 1}


class InPlace(Flipping):
    def after_discriminator(self, play: Play) -> dict[str, Tensor]:
        return {"shown": play.state["shown"].add_(1)}


class Vectors(Flipping):
    def after_discriminator(self, play: Play) -> dict[str, Tensor]:
        return {"shown": torch.zeros(3)}


class Forgetful(Part):
    """Declares nothing."""

    def after_discriminator(self, play: Play) -> dict[str, Tensor]:
        return {}


class Counting(Loss):
    """Counts in a buffer of its own."""

    state: Mapping[str, float] = {"turns": 0.0}

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("turns", torch.zeros(()))
        self.turns: Tensor

    def generator(self, play: Play) -> Tensor:
        return play.fake.square().mean()

    def after_generator(self, play: Play) -> dict[str, Tensor]:
        self.turns += 1
        return {"turns": self.turns.clone()}


class Brightness(Metric):
    """How bright images are."""

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        return {"brightness": comparison.generated.features.mean().item()}


class Tensors(Metric):
    """Returns tensors."""

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        return {"brightness": comparison.generated.features.mean()}  # type: ignore[dict-item]


class Upwards(Brightness):
    better: ClassVar = {"brightness": "up"}


class Misnamed(Brightness):
    better: ClassVar = {"lightness": "higher"}


class Waking(Brightness):
    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        assert comparison.model is not None
        comparison.model.train()
        return super().compute(comparison)


class Flat(Extractor):
    """Pixels."""

    dim = 12

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


class Relative(Flat):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) - images.flatten(1).mean(0)


class Short(Flat):
    dim = 11


CASES = [
    (ConditionContract, Whole, "test_reads_labels", "float32"),
    (ConditionContract, Unseeded, "test_draws_from_the_rng_alone", "same seed"),
    (ConditionContract, Agreeing, "test_refuses_what_there_is_not", "DID NOT RAISE"),
    (ConditionContract, Wide, "test_is_shown_as_it_says", "shown_shape says"),
    (AddonContract, Shrinking, "test_shows_what_it_says", "shown_shape says"),
    (AddonContract, Deaf, "test_gradients_reach_the_images", "no gradient"),
    (AddonContract, Overwriting, "test_leaves_the_images_alone", "changed its input in place"),
    (AddonContract, Undeclared, "test_remembers_what_it_declares", "seen"),
    (AddonContract, InPlace, "test_remembers_what_it_declares", "in place"),
    (AddonContract, Vectors, "test_remembers_what_it_declares", "expected a scalar"),
    (AddonContract, Forgetful, "test_remembers_what_it_declares", "declare it as"),
    (LossContract, Counting, "test_remembers_what_it_declares", "changed turns of the part"),
    (MetricContract, Tensors, "test_measures_numbers", "expected a float"),
    (MetricContract, Upwards, "test_says_which_values_are_better", "expected 'lower' or 'higher'"),
    (MetricContract, Misnamed, "test_says_which_values_are_better", "returned none of them"),
    (MetricContract, Waking, "test_leaves_the_model_alone", "training mode"),
    (ExtractorContract, Relative, "test_an_image_alone_has_the_same_features", "other images in the batch"),
    (ExtractorContract, Short, "test_features_are_vectors", "; expected "),
]


@pytest.mark.parametrize(("base", "part", "test", "message"), CASES, ids=lambda x: getattr(x, "__name__", None))
def test_a_broken_promise_is_caught(base: type[PluginContract], part: type, test: str, message: str) -> None:
    check_caught(base, part, test, message)


@pytest.mark.parametrize(
    ("base", "part"),
    [
        (ConditionContract, Parity),
        (AddonContract, Flipping),
        (MetricContract, Brightness),
        (ExtractorContract, Flat),
    ],
)
def test_an_honest_part_passes(base: type[PluginContract], part: type) -> None:
    check_honest(base, part)
