"""Summarize a built model as a table: its parts, then its stages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gantk import toml
from gantk.building.resolved import plain
from gantk.building.spec import bare_name
from gantk.building.train_settings import TrainSettings
from gantk.model import Model
from gantk.parts import Discriminator, Generator, Loss, NoiseSource, Part, Refiner
from gantk.printable import one_line
from gantk.report.table import table
from gantk.schedule import Player, Stage
from gantk.schedule.objective import written

__all__ = ["option_text", "part_rows", "player_rows", "stage_head", "summary"]


def summary(model: Model) -> str:
    """The table that `gantk build` prints."""
    spec = model.built.spec
    shape = spec["shape"]
    name = spec.get("preset", bare_name(spec["recipe"]))
    head = one_line(f"{name}: {spec['title']}" if "title" in spec else name)
    parts = table(part_rows(model), ("PART", "PLUGIN", "PACKAGE", "PARAMETERS", "OUTPUT", "OPTIONS"))
    stages = "\n".join(_stage(stage, shape["images"]) for stage in model.built.stages)
    unusual = {key: value for key, value in spec["train"].items() if value != plain(getattr(TrainSettings, key))}
    train = f"\n\ntrain: {option_text(unusual)}" if unusual else ""
    notes = "".join(f"\nnote: {note}" for note in model.built.notes)
    return f"{head}\n\n{parts}\n\n{stages}{train}{notes}"


def part_rows(model: Model) -> list[tuple[str, ...]]:
    """(kind, plugin, package, number of parameters, output, options) of the recipe, the data and every part."""
    spec = model.built.spec
    rows = [_recipe_row(spec), _data_row(spec, spec["shape"])]
    return rows + [_row(model, slot, part) for slot, part in model.parts.items()]


def option_text(table: Mapping[str, Any]) -> str:
    """`dim=128, sample=true`."""
    return ", ".join(f"{key}={_value(value)}" for key, value in table.items() if key != "plugin")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}={_value(item)}" for key, item in value.items()) + "}"
    return toml.number(value) if isinstance(value, float) and math.isfinite(value) else str(value)


def _package(spec: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    package = entry["plugin"].rpartition(":")[0]
    return f"{package} {spec['versions'].get(package, '')}".rstrip()


def _recipe_row(spec: Mapping[str, Any]) -> tuple[str, ...]:
    entry = spec["recipe"]
    return ("recipe", bare_name(entry), _package(spec, entry), "", "", option_text(entry))


def _data_row(spec: Mapping[str, Any], shape: Mapping[str, Any]) -> tuple[str, ...]:
    entry = spec.get("data")
    output = f"{shape['images']:,} × {shape['image_shape']}"
    if entry is None:
        return ("data", "(from Python)", "", "", output, "")
    return ("data", bare_name(entry), _package(spec, entry), "", output, option_text(entry))


def _row(model: Model, slot: str, part: Part) -> tuple[str, ...]:
    kind, _, name = slot.partition(".")
    tables = model.built.spec[kind] if name else [model.built.spec[kind]]
    entry = next(t for t in tables if not name or bare_name(t) == name)
    parameters = sum(parameter.numel() for parameter in part.parameters())
    count = f"{parameters:,}" if parameters else ""
    return (kind, bare_name(entry), _package(model.built.spec, entry), count, _output(part), option_text(entry))


def _output(part: Part) -> str:
    if isinstance(part, NoiseSource):
        return f"[N, {part.dim}]"
    if isinstance(part, Generator):
        return f"[N, {', '.join(map(str, part.image_shape))}]"
    if isinstance(part, Discriminator):
        return ", ".join(sorted(part.provides))
    if isinstance(part, Loss):
        return "for " + ", ".join(role for role in part.roles() if part.speaks_to(role))
    return "same as input" if isinstance(part, Refiner) else ""


def _stage(stage: Stage, images: int) -> str:
    rows = [
        (f"  {name}", f"trains {moved}", f"minimizes {objective}", optimizer)
        for name, moved, objective, optimizer in player_rows(stage)
    ]
    return f"stage {stage_head(stage, images)}\n{table(rows)}"


def stage_head(stage: Stage, images: int) -> str:
    """Its name and length, such as `game: 5 epochs = 390 steps of 128 images`."""
    steps = stage.steps(images)
    batches, count = stage.batches(), f"{steps:,} step{'' if steps == 1 else 's'}"
    together = f" in {batches} batches" if batches > 1 else ""
    return f"{stage.name}: {stage.length} = {count} of {stage.batch_size * batches} images{together}"


def player_rows(stage: Stage) -> list[tuple[str, ...]]:
    """(name, what it trains, what it minimizes, optimizer) of each player."""
    return [_player(player) for player in stage.players]


def _player(player: Player) -> tuple[str, ...]:
    usual = Player(player.name, player.moves, player.objective).settings()
    extras = {name: value for name, value in player.settings().items() if name not in player.optimizer}
    extra = "".join(f", {name}={_value(value)}" for name, value in extras.items() if value != usual[name])
    options = {key: value for key, value in player.optimizer.items() if key != "optimizer"}
    return (
        player.name,
        ", ".join(player.moves),
        written(player.objective),
        f"{player.optimizer['optimizer']}({option_text(options)}){extra}",
    )
