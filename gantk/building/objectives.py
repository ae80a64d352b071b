"""What players minimize: the terms and losses of objectives, and whether every loss and part is used."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from gantk.errors import FitError
from gantk.model import Model
from gantk.parts import Condition, Loss, Part
from gantk.recipe import Recipe
from gantk.schedule import Objective, Player, Stage, Step, Terms
from gantk.schedule.objective import written

__all__ = ["check_objectives", "losses_of", "notes_on_unheard", "terms_of"]

DEEPEST = 6
"""Maximum depth of nested objects in which terms are searched for."""
BASES = (Part.transform, Condition.transform)
OTHERS = (nn.Module, Tensor, Player, Stage, Recipe, Step, type, types.ModuleType, str)
"""Objects that an objective may refer to, but that are not searched for terms."""


def terms_of(objective: Objective) -> list[Terms]:
    """Every `Terms` that an objective consists of, or refers to through attributes, containers or a closure."""
    return [found for found in _within(objective) if isinstance(found, Terms)]


def losses_of(objective: Objective) -> list[Loss]:
    """Every loss of an objective, whether in its terms or by itself."""
    found = list(_within(objective))
    held = [loss for terms in found if isinstance(terms, Terms) for _, loss in terms.losses]
    return [*held, *(loss for loss in found if isinstance(loss, Loss))]


def _within(value: Any, seen: set[int] | None = None, depth: int = 0) -> Iterator[Terms | Loss]:
    seen = set() if seen is None else seen
    if id(value) in seen or depth > DEEPEST:
        return
    seen.add(id(value))
    if isinstance(value, (Terms, Loss)):
        yield value
    elif not isinstance(value, OTHERS):
        for each in _held_by(value):
            yield from _within(each, seen, depth + 1)


def _held_by(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if isinstance(value, functools.partial):
        return (value.func, *value.args, *value.keywords.values())
    if isinstance(value, types.MethodType):
        return (value.__self__,)
    if isinstance(value, types.FunctionType):
        held = inspect.getclosurevars(value).nonlocals
        return (*held.values(), *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
    slots = [name for each in type(value).__mro__ for name in getattr(each, "__slots__", ())]
    return (*getattr(value, "__dict__", {}).values(), *(getattr(value, name, None) for name in slots))


def check_objectives(model: Model, stages: Sequence[Stage]) -> None:
    """Check that every player has parameters and an objective, and that every loss is minimized by a player.

    Raises:
        FitError: this does not hold for one of them; the message says why.
    """
    for name, loss in model.losses:
        _check_speaks(name, loss)
    for stage in stages:
        for player in stage.players:
            _check_player(model, player, f"stage '{stage.name}': player '{player.name}'")
    players = [player for stage in stages for player in stage.players]
    heard = {id(loss) for player in players for loss in losses_of(player.objective)}
    for name, loss in model.losses:
        if id(loss) not in heard:
            raise FitError(_unheard(name, loss, players), "leave the loss out, or choose another recipe")
        _check_opponents(name, loss, players)


def notes_on_unheard(model: Model, stages: Sequence[Stage]) -> list[str]:
    """Notes on terms, states and transforms of parts that this recipe does not use."""
    heard: dict[Part, set[str]] = {}
    for player in (player for stage in stages for player in stage.players):
        for loss in losses_of(player.objective):  # also those that an objective asks itself
            heard.setdefault(loss, set()).add(player.role)
        for terms in terms_of(player.objective):
            for part in terms.speakers(model.parts).values():
                heard.setdefault(part, set()).add(terms.role)
    notes = [note for path, part in model.parts.items() for note in _unused(path, part, heard.get(part, set()))]
    if model.discriminator is None:
        transforming = [p for p, part in model.parts.items() if type(part).transform not in BASES]
        notes += [
            f"{path} transforms the discriminator's images, but this recipe has no discriminator."
            for path in transforming
        ]
    return notes


def _unused(path: str, part: Part, roles: set[str]) -> Iterator[str]:
    """What a part defines for roles that no player in its games has."""
    after = sorted(name for name in dir(type(part)) if name.startswith("after_"))
    games = f"the roles in its games are {', '.join(sorted(roles))}" if roles else "it joins no game of this recipe"
    spoken = [role for role in part.roles() if part.speaks_to(role)]
    if spoken and not roles & {*spoken}:
        yield f"{path} has terms for {', '.join(spoken)}; {games}."
    if after and not part.state:
        yield f"{path} has {', '.join(after)}, and declares no `state`, so they have nothing to update."
    elif part.state and not roles & {name.removeprefix("after_") for name in after}:
        has = f"has {', '.join(after)}" if after else "has no method after_<role>"
        yield f"{path} never updates {', '.join(part.state)}: it {has}, and {games}."


def _check_speaks(name: str, loss: Loss) -> None:
    roles = loss.roles()
    if any(map(loss.speaks_to, roles)):
        return
    if roles:
        raise FitError(
            f"loss '{name}' has no term for any role with these options", "leave out the loss", "change its options"
        )
    nearly = [
        f"{found.__name__}({', '.join([*inspect.signature(found).parameters][1:])})"
        for each in type(loss).__mro__[: type(loss).__mro__.index(Loss)]
        for found in vars(each).values()
        if inspect.isfunction(found) and len(inspect.signature(found).parameters) == 2 and found.__name__ != "forward"
    ]
    hint = f"; {' and '.join(nearly)} would be one if its argument were called play" if nearly else ""
    raise FitError(
        f"loss '{name}' has no role: add to {type(loss).__name__} a public method named after each role that it has "
        f"a term for, such as generator(self, play){hint}."
    )


def _check_opponents(name: str, loss: Loss, players: Sequence[Player]) -> None:
    """Check that both sides minimize an adversarial loss: one alone has no opponent and learns nothing of the data."""
    sides = [role for role in loss.roles() if loss.speaks_to(role)]
    holding = [player for player in players if any(held is loss for held in losses_of(player.objective))]
    played = {role for player in holding for role in _roles_of(player)}
    if loss.adversarial and len(sides) > 1 and len(played.intersection(sides)) == 1:
        raise FitError(
            f"loss '{name}' is adversarial and needs both {' and '.join(sides)}, but in this recipe only the "
            f"{played.intersection(sides).pop()} minimizes it",
            "choose another recipe or another --loss",
        )


def _roles_of(player: Player) -> set[str]:
    return {player.role, *(terms.role for terms in terms_of(player.objective))}


def _check_player(model: Model, player: Player, where: str) -> None:
    for terms in terms_of(player.objective):
        if not terms.losses:
            raise FitError(
                f"{where} has nothing to minimize: no loss has a term for a {terms.role}",
                "add one with --loss, or choose another recipe",
            )
    for path in player.moves:
        try:
            module = model.get_submodule(path)
        except AttributeError:
            raise FitError(f"{where} moves '{path}', but the model has no such module.") from None
        if not list(module.parameters()):
            raise FitError(f"{where} moves '{path}', which has no parameters.")


def _unheard(name: str, loss: Loss, players: Sequence[Player]) -> str:
    roles = [role for role in loss.roles() if loss.speaks_to(role)]
    terms = f"loss '{name}' has a term for {' and '.join(roles)}"
    others = {player.name: written(player.objective) for player in players if player.role in roles}
    if others:
        says = " and ".join(f"player '{player}' minimizes {objective}" for player, objective in others.items())
        return f"{terms}, but no player minimizes it: {says}"
    spoken = ", ".join(sorted({player.role for player in players}))
    return f"{terms}, but the players of this recipe are {spoken}"
