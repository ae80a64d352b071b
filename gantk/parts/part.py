"""What all parts have in common."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from gantk.errors import BrokenPlugin, OptionError

if TYPE_CHECKING:
    from gantk.model import Model
    from gantk.schedule import Binding, Play, Player, Stage, Value

__all__ = ["ImageShape", "Part", "require"]

ImageShape = tuple[int, int, int]
"""(channels, height, width)"""


def require(condition: bool, message: str) -> None:
    """Raise `OptionError(message)` unless the condition holds; for checking the values of options."""
    if not condition:
        raise OptionError(message)


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
        return _roles(cls)  # type: ignore[arg-type]  # mypy reads `__hash__` of the instances

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


@functools.lru_cache(maxsize=256)
def _roles(cls: type[Part]) -> tuple[str, ...]:
    own = cls.__mro__[: cls.__mro__.index(Part)]
    methods = {n: f for c in reversed(own) for n, f in vars(c).items() if inspect.isfunction(f)}
    named = [n for n, f in methods.items() if [*inspect.signature(f).parameters][1:] == ["play"]]
    return tuple(name for name in named if not name.startswith(("_", "after_")))
