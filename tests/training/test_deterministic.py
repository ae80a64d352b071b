"""Training asks torch for deterministic kernels, and leaves torch as it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import gantk
from gantk.training.begin import deterministic, rounded
from gantk.training.progress import Silent

FILLING = torch.utils.deterministic


def state() -> tuple[bool, bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        FILLING.fill_uninitialized_memory,
    )


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    enabled, warns, fills = state()
    yield
    torch.use_deterministic_algorithms(enabled, warn_only=warns)
    FILLING.fill_uninitialized_memory = fills


def fail_within() -> None:
    with deterministic():
        assert state() == (True, True, False)
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        raise ValueError("failed")


@pytest.mark.parametrize("before", [(False, False, True), (True, False, True), (True, True, False)])
def test_torch_is_left_as_it_was_even_where_training_fails(
    before: tuple[bool, bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    torch.use_deterministic_algorithms(before[0], warn_only=before[1])
    FILLING.fill_uninitialized_memory = before[2]
    with pytest.raises(ValueError, match="failed"):
        fail_within()
    assert state() == before


def test_the_workspace_that_a_user_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with deterministic():
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_faster_kernels_may_be_asked_for(tiny: Callable[..., gantk.Model], tmp_path: Path) -> None:
    """Those of a library as well, which it chooses by trying them."""
    found: list[tuple[bool, bool]] = []
    model = tiny(settings={"train.deterministic": False, "stages.game.length": "1 step"})
    model.generator.register_forward_hook(
        lambda *_: found.append((torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark))
    )
    before = state()
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert set(found) == {(False, True)}
    assert (state(), torch.backends.cudnn.benchmark) == (before, False)


@pytest.mark.parametrize(("tf32", "expected"), [(False, "ieee"), (True, "tf32")])
def test_rounding_on_gpus_is_chosen_while_a_model_is_trained(
    tf32: bool, expected: str, tiny: Callable[..., gantk.Model], tmp_path: Path
) -> None:
    def found() -> tuple[str, str]:
        return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]

    class Looking(Silent):
        def step(self) -> None:
            super().step()
            assert found() == (expected, expected)

    before = found()
    gantk.train(tiny(settings={"train.tf32": tf32}), tmp_path / "run", progress=Looking())
    assert found() == before
    with pytest.raises(ValueError, match="failed"), rounded(tf32):
        raise ValueError("failed")
    assert found() == before
