"""Weight clipping bounds what a critic's score depends on, and no other head."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk import Discriminator, Loss, Play, Verdict
from gantk.errors import FitError
from gantk.parts import ImageShape
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]
BOUND = 0.01 + 1e-9


def largest(module: nn.Module) -> float:
    return max(parameter.detach().abs().max().item() for parameter in module.parameters())


class TwoHeads(Discriminator):
    """A critic with class logits and, where it is wrapped, another one within it.

    Args:
        spread: standard deviation of the initial weights of the critic.
        class_spread: that of its class head.
    """

    provides = frozenset({"logits", "classes", "per-sample"})

    def __init__(
        self, image_shape: ImageShape, class_count: int, *, spread: float = 0.02, class_spread: float = 0.02
    ) -> None:
        super().__init__()
        self.trunk = nn.Linear(image_shape[0] * image_shape[1] * image_shape[2], 16)
        self.score, self.classes = nn.Linear(16, 1), nn.Linear(16, class_count)
        for layer, std in ((self.trunk, spread), (self.score, spread), (self.classes, class_spread)):
            nn.init.normal_(layer.weight, std=std)

    def forward(self, images: Tensor) -> Verdict:
        features = torch.relu(self.trunk(images.flatten(1)))
        return Verdict(logits=self.score(features).squeeze(1), classes=self.classes(features))


class Around(Discriminator):
    """A discriminator around another one."""

    provides = TwoHeads.provides

    def __init__(self, image_shape: ImageShape, class_count: int) -> None:
        super().__init__()
        self.inner = TwoHeads(image_shape, class_count)

    def forward(self, images: Tensor) -> Verdict:
        return self.inner(images)  # type: ignore[no-any-return]


class Classes(Loss):
    """The cross-entropy of real images' classes."""

    needs = frozenset({"classes", "labels"})

    def discriminator(self, play: Play) -> Tensor:
        assert play.real_verdict.classes is not None
        return nn.functional.cross_entropy(play.real_verdict.classes, play.labels)


def test_a_code_head_learns_in_a_wasserstein_game(tiny: Build, tmp_path: Path) -> None:
    settings = {"stages.game.length": "60 steps", "train.log_every": 10, "train.checkpoint_every": 60}
    model = tiny("wgan", settings, loss=["wasserstein", "code"], discriminator="dcgan:width=4,code=true")
    gantk.train(model, tmp_path / "run", progress=Silent())
    heads = dict(model.discriminator.named_children())  # type: ignore[union-attr]
    assert largest(heads.pop("code")) > 2 * BOUND
    assert max(map(largest, heads.values())) <= BOUND
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    first, *_, last = (line["values"]["discriminator/code"] for line in lines)
    assert last < 0.98 * first


@pytest.mark.parametrize("discriminator", [TwoHeads, Around])
def test_so_does_any_other_head(discriminator: type, tiny: Build, tmp_path: Path) -> None:
    model = tiny("wgan", {"stages.game.length": "20 steps"}, loss=Classes, discriminator=discriminator)
    gantk.train(model, tmp_path / "run", progress=Silent())
    found = model.discriminator
    critic = found.inner if isinstance(found, Around) else found
    assert isinstance(critic, TwoHeads)
    assert largest(critic.classes) > 2 * BOUND
    assert max(largest(critic.trunk), largest(critic.score)) <= BOUND


def test_weights_that_are_not_clipped_may_begin_as_large_as_they_like(tiny: Build) -> None:
    tiny("wgan", loss=Classes, discriminator=(TwoHeads, {"class_spread": 9.0}))
    with pytest.raises(FitError, match=r"clips its weights to ±0\.01, but half of them start above"):
        tiny("wgan", loss=Classes, discriminator=(TwoHeads, {"spread": 9.0}))


def test_a_player_without_a_critic_has_all_its_weights_clipped(tiny: Build, tmp_path: Path) -> None:
    model = tiny("dcgan", {"stages.game.generator.clip_weights": 0.05})
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert largest(model.generator) <= 0.05 + 1e-9
