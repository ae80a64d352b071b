"""The loops that `gantk train` is compared with: PyTorch's own, on the same networks, one for each kind of game.

`standard` is the loop of the DCGAN example. `penalized` and `growing` are those of WGAN-GP, with its penalty, on
fixed and on growing networks. `embeddings` is the game of AEGAN, with its denoiser. Each returns a step.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

import gantk
from gantk.schedule import Stage

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FADING = 0.01
"""How far the last resolution of growing networks has faded in; until it is 1, both resolutions are computed."""

Draws = Callable[[Tensor], Tensor]
Step = Callable[[], None]


@dataclass(frozen=True)
class Loop:
    """The networks of a model and how they compute.

    Args:
        model: the model.
        stage: the stage whose game is played.
        pictures: uint8 `[N, C, H, W]`.
        tuned: whether networks are compiled, weights and images in the channels-last format, and Adam fused.
        half: whether networks compute under autocast to bfloat16.
    """

    model: gantk.Model
    stage: Stage
    pictures: Tensor
    tuned: bool = False
    half: bool = False

    @property
    def layout(self) -> torch.memory_format:
        return torch.channels_last if self.tuned else torch.contiguous_format

    def network(self, path: str, moved: bool = True) -> nn.Module:
        network = self.model.get_submodule(path).train(moved).requires_grad_(moved)
        return network.to(DEVICE, memory_format=self.layout)  # type: ignore[call-overload]

    def fast(self, function: Draws) -> Draws:
        return torch.compile(function) if self.tuned else function

    def adam(self, player: str, network: nn.Module) -> torch.optim.Optimizer:
        """With the options of a player."""
        (found,) = (each.optimizer for each in self.stage.players if each.name == player)
        options: dict[str, Any] = {key: value for key, value in found.items() if key not in ("optimizer", "repeats")}
        return torch.optim.Adam(network.parameters(), **options, fused=self.tuned)

    def repeats(self, player: str) -> int:
        (found,) = (each.repeats for each in self.stage.players if each.name == player)
        return found

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(DEVICE, torch.bfloat16) if self.half else nullcontext()

    def real(self) -> Tensor:
        chosen = self.pictures[torch.randint(len(self.pictures), (self.stage.batch_size,), device=DEVICE)]
        return chosen.float().div(127.5).sub(1).to(memory_format=self.layout)

    def noise(self) -> Tensor:
        return self.model.noise.sample(self.stage.batch_size).to(DEVICE)

    def logits(self, discriminator: nn.Module) -> Draws:
        return lambda images: cast(Tensor, discriminator(images).logits)

    def entropy(self, judge: Draws, images: Tensor, target: float) -> Tensor:
        with self.autocast():
            logits = judge(images).float()
        return nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def standard(loop: Loop) -> Step:
    """The discriminator on real and generated images, then the generator on the same ones."""
    generator, discriminator = loop.network("generator"), loop.network("discriminator")
    adams = [loop.adam("discriminator", discriminator), loop.adam("generator", generator)]
    draw, judge = loop.fast(generator), loop.fast(loop.logits(discriminator))

    def step() -> None:
        _game(loop, judge, loop.real(), lambda: draw(loop.noise()), adams)

    return step


def _game(loop: Loop, judge: Draws, real: Tensor, draw: Callable[[], Tensor], adams: list[Any]) -> Tensor:
    """One step of both players; returns what was generated."""
    of_discriminator, of_generator = adams
    of_discriminator.zero_grad()
    loop.entropy(judge, real, 1.0).backward()
    with loop.autocast():
        fake = draw().float()
    loop.entropy(judge, fake.detach(), 0.0).backward()
    of_discriminator.step()
    of_generator.zero_grad()
    loop.entropy(judge, fake, 1.0).backward()
    of_generator.step()
    return fake.detach()


def penalized(loop: Loop) -> Step:
    """WGAN-GP."""
    return _wasserstein(loop, loop.network("generator"), lambda images: images)


def growing(loop: Loop) -> Step:
    """Progressive GAN at the resolution of the stage, while it fades in."""
    generator: Any = loop.model.generator
    growth: Any = generator.growth
    depth = [f"size-{size[0]}" for size in growth.sizes].index(loop.stage.name)
    for each in (generator, cast(Any, loop.model.discriminator)):
        each.growth.set(depth, FADING)
    return _wasserstein(loop, loop.network("generator").get_submodule("images"), growth.shrunk)


def _wasserstein(loop: Loop, network: nn.Module, shrunk: Draws) -> Step:
    critic = loop.network("discriminator")
    adams = [loop.adam("discriminator", critic), loop.adam("generator", network)]
    draw, plain = loop.fast(network), loop.logits(critic)
    judge = loop.fast(plain)  # the penalty's gradient of a gradient cannot be compiled
    loss: Any = loop.model.losses[0][1]

    def judged(how: Draws, images: Tensor) -> Tensor:
        with loop.autocast():
            return how(images).float()

    def generated() -> Tensor:
        with loop.autocast():
            return draw(loop.noise()).float()

    def turn() -> None:
        real = shrunk(loop.real())
        with torch.no_grad():
            fake = generated()
        adams[0].zero_grad()
        of_real = judged(judge, real)
        value = judged(judge, fake).mean() - of_real.mean() + loss.drift * of_real.square().mean()
        between = torch.lerp(real, fake, torch.rand(len(real), 1, 1, 1, device=DEVICE)).requires_grad_()
        (slope,) = torch.autograd.grad(judged(plain, between).sum(), between, create_graph=True)
        penalty = (slope.float().flatten(1).norm(dim=1) / loss.target - 1).square().mean()
        (value + loss.penalty * penalty).backward()
        adams[0].step()

    def step() -> None:
        critic.requires_grad_(True)
        for _ in range(loop.repeats("discriminator")):
            turn()
        critic.requires_grad_(False)
        adams[1].zero_grad()
        (-judged(judge, generated()).mean()).backward()
        adams[1].step()

    return step


def embeddings(loop: Loop) -> Step:
    """AEGAN's game on the embeddings of an autoencoder that is trained, and that of its denoiser on images."""
    encoder, decoder = loop.network("generator.encoder", moved=False), loop.network("generator.decoder", moved=False)
    embedding, discriminator = loop.network("generator.embedding"), loop.network("discriminator")
    denoiser, second = loop.network("refiner.network"), loop.network("refiner.discriminator")
    adams = [loop.adam("discriminator", discriminator), loop.adam("generator", embedding)]
    further = [loop.adam("refiner-discriminator", second), loop.adam("refiner", denoiser)]
    judge, second_judge = (loop.fast(loop.logits(each)) for each in (discriminator, second))
    encode, decode, draw, refine = (loop.fast(each) for each in (encoder, decoder, embedding, denoiser))
    refiner: Any = loop.model.refiner

    def step() -> None:
        real = loop.real()
        with torch.no_grad(), loop.autocast():
            embedded = encode(real).float()
        generated = _game(loop, judge, embedded, lambda: draw(loop.noise()), adams)
        with torch.no_grad(), loop.autocast():
            fake = decode(generated).float()
        with loop.autocast():
            refined = refine(fake).float()
        further[0].zero_grad()
        (loop.entropy(second_judge, real, 1.0) + loop.entropy(second_judge, refined.detach(), 0.0)).backward()
        further[0].step()
        further[1].zero_grad()
        content = (refined - fake).abs().mean()
        (loop.entropy(second_judge, refined, 1.0) + refiner.weight * content).backward()
        further[1].step()

    return step
