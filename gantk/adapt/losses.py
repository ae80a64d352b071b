"""Functions and modules as losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gantk.adapt.calls import network_of, required
from gantk.errors import FitError, OptionError
from gantk.parts import Loss, Verdict
from gantk.schedule import Play

__all__ = ["plain_loss"]

GAME = ("discriminator", "generator")


class PlainLoss(Loss):
    """Functions or modules of a `gantk.Play` that return what the player of a role minimizes.

    Args:
        terms: role → its term.
        weight: factor of this loss.
    """

    def __init__(self, terms: Mapping[str, Callable[..., Any]], *, weight: float = 1.0) -> None:
        super().__init__()
        self.terms = nn.ModuleDict({f"{role}_term": network_of(term) for role, term in terms.items()})
        self.weight = weight

    def term(self, role: str, play: Play) -> Any:
        """The scalar that the player of a role minimizes."""
        found = self.terms[f"{role}_term"](play)
        if isinstance(found, Tensor) and found.numel() != 1:
            shape = list(found.shape)
            raise FitError(
                f"loss {type(self).__name__} returned {shape} to the {role}; expected a scalar, such as its mean."
            )
        return found.reshape(()) if isinstance(found, Tensor) else found


class PlainCriterion(Loss):
    """A game by any function or module of (logits, targets), as `torch.nn.BCEWithLogitsLoss`.

    The discriminator's targets are 1 on real images and 0 on generated ones, the generator's are 1 on its own.

    Args:
        criterion: the function or module; its result is averaged.
        weight: factor of this loss.
    """

    adversarial = True
    needs = frozenset({"logits"})

    def __init__(self, criterion: Callable[..., Any], *, weight: float = 1.0) -> None:
        super().__init__()
        self.criterion = network_of(criterion)
        self.weight = weight

    def discriminator(self, play: Play) -> Tensor:
        """criterion(D(x), 1) + criterion(D(G(z)), 0)."""
        return self._towards(play.real_verdict, 1) + self._towards(play.fake_verdict, 0)

    def generator(self, play: Play) -> Tensor:
        """criterion(D(G(z)), 1)."""
        return self._towards(play.fake_verdict, 1)

    def _towards(self, verdict: Verdict, target: float) -> Tensor:
        logits = verdict.logits
        assert logits is not None
        found: Tensor = self.criterion(logits, torch.full_like(logits, target)).mean()
        return found


def plain_loss(name: str, thing: Any) -> type[Loss]:
    """The class of the loss for a function, a module, or a dictionary of functions by role.

    Args:
        name: name of the class.
        thing: a function or module of a play, which is the term of the role that it is named after, by default of the
            generator; or of logits and targets, which makes a game; or a dictionary, role → function of a play.

    Raises:
        OptionError: it takes other arguments.
    """
    if isinstance(thing, Mapping):
        return _speaking(name, thing)
    called = thing.forward if isinstance(thing, nn.Module) else thing
    arguments = required(called)
    if len(arguments) == 1:
        return _speaking(name, {name if name in GAME else "generator": thing}, told=name not in GAME)
    if len(arguments) == 2:
        return type(name, (PlainCriterion,), {"__init__": _with(PlainCriterion, thing)})
    raise OptionError(
        f"loss '{name}' takes ({', '.join(arguments)}); expected a function of a play, or of logits and targets."
    )


def _speaking(name: str, terms: Mapping[str, Callable[..., Any]], *, told: bool = False) -> type[Loss]:
    note = (
        f"loss {name} is a term of the generator; loss={{'discriminator': {name}}} makes it one of the discriminator."
    )
    own: dict[str, Any] = {role: _method(role) for role in terms}
    own |= {
        "adversarial": set(terms) >= set(GAME),
        "notes": (note,) if told else (),
        "__init__": _with(PlainLoss, terms),
    }
    return type(name, (PlainLoss,), own)


def _with(base: type[Any], thing: Any) -> Callable[..., None]:
    def __init__(self: Any, *, weight: float = 1.0) -> None:  # noqa: N807 - it becomes one
        base.__init__(self, thing, weight=weight)

    return __init__


def _method(role: str) -> Callable[[PlainLoss, Play], Any]:
    def speak(self: PlainLoss, play: Play) -> Any:
        return self.term(role, play)

    speak.__name__ = role
    return speak
