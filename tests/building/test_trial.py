"""The trial of a build: what would fail in training is refused with its reason, and what is tried is put back."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from trials import SHAPE, Build, Of, assembled, neighbors, refusal, tried

import gantk
from gantk import Loss, Play
from gantk.errors import FitError
from gantk.parts import Generator
from gantk.testing import ToyDiscriminator


class Scaled(Loss):
    """k · E D(G(z)), where k grows, as a subclass says how."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("k", torch.ones(()))
        self.k: Tensor

    def generator(self, play: Play) -> Tensor:
        assert play.fake_verdict.logits is not None
        term: Tensor = self.k * play.fake_verdict.logits.mean()
        self.grow(term)
        return term

    def grow(self, term: Tensor) -> None:
        """Change k."""


class InPlace(Scaled):
    def grow(self, term: Tensor) -> None:
        self.k.add_(0.5)


class Attached(Scaled):
    def grow(self, term: Tensor) -> None:
        self.k = 0.9 * self.k + 0.1 * term


class Detached(Scaled):
    def grow(self, term: Tensor) -> None:
        self.k = 0.9 * self.k + 0.1 * term.detach()


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (InPlace(), r"player 'generator': term 'mine' changes a tensor in place .* make a new one"),
        (Attached(), r"player 'generator': term 'mine' keeps a tensor with its graph .* detach it"),
        (Of(lambda images: images.sub(images).log().sum()), r"term 'mine' is -inf on \d+ random images"),
        (Of(lambda images: (images * 0).sqrt().sum()), r"the gradient of generator.decoder.weight is NaN"),
        (Of(lambda images: images.mean(0)), r"term 'mine' is a tensor \[1, 4, 3\]; expected a scalar tensor"),
        (Of(lambda images: images.view(7, -1).mean()), r"in loss.mine, by RuntimeError: shape '\[7, -1\]' is invalid"),
    ],
)
def test_what_would_fail_in_training_is_refused(loss: Loss, says: str) -> None:
    assert re.search(says, refusal(assembled(loss)))


def test_state_that_is_kept_without_its_graph_is_fine() -> None:
    model = assembled(Detached())
    tried(model)
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_a_loss_may_need_more_images_than_a_trial_has() -> None:
    tried(assembled(Of(neighbors)), {"batch_size": 8})
    assert "batch of 5, in loss.mine, by ValueError: 5 neighbors" in refusal(
        assembled(Of(neighbors)), {"batch_size": 5}
    )


def test_a_batch_that_is_split_is_tried_in_pieces() -> None:
    with pytest.raises(FitError, match=r"on a batch of 4, in loss\.mine"):
        tried(assembled(Of(neighbors)), {"batch_size": 8}, pieces=2)


def test_an_optimizer_that_cannot_move_its_player_is_refused() -> None:
    said = refusal(assembled(), {"generator": {"optimizer": "sparseadam"}})
    assert "stages.game.generator.optimizer=sparseadam: SparseAdam does not support dense gradients" in said


def test_a_step_that_ruins_its_weights_is_refused() -> None:
    bright = Of(lambda images: 1e3 * images.sum())
    said = refusal(assembled(bright), {"generator": {"optimizer": "sgd", "lr": 1e38}})
    assert "generator.decoder.weight is NaN or infinite after one step; choose a smaller lr" in said


class Looked(Generator):
    """Images from a table, which gradients reach sparsely."""

    def __init__(self) -> None:
        super().__init__()
        self.image_shape = SHAPE
        self.table = nn.Embedding(3, 12, sparse=True)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = torch.tanh(self.table((noise[:, 0] > 0).long()))
        return images.view(-1, *SHAPE)


@pytest.mark.parametrize("optimizer", ["adam", "sparseadam", "sgd"])
def test_sparse_gradients_are_refused_whatever_the_optimizer(optimizer: str) -> None:
    settings = {"generator": {"optimizer": optimizer, "lr": 0.1}}
    assert "the gradient of generator.table.weight is sparse" in refusal(assembled(generator=Looked()), settings)


class Remembering(ToyDiscriminator):
    """Changes all that a module can hold."""

    def __init__(self) -> None:
        super().__init__(frozenset({"logits"}), SHAPE, 5)
        self.norm = nn.BatchNorm1d(8)
        self.register_buffer("count", torch.zeros(()))
        self.count: Tensor
        self.calls = 0
        self.seen: list[float] = []
        self.plain = torch.zeros(2)
        self.drawn = torch.Generator().manual_seed(3)

    def forward(self, images: Tensor) -> gantk.Verdict:
        self.calls += 1
        self.count = self.count + 1
        self.seen.append(float(torch.rand((), generator=self.drawn)))
        self.plain.add_(1)
        self.later = images
        hidden = self.norm(torch.tanh(self.first(images.flatten(1))))
        return gantk.Verdict(logits=self.heads["logits"](torch.tanh(self.second(hidden))).squeeze(1))


def test_all_that_a_trial_changes_is_put_back() -> None:
    judge = Remembering()
    model = assembled(Detached(), discriminator=judge)
    model.discriminator.eval()
    frozen = next(model.generator.parameters()).requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes, state = [each.training for each in model.modules()], judge.drawn.get_state()
    tried(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [each.training for each in model.modules()] == modes
    assert (judge.calls, judge.seen, judge.plain.tolist()) == (0, [], [0, 0])
    assert torch.equal(judge.drawn.get_state(), state)
    assert not hasattr(judge, "later")
    assert not frozen.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_only_what_moves_is_in_training_mode() -> None:
    modes: dict[str, set[bool]] = {"noise": set(), "generator": set(), "discriminator": set()}
    model = assembled()
    for name, seen in modes.items():
        part = model.get_submodule(name)
        part.register_forward_pre_hook(lambda part, images, seen=seen: seen.add(part.training))
    sample = model.noise.sample
    model.noise.sample = lambda *given: modes["noise"].add(model.noise.training) or sample(*given)  # type: ignore
    tried(model)
    assert modes == {"noise": {False}, "generator": {True}, "discriminator": {True}}


def test_a_refused_trial_is_put_back_too() -> None:
    model = assembled(InPlace())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    refusal(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_build_leaves_every_random_generator_alone(tiny: Build) -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    expected = torch.rand(()), np.random.rand(), random.random()
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    tiny()
    assert (torch.rand(()), np.random.rand(), random.random()) == expected
