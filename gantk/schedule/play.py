"""What a loss may read: real and fake images, the discriminator's verdicts on them, codes and reconstructions."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor, nn

from gantk.parts import Discriminator, Generator, Posterior, Verdict

__all__ = ["Play"]


class Play:
    """One player's view of one batch; everything derived is computed once, on first use.

    The trainer makes one per turn. By hand, in a loop of your own, give it what your losses read::

        play = gantk.Play(discriminator, real=images, fake=generator(noise), noise=noise)
        loss = nonsaturating.generator(play) + 0.1 * hidden.generator(play)

    Args:
        discriminator: judges `real` and `fake`.
        real: real images `[N, C, H, W]` (or whatever the discriminator judges).
        fake: generated images, as many; detached for a discriminator's turn.
        noise: the noise `[N, dim]` that `fake` was generated from.
        labels: class indices `[N]` of `real`, where the data set has classes.
        generator: what `fake` was generated with, for losses that generate again.
        autoencoder: a generator that provides `posterior`.
    """

    def __init__(
        self,
        discriminator: Discriminator | None = None,
        *,
        real: Tensor | None = None,
        fake: Tensor | None = None,
        noise: Tensor | None = None,
        labels: Tensor | None = None,
        generator: nn.Module | None = None,
        autoencoder: Generator | None = None,
    ) -> None:
        self._given = {"real": real, "fake": fake, "noise": noise, "labels": labels}
        self._discriminator = discriminator
        self._generator = generator
        self._autoencoder = autoencoder

    def _value(self, name: str) -> Tensor:
        value = self._given[name]
        if value is None:
            raise ValueError(f"this play has no {name}; pass {name}=… to gantk.Play")
        return value

    @property
    def discriminator(self) -> Discriminator:
        if self._discriminator is None:
            raise ValueError("this play has no discriminator; pass one to gantk.Play")
        return self._discriminator

    @property
    def generator(self) -> nn.Module:
        """What `fake` was generated with: noise `[N, dim]` in, what the discriminator judges out."""
        if self._generator is None:
            raise ValueError("this play has no generator; pass generator=… to gantk.Play")
        return self._generator

    @property
    def autoencoder(self) -> Generator:
        if self._autoencoder is None:
            raise ValueError("this play has no autoencoder; pass autoencoder=… to gantk.Play")
        return self._autoencoder

    @property
    def real(self) -> Tensor:
        return self._value("real")

    @property
    def fake(self) -> Tensor:
        return self._value("fake")

    @property
    def noise(self) -> Tensor:
        return self._value("noise")

    @property
    def labels(self) -> Tensor:
        return self._value("labels")

    def generate(self, noise: Tensor) -> Tensor:
        """What the generator makes of any noise `[N, dim]`, computed anew at each call."""
        images: Tensor = self.generator(noise)
        return images

    def judge(self, images: Tensor) -> Verdict:
        """The discriminator's verdict on any images, computed anew at each call."""
        verdict: Verdict = self.discriminator(images)
        return verdict

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
        """`real`, encoded, drawn from the posterior and decoded."""
        images: Tensor = self.autoencoder(self.posterior.sample())
        return images
