"""Parts: what a plugin of each kind must be.

Shapes are the same everywhere: images `[N, C, H, W]`, float in [-1, 1]; noise `[N, dim]`. A constructor's typed
keyword arguments are the part's options; the arguments named `image_shape`, `noise_dim` and `class_count` are
filled in by `build` so that the parts fit each other.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from gantk.errors import OptionError

if TYPE_CHECKING:
    from gantk.schedule import Player, Stage, Value

__all__ = [
    "Discriminator",
    "Generator",
    "ImageShape",
    "Loss",
    "NoiseSource",
    "Part",
    "Posterior",
    "Refiner",
    "Verdict",
    "require",
]

ImageShape = tuple[int, int, int]
"""(channels, height, width)"""


def require(condition: bool, message: str) -> None:
    """Refuse an option's value: raise `OptionError(message)` unless the condition holds."""
    if not condition:
        raise OptionError(message)


class Part(nn.Module):
    """One plugin, constructed. What it says of itself is its docstring and these class attributes."""

    paper: ClassVar[str] = ""
    """The source: authors, year, where; shown by `gantk show`."""

    def stages(self, path: str) -> Sequence[Stage]:
        """Stages that this part needs before the recipe's own, such as pre-training.

        Args:
            path: this part's name in the model (`noise`), by which its players name what they move.
        """
        return ()

    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        """Players that this part adds to a stage of the recipe."""
        return ()

    def values(self, path: str, stage: Stage) -> Mapping[str, Value]:
        """Shared values that this part's players read, over the model's own and below those of the stage."""
        return {}


class NoiseSource(Part, ABC):
    """Where a generator's input comes from."""

    dim: int
    """Length of one noise vector."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw `[n, dim]` noise vectors on this part's device.

        Every random number comes from `generator` where one is given (the same seed draws the same noise), else
        from torch's global generator. `draw_normal` and `draw_uniform` do that.
        """

    @property
    def device(self) -> torch.device:
        """Where this source's noise belongs."""
        return self._anchor.device

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_anchor", torch.empty(0), persistent=False)
        self._anchor: Tensor

    def draw_normal(self, *shape: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers, drawn where `generator` lives and moved to this part's device."""
        where = generator.device if generator is not None else self.device
        return torch.randn(*shape, generator=generator, device=where).to(self.device)

    def draw_uniform(self, *shape: int, generator: torch.Generator | None = None) -> Tensor:
        """Uniform numbers in [0, 1), drawn where `generator` lives and moved to this part's device."""
        where = generator.device if generator is not None else self.device
        return torch.rand(*shape, generator=generator, device=where).to(self.device)


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian over codes, one per image: `mean` and `log_variance`, each `[N, dim]`."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, standard_normal: Tensor | None = None) -> Tensor:
        """A draw by reparametrisation: mean + exp(log_variance / 2) · ε (Kingma & Welling 2014, eq. 10)."""
        epsilon = torch.randn_like(self.mean) if standard_normal is None else standard_normal
        return self.mean + (0.5 * self.log_variance).exp() * epsilon


class Generator(Part, ABC):
    """Noise `[N, noise_dim]` in, images `[N, C, H, W]` in [-1, 1] out."""

    image_shape: ImageShape
    """(channels, height, width) of its images."""
    provides: frozenset[str] = frozenset()
    """What losses may need of it: `posterior` where it has an encoder."""
    offers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @abstractmethod
    def forward(self, noise: Tensor) -> Tensor:
        """Images for noise vectors."""

    def encode(self, images: Tensor) -> Posterior:
        """The posterior over codes of images; only a generator that provides `posterior` has one."""
        raise TypeError(f"{type(self).__name__} has no encoder: it does not provide 'posterior'")


class Refiner(Part, ABC):
    """Images in, better images of the same shape out (a denoiser); it joins any game with players of its own."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Refined images `[N, C, H, W]` in [-1, 1]."""


@dataclass(frozen=True)
class Verdict:
    """What a discriminator says of a batch; `None` stands for what it does not say."""

    logits: Tensor | None = None
    """`[N]`, unbounded: a realness score, never a probability."""
    hidden: tuple[Tensor, ...] | None = None
    """Activation maps, one `[N, …]` per hidden layer, the deepest last."""
    code: Tensor | None = None
    """`[N, noise_dim]`: the code read off each image."""
    classes: Tensor | None = None
    """`[N, class_count]`: class logits."""


class Discriminator(Part, ABC):
    """Judges images."""

    provides: frozenset[str] = frozenset({"logits"})
    """Which of `logits`, `hidden`, `code`, `classes` its verdicts hold; `per-sample` where a verdict on one image
    does not depend on the rest of the batch (no batch normalisation), which gradient penalties need."""
    offers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """need → the options that make this discriminator provide it, as `{"per-sample": {"norm": "layer"}}`."""

    @abstractmethod
    def forward(self, images: Tensor) -> Verdict:
        """The verdict on `[N, C, H, W]` images."""


class Loss(Part):
    """Terms of a game's or a fit's objective.

    A loss has one method per role that it speaks to, named after the role: `discriminator`, `generator`,
    `autoencoder`, …. Each takes one argument, `play` (a `gantk.Play`), and returns the scalar tensor that the role's
    player minimises, times `weight`, or `None` where it has nothing to say. A loss never samples noise, calls
    `backward` or owns an optimizer.
    """

    adversarial: ClassVar[bool] = False
    """Whether this is the game's adversarial loss, of which a game has exactly one."""
    needs: frozenset[str] = frozenset()
    """What it reads: `logits`, `hidden`, `code`, `classes`, `per-sample`, `posterior`, `labels`."""
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """role → player settings that this loss brings as defaults, as `{"discriminator": {"repeats": 5}}`."""
    weight: float = 1.0

    def speaks_to(self, role: str) -> bool:
        """Whether this loss, with its options, has a term for a role."""
        return role in self.roles()

    @classmethod
    def roles(cls) -> tuple[str, ...]:
        """The roles that this loss has terms for: its public methods that take a `play`."""
        own = cls.__mro__[: cls.__mro__.index(Loss)]
        methods = {n: f for c in reversed(own) for n, f in vars(c).items() if inspect.isfunction(f)}
        return tuple(
            n for n, f in methods.items() if n[0] != "_" and [*inspect.signature(f).parameters][1:] == ["play"]
        )
