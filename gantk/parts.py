"""Parts: what a plugin of each kind must be.

Shapes are the same everywhere: images `[N, C, H, W]`, float in [-1, 1]; noise `[N, dim]`. A constructor's typed
keyword arguments are the part's options; the arguments named `image_shape`, `noise_dim`, `condition_dim` (0 where
there is no condition), `class_count`, `class_names` and `label_dim` (0 where labels are no vectors) are filled in by
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
"""What noise is usually distributed as, by name, and in words; the coordinates of `normal` and `uniform` noise are
independent."""


def require(condition: bool, message: str) -> None:
    """Refuse an option's value: raise `OptionError(message)` unless the condition holds."""
    if not condition:
        raise OptionError(message)


def weights_digest(module: nn.Module, *texts: object) -> str:
    """A hash of the bits of every weight and buffer, with their names: the same on every device.

    Args:
        module: whose weights.
        texts: what else the hash depends on.
    """
    found = hashlib.blake2b(" ".join(map(str, texts)).encode(), digest_size=16)
    for name, value in sorted(module.state_dict().items()):
        found.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()


class Part(nn.Module):
    """One plugin, constructed. What it says of itself is its docstring and these class attributes."""

    paper: ClassVar[str] = ""
    """The source: authors, year, where; shown by `gantk show`."""
    learned: tuple[str, ...] = ()
    """Modules of this part, by dotted path within it (`""` is all of it), that the player of what it is used by moves:
    those of a noise source are moved by whoever moves the generator. A noise source that names none has all moved that
    its samples carry gradients to."""
    state: Mapping[str, float] = {}
    """Numbers that this part remembers from step to step, with their initial values: a set for each game that it joins.

    A loss reads them as `play.state["name"]`. A method `after_<role>(self, play)` returns new values of some, as scalar
    tensors; it is called once after each turn of a player in that role and changes nothing itself. Over several devices
    the mean is kept.
    """
    weight: float = 1.0
    """The factor of its terms."""
    constructed: tuple[tuple[Any, ...], Mapping[str, Any]] = ((), {})
    """The arguments that its constructor was given, from which a run makes it again."""

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
        """Whether this part transforms images, speaks and remembers in a game; losses join what a recipe gives them to.

        Usually a game is joined that is played with the model's own discriminator and generator, and not those that
        other parts play with theirs.
        """
        own = {"discriminator": binding.discriminator, "generator": binding.autoencoder}
        return all(path == slot or path.startswith(f"{slot}.") for slot, path in own.items())

    def transform(self, images: Tensor, play: Play) -> Tensor:
        """What the discriminator is shown of images that it judges, real or generated: `[N, *shown_shape]`."""
        return images

    def shown_shape(self, shape: ImageShape) -> ImageShape:
        """The shape of what `transform` makes of images of a shape."""
        return shape

    def measure(self, model: Model) -> Mapping[str, float]:
        """Figures of the model in training, by name, logged every `measure_every` steps; most parts have none."""
        return {}

    def speaks_to(self, role: str) -> bool:
        """Whether this part, with its options, has a term for a role."""
        return role in self.roles()

    @classmethod
    def roles(cls) -> tuple[str, ...]:
        """The roles that this part has terms for: its public methods that take a `play`, but for `after_…`."""
        own = cls.__mro__[: cls.__mro__.index(Part)]
        methods = {n: f for c in reversed(own) for n, f in vars(c).items() if inspect.isfunction(f)}
        named = [n for n, f in methods.items() if [*inspect.signature(f).parameters][1:] == ["play"]]
        return tuple(name for name in named if not name.startswith(("_", "after_")))

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
    distribution: str | None = None
    """What its vectors are distributed as: `normal` is N(0, I), `uniform` U(-1, 1) in each coordinate, `sphere` uniform
    on the unit sphere; any other name for another distribution, and `None` where it is not known. `build` compares it
    with what losses assume (`Loss.prior`)."""

    @abstractmethod
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Draw `[n, dim]` noise vectors on this part's device.

        Every random number comes from `rng` where one is given (the same seed draws the same noise), else
        from torch's global random number generator. `draw_normal` and `draw_uniform` do that.
        """

    @property
    def device(self) -> torch.device:
        """Where this source's noise belongs."""
        return self._anchor.device

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_anchor", torch.empty(0), persistent=False)
        self._anchor: Tensor

    @renamed(generator="rng")
    def draw_normal(self, *shape: int, rng: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers, drawn where `rng` lives, of this part's type and on its device."""
        where = rng.device if rng is not None else self.device
        return torch.randn(*shape, generator=rng, device=where).to(self._anchor)

    @renamed(generator="rng")
    def draw_uniform(self, *shape: int, rng: torch.Generator | None = None) -> Tensor:
        """Uniform numbers in [0, 1), drawn where `rng` lives, of this part's type and on its device."""
        where = rng.device if rng is not None else self.device
        return torch.rand(*shape, generator=rng, device=where).to(self._anchor)


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
    """What losses may need of it: `posterior` where it has an encoder; `sphere` where the means of posteriors lie on
    the unit sphere, and the noise that it reads is projected onto it by `gantk.nn.OnSphere`: codes are bounded."""
    offers: Mapping[str, Mapping[str, Any]] = {}
    """need → the options that make this generator provide it."""

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
    does not depend on the rest of the batch (no batch normalization), which gradient penalties need."""
    offers: Mapping[str, Mapping[str, Any]] = {}
    """need → the options that make this discriminator provide it, as `{"per-sample": {"norm": "layer"}}`. One with a
    part within has that one's: `gantk.construct.offers_of`."""
    reads_condition: bool = False
    """Whether it is called with the condition `[N, dim]` too (projection, class heads). One that is not is shown a
    condition as further channels of the images."""

    @abstractmethod
    def forward(self, images: Tensor) -> Verdict:
        """The verdict on `[N, C, H, W]` images."""


class Condition(Part, ABC):
    """What images are told to be: a vector per image, such as its class.

    Row i of everything in a step, the real images, the generated ones and what is judged, has condition i. A generator
    reads it at the end of its noise: it is built for `noise.dim + condition.dim` numbers. A discriminator is shown it
    as constant channels beside the image, unless it `reads_condition`.
    """

    dim: int
    """Length of one condition."""

    @abstractmethod
    def of(self, labels: Tensor) -> Tensor:
        """The conditions `[N, dim]` of real images with labels: class indices `[N]`, or vectors `[N, label_dim]`."""

    @abstractmethod
    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """`[n, dim]` conditions as the data has them, every random number from `rng`."""

    @abstractmethod
    def told(self, text: str) -> Tensor:
        """The one condition `[1, dim]` that a user means.

        Raises:
            OptionError: there is no such condition.
        """

    def seen(self, labels: Tensor) -> None:
        """Told once of all labels of the data, as `of` reads them, at build; what it keeps of them lies in buffers."""

    def labels(self, conditions: Tensor) -> Tensor:
        """The labels of images with conditions `[N, dim]`, as `of` reads them; by default the conditions themselves.

        They are written beside generated images, and metrics read them.
        """
        return conditions

    def spread(self, n: int) -> Tensor:
        """`[n, dim]` conditions for a picture of what there is, in order; by default they are drawn."""
        return self.draw(n, torch.Generator().manual_seed(0))

    def transform(self, images: Tensor, play: Play) -> Tensor:
        """The images with the condition of each as constant channels."""
        if play.discriminator.reads_condition:
            return images
        conditions = play.conditions_of(images).to(images.dtype)
        return torch.cat([images, conditions[:, :, None, None].expand(-1, -1, *images.shape[2:])], dim=1)

    def shown_shape(self, shape: ImageShape) -> ImageShape:
        """Further channels."""
        return (shape[0] + self.dim, *shape[1:])


class Extractor(Part, ABC):
    """Images in, features out, of which metrics are computed; and class probabilities, where it was trained on classes.

    It is given images of any size, and resizes them itself where its network wants another one.
    """

    dim: int
    """Length of one feature vector."""
    class_count: int = 0
    """Number of classes that `classify` tells apart; 0 where it tells none."""
    preference: ClassVar[int] = 0
    """Where nobody names an extractor, the one of those with the greatest preference that takes the data set is used;
    0 is used only if it is named. One that has an option `data` is then given the data set."""
    resize: str = "none"
    """How it resizes images, for the protocol beside every number, as `bilinear to 224x224, antialias`."""

    @property
    def device(self) -> torch.device:
        """Where it expects images."""
        return next((value.device for value in (*self.parameters(), *self.buffers())), torch.device("cpu"))

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """`[N, dim]` features of `[N, C, H, W]` images in [-1, 1]; those of an image are the same in any batch."""

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
            except (OSError, TypeError):  # typed into an interpreter: what it does cannot be compared
                found.update(os.urandom(16))
        return weights_digest(self, found.hexdigest())


class Metric(Part, ABC):
    """Figures of generated images beside real ones, such as how close they are."""

    needs: frozenset[str] = frozenset({"features"})
    """What it reads of a comparison: `features`, `probabilities`, `labels` (of the real images), `generated labels`,
    `held out` and `model`; the images themselves are always there."""
    extractor: str | None = None
    """The extractor that it insists on, with options, as the name of a score demands; `None` for any."""
    collapses: ClassVar[Mapping[str, float]] = {}
    """Figures that fall when the generator collapses, such as coverage → the share of their greatest value in a
    training below which it warns: 0.5 where one halves, 1 where it falls at all."""
    costly: ClassVar[bool] = False
    """Whether it takes so long that `gantk evaluate` computes it only where it is named."""
    better: ClassVar[Mapping[str, str]] = {}
    """Figure → `lower` or `higher`, whichever is better, as `{"precision": "higher"}`; figures that only tell
    something, such as a floor, are left out. `gantk compare` marks by it which run is ahead, and
    `train.keep_best` keeps the best checkpoint by it."""

    @abstractmethod
    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        """The figures by name, of `comparison.real` and `comparison.generated`.

        Large things are read as a stream: `side.images()` gives batches, and `side.features` is a tensor that lies in
        a file, to be read by `split`. The random seed is fixed, no gradients are kept, and nothing is changed.
        """

    def least(self, comparison: Comparison) -> int:
        """How many images of each side it needs at least."""
        return 2

    def remark(self, figures: Mapping[str, float]) -> str:
        """What a reader must not overlook in its figures, such as a collapse: one plain sentence, or nothing.

        `gantk evaluate` prints it under the table.
        """
        return ""


class Loss(Part):
    """Terms of a game's or a fit's objective.

    A loss has one method per role that it speaks to, named after the role: `discriminator`, `generator`,
    `autoencoder`, …. Each takes one argument, `play` (a `gantk.Play`), and returns the scalar tensor that the role's
    player minimizes, times `weight`, or `None` where it has nothing to say. A loss that is a sum logs its summands with
    `play.log`. A loss never samples noise, calls `backward` or owns an optimizer.
    """

    adversarial: ClassVar[bool] = False
    """Whether this is the game's adversarial loss, of which a game has exactly one."""
    needs: frozenset[str] = frozenset()
    """What it reads: `logits`, `hidden`, `code`, `classes`, `per-sample`, `posterior`, `sphere`, `labels`."""
    prior: tuple[str, ...] = ()
    """Distributions of noise (`NoiseSource.distribution`) with any of which it fits codes to what the generator is then
    sampled from, the usual one first; none where it assumes nothing of the noise."""
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """role → player settings that this loss brings as defaults, as `{"discriminator": {"repeats": 5}}`."""

    def joins(self, binding: Binding) -> bool:
        """Never by itself: a recipe's objectives say which losses they hold."""
        return False
