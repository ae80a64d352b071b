"""Versions and machines: those of the training, as far as its files say, and those of the report."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import torch

from gantk.report.doctor import devices

__all__ = ["here", "versions_of"]


def versions_of(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run says of the software that it was built with, and of the devices that it asks for."""
    rows = [(str(name), str(number)) for name, number in dict(spec.get("versions", {})).items()]
    train = dict(spec.get("train", {}))
    return rows + [
        (name, str(train[name])) for name in ("accelerator", "devices", "strategy", "precision") if name in train
    ]


def here() -> list[tuple[str, str]]:
    """This machine, on which the page is drawn."""
    return [
        ("drawn at", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("gantk", version("gantk")),
        ("torch", str(torch.__version__)),
        ("python", platform.python_version()),
        ("machine", platform.platform()),
        ("devices", "; ".join(devices())),
    ]
