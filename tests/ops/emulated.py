"""Builds .cu files for the CPU emulation in tests/csrc/emulator and loads them as Python modules."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
EMULATOR = ROOT / "tests" / "csrc" / "emulator"

SCHEDULES = [("forward", "late"), ("reverse", "early"), ("7", "late")]
"""Values of GANTK_EMULATOR_ORDER and GANTK_EMULATOR_COPIES that a kernel's result must not depend on."""


def build(folder: Path, bind: str, *sources: Path) -> ModuleType:
    """The module that function `bind(pybind11::module_&)` fills; `sources` are its .cu and .cpp files.

    Skips the test where there is no g++ or no pybind11; a source that does not compile fails it.
    """
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if compiler is None:
        pytest.skip("the emulation needs g++ on the PATH")
    if importlib.util.find_spec("pybind11") is None:
        pytest.skip("the emulation needs pybind11")
    import pybind11

    name = f"emulated_{bind}"  # pybind11 knows modules by their names: two of one name are one
    target = folder / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    includes = [EMULATOR, ROOT / "csrc", pybind11.get_include(), sysconfig.get_path("include")]
    flags = [
        "-std=c++20",
        "-O1",
        "-fPIC",
        "-fvisibility=hidden",
        "-fno-gnu-unique",
        f"-DGANTK_BIND={bind}",
        f"-DGANTK_MODULE={name}",
    ]
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-DGANTK_EMULATED"]
    inputs = ["-x", "c++", *map(str, sources), str(EMULATOR / "module.cpp")]
    command = [compiler, *flags, *strict, *(f"-I{place}" for place in includes), "-shared", *inputs, "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    spec = importlib.util.spec_from_file_location(name, target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
