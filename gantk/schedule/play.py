"""What losses read: real and generated images, the discriminator's verdicts on them, codes and reconstructions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from gantk.parts import Discriminator, Generator, Posterior, Verdict
from gantk.schedule.step import Logged, checked_figure

__all__ = ["Play"]


class Play:
    """One player's view of one batch; everything derived is computed once, on first use.

    The trainer makes one per turn. By hand, in a loop of your own, give it what your losses read::

        play = gantk.Play(discriminator, real=images, fake=generator(noise), noise=noise)
        loss = nonsaturating.generator(play) + 0.1 * hidden.generator(play)

    Args:
        discriminator: judges `real` and `fake`.
        real: real images `[N, C, H, W]` (or whatever the discriminator judges).
        fake: as many generated images; detached in a discriminator's turn.
        noise: the noise `[N, dim]` that `fake` was generated from.
        labels: class indices `[N]` of `real`, if the data set has classes.
        condition: the condition of each row, `[N, dim]`, in a conditional game.
        generator: the network that generated `fake`, for losses that generate further images.
        autoencoder: a generator that provides `posterior`.
        state: the loss's own numbers, by name.
        step: number of finished steps of the stage.
        done: finished fraction of the stage, in [0, 1).
    """

    def __init__(
        self,
        discriminator: Discriminator | None = None,
        *,
        real: Tensor | None = None,
        fake: Tensor | None = None,
        noise: Tensor | None = None,
        labels: Tensor | None = None,
        condition: Tensor | None = None,
        generator: nn.Module | None = None,
        autoencoder: Generator | None = None,
        state: Mapping[str, Tensor] | None = None,
        step: int = 0,
        done: float = 0.0,
    ) -> None:
        self._given = {"real": real, "fake": fake, "noise": noise, "labels": labels, "condition": condition}
        self._state = dict(state or {})
        self._at = step, done
        self.logged: dict[str, Logged] = {}
        self._discriminator = discriminator
        self._generator = generator
        self._autoencoder = autoencoder

    def _value(self, name: str) -> Any:
        value = self._given[name]
        if value is None:
            raise ValueError(f"this play has no {name}; pass {name}=… to gantk.Play")
        return value

    @property
    def step(self) -> int:
        """Number of finished steps of the stage. For what happens every few steps, ask `every`."""
        return self._at[0]

    @property
    def done(self) -> float:
        """Finished fraction of the stage, in [0, 1)."""
        return self._at[1]

    def every(self, steps: int) -> bool:
        """Whether what happens every so many steps happens in this one: in the first step of a stage, and so on.

        Unlike `step` and `done`, it lets training record steps as CUDA graphs.
        """
        return self.step % steps == 0

    @property
    def discriminator(self) -> Discriminator:
        if self._discriminator is None:
            raise ValueError("this play has no discriminator; pass one to gantk.Play")
        return self._discriminator

    @property
    def generator(self) -> nn.Module:
        """The network that generated `fake`, from noise `[N, dim]` to what the discriminator judges."""
        if self._generator is None:
            raise ValueError("this play has no generator; pass generator=… to gantk.Play")
        return self._generator

    @property
    def autoencoder(self) -> Generator:
        if self._autoencoder is None:
            raise ValueError("this play has no autoencoder; pass autoencoder=… to gantk.Play")
        return self._autoencoder

    @property
    def state(self) -> Mapping[str, Tensor]:
        """A copy of the numbers, by name, that the current part keeps in this game."""
        return self._state

    def log(self, name: str, value: Tensor | float, weight: float = 1.0) -> Tensor:
        """Log a summand of the term that is being computed, such as a penalty, under a name of its own.

        A loss that is a sum is written as one::

            return play.log("wasserstein", real.mean() - fake.mean(), -1) + play.log("penalty", penalty, self.penalty)

        In training, the log then has `discriminator/LOSS/penalty`, unweighted, and `discriminator/LOSS/penalty/weight`
        beside it. A play by hand keeps the value and its weight in `logged["penalty"]`.

        Args:
            name: letters, digits, `_` and `-`.
            value: a scalar tensor; it is read only when a line of the log is written.
            weight: the factor with which it counts in the term.

        Returns:
            weight · value, with gradients.

        Raises:
            FitError: the value is no scalar, or its name cannot be one.
        """
        scalar = checked_figure(f"term/{name}", value)
        self.logged[name] = (scalar.detach(), weight)
        return scalar if weight == 1 else weight * scalar

    @property
    def real(self) -> Tensor:
        real: Tensor = self._value("real")
        return real

    @property
    def fake(self) -> Tensor:
        fake: Tensor = self._value("fake")
        return fake

    @property
    def noise(self) -> Tensor:
        noise: Tensor = self._value("noise")
        return noise

    @property
    def labels(self) -> Tensor:
        labels: Tensor = self._value("labels")
        return labels

    @property
    def condition(self) -> Tensor:
        """The condition of each row, `[N, dim]`."""
        condition: Tensor = self._value("condition")
        return condition

    def generate(self, noise: Tensor) -> Tensor:
        """Generate images from any noise `[N, dim]`; computed at each call."""
        images: Tensor = self.generator(noise)
        return images

    def shown(self, images: Tensor) -> Tensor:
        """The images as the discriminator sees them: transformed by the parts of the game that do so."""
        return images

    def judge(self, images: Tensor) -> Verdict:
        """The discriminator's verdict on any images, after `shown`; computed at each call.

        In a conditional game, row i has condition i; for k times as many images as conditions, each condition is used
        for k rows.
        """
        shown = self.shown(images)
        if not self.discriminator.reads_condition:
            verdict: Verdict = self.discriminator(shown)
        else:
            verdict = self.discriminator(shown, self.conditions_of(images))
        return verdict

    def conditions_of(self, images: Tensor) -> Tensor:
        """The condition of each of these images, `[len(images), dim]`.

        Raises:
            ValueError: their number is not a multiple of the number of conditions.
        """
        count = len(self.condition)
        if not count or len(images) % count:
            raise ValueError(f"{len(images)} images cannot share {count} conditions: judge a multiple of the batch.")
        return self.condition.repeat(len(images) // count, 1)

    @cached_property
    def real_verdict(self) -> Verdict:
        """The verdict on `real`."""
        return self.judge(self.real)

    @cached_property
    def fake_verdict(self) -> Verdict:
        """The verdict on `fake`."""
        return self.judge(self.fake)

    @cached_property
    def posterior(self) -> Posterior:
        """The autoencoder's posterior over the codes of `real`."""
        return self.autoencoder.encode(self.real)

    @cached_property
    def reconstruction(self) -> Tensor:
        """`real`, encoded, drawn from the posterior and decoded.

        A decoder that reads a condition is told that of `real`, in place of the last numbers of the code.
        """
        code = self.posterior.sample()
        if told := self.autoencoder.condition_dim:
            code = torch.cat([code[:, :-told], self.condition.to(code.dtype)], dim=1)
        images: Tensor = self.autoencoder(code)
        return images
