"""More than one device is a setting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

import gantk
from gantk.data.order import Order
from gantk.run.folder import Run
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]


@pytest.mark.slow
def test_two_processes_train_one_run(tmp_path: Path) -> None:
    model = gantk.build(
        loss="wgan-gp",
        generator="dcgan:width=4",
        discriminator="dcgan:width=4",
        settings={
            "stages.game.length": "4 steps",
            "stages.game.batch_size": 8,
            "train.devices": 2,
            "train.accelerator": "cpu",
            "train.log_every": 2,
        },
    )
    Run(tmp_path / "run").create(model.built.spec)
    done = subprocess.run(
        [sys.executable, "-m", "gantk", "train", str(tmp_path / "run")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "MEMBER: 2/2" in done.stderr
    assert [json.loads(line)["step"] for line in Run(tmp_path / "run").log_file.read_text().splitlines()] == [2, 4]
    assert gantk.load(tmp_path / "run").sample(2).isfinite().all()


def pretend(
    monkeypatch: pytest.MonkeyPatch, rank: int, reduced: Callable[[Tensor], Tensor] = lambda data: data
) -> None:
    """Be one of two devices, without the other: what both together would make of a tensor is given."""

    def all_reduce(self: Fabric, data: Tensor, group: Any = None, reduce_op: str = "mean") -> Tensor:
        assert reduce_op == "mean"
        return reduced(data)

    monkeypatch.setattr(Fabric, "world_size", property(lambda self: 2))
    monkeypatch.setattr(Fabric, "global_rank", property(lambda self: rank))
    monkeypatch.setattr(Fabric, "is_global_zero", property(lambda self: rank == 0))
    monkeypatch.setattr(Fabric, "all_reduce", all_reduce)


def read_by(model: gantk.Model, run: Path) -> tuple[list[list[int]], list[Tensor]]:
    """The images of every batch and the noise of every step of a training."""
    read: list[list[int]] = []
    noise: list[Tensor] = []
    data = model.built.data
    assert data is not None
    original = data.images
    data.images = lambda indices: (read.append([int(i) for i in indices]), original(indices))[1]  # type: ignore[method-assign,func-returns-value]
    hook = model.generator.register_forward_pre_hook(
        lambda module, given: noise.append(given[0].clone()) if module.training else None
    )
    try:
        gantk.train(model, run, progress=Silent())
    finally:
        hook.remove()
        data.images = original  # type: ignore[method-assign]
    return read, noise


def test_devices_share_a_batch_and_draw_noise_of_their_own(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for rank in (0, 1):
        pretend(monkeypatch, rank)
        found.append(read_by(tiny(), tmp_path / str(rank)))
    (first, noise), (second, others) = found
    order = Order(40, 0, "game")
    assert len(first) == len(second) == 6
    for step, (one, other) in enumerate(zip(first, second, strict=True)):
        assert len(one) == len(other) == 4
        assert sorted([*one, *other]) == sorted(order.indices(8 * step, 8).tolist())
    assert all(len(a) == len(b) == 4 for a, b in zip(noise, others, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(noise, others, strict=True))


def test_only_the_first_device_writes(tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 1)
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["model.toml"]


def test_devices_move_by_the_mean_of_their_gradients(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the other's are the opposite, nothing moves; where they are the same, what one device alone would do."""
    plain = {f"stages.game.{player}.optimizer": "sgd" for player in ("discriminator", "generator")}
    plain |= {f"stages.game.{player}.lr": 0.1 for player in ("discriminator", "generator")}
    for name, reduced, moves in (("opposite", lambda data: 0 * data, False), ("same", lambda data: data, True)):
        pretend(monkeypatch, 0, reduced)
        model = tiny(settings=plain)
        before = [parameter.detach().clone() for parameter in model.parameters()]
        gantk.train(model, tmp_path / name, progress=Silent())
        moved = [not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)]
        assert all(moved) if moves else not any(moved)
