"""Versions and machines: those of the training, as far as its files say, and those of the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import torch

from gantk.run.checkpoints import machine_of
from gantk.run.chosen import read_chosen
from gantk.run.folder import Run
from gantk.run.machine import machine

__all__ = ["Table", "here", "machines_of"]

Table = list[tuple[str, str]]
"""Names and values."""

DEVICES = ("accelerator", "devices", "strategy", "precision", "memory_format", "accumulate", "deterministic")


def machines_of(run: Run, spec: Mapping[str, Any], step: int | None) -> dict[str, Table]:
    """What a run says of versions and machines, as tables by their titles.

    Args:
        run: the run.
        spec: the content of its `model.toml`.
        step: the step of the checkpoint that draws.
    """
    train = dict(spec.get("train", {}))
    tables = {
        "Versions that it was built with": [(str(k), str(v)) for k, v in dict(spec.get("versions", {})).items()],
        "Devices that it asks for": [(name, str(train[name])) for name in DEVICES if name in train],
    }
    if chosen := read_chosen(run):
        tables["Precision that was chosen"] = [("precision", str(chosen.computing)), ("measured", str(chosen))]
    if step is not None:
        tables[f"Machine that trained it up to step {step:,}"] = list(machine_of(run.checkpoint(step)).items())
    return {title: rows for title, rows in tables.items() if rows}


def here() -> Table:
    """This machine, on which the page is drawn, and when."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return [("drawn at", now), *machine(torch.device("cpu")).items()]
