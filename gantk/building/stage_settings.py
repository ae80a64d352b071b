"""Stages of an assembled model: those its parts bring, those of its recipe, and the settings laid over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from gantk.building.merging import is_pattern, merge_stages
from gantk.building.movers import drawn_through
from gantk.building.objectives import check_objectives, losses_of, terms_of
from gantk.building.player_settings import apply_settings, at_least, own_settings, without
from gantk.errors import FitError, OptionError, nearest
from gantk.model import Model
from gantk.options import convert
from gantk.recipe import Recipe
from gantk.schedule import Length, Player, Stage
from gantk.schedule.optimizers import check_values

__all__ = ["check_optimizers", "resolve_stages", "stages_with"]

T = TypeVar("T")


def resolve_stages(model: Model, recipe: Recipe, settings: Mapping[str, Any]) -> list[Stage]:
    """Every stage in order, with `settings` (`{stage: {setting: value, player: {setting: value}}}`) applied.

    A stage's name in `settings` may be a pattern, as `size-*`, and so may a player's.

    Raises:
        OptionError: a stage, player or setting is unknown, or a value is out of its range.
        FitError: a player has nothing to minimize, or a loss has nobody to speak to.
    """
    stages = [stage for path, part in model.parts.items() for stage in _listed(part, "stages", Stage, path)]
    stages += _listed(recipe, "stages", Stage, model)
    for stage in stages:
        for path, part in model.parts.items():
            stage.players += [
                replace(player, brought_by=path) for player in _listed(part, "players", Player, path, stage)
            ]
            values: Any = part.values(path, stage)
            if not isinstance(values, Mapping):
                said = f"{type(part).__name__}.values returned a {type(values).__name__}"
                raise FitError(f"{said}; expected name → function of a step.")
            stage.values = {**values, **stage.values}
    if len({stage.name for stage in stages}) != len(stages):
        raise FitError(f"two stages have the same name: {', '.join(stage.name for stage in stages)}.")
    settings = _by_stage(settings, stages)
    for stage in stages:
        _apply(stage, settings.get(stage.name, {}), losses=True)
        for player in stage.players:
            player.moves = tuple(path for written in player.moves for path in _moved(written, model))
    check_objectives(model, stages)
    _declare_states(model, stages)
    return stages


def _listed(owner: object, method: str, kind: type[T], *arguments: object) -> list[T]:
    """What a method of a part or recipe returns, which is some stages or players."""
    found = getattr(owner, method)(*arguments)
    wrong = [each for each in found if not isinstance(each, kind)] if isinstance(found, Iterable) else [found]
    if wrong:
        said = f"{type(owner).__name__}.{method} returned a {type(found).__name__}"
        said += f" with {wrong[0]!r:.40} in it" * (wrong != [found])
        raise FitError(f"{said}; expected a list of gantk.{kind.__name__}.")
    return list(found)


def stages_with(model: Model, settings: Mapping[str, Any]) -> list[Stage]:
    """A model's stages with these settings, which name every setting of every player, in place of theirs.

    Raises:
        OptionError: a stage, player or setting is unknown, or a value is out of its range.
    """
    stages = [_bare(stage) for stage in model.built.stages]
    settings = _by_stage(settings, stages)
    for stage in stages:
        _apply(stage, settings.get(stage.name, {}), losses=False)
    return stages


def check_optimizers(stages: Iterable[Stage]) -> None:
    """Check the values of every player's optimizer settings, which only trainings need.

    Raises:
        OptionError: a value is out of its range.
    """
    for stage in stages:
        for player in stage.players:
            check_values(player.optimizer, f"stages.{stage.name}.{player.name}")


def _bare(stage: Stage) -> Stage:
    """A stage as if nobody had said anything of its players' settings."""
    usual: dict[str, Any] = {"repeats": 1, "clip_weights": 0.0, "clip_gradients": 0.0, "lr_schedule": "constant"}
    return replace(stage, players=[replace(p, optimizer={}, weight_schedule={}, **usual) for p in stage.players])


