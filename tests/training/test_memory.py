"""A training that runs out of memory ends with one line, and can be resumed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import gantk
from gantk.cli import main
from gantk.data import ArraySource
from gantk.errors import DataError, WorkError
from gantk.memory import ran_out
from gantk.run.folder import Run
from gantk.training.graphs import Graphs
from gantk.training.progress import Silent

SHORT = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to"),
    RuntimeError("can't start new thread"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
]


@pytest.mark.parametrize("error", SHORT, ids=lambda error: type(error).__name__)
def test_every_kind_of_shortage_is_known_and_one_line(error: Exception) -> None:
    assert ran_out(error)
    assert main._message(error).startswith("error: there is not enough memory (")
    assert not ran_out(RuntimeError("shapes do not fit"))


def failing_at(step: int, error: Exception, usual: Callable[..., Any]) -> Callable[..., Any]:
    calls = iter(range(1, 100))

    def called(*args: Any, **options: Any) -> Any:
        if next(calls) == step:
            raise error
        return usual(*args, **options)

    return called


@pytest.mark.parametrize("error", SHORT[:3], ids=lambda error: type(error).__name__)
def test_a_step_without_memory_goes_back_to_the_last_checkpoint(
    error: Exception, tiny: Callable[..., gantk.Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Graphs, "play", failing_at(4, error, Graphs.play))
        with pytest.raises(WorkError, match=r"not enough memory .*; the last checkpoint is of step 2; .* gantk train"):
            gantk.train(tiny(), tmp_path / "run", progress=Silent())
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    assert Run(tmp_path / "run").steps()[-1] == 6


def test_images_that_find_no_memory_cost_no_step(
    tiny: Callable[..., gantk.Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny()
    monkeypatch.setattr(ArraySource, "labels", failing_at(5, MemoryError(), ArraySource.labels))
    with pytest.raises(DataError, match=r"not enough memory; step 3 is saved; resume with"):
        gantk.train(model, tmp_path / "run", progress=Silent())
    assert Run(tmp_path / "run").steps()[-1] == 3
