"""What players minimize: which terms and losses an objective holds, and whether everybody is heard."""

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
"""How many objects deep within each other terms are looked for."""
BASES = (Part.transform, Condition.transform)
OTHERS = (nn.Module, Tensor, Player, Stage, Recipe, Step, type, types.ModuleType, str)
"""What an objective may refer to, and is no part of what it computes."""


def terms_of(objective: Objective) -> list[Terms]:
    """Every `Terms` that an objective is made of, or wraps in attributes, containers or a closure."""
    return [found for found in _within(objective) if isinstance(found, Terms)]


def losses_of(objective: Objective) -> list[Loss]:
    """Every loss that an objective holds, by itself or in its terms."""
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
    """Every player has something to move and something to minimize, and every loss somebody who minimizes it.

    Raises:
        FitError: one has not; the message says why.
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
    """Sentences on what parts would do in games, and nobody here makes them do."""
    heard: dict[Part, set[str]] = {}
    for player in (player for stage in stages for player in stage.players):
        for terms in terms_of(player.objective):
            for part in terms.speakers(model.parts).values():
                heard.setdefault(part, set()).add(terms.role)
    notes = [note for path, part in model.parts.items() for note in _unused(path, part, heard.get(part, set()))]
    if model.discriminator is None:
        transforming = [p for p, part in model.parts.items() if type(part).transform not in BASES]
        notes += [f"{path} transforms what is judged, and this recipe has no discriminator." for path in transforming]
    return notes


def _unused(path: str, part: Part, roles: set[str]) -> Iterator[str]:
    """What a part has for roles other than those of the players whose games it joins."""
    after = sorted(name for name in dir(type(part)) if name.startswith("after_"))
    games = f"the roles in its games are {', '.join(sorted(roles))}" if roles else "it joins no game of this recipe"
    spoken = [role for role in part.roles() if part.speaks_to(role)]
    if spoken and not roles & {*spoken}:
        yield f"{path} has terms for {', '.join(spoken)}; {games}."
    if after and not part.state:
        yield f"{path} has {', '.join(after)}, and declares no `state`, so that it remembers nothing."
    elif part.state and not roles & {name.removeprefix("after_") for name in after}:
        has = f"has {', '.join(after)}" if after else "has no method after_<role>"
        yield f"{path} keeps {', '.join(part.state)} as it begins: it {has}, and {games}."


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
    """Of an adversarial loss, two sides are played: one alone has nobody against it, and learns nothing of the data."""
    sides = [role for role in loss.roles() if loss.speaks_to(role)]
    holding = [player for player in players if any(held is loss for held in losses_of(player.objective))]
    played = {role for player in holding for role in _roles_of(player)}
    if loss.adversarial and len(sides) > 1 and len(played.intersection(sides)) == 1:
        raise FitError(
            f"loss '{name}' is a game of {' and '.join(sides)}, of which only the {played.intersection(sides).pop()} "
            "plays here",
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
    speaks = f"loss '{name}' speaks to {' and '.join(roles)}"
    deaf = {player.name: written(player.objective) for player in players if player.role in roles}
    if deaf:
        says = " and ".join(f"player '{player}' minimizes {objective}" for player, objective in deaf.items())
        return f"{speaks}, and no objective holds it: {says}"
    spoken = ", ".join(sorted({player.role for player in players}))
    return f"{speaks}; the players here are {spoken}"
