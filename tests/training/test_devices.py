"""More than one device is a setting."""

from __future__ import annotations

import io
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from forked import torchrun
from lightning_fabric import Fabric
from torch import Tensor

import gantk
from gantk.data.order import Order
from gantk.errors import CheckpointError, DataError, Interrupted, WorkError
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.training.batches import Batches
from gantk.training.devices import launch
from gantk.training.progress import Lines, Silent
from gantk.training.stopping import SIGNALS

Build = Callable[..., gantk.Model]


@pytest.mark.slow
def test_two_processes_train_one_run(tmp_path: Path) -> None:
    """And measure what is fastest together, and resume: if the newest checkpoint is damaged, both from the one before.

    Then they end in the same bits.
    """
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
            "train.checkpoint_every": 2,
        },
    )
    run = Run(tmp_path / "run")
    run.create(model.built.spec)
    anyway = tmp_path / "anyway.py"
    anyway.write_text(MEASURED_ANYWAY)
    said = on_two_devices(run, anyway)
    assert "MEMBER: 2/2" in said
    assert said.count("precision: ") == 1, "they measure together, and take what the first one says"
    assert [entry["step"] for entry in read_log(run.log_file)] == [2, 4]
    once = gantk.load(run)
    assert once.sample(2).isfinite().all()
    weights = run.latest() / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    said = torchrun("train", str(run.path), processes=2)
    assert "step-0000002: 2 steps after it are trained again" in said
    assert "precision: " not in said
    again = gantk.load(run).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in once.state_dict().items())


MEASURED_ANYWAY = """
from gantk.cli.main import main
from gantk.training import computing

computing.SHORT, computing.FEWEST_STEPS = 0.0, 0
main()
"""
"""gantk, which measures the precision however short a training is."""


