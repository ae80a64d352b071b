"""A training by gantk against the same training as a plain PyTorch loop: the weights are the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import gantk
from gantk.data import to_float
from gantk.data.order import Order
from gantk.seeds import derive_seed, forked, seed_everything
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]
BATCH = 8


def by_hand(model: gantk.Model, steps: int, repeats: int, clip: float) -> None:
    """Goodfellow's game: the discriminator moves so often in a step, the last time on the generator's batch."""
    judge, generator, data = model.discriminator, model.generator, model.built.data
    assert judge is not None
    assert data is not None
    judge.train()
    generator.train()
    adam = [torch.optim.Adam(part.parameters(), lr=2e-4, betas=(0.5, 0.999)) for part in (judge, generator)]
    order = Order(len(data), 0, "game")

    def logits(images: Tensor) -> Tensor:
        found: Tensor = judge(images).logits
        return found

    for step in range(steps):
        seed_everything(derive_seed(0, "game", step, 0))
        for turn in range(repeats):
            real = to_float(data.images(order.indices((step * repeats + turn) * BATCH, BATCH)))
            fake = generator(model.noise.sample(BATCH))
            adam[0].zero_grad()
            (softplus(-logits(real)).mean() + softplus(logits(fake.detach())).mean()).backward()
            if clip:
                nn.utils.clip_grad_norm_(judge.parameters(), clip)
            adam[0].step()
        adam[1].zero_grad()
        softplus(-logits(fake)).mean().backward()
        adam[1].step()


@pytest.mark.parametrize(("repeats", "clip"), [(1, 0.0), (2, 0.0), (1, 0.02)])
def test_training_is_the_loop_that_the_paper_has(repeats: int, clip: float, tiny: Build, tmp_path: Path) -> None:
    own = {"stages.game.discriminator.repeats": repeats, "stages.game.discriminator.clip_gradients": clip}
    trained, looped = tiny(settings=own), tiny(settings=own)
    before = torch.cat([parameter.detach().flatten() for parameter in looped.parameters()])
    gantk.train(trained, tmp_path / "run", progress=Silent())
    with forked(0):
        by_hand(looped, 6, repeats, clip)
    one, other = (torch.cat([p.detach().flatten() for p in model.parameters()]) for model in (trained, looped))
    assert (other - before).abs().max() > 1e-4
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    buffers = zip(trained.generator.buffers(), looped.generator.buffers(), strict=True)
    assert all(torch.allclose(a.float(), b.float(), atol=1e-5) for a, b in buffers)
