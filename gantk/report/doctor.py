"""The state of an installation."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import torch

from gantk.building.construct import part_class
from gantk.building.presets import recipe_spec
from gantk.errors import GantkError, briefly
from gantk.files import place
from gantk.kinds import KINDS
from gantk.ops import native
from gantk.options import read_options
from gantk.recipe import is_preset
from gantk.registry import Plugin, everything, unreadable
from gantk.report.table import table
from gantk.reproduction import reproduction
from gantk.run.machine import processor

__all__ = ["devices", "examine", "examine_text"]

PACKAGES = ("gantk", "torch", "lightning-fabric", "numpy", "safetensors", "pillow", "click", "tensorboard")

TEXTS: Mapping[str, Callable[[str], object]] = {"recipe": recipe_spec, "reproduction": reproduction}
"""Kinds of plugins that can be TOML → what reads them."""


def examine() -> dict[str, Any]:
    """Versions, devices, threads, native code, data roots and every plugin, as plain data for JSON."""
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "machine": platform.platform(),
        "devices": devices(),
        "threads": torch.get_num_threads(),
        "native": {part: asdict(native.state(part)) for part in ("cpu", "cuda")},
        "data": _data_roots(),
        "plugins": [_plugin(plugin) for plugin in everything()],
        "unreadable": dict(unreadable()),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def devices() -> list[str]:
    """The processor and the GPUs of this machine, in words."""
    found = [f"cpu: {processor()}"]
    for index in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(index).total_memory / 2**30
        found.append(f"cuda:{index}: {torch.cuda.get_device_name(index)}, {memory:.0f} GiB")
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def _data_roots() -> dict[str, str]:
    root = os.environ.get("GANTK_DATA")
    if not root:
        return {"GANTK_DATA": "not set: give the path of data sets with path=…"}
    path = place(root)
    if not path.is_dir():
        return {"GANTK_DATA": f"{root} is not a folder"}
    try:
        folders = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        return {"GANTK_DATA": f"{root} cannot be read: {error.strerror}"}
    return {"GANTK_DATA": f"{root} contains {', '.join(folders) or 'nothing'}"}


def _plugin(plugin: Plugin) -> dict[str, str]:
    entry = {"kind": plugin.kind, "name": plugin.name, "package": f"{plugin.package} {plugin.version}"}
    try:
        loaded = plugin.load()
        if isinstance(loaded, str) or is_preset(loaded):
            TEXTS[plugin.kind](plugin.qualified)
        elif KINDS[plugin.kind].home:
            read_options(part_class(plugin.kind, plugin.qualified))
    except GantkError as error:
        return entry | {"state": briefly(error)}
    return entry | {"state": "ok"}


def _native_text(found: Mapping[str, Any]) -> str:
    """One of the two native modules in one line."""
    by = f"; built by {found['compiler']}" if found["compiler"] else ""
    if not found["available"]:
        return f"no: {found['reason']}"
    if not found["usable"]:
        return f"yes, for {', '.join(found['compiled'])}{by}"
    return f"yes, {found['chosen']} of {', '.join(found['usable'])} (compiled: {', '.join(found['compiled'])}){by}"


def examine_text(findings: Mapping[str, Any]) -> str:
    """The findings as text."""
    versions = table([(f"  {name}", version) for name, version in findings["versions"].items()])
    devices = "\n".join(f"  {device}" for device in findings["devices"])
    native_code = table([(f"  {part}", _native_text(found)) for part, found in findings["native"].items()])
    data = "\n".join(f"  {name}: {state}" for name, state in findings["data"].items())
    damaged = "".join(f"\n  {place}: cannot be read: {error}" for place, error in findings["unreadable"].items())
    rows = [(f"  {p['kind']}", p["name"], p["package"], p["state"]) for p in findings["plugins"]]
    return (
        f"versions\n{versions}\n\nmachine: {findings['machine']}\n\ndevices\n{devices}\n"
        f"threads: {findings['threads']}\n\nnative code\n{native_code}\n\ndata\n{data}\n\n"
        f"plugins\n{table(rows)}{damaged}"
    )
