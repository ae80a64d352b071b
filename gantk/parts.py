"""Parts: what a plugin of each kind must be.

Shapes are the same everywhere: images `[N, C, H, W]`, float in [-1, 1]; noise `[N, dim]`. A constructor's typed
keyword arguments are the part's options; the arguments named `image_shape`, `noise_dim`, `condition_dim` (0 where
there is no condition), `class_count`, `class_names` and `label_dim` (0 unless labels are vectors) are filled in by
`build` so that the parts fit each other.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from gantk.errors import BrokenPlugin, FitError, OptionError
from gantk.renamed import renamed

if TYPE_CHECKING:
    from gantk.measures import Comparison
    from gantk.model import Model
    from gantk.schedule import Binding, Play, Player, Stage, Value

__all__ = [
    "DISTRIBUTIONS",
    "Condition",
    "Discriminator",
    "Extractor",
    "Generator",
    "ImageShape",
    "Loss",
    "Metric",
    "NoiseSource",
    "Part",
    "Posterior",
    "Refiner",
    "Verdict",
    "require",
    "weights_digest",
]

ImageShape = tuple[int, int, int]
"""(channels, height, width)"""

DISTRIBUTIONS: Mapping[str, str] = {
    "normal": "standard normal",
    "uniform": "uniform in [-1, 1]",
    "sphere": "uniform on the unit sphere",
}
"""Common distributions of noise, by name; the coordinates of `normal` and `uniform` noise are independent."""


def require(condition: bool, message: str) -> None:
    """Raise `OptionError(message)` unless the condition holds; for checking the values of options."""
    if not condition:
        raise OptionError(message)


def weights_digest(module: nn.Module, *texts: object) -> str:
    """A hash of the bits of every weight and buffer, with their names: the same on every device.

    Args:
        module: the module.
        texts: further texts that the hash depends on.
    """
    found = hashlib.blake2b(" ".join(map(str, texts)).encode(), digest_size=16)
    for name, value in sorted(module.state_dict().items()):
        found.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()


class Part(nn.Module):
    """A constructed plugin. Its docstring and these class attributes describe it."""

    paper: ClassVar[str] = ""
    """The publication: authors, year and where; `gantk show` prints it."""
    learned: tuple[str, ...] = ()
    """Modules of this part, by dotted path within it (`""` is the whole part), that are trained by the player of the
    part that uses it: those of a noise source are trained by the generator's player. If a noise source names none, all
    modules that gradients of its samples reach are trained."""
    state: Mapping[str, float] = {}
    """Numbers that this part keeps from step to step, with their initial values; one set for each game that it joins.

    A loss reads them as `play.state["name"]`. A method `after_<role>(self, play)` returns new values of some, as scalar
    tensors; it is called once after each turn of a player in that role and must not change anything itself. On several
    devices, the mean is kept.
    """
    weight: float = 1.0
    """Factor of its terms."""
    constructed: tuple[tuple[Any, ...], Mapping[str, Any]] = ((), {})
    """The arguments of its constructor, with which a run constructs it again."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        part = super().__new__(cls)
        object.__setattr__(part, "constructed", (args, options))
        return part

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("joins", "transform", "shown_shape", "measure", "speaks_to", "roles", "stages"):
            if not callable(found := getattr(cls, name)):
                raise BrokenPlugin(f"{cls.__name__}.{name} is a method of parts, but here a {type(found).__name__}.")

    def joins(self, binding: Binding) -> bool:
        """Whether this part joins a game: transforms images, adds terms, keeps state. For losses, recipes decide.

        By default, a part joins games of the model's own discriminator and generator, and not the games that other
        parts add.
        """
        own = {"discriminator": binding.discriminator, "generator": binding.autoencoder}
        return all(path == slot or path.startswith(f"{slot}.") for slot, path in own.items())

    def transform(self, images: Tensor, play: Play) -> Tensor:
        """Transform images, real or generated, before the discriminator sees them; returns `[N, *shown_shape]`."""
        return images

    def shown_shape(self, shape: ImageShape) -> ImageShape:
        """The shape of the result of `transform` for images of this shape."""
        return shape

    def measure(self, model: Model) -> Mapping[str, float]:
        """Figures of the model by name, which training logs every `measure_every` steps; by default none."""
        return {}

    def speaks_to(self, role: str) -> bool:
        """Whether this part, with its options, has a term for a role."""
        return role in self.roles()

    @classmethod
    def roles(cls) -> tuple[str, ...]:
        """The roles that this part has terms for: its public methods with an argument `play`, except `after_…`."""
        own = cls.__mro__[: cls.__mro__.index(Part)]
        methods = {n: f for c in reversed(own) for n, f in vars(c).items() if inspect.isfunction(f)}
        named = [n for n, f in methods.items() if [*inspect.signature(f).parameters][1:] == ["play"]]
        return tuple(name for name in named if not name.startswith(("_", "after_")))

    def stages(self, path: str) -> Sequence[Stage]:
        """Stages that this part needs before the recipe's own, such as pre-training.

        Args:
            path: this part's path in the model (`noise`), with which its players name the modules that they move.
        """
        return ()

    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        """Players that this part adds to a stage of the recipe."""
        return ()

    def values(self, path: str, stage: Stage) -> Mapping[str, Value]:
        """Shared values that this part's players read; they override the model's, and the stage's override them."""
        return {}


