"""The native code of this installation: its modules, why one is missing, and the instruction sets.

Missing native code is not an error: every operation has a plain-torch reference. `gantk doctor` prints `state()`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from gantk.errors import OptionError, SlowFallback, nearest

__all__ = [
    "INSTRUCTION_SETS",
    "NativeState",
    "available",
    "cpu",
    "cuda",
    "instruction_set",
    "state",
    "using",
    "warn_missing",
]

INSTRUCTION_SETS = ("portable", "avx2", "avx512vnni", "amx")
"""The values of `GANTK_CPU`; each instruction set includes the previous ones."""

_BUILD = Path(__file__).with_name("_build.json")
_MODULES = {"cpu": "_native", "cuda": "_native_cuda"}


@dataclass(frozen=True)
class NativeState:
    """The state of one of the two native modules."""

    available: bool
    reason: str
    """Why it is not available, possibly because of GANTK_CPU; empty if it is."""
    compiler: str
    compiled: tuple[str, ...]
    """CPU: the compiled instruction sets. CUDA: the compiled architectures."""
    usable: tuple[str, ...] = ()
    """CPU: those that this machine supports; the best one last."""
    chosen: str = ""
    """CPU: the one in use."""


def cpu() -> ModuleType | None:
    """The CPU kernels, or None if there are none (`state("cpu")` says why).

    Raises:
        OptionError: `GANTK_CPU` is not an instruction set, or one that this machine or build does not support.
    """
    module = _load("_native")
    return None if isinstance(module, str) else _configured(module)


def cuda() -> ModuleType | None:
    """The CUDA kernels, or None if there are none (`state("cuda")` says why). Does not check for a GPU."""
    module = _load("_native_cuda")
    return None if isinstance(module, str) else module


def available(part: str) -> bool:
    """Whether there is native code for `part`, `cpu` or `cuda`; does not read `GANTK_CPU`."""
    return not isinstance(_load(_MODULES[part]), str)


def state(part: str) -> NativeState:
    """The state of the native code for `part`: `cpu` or `cuda`."""
    build = _build_record().get(part, {})
    about = (str(build.get("compiler", "")), tuple(build.get("targets", ())))
    module = _load(_MODULES[part])
    if isinstance(module, str):
        return NativeState(False, str(build.get("reason", "")) or module, *about)
    if part == "cuda":
        return NativeState(True, "", *about)
    usable = tuple(module.instruction_sets())
    try:
        return NativeState(True, "", *about, usable, _configured(module).chosen())
    except OptionError as error:
        return NativeState(False, str(error).rstrip("."), *about, usable)


def instruction_set() -> str:
    """The instruction set used by native code on the CPU; `portable` without native code."""
    module = cpu()
    return "portable" if module is None else str(module.chosen())


@contextmanager
def using(name: str) -> Iterator[None]:
    """Make native code use a lower instruction set, in all threads of the process: for tests and benchmarks.

    Raises:
        OptionError: there is no such instruction set, or it is not available.
    """
    module = cpu()
    if module is None:
        raise OptionError(f"instruction set '{name}': native code is not available: {state('cpu').reason}.")
    before = module.chosen()
    _choose(module, name, "instruction set")
    try:
        yield
    finally:
        module.choose(before)


@functools.cache
def warn_missing(operation: str, device: str = "cpu") -> None:
    """Warn, once per process and operation, that its slow reference is used because native code is missing.

    Call it only if the reference is many times slower, and the data is large enough to matter.
    """
    part = "cuda" if device == "cuda" else "cpu"
    warnings.warn(
        f"{operation} uses plain torch operations, many times slower than native code: {state(part).reason}. "
        "gantk doctor shows the state; docs/native.md explains how to build native code.",
        SlowFallback,
        stacklevel=_level_outside(),
    )


def _level_outside() -> int:
    """The `stacklevel` for `warnings.warn` of the nearest frame outside gantk and torch."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("gantk", "torch"):
        frame, level = frame.f_back, level + 1
    return level


@functools.cache
def _load(name: str) -> ModuleType | str:
    """The module, or the reason why it is not available."""
    full = f"gantk.ops.{name}"
    if importlib.util.find_spec(full) is None:
        return f"this installation has no {full}"
    try:
        return importlib.import_module(full)
    except ImportError as error:
        return f"{full} cannot be loaded: {' '.join(str(error).split())}"


@functools.cache
def _configured(module: ModuleType) -> ModuleType:
    """The module with the instruction set of GANTK_CPU, which is read when native code is first needed."""
    if wanted := os.environ.get("GANTK_CPU"):
        _choose(module, wanted, "GANTK_CPU")
    return module


def _choose(module: ModuleType, name: str, what: str) -> None:
    usable = module.instruction_sets()
    if name not in INSTRUCTION_SETS:
        raise OptionError(f"{what} '{name}' is unknown.{nearest(name, INSTRUCTION_SETS)}")
    if name not in usable:
        raise OptionError(f"{what} '{name}' is not available on this machine: expected {', '.join(usable)}.")
    module.choose(name)


@functools.cache
def _build_record() -> dict[str, dict[str, Any]]:
    """The record written by setup.py."""
    try:
        record: dict[str, dict[str, Any]] = json.loads(_BUILD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record
