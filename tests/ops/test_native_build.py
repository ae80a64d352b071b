"""setup.py builds what it can, says what it could not, and obeys its variables. With toy sources in place of csrc/."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gantk import toml

ROOT = Path(__file__).parents[2]
MODULE = """
#include <pybind11/pybind11.h>
int sets();
PYBIND11_MODULE(_native, m) { m.attr("sets") = sets(); }
"""
# Compiled only with its flags, where the compiler knows them.
AVX2 = """
#if defined(GANTK_HAS_AVX2) && !(defined(__AVX2__) && defined(__FMA__) && defined(__F16C__))
#error "compiled without its flags"
#endif
int sets() { return 1; }
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """setup.py as a module."""
    spec = importlib.util.spec_from_file_location("gantk_setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gantk_setup"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


class Project:
    """A copy of setup.py with toy sources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "setup.py", folder)
        self.write("csrc/module.cpp", MODULE)
        self.write("csrc/kernel_avx2.cpp", AVX2)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def tool(self, name: str, text: str) -> str:
        path = self.write(f"tools/{name}", f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    def build(self, **variables: str) -> subprocess.CompletedProcess[str]:
        own = ("CXX", "CXXFLAGS", "LDFLAGS", "CUDA_HOME", "GANTK_NATIVE", "GANTK_CUDA")
        given = {key: value for key, value in os.environ.items() if key not in own}
        command = [sys.executable, "setup.py", "build_ext", "--inplace"]
        environment = {**given, "GANTK_CUDA": "0", "CXXFLAGS": "-O0", **variables}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def record(self) -> dict[str, dict[str, Any]]:
        record: dict[str, dict[str, Any]] = json.loads((self.folder / "gantk/ops/_build.json").read_text())
        return record

    def libraries(self) -> list[str]:
        return sorted(path.name.split(".")[0] for path in (self.folder / "gantk/ops").glob("_native*.so"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("c++", "g++", "clang++")) or sys.platform == "win32",
    reason="no C++ compiler here",
)


@needs_compiler
@pytest.mark.slow
def test_it_builds_again_what_has_changed_and_leaves_nothing_stale(project: Project) -> None:
    done = project.build(GANTK_NATIVE="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.libraries() == ["_native"]
    record = project.record()
    assert record["cpu"]["built"]
    assert record["cpu"]["reason"] == ""
    assert record["cpu"]["targets"][0] == "portable"
    assert record["cuda"] == {
        "built": False,
        "reason": "it was installed with GANTK_CUDA=0",
        "compiler": "",
        "targets": [],
    }
    assert "no work to do" in project.build().stdout
    project.write("csrc/kernel_avx2.cpp", AVX2.replace("return 1", "return 2"))
    assert "kernel_avx2.cpp" in project.build().stdout
    assert project.build(GANTK_NATIVE="0").returncode == 0
    assert project.libraries() == []


@needs_compiler
@pytest.mark.slow
def test_cuda_that_does_not_compile_costs_only_cuda(project: Project) -> None:
    project.tool("bin/nvcc", 'case "$*" in *--version*) echo "release 99";; *) echo "x.cu: error: no"; exit 1;; esac')
    project.write("csrc/x.cu", "")
    home = {"CUDA_HOME": str(project.folder / "tools")}
    done = project.build(GANTK_CUDA="1", **home)
    assert done.returncode != 0
    assert (
        "gantk: GANTK_CUDA=1, but native code for cuda cannot be built: the build failed: x.cu: error: no."
        in done.stderr
    )
    (project.folder / "script.py").write_text(
        "import runpy, sysconfig\nsysconfig.get_path = lambda name, real=sysconfig.get_path: "
        "real(name) if 'lib' not in name else '.'\nrunpy.run_path('setup.py', run_name='__main__')\n"
    )
    unset = {key: value for key, value in os.environ.items() if not key.startswith("GANTK_")}
    command = [sys.executable, "script.py", "build_ext", "--inplace"]
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=unset | home | {"CXXFLAGS": "-O0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.libraries() == ["_native"]
    assert project.record()["cuda"]["reason"] == "the build failed: x.cu: error: no"
    assert project.record()["cuda"]["compiler"] == "release 99"
    assert "without native CUDA code (the build failed: x.cu: error: no)" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"GANTK_NATIVE": "0"}, "it was installed with GANTK_NATIVE=0"),
        ({"CXX": "no-such-compiler"}, "no-such-compiler cannot be run: No such file or directory"),
        ({"CXX": "false"}, "the compiler false does not work: --version exits 1"),
        ({"CXX": "tools/broken"}, "the build failed: module.cpp:1: error: it is Monday"),
    ],
)
def test_without_a_compiler_it_installs_and_says_why(project: Project, variables: dict[str, str], reason: str) -> None:
    broken = 'case "$*" in --version) echo 1.0;; *) echo "module.cpp:1: error: it is Monday"; exit 1;; esac'
    compiler = project.tool("broken", broken)
    variables = {name: value.replace("tools/broken", compiler) for name, value in variables.items()}
    done = project.build(**variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.libraries() == []
    assert project.record()["cpu"]["reason"] == reason
    warnings = [line for line in (done.stdout + done.stderr).splitlines() if "without native code" in line]
    assert len(warnings) == 1
    assert reason in warnings[0]
    assert "gantk doctor" in warnings[0]
    if "CXX" in variables:
        refused = project.build(GANTK_NATIVE="1", **variables)
        assert refused.returncode != 0
        assert f"gantk: GANTK_NATIVE=1, but native code for cpu cannot be built: {reason}." in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("name", ["GANTK_NATIVE", "GANTK_CUDA"])
def test_a_variable_is_0_or_1(project: Project, name: str) -> None:
    done = project.build(**{"CXX": "false", name: "yes"})
    assert done.returncode != 0
    assert done.stderr.strip().endswith(
        f"gantk: {name} is 'yes', but can only be 0 or 1; unset it to build what can be built."
    )


def test_cuda_is_not_built_without_native_code(project: Project) -> None:
    done = project.build(GANTK_NATIVE="0", GANTK_CUDA="1")
    assert done.returncode != 0
    assert "GANTK_CUDA=1" in done.stderr
    assert "GANTK_NATIVE=0" in done.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\n",
            "it was installed beside torch 2.13.0+cpu, which has no CUDA",
        ),
        ("__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\n", ""),
        (
            "__version__ = '2.13.0'\ncuda = None\nhip = None\n",
            "it was installed beside torch 2.13.0, which has no CUDA",
        ),
        (None, ""),
    ],
)
def test_whether_torch_has_cuda_is_read_as_text(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, reason: str
) -> None:
    if text is not None:
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch" / "version.py").write_text(text + "raise RuntimeError('nobody runs this')\n")
    monkeypatch.setattr(script.sysconfig, "get_path", lambda name: str(tmp_path))
    assert script.torch_lacks_cuda() == reason


def test_cuda_and_cpu_files_are_told_apart(script: ModuleType) -> None:
    files = [Path(f"csrc/{name}") for name in ("module.cpp", "cuda_module.cpp", "knn/bind_cuda.cpp", "knn/knn.cu")]
    cpu, cuda = script.split(files)
    assert [file.name for file in cpu] == ["module.cpp"]
    assert [file.name for file in cuda] == ["cuda_module.cpp", "bind_cuda.cpp", "knn.cu"]


def test_nothing_large_is_needed_to_build() -> None:
    needed: list[str] = toml.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert {name.partition(">")[0] for name in needed} == {"setuptools", "pybind11", "ninja"}


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """Takes every compiler off the PATH."""

    def leave() -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CXX", raising=False)
        monkeypatch.setenv("CUDA_HOME", str(tmp_path))

    return leave


def test_a_missing_compiler_is_named_with_its_mend(script: ModuleType, nowhere: Callable[[], None]) -> None:
    nowhere()
    with pytest.raises(script.Unbuilt, match=r"no C\+\+ compiler is on the PATH: install g\+\+ or clang\+\+"):
        script.cxx()
    with pytest.raises(script.Unbuilt, match="there is no nvcc in CUDA_HOME="):
        script.nvcc()