def on_two_devices(run: Run, gantk: Path) -> str:
    """Train a run; returns what is said."""
    done = subprocess.run(
        [sys.executable, str(gantk), "train", str(run), "--devices", "2"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    rank: int,
    reduced: Callable[[Tensor], Tensor] = lambda data: data,
    most: Callable[[Tensor], Tensor] = lambda data: data,
) -> None:
    """Be one of two devices, without the other: what both together would make of a tensor is given."""

    def all_reduce(self: Fabric, data: Tensor, group: Any = None, reduce_op: str = "mean") -> Tensor:
        assert reduce_op in ("mean", "max")  # of gradients and terms, and of requests to stop
        return reduced(data) if reduce_op == "mean" else most(data)

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


@pytest.mark.parametrize(("other", "found"), [(4, "that of step 6, that of step 4"), (-1, "that of step 6, none")])
def test_devices_resume_from_one_checkpoint_or_not_at_all(
    other: int, found: str, tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    pretend(monkeypatch, 0)
    monkeypatch.setattr(Fabric, "all_gather", lambda self, step: torch.stack([step, torch.full_like(step, other)]))
    with pytest.raises(CheckpointError, match=rf"devices read different checkpoints \({found}\): give all"):
        gantk.train(tiny(), tmp_path / "run", progress=Silent())
    assert Run(tmp_path / "run").steps() == [2, 4, 6], "nothing is set aside"


def test_a_device_that_reads_other_data_than_the_first_one_says_so(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, 1)
    monkeypatch.setattr(Fabric, "broadcast", lambda self, own: {**own, "content": "other"})
    with pytest.raises(DataError, match=r"device 2 reads other images or labels than the first one: give all"):
        gantk.train(tiny(), tmp_path / "run", progress=Silent())
    assert Run(tmp_path / "run").steps() == []


def test_a_device_that_can_use_no_checkpoint_tells_the_others(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for what it says."""
    run, told = Run(tmp_path / "run"), list[int]()
    gantk.train(tiny(), run, progress=Silent())
    for step in run.steps():
        (run.checkpoint(step) / "model.safetensors").unlink()
    pretend(monkeypatch, 1)
    monkeypatch.setattr(Fabric, "all_gather", lambda self, step: (told.append(int(step)), step)[1])
    with pytest.raises(CheckpointError, match="no other checkpoint is whole"):
        gantk.train(tiny(), run, progress=Silent())
    assert told == [-1]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_device_stops_all_after_the_same_step(
    rank: int, tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other device received SIGTERM during the third step; the first one saves and says so.

    They ask each other before the first step, and after each one.
    """
    run, asked = Run(tmp_path / "run"), list[int]()

    def most(own: Tensor) -> Tensor:
        asked.append(int(own))
        return torch.tensor(signal.SIGTERM + SIGNALS if len(asked) == 4 else 0)

    pretend(monkeypatch, rank, most=most)
    with pytest.raises(Interrupted, match="stopped by SIGTERM after step 3, saved") as stopped:
        gantk.train(tiny(), run, progress=Silent())
    assert asked == [0, 0, 0, 0]
    assert run.steps() == ([2, 3] if rank == 0 else [])
    assert (stopped.value.signal_number, stopped.value.told) == (signal.SIGTERM, rank == 1)


def test_a_device_whose_process_ended_is_named(tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def most(own: Tensor) -> Tensor:
        raise RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer")

    pretend(monkeypatch, 0, most=most)
    with pytest.raises(WorkError, match="the process of another device has ended; there is no checkpoint yet; resume"):
        gantk.train(tiny(), tmp_path / "run", progress=Silent())


def test_a_device_ends_with_the_one_that_started_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And does not wait half an hour for its connection."""
    ended = threading.Event()

    class Connecting:
        def launch(self) -> None:
            assert ended.wait(30)

    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("GANTK_LAUNCHER", "2147483647")
    monkeypatch.setattr(os, "_exit", lambda status: ended.set())
    launch(cast(Fabric, Connecting()))
    assert capfd.readouterr().err == "gantk: error: stopped, since the process that started this one has ended.\n"
    monkeypatch.setenv("GANTK_LAUNCHER", str(os.getppid()))
    launch(cast(Fabric, Connecting()))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "Gloo connectFullMesh failed with [/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:150] refused"
        ),
        torch.distributed.DistStoreError("Timed out after 1801 seconds waiting for clients. 1/2 clients joined."),
    ],
)
def test_devices_that_cannot_be_connected_are_one_line(error: RuntimeError) -> None:
    class Unconnected:
        def launch(self) -> None:
            raise error

    with pytest.raises(
        WorkError, match=r"^stopped, since the process of another device ended, or could not[^\n]*again\.$"
    ):
        launch(cast(Fabric, Unconnected()))


def test_only_the_first_device_writes(tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 1)
    shown = io.StringIO()
    gantk.train(tiny(), tmp_path / "run", progress=Lines(shown))
    assert shown.getvalue() == ""
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["model.toml"]


def test_only_the_first_device_sets_aside_what_a_fresh_start_replaces(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path / "run")
    gantk.train(tiny(), run, progress=Silent())
    pretend(monkeypatch, 1)
    gantk.train(tiny(), run, fresh=True, settings={"stages.game.length": "8 steps"}, progress=Silent())
    assert run.steps() == [2, 4, 6]
    assert not {"old-1", "history.toml"} & {entry.name for entry in run.path.iterdir()}


def test_only_the_first_device_measures_and_the_others_know_its_best(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each checkpoint of the best figure is one that all devices wait for."""
    run, waited = Run(tmp_path / "run"), list[bool]()
    best = {"train.keep_best": "prdc/coverage", "train.measure_every": 1, "train.checkpoint_every": 100}
    best |= {"train.precision": "32-true"}
    pretend(monkeypatch, 1)
    monkeypatch.setattr(Fabric, "broadcast", lambda self, own: own if isinstance(own, dict) else next(said))
    monkeypatch.setattr(Fabric, "barrier", lambda self: waited.append(True))
    said = itertools.cycle([False, True, False, False])  # time to log; best so far; no better for long; time to save
    gantk.train(tiny(metric="prdc", settings=best), run, progress=Silent())
    assert len(waited) == 1 + 6
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["model.toml"]


def test_data_that_vanish_on_one_device_save_nothing(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others, which read theirs, would wait for it."""
    pretend(monkeypatch, 0)
    usual, gone = Batches._read, tmp_path / "gone"
    monkeypatch.setattr(Batches, "_read", lambda own, done: usual(own, done) if done < 3 else gone.stat())
    with pytest.raises(DataError, match=r"No such file.*; the last checkpoint is of step 2; resume"):
        gantk.train(tiny(), tmp_path / "run", progress=Silent())
    assert Run(tmp_path / "run").steps() == [2]


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
