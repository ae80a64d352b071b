"""What a run was built from: its parts with every option, its stages, and a diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gantk.kinds import LISTS, SLOTS
from gantk.model import Model
from gantk.pages.diagram import Box, Diagram, tall, wide
from gantk.report.summary import option_text, part_rows, player_rows, stage_head

__all__ = ["Built", "PartRow", "StageRows", "built_of"]


@dataclass(frozen=True)
class PartRow:
    """One part."""

    kind: str
    name: str
    package: str
    parameters: str
    output: str
    options: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class StageRows:
    """One stage with its players."""

    head: str
    players: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Built:
    """Everything that a run consists of."""

    parts: Sequence[PartRow]
    stages: Sequence[StageRows]
    diagrams: Sequence[Diagram]
    """Wide and tall."""
    parameters: int
    """Number of parameters of all parts; 0 if the parts cannot be built here."""


def built_of(spec: Mapping[str, Any], model: Model | None) -> Built:
    """The parts of a run; what only the model knows is left out if it cannot be built here."""
    tables = _tables(spec)
    told = [row[2:5] for row in part_rows(model)] if model is not None else [("", "", "")] * len(tables)
    parts = [
        PartRow(kind, name, *_three(row), tuple(_options(options)))
        for (kind, name, options), row in zip(tables, told, strict=True)
    ]
    boxes = [Box(each.kind, each.name, _said(each)) for each in parts]
    return Built(
        parts=parts,
        stages=_stages(spec, model),
        diagrams=[wide(boxes), tall(boxes)],
        parameters=0 if model is None else sum(p.numel() for p in model.parameters()),
    )


def _three(row: Sequence[str]) -> tuple[str, str, str]:
    package, parameters, output = row
    return package, parameters, output


def _tables(spec: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(kind, name, options) in the order of `part_rows`."""
    found = [("recipe", spec["recipe"]), ("data", spec.get("data", {"plugin": "(from Python)"}))]
    found += [(slot, spec[slot]) for slot in SLOTS if slot in spec]
    found += [(kind, table) for kind in LISTS for table in spec.get(kind, [])]
    return [
        (kind, str(t["plugin"]).rpartition(":")[2], {k: v for k, v in t.items() if k != "plugin"}) for kind, t in found
    ]


def _options(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(name), option_text({name: value}).partition("=")[2]) for name, value in options.items()]


def _said(part: PartRow) -> str:
    """What a box of the diagram says below the name."""
    return f"{part.parameters} parameters" if part.parameters else part.output


def _stages(spec: Mapping[str, Any], model: Model | None) -> list[StageRows]:
    if model is not None:
        images = spec["shape"]["images"]
        return [StageRows(stage_head(stage, images), player_rows(stage)) for stage in model.built.stages]
    return [
        StageRows(
            f"{name}: {settings.get('length')}, batches of {settings.get('batch_size')} images",
            [(player, "", "", option_text(own)) for player, own in settings.items() if isinstance(own, Mapping)],
        )
        for name, settings in spec["stages"].items()
    ]
