"""Settings of one player: what is laid over what, and what a loss brings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

from gantk.building.merging import PLAYER_SETTINGS, merge_player
from gantk.building.objectives import losses_of
from gantk.errors import OptionError
from gantk.options import convert, write_options
from gantk.schedule import Player, Stage
from gantk.schedule.optimizers import check_optimizer
from gantk.schedule.rates import parse_rate

__all__ = ["apply_settings", "at_least", "notes_on_brought", "own_settings", "without"]

LEAST: dict[str, tuple[type, float]] = {
    "repeats": (int, 1),
    "clip_weights": (float, 0),
    "clip_gradients": (float, 0),
}
"""Setting of a player → its type and its least value."""


def apply_settings(player: Player, settings: Mapping[str, Any], where: str) -> None:
    """Lay settings over a player's, in place; `where` names the player in errors.

    Raises:
        OptionError: a setting is unknown, or a value is out of its range.
    """
    merged = merge_player(player.optimizer, settings)
    for name, (kind, least) in LEAST.items():
        if name in merged:
            setattr(
                player,
                name,
                at_least(convert(merged.pop(name), kind, f"{where}.{name}"), least, f"{where}.{name}"),
            )
    if "lr_schedule" in merged:
        player.lr_schedule = str(merged.pop("lr_schedule"))
        parse_rate(player.lr_schedule, f"{where}.lr_schedule")
    if "weight_schedule" in merged:
        player.weight_schedule = convert(merged.pop("weight_schedule"), dict[str, str], f"{where}.weight_schedule")
        for term, schedule in player.weight_schedule.items():
            parse_rate(schedule, f"{where}.weight_schedule.{term}")
    player.optimizer = check_optimizer(merged, where)


def at_least(value: Any, least: float, where: str) -> Any:
    """The value; `OptionError` where it is too small."""
    if not value >= least:
        raise OptionError(f"{where} must be at least {least}, not {value}.")
    return value


def own_settings(player: Player) -> frozenset[str]:
    """The settings that a recipe's code gave a player: those that are not a player's usual ones."""
    usual = {f.name: f.default if f.default_factory is MISSING else f.default_factory() for f in fields(Player)}
    return frozenset(name for name in ("optimizer", *PLAYER_SETTINGS) if getattr(player, name) != usual[name])


def without(brought: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    """What a loss brings, but for settings that the recipe's code gave; an optimizer goes with all of its options."""
    kept = {name: value for name, value in brought.items() if name not in own}
    return {n: v for n, v in kept.items() if n in PLAYER_SETTINGS} if "optimizer" in own else kept


def notes_on_brought(stages: Iterable[Stage], losses: Mapping[str, Any], said: Collection[str] = ()) -> Iterator[str]:
    """Sentences on the settings that losses bring: which were taken over, and where a recipe's own stay.

    Args:
        stages: the resolved stages.
        losses: name → loss, of those whose settings are told of.
        said: names of settings that the user gave.
    """
    for stage in stages:
        for player in stage.players:
            held = {id(loss) for loss in losses_of(player.objective)}
            for name, loss in losses.items():
                if id(loss) in held:
                    yield from _told(stage, player, name, loss.settings.get(player.role, {}), said)


def _told(stage: Stage, player: Player, loss: str, brought: Mapping[str, Any], said: Collection[str]) -> Iterator[str]:
    has, usual = player.settings(), Player("", (), player.objective).settings()
    same = {name for name, value in brought.items() if _same(has.get(name), value)}
    taken = {name: brought[name] for name in brought if name in same and not _same(usual.get(name), brought[name])}
    other = {name: brought[name] for name in brought if name not in same and name not in said}
    who = f"player {player.name} of stage {stage.name}"
    if taken:
        yield f"{who} got {_written(taken)}, which loss {loss} brings."
    if other:
        kept = {name: has[name] for name in other if name in has}
        first = _written(dict([next(iter(other.items()))]))
        yield (
            f"{who} keeps the recipe's {_written(kept) or 'settings'}, where loss {loss} brings {_written(other)}; "
            f"take that over with --set stages.{stage.name}.{player.name}.{first} and so on."
        )


def _written(settings: Mapping[str, Any]) -> str:
    return ", ".join(write_options({name: value}) for name, value in settings.items())


def _same(one: Any, other: Any) -> bool:
    return (list(one) if isinstance(one, tuple) else one) == (list(other) if isinstance(other, tuple) else other)
