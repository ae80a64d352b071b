"""What gantk knows about its own native code, and what that code depends on."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import gantk.ops
from gantk.errors import OptionError, SlowFallback
from gantk.ops import native

LIBRARIES = sorted(Path(gantk.ops.__file__).parent.glob("_native*.so"))

needs_native = pytest.mark.skipif(native.cpu() is None, reason=f"no native code: {native.state('cpu').reason}")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is remembered from or for other tests."""
    caches = (native.warn_missing, native._load, native._configured, native._build_record)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("part", ["cpu", "cuda"])
def test_what_is_missing_has_a_reason_and_what_is_there_has_none(part: str) -> None:
    state = native.state(part)
    assert state.available == (getattr(native, part)() is not None)
    assert state.available == (state.reason == "")


@needs_native
def test_instruction_sets_are_nested_and_one_is_chosen() -> None:
    state = native.state("cpu")
    assert state.usable == native.INSTRUCTION_SETS[: len(state.usable)]
    assert set(state.usable) <= set(state.compiled)
    assert state.chosen in state.usable
    assert native.instruction_set() == state.chosen


@needs_native
def test_a_lower_instruction_set_is_used_for_a_while() -> None:
    before = native.instruction_set()
    for name in native.state("cpu").usable:
        with native.using(name):
            assert native.instruction_set() == name
        assert native.instruction_set() == before
    with pytest.raises(RuntimeError, match="inside"), native.using("portable"):
        raise RuntimeError("inside")
    assert native.instruction_set() == before


@needs_native
def test_what_is_no_instruction_set_is_refused() -> None:
    with pytest.raises(OptionError, match=r"instruction set 'avx22' is unknown\. Did you mean 'avx2'\?"):
        native.using("avx22").__enter__()


class Poor:
    """A module on a machine that has little."""

    @staticmethod
    def instruction_sets() -> list[str]:
        return ["portable", "avx2"]

    @staticmethod
    def chosen() -> str:
        return "avx2"


def test_an_instruction_set_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTK_CPU", "amx")
    monkeypatch.setattr(native, "_load", lambda name: Poor)
    expected = "GANTK_CPU 'amx' is not available on this machine: expected portable, avx2."
    with pytest.raises(OptionError, match=expected):
        native.cpu()


@needs_native
@pytest.mark.slow
def test_the_environment_forces_a_lower_instruction_set() -> None:
    def ask(value: str) -> subprocess.CompletedProcess[str]:
        code = "from gantk.ops import native; print(native.instruction_set())"
        environment = {**os.environ, "GANTK_CPU": value}
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    for name in native.state("cpu").usable[:2]:
        assert ask(name).stdout.strip() == name
    assert ask("mmx").stderr.splitlines()[-1].startswith("gantk.errors.OptionError: GANTK_CPU 'mmx' is unknown.")


def test_a_slow_fallback_warns_once_for_each_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_load", lambda name: "it was a test")
    monkeypatch.setattr(native, "_build_record", lambda: {"cpu": {"reason": ""}})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            native.warn_missing("knn_distances")
        native.warn_missing("another")
    assert [warning.category for warning in caught] == [SlowFallback] * 2
    assert "knn_distances uses plain torch operations" in str(caught[0].message)
    assert "it was a test" in str(caught[0].message)
    assert "gantk doctor" in str(caught[0].message)


def test_a_library_that_does_not_load_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(f"{name}: version GLIBCXX_9\nnot found")

    monkeypatch.setattr(native.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(native.importlib, "import_module", fail)
    monkeypatch.setattr(native, "_build_record", lambda: {"cpu": {"built": True, "reason": ""}})
    assert native.cpu() is None
    expected = "gantk.ops._native cannot be loaded: gantk.ops._native: version GLIBCXX_9 not found"
    assert native.state("cpu").reason == expected


def test_an_installation_without_a_record_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(native, "_BUILD", tmp_path / "no such file")
    monkeypatch.setattr(native.importlib.util, "find_spec", lambda name: None)
    assert native.state("cuda").reason == "this installation has no gantk.ops._native_cuda"
    with pytest.raises(OptionError, match="native code is not available"):
        native.using("portable").__enter__()
    assert native.instruction_set() == "portable"


@pytest.mark.skipif(not LIBRARIES, reason="no native code here")
def test_no_library_of_torch_is_needed_so_that_no_upgrade_of_it_breaks_ours() -> None:
    for library in LIBRARIES:
        content = library.read_bytes()  # names of needed libraries stand in it as they are
        assert b"libstdc++.so" in content or b"libc++" in content
        for foreign in (b"libtorch", b"libc10", b"libgomp", b"libomp", b"libiomp", b"libcudart.so", b"libpython"):
            assert foreign not in content, f"{library.name} needs {foreign.decode()}"


@needs_native
@pytest.mark.slow
def test_the_library_loads_without_torch() -> None:
    [library] = [path for path in LIBRARIES if "cuda" not in path.name]
    code = (
        "import importlib.util as u, sys\n"
        f"spec = u.spec_from_file_location('_native', {str(library)!r})\n"
        "module = u.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "assert 'torch' not in sys.modules\nprint(module.instruction_sets()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "portable", done.stderr