class NoiseSource(Part, ABC):
    """The source of a generator's input."""

    dim: int
    """Length of one noise vector."""
    distribution: str | None = None
    """The distribution of its vectors: `normal` is N(0, I), `uniform` U(-1, 1) in each coordinate, `sphere` uniform on
    the unit sphere; any other name for another distribution, and `None` if it is unknown. `build` compares it with what
    losses assume (`Loss.prior`)."""

    @abstractmethod
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Draw `[n, dim]` noise vectors on this part's device.

        All random numbers must be drawn from `rng` if it is given, so that the same seed draws the same noise, and
        otherwise from torch's global random number generator. `draw_normal` and `draw_uniform` do that.
        """

    @property
    def device(self) -> torch.device:
        """The device of this source's noise."""
        return self._anchor.device

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_anchor", torch.empty(0), persistent=False)
        self._anchor: Tensor

    @renamed(generator="rng")
    def draw_normal(self, *shape: int, rng: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers, drawn on the device of `rng`, then moved to this part's dtype and device."""
        where = rng.device if rng is not None else self.device
        return torch.randn(*shape, generator=rng, device=where).to(self._anchor)

    @renamed(generator="rng")
    def draw_uniform(self, *shape: int, rng: torch.Generator | None = None) -> Tensor:
        """Uniform numbers in [0, 1), drawn on the device of `rng`, then moved to this part's dtype and device."""
        where = rng.device if rng is not None else self.device
        return torch.rand(*shape, generator=rng, device=where).to(self._anchor)


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian over codes, one per image: `mean` and `log_variance`, each `[N, dim]`."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, standard_normal: Tensor | None = None) -> Tensor:
        """A sample by reparametrization: mean + exp(log_variance / 2) · ε (Kingma & Welling 2014, eq. 10)."""
        epsilon = torch.randn_like(self.mean) if standard_normal is None else standard_normal
        return self.mean + (0.5 * self.log_variance).exp() * epsilon


class Generator(Part, ABC):
    """A network from noise `[N, noise_dim]` to images `[N, C, H, W]` in [-1, 1]."""

    image_shape: ImageShape
    """(channels, height, width) of its images."""
    provides: frozenset[str] = frozenset()
    """What losses may need of it: `posterior` if it has an encoder; `sphere` if the means of posteriors lie on the unit
    sphere and `gantk.nn.OnSphere` projects its noise onto it, so that codes are bounded."""
    offers: Mapping[str, Mapping[str, Any]] = {}
    """need → the options that make this generator provide it."""
    condition_dim: int = 0
    """How many of the numbers that it reads, the last ones, are the condition; `build` sets it."""

    @abstractmethod
    def forward(self, noise: Tensor) -> Tensor:
        """Images for noise vectors."""

    def encode(self, images: Tensor) -> Posterior:
        """The posterior over codes of images; for generators that provide `posterior`."""
        raise TypeError(f"{type(self).__name__} has no encoder: it does not provide 'posterior'")


class Refiner(Part, ABC):
    """A network that improves images and keeps their shape (a denoiser); it adds its own players to any game."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Refined images `[N, C, H, W]` in [-1, 1]."""


@dataclass(frozen=True)
class Verdict:
    """The outputs of a discriminator for a batch; those that it does not provide are `None`."""

    logits: Tensor | None = None
    """`[N]`: one unbounded realness score per image, not a probability."""
    hidden: tuple[Tensor, ...] | None = None
    """Activation maps, one `[N, …]` per hidden layer, the deepest last."""
    code: Tensor | None = None
    """`[N, noise_dim]`: the predicted code of each image."""
    classes: Tensor | None = None
    """`[N, class_count]`: class logits."""


class Discriminator(Part, ABC):
    """Judges images."""

    provides: frozenset[str] = frozenset({"logits"})
    """Which of `logits`, `hidden`, `code`, `classes` its verdicts hold; `per-sample` where a verdict on one image
    does not depend on the rest of the batch (no batch normalization), which gradient penalties need; `energy` where its
    logits are minus an energy, such as a reconstruction error, and so never positive."""
    offers: Mapping[str, Mapping[str, Any]] = {}
    """need → the options that make this discriminator provide it, as `{"per-sample": {"norm": "layer"}}`. One with a
    nested part passes on that part's: `gantk.construct.offers_of`."""
    reads_condition: bool = False
    """Whether `forward` also takes the conditions `[N, dim]` (projection, class heads). Otherwise, conditions are added
    to the images as channels."""

    @abstractmethod
    def forward(self, images: Tensor) -> Verdict:
        """The verdict on `[N, C, H, W]` images."""


class Condition(Part, ABC):
    """A vector per image on which generation is conditioned, such as its class.

    Row i of everything in a step, the real images, the generated ones and what is judged, has condition i. A generator
    gets it appended to its noise, which then has `noise.dim + condition.dim` numbers. A discriminator gets it as
    constant channels beside the image, unless it `reads_condition`.
    """

    dim: int
    """Length of one condition."""

    @abstractmethod
    def of(self, labels: Tensor) -> Tensor:
        """The conditions `[N, dim]` of real images with labels: class indices `[N]`, or vectors `[N, label_dim]`."""

    @abstractmethod
    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw `[n, dim]` conditions from their distribution in the data, with all random numbers from `rng`."""

    @abstractmethod
    def told(self, text: str) -> Tensor:
        """The condition `[1, dim]` for a user's text.

        Raises:
            OptionError: there is no such condition.
        """

    def seen(self, labels: Tensor) -> None:
        """Called once by `build` with all labels of the data, as for `of`; what it keeps of them must be in buffers."""

    def labels(self, conditions: Tensor) -> Tensor:
        """The labels of conditions `[N, dim]`, as for `of`; by default the conditions themselves.

        They are saved with generated images, and metrics read them.
        """
        return conditions

    def spread(self, n: int) -> Tensor:
        """`[n, dim]` conditions for a sample grid, in order; by default they are drawn."""
        return self.draw(n, torch.Generator().manual_seed(0))

    def transform(self, images: Tensor, play: Play) -> Tensor:
        """The images with their conditions as constant channels."""
        if play.discriminator.reads_condition:
            return images
        conditions = play.conditions_of(images).to(images.dtype)
        return torch.cat([images, conditions[:, :, None, None].expand(-1, -1, *images.shape[2:])], dim=1)

    def shown_shape(self, shape: ImageShape) -> ImageShape:
        """The shape with the condition's channels."""
        return (shape[0] + self.dim, *shape[1:])


class Extractor(Part, ABC):
    """A network from images to the features of metrics and, if it has classes, to class probabilities.

    It takes images of any size, and resizes them itself if its network needs another size.
    """

    dim: int
    """Length of one feature vector."""
    class_count: int = 0
    """Number of classes of `classify`; 0 if it has none."""
    preference: ClassVar[int] = 0
    """If no extractor is named, the one with the greatest preference that accepts the data set is used; those with 0
    only if they are named. An extractor with an option `data` is then given the data set."""
    resize: str = "none"
    """How it resizes images, for the protocol of every score, such as `bilinear to 224x224, antialias`."""

    @property
    def device(self) -> torch.device:
        """The device on which it expects images."""
        return next((value.device for value in (*self.parameters(), *self.buffers())), torch.device("cpu"))

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """`[N, dim]` features of `[N, C, H, W]` images in [-1, 1]; they must not depend on the rest of the batch."""

    def classify(self, features: Tensor) -> Tensor:
        """`[N, class_count]` class probabilities of `[N, dim]` features.

        Raises:
            FitError: it was not trained on classes.
        """
        raise FitError(f"{type(self).__name__} has no class probabilities; use an extractor with classes.")

    def fingerprint(self) -> str:
        """A hash of what it computes: the text of its class, its options and its weights."""
        arguments, options = self.constructed
        found = hashlib.blake2b(f"{arguments!r} {sorted(options.items())!r}".encode(), digest_size=16)
        for cls in type(self).__mro__[: type(self).__mro__.index(Extractor)]:
            found.update(f"{cls.__module__}.{cls.__qualname__}".encode())
            try:
                found.update(inspect.getsource(cls).encode())
            except (OSError, TypeError):  # defined interactively: the source is not available
                found.update(os.urandom(16))
        return weights_digest(self, found.hexdigest())


class Metric(Part, ABC):
    """Figures that compare generated images with real ones."""

    needs: frozenset[str] = frozenset({"features"})
    """What it needs of a comparison: `features`, `probabilities`, `labels` (of the real images), `generated labels`,
    `held out` and `model`; images are always available."""
    extractor: str | None = None
    """The extractor that it requires, with options, if its name implies one; `None` for any."""
    collapses: ClassVar[Mapping[str, float]] = {}
    """Figures that fall when the generator collapses, such as coverage → fraction of their greatest value so far, below
    which training warns: 0.5 if it halves, 1 if it falls at all."""
    costly: ClassVar[bool] = False
    """Whether `gantk evaluate` computes it only if it is named, because it takes long."""
    better: ClassVar[Mapping[str, str]] = {}
    """Figure → `lower` or `higher`, whichever is better, as in `{"precision": "higher"}`; without figures for which
    neither is better, such as a floor. `gantk compare` uses it to mark the best run, and `train.keep_best` to keep the
    best checkpoint."""

    @abstractmethod
    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        """Compute the figures, by name, from `comparison.real` and `comparison.generated`.

        Large data is streamed: `side.images()` yields batches, and `side.features` is a memory-mapped tensor, to be
        read in pieces with `torch.split`. It is called with a fixed random seed and without gradients.
        """

    def least(self, comparison: Comparison) -> int:
        """The minimum number of images of each side."""
        return 2

    def remark(self, figures: Mapping[str, float]) -> str:
        """A warning about its figures, such as a collapse, in one sentence; empty for none.

        `gantk evaluate` prints it below the table.
        """
        return ""


class Loss(Part):
    """Terms of a game's or a fit's objective.

    A loss has one method per role that it has a term for, named after the role: `discriminator`, `generator`,
    `autoencoder`, …. Each takes one argument, `play` (a `gantk.Play`), and returns the scalar tensor that the role's
    player minimizes, times `weight`, or `None` for no term. A loss that is a sum logs its summands with `play.log`. A
    loss never samples noise, calls `backward` or has an optimizer.
    """

    adversarial: ClassVar[bool] = False
    """Whether this is the game's adversarial loss, of which a game has exactly one."""
    needs: frozenset[str] = frozenset()
    """What it needs: `logits`, `hidden`, `code`, `classes`, `per-sample`, `posterior`, `sphere`, `labels`."""
    prior: tuple[str, ...] = ()
    """Distributions of noise (`NoiseSource.distribution`) for which codes that are trained with it match the noise that
    images are sampled from, the usual one first; empty if it assumes nothing about the noise."""
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Role → player settings that this loss sets as defaults, such as `{"discriminator": {"repeats": 5}}`."""

    def joins(self, binding: Binding) -> bool:
        """A loss does not join games by itself: the objectives of a recipe contain the losses."""
        return False
