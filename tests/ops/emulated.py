"""Builds .cu files for the CPU emulation in tests/csrc/emulator and loads them as Python modules."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from covering import covering

ROOT = Path(__file__).parents[2]
EMULATOR = ROOT / "tests" / "csrc" / "emulator"
BUILT = ROOT / "build" / "emulated"

SCHEDULES = [("forward", "late"), ("reverse", "early"), ("7", "late")]
"""Values of GANTK_EMULATOR_ORDER and GANTK_EMULATOR_COPIES that a kernel's result must not depend on."""


Schedule = tuple[str, str]


def schedule_ids(value: object) -> str | None:
    """A schedule's name for pytest, which names everything else itself."""
    return "-".join(value) if value in SCHEDULES else None  # type: ignore[arg-type]


def use(schedule: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run emulated blocks and threads in this order from here on."""
    monkeypatch.setenv("GANTK_EMULATOR_ORDER", schedule[0])
    monkeypatch.setenv("GANTK_EMULATOR_COPIES", schedule[1])


def pairwise(*factors: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Few combinations that hold every value of each factor with every value of every other.

    Emulated kernels are slow, and their faults lie in a size, a type or an order, or where two of these meet.
    """
    places = {str(place): [str(index) for index in range(len(values))] for place, values in enumerate(factors)}
    rows, _ = covering(places, lambda pair: True)
    return [tuple(factors[int(place)][int(index)] for place, index in row.items()) for row in rows]


def build(bind: str, *sources: Path) -> ModuleType:
    """The module that function `bind(pybind11::module_&)` fills; `sources` are its .cu and .cpp files.

    Compiled once, whatever runs the tests, until something under csrc/ or the emulator changes. Skips the test where
    there is no g++ or no pybind11; a source that does not compile fails it.
    """
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if compiler is None:
        pytest.skip("the emulation needs g++ on the PATH")
    if importlib.util.find_spec("pybind11") is None:
        pytest.skip("the emulation needs pybind11")
    import pybind11

    name = f"emulated_{bind}"  # pybind11 knows modules by their names: two of one name are one
    includes = [EMULATOR, ROOT / "csrc", pybind11.get_include(), sysconfig.get_path("include")]
    flags = ["-std=c++20", "-O1", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique"]
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    definitions = [f"-DGANTK_BIND={bind}", f"-DGANTK_MODULE={name}", "-DGANTK_EMULATED"]
    places = [f"-I{place}" for place in includes]
    command = [compiler, *flags, *strict, *definitions, *places, "-shared", "-x", "c++", "-"]
    # One file that includes all: pybind11's headers, read once, are most of the work.
    text = "".join(f'#include "{source}"\n' for source in (*sources, EMULATOR / "module.cpp"))
    folder = BUILT / bind
    target = folder / f"{name}-{_fingerprint(command, text)}{sysconfig.get_config_var('EXT_SUFFIX')}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes may run the tests
        if not target.exists():
            for stale in folder.glob("*.so"):
                stale.unlink()
            _compile(command, text, target)
        return _loaded(name, target)


def _fingerprint(command: list[str], text: str) -> str:
    """Of all that the compiler reads, as far as it can be told beforehand."""
    import pybind11

    version = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=False).stdout
    found = hashlib.sha256(repr((command, text, version, pybind11.__version__)).encode())
    for file in sorted(path for place in (ROOT / "csrc", EMULATOR) for path in place.rglob("*") if path.is_file()):
        found.update(str(file).encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def _compile(command: list[str], text: str, target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    done = subprocess.run(
        [*command, "-o", str(unfinished)], input=text, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    unfinished.replace(target)


def _loaded(name: str, library: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