def _moved(path: str, model: Model) -> Iterator[str]:
    """The module paths that a path of a player's `moves` stands for."""
    if not path.endswith("?"):
        yield path
        return
    slot = path[:-1]
    learned: Any = model.parts[slot].learned if slot in model.parts else ()
    if not isinstance(learned, (tuple, list)):
        name = type(model.parts[slot]).__name__
        raise FitError(f"{name}.learned is {learned!r}; expected a tuple of module paths, such as ('table',).")
    noise = model.noise if slot == "noise" and not learned else None
    for inner in learned if noise is None else drawn_through(noise):
        yield f"{slot}.{inner}" if inner else slot


def _declare_states(model: Model, stages: Sequence[Stage]) -> None:
    """Room for what each loss and part remembers in each game that it takes part in."""
    for terms in (terms for stage in stages for player in stage.players for terms in terms_of(player.objective)):
        for name, part in terms.speakers(model.parts).items():
            if part.state:
                model.state.declare(terms.binding.key(name), part.state)


def _by_stage(settings: Mapping[str, Any], stages: Sequence[Stage]) -> dict[str, Any]:
    """Settings by stage name: those of every pattern that it matches, in the order written, and then its own.

    A pattern's settings of a player apply to those of its stages that have such a player; players may be patterns too.
    Settings under `NAME?` apply if there is such a stage: that of a part that may be replaced.
    """
    found: dict[str, Any] = {}
    names = {stage.name for stage in stages}
    for written in sorted(settings, key=names.__contains__):
        maybe = written[:-1] if written.endswith("?") else None
        meant = [stage for stage in stages if fnmatchcase(stage.name, written) or stage.name == maybe]
        if not meant and maybe and not is_pattern(maybe):
            continue
        if not meant:
            raise OptionError(f"stages.{written}: there is no such stage.{nearest(written, names)}")
        if not isinstance(settings[written], Mapping):
            raise OptionError(f"stages.{written} is a table, not {settings[written]!r:.60}.")
        # A player's own settings go over those of a pattern of players.
        for name, value in sorted(settings[written].items(), key=lambda item: not is_pattern(item[0])):
            having = [(stage, each) for stage in meant for each in _named(stage, name, value)]
            if not having and is_pattern(name):
                players = {player.name for stage in meant for player in stage.players}
                raise OptionError(f"stages.{written}.{name}: there is no such player.{nearest(name, players)}")
            for stage, each in having or [(meant[0], name)]:
                found = merge_stages(found, {stage.name: {each: value}})
    return found


def _named(stage: Stage, name: str, value: Any) -> list[str]:
    """The settings and players of a stage that a name means: one, or those players that a pattern matches."""
    if is_pattern(name) and isinstance(value, Mapping):
        return [player.name for player in stage.players if fnmatchcase(player.name, name)]
    return [name] if name in stage.settings() else []


def _apply(stage: Stage, settings: Mapping[str, Any], losses: bool) -> None:
    """Settings laid over those of a stage and its players, and, below them, those that losses bring."""
    players = {player.name: player for player in stage.players}
    for name, value in settings.items():
        where = f"stages.{stage.name}.{name}"
        if name == "length":
            stage.length = str(Length.parse(value))
        elif name == "batch_size":
            stage.batch_size = at_least(convert(value, int, where), 1, where)
        elif name not in players:
            raise OptionError(_unknown(stage, name))
        elif not isinstance(value, Mapping):
            raise OptionError(f"{where} is a player; use its settings, such as {where}.lr, not {value!r}.")
    for player in stage.players:
        own = own_settings(player)
        brought = [loss.settings.get(player.role, {}) for loss in losses_of(player.objective)] if losses else []
        for layer in (*(without(layer, own) for layer in brought), settings.get(player.name, {})):
            apply_settings(player, layer, f"stages.{stage.name}.{player.name}")


def _unknown(stage: Stage, name: str) -> str:
    """What to say of a name that is neither a setting nor a player of a stage."""
    where, players = f"stages.{stage.name}", [player.name for player in stage.players]
    if any(name in player.settings() for player in stage.players) or name == "optimizer":
        meant = " or ".join(f"{where}.{player}.{name}" for player in players)
        return f"{where}.{name}: {name} is set for each player: {meant}, or {where}.*.{name} for all."
    return f"{where}.{name}: no such setting or player.{nearest(name, ['length', 'batch_size', *players])}"
