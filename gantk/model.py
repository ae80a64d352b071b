"""A model: the parts of one system, assembled and checked, from which images can be sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gantk.errors import UsageError
from gantk.nn import evaluating
from gantk.parts import Discriminator, Generator, ImageShape, Loss, NoiseSource, Part, Refiner
from gantk.schedule import Batch, Step, Value

if TYPE_CHECKING:
    from gantk.building.record import Record

__all__ = ["CHUNK", "Model"]

CHUNK = 32
"""Images are sampled in chunks of this many, so that image i of a seed is the same whatever n is."""


def _noise(step: Step) -> Tensor:
    return step.use("noise", NoiseSource).sample(step.size)


def _fake(step: Step) -> Tensor:
    images: Tensor = step.use("generator", Generator)(step["noise"])
    return images


def _refined(step: Step) -> Tensor:
    images: Tensor = step.use("refiner", Refiner)(step["fake"])
    return images


VALUES: Mapping[str, Value] = {"noise": _noise, "fake": _fake, "refined": _refined}
"""How a step computes its shared values, unless its stage says otherwise."""


class Model(nn.Module):
    """The parts of one system.

    `gantk.build` makes models; parts can also be put together by hand, to sample from them or for a loop of your own.

    Args:
        noise: where the generator's input comes from.
        generator: noise → images.
        discriminator: judges images, where the system has a game.
        refiner: images → better images, where the system has one.
        losses: name → loss.
        ema: decay of the exponential moving average of generator and refiner weights; 0 for none.
    """

    noise: NoiseSource
    generator: Generator
    discriminator: Discriminator | None
    refiner: Refiner | None

    def __init__(
        self,
        noise: NoiseSource,
        generator: Generator,
        discriminator: Discriminator | None = None,
        refiner: Refiner | None = None,
        losses: Mapping[str, Loss] | None = None,
        ema: float = 0.0,
    ) -> None:
        super().__init__()
        self.noise = noise
        self.generator = generator
        self.discriminator = discriminator
        self.refiner = refiner
        self.loss = nn.ModuleDict(losses or {})
        self.average = nn.ModuleDict()
        if ema:
            averaged = {"generator": generator, "refiner": refiner}
            average = get_ema_multi_avg_fn(ema)  # type: ignore[no-untyped-call]
            for name, part in averaged.items():
                if part is not None:
                    self.average[name] = AveragedModel(part, multi_avg_fn=average).requires_grad_(False)
        self._built: Record | None = None

    @property
    def is_built(self) -> bool:
        """Whether `gantk.build` or `gantk.load` made it, so that there is a record of its build."""
        return self._built is not None

    @property
    def built(self) -> Record:
        """The record of its build: its spec, recipe, data, stages and notes.

        Raises:
            UsageError: it was put together by hand.
        """
        if self._built is None:
            raise UsageError("this model was put together by hand, so that there is no recipe, data or seed of it.")
        return self._built

    @built.setter
    def built(self, record: Record) -> None:
        self._built = record

    @property
    def image_shape(self) -> ImageShape:
        """(channels, height, width) of the images."""
        return self.generator.image_shape

    @property
    def losses(self) -> Sequence[tuple[str, Loss]]:
        """Every loss with its name."""
        return [(name, cast(Loss, loss)) for name, loss in self.loss.items()]

    @property
    def parts(self) -> dict[str, Part]:
        """Slot → part, losses under `loss.NAME`."""
        slots = {"noise": self.noise, "generator": self.generator, "discriminator": self.discriminator}
        every = {**slots, "refiner": self.refiner, **{f"loss.{name}": loss for name, loss in self.losses}}
        return {name: part for name, part in every.items() if part is not None}

    @property
    def device(self) -> torch.device:
        return self.noise.device

    def step(self, batch: Batch, values: Mapping[str, Value] | None = None) -> Step:
        """A step over one batch, with the stage's values over the usual ones."""
        return Step(self, batch, {**VALUES, **(values or {})})

    def update_average(self) -> None:
        """Move the averaged weights towards the current ones."""
        for name, averaged in self.average.items():
            cast(AveragedModel, averaged).update_parameters(self.get_submodule(name))

    def sampler(self, name: str) -> nn.Module:
        """The module that sampling uses for a slot: the averaged one where there is one."""
        return self.average[name].module if name in self.average else self.get_submodule(name)  # type: ignore[return-value]

    def forward(self, noise: Tensor, refine: bool = True) -> Tensor:
        """Images `[N, C, H, W]` in [-1, 1] for noise `[N, dim]`, through the refiner where there is one."""
        images: Tensor = self.sampler("generator")(noise)
        if refine and self.refiner is not None:
            images = self.sampler("refiner")(images)
        return images

    @torch.no_grad()
    def sample_noise(self, n: int, seed: int | torch.Generator = 0) -> Tensor:
        """`[n, dim]` noise vectors that follow from the seed; the first m of n are those of n = m."""
        generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        with evaluating(self):
            chunks = [self.noise.sample(CHUNK, generator) for _ in range(-(-n // CHUNK))]
        return torch.cat(chunks)[:n] if chunks else torch.empty(0, self.noise.dim, device=self.device)

    @torch.no_grad()
    def generate(self, noise: Tensor, refine: bool = True) -> Tensor:
        """Images for given noise vectors, in evaluation mode and without gradients, on the CPU."""
        with evaluating(self):
            chunks = [self._chunk(part, refine) for part in torch.split(noise, CHUNK)] if len(noise) else []
        return torch.cat(chunks) if chunks else torch.empty(0, *self.image_shape)

    def _chunk(self, noise: Tensor, refine: bool) -> Tensor:
        # A short last chunk is filled up: kernels may round differently for another batch size.
        full = torch.cat([noise, noise[:1].expand(CHUNK - len(noise), -1)])
        images: Tensor = self(full.to(self.device), refine)[: len(noise)]
        return images.float().cpu()

    def sample(self, n: int, seed: int | torch.Generator = 0, refine: bool = True) -> Tensor:
        """`[n, C, H, W]` images, float in [-1, 1], on the CPU; the same seed gives the same images.

        Args:
            n: how many.
            seed: 0 … 2⁶³ - 1, or a generator to draw from.
            refine: whether images go through the refiner, where the model has one.
        """
        return self.generate(self.sample_noise(n, seed), refine)
