"""The images of the next step are read while a step is computed, if training waits for them; nothing else changes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

import gantk
from gantk.data import ArraySource
from gantk.errors import DataError
from gantk.run.checkpoints import read_weights
from gantk.run.folder import Run
from gantk.training.ahead import FEW, Ahead
from gantk.training.progress import Silent

STEPS = 12


class Disk(ArraySource):
    """Images that take a while; it notes who reads what."""

    def __init__(self, ahead: bool = True, broken_after: int = 1 << 30) -> None:
        rng = torch.Generator().manual_seed(0)
        super().__init__(torch.randint(0, 256, (32, 1, 8, 8), generator=rng, dtype=torch.uint8).numpy())
        self.ahead = ahead
        self.threads: list[str] = []
        self.broken_after = broken_after

    def images(self, indices: object) -> Tensor:
        if len(indices) == 4:  # type: ignore[arg-type]
            if len(self.threads) >= self.broken_after:
                raise OSError("Input/output error")
            self.threads.append(threading.current_thread().name)
            time.sleep(0.05)
        return super().images(indices)  # type: ignore[arg-type]


def trained(data: Disk, run: Path) -> dict[str, Tensor]:
    parts = {"noise": "gaussian:dim=4", "generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
    settings = {
        "stages.game": {"length": f"{STEPS} steps", "batch_size": 4},
        "train": {"checkpoint_every": 3, "samples": 2, "accelerator": "cpu"},
    }
    model = gantk.build(data=data, settings=settings, **parts)
    gantk.train(model, run, progress=Silent())
    return read_weights(Run(run).checkpoint(STEPS))


def test_slow_images_are_read_in_a_thread_and_the_bits_are_the_same(tmp_path: Path) -> None:
    ahead, waiting = Disk(), Disk(ahead=False)
    one, other = trained(ahead, tmp_path / "ahead"), trained(waiting, tmp_path / "waiting")
    assert any(name.startswith("gantk-reading") for name in ahead.threads)
    assert not any(name.startswith("gantk-reading") for name in waiting.threads), "its images may be random"
    assert len(ahead.threads) == len(waiting.threads), "nothing is read that is not used"
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert not [each for each in threading.enumerate() if each.name.startswith("gantk-reading")], "no thread stays"


def test_an_error_of_the_thread_ends_the_step_that_needs_its_images(tmp_path: Path) -> None:
    whole = trained(Disk(), tmp_path / "whole")
    broken = Disk(broken_after=10)
    with pytest.raises(DataError, match=r"Input/output error; step \d+ is saved") as error:
        trained(broken, tmp_path / "run")
    assert any(name.startswith("gantk-reading") for name in broken.threads)
    saved = Run(tmp_path / "run").steps()[-1]
    assert f"step {saved} is saved" in str(error.value)
    model = gantk.load(tmp_path / "run", data=Disk())
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert all(torch.equal(v, whole[n]) for n, v in read_weights(Run(tmp_path / "run").checkpoint(STEPS)).items())


class Clock:
    """Seconds that a test decides."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("reading", "threaded"), [(0.001, False), (0.1, True)])
def test_a_thread_is_used_only_where_it_helps(reading: float, threaded: bool) -> None:
    clock, seen = Clock(), list[str]()

    def read(step: int) -> int:
        seen.append(threading.current_thread().name)
        clock.now += reading
        return step

    ahead = Ahead(read, True, clock)
    for step in range(3 * FEW):
        assert ahead.of_step(step, 100) == step
        clock.now += 1.0
    ahead.close()
    assert any(name.startswith("gantk-reading") for name in seen) == threaded


def test_another_step_than_the_next_is_read_anew() -> None:
    ahead: Ahead[int] = Ahead(lambda step: step, True, Clock())
    ahead.of_step(0, 9)
    assert [ahead.of_step(step, 9) for step in (1, 5, 2, 9, 0)] == [1, 5, 2, 9, 0]
    ahead.close()
