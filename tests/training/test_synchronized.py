"""Several processes train as one does with the whole batch: 2 and 3 of them, as torchrun starts them."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from forked import free_port, gantk_forked, torchrun

from gantk.errors import UsageError
from gantk.nn.synchronized import synchronized
from gantk.permissions import check_devices
from gantk.run.checkpoints import read_weights
from gantk.run.entries import read_log
from gantk.run.folder import Run

CODE = '''
import torch
from gantk import NoiseSource

class Still(NoiseSource):
    """The same vector for every image, so that devices see no noise of their own."""

    def __init__(self, dim: int = 4) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n, rng=None):
        return torch.linspace(-1, 1, self.dim).repeat(n, 1)
'''
STEPS = 3


def build(folder: Path, code: Path, batch: int = 12) -> Run:
    words = ["--noise", f"{code}:Still", "--generator", "dcgan:width=4", "--discriminator", "dcgan:width=4"]
    settings = [f"stages.game.length={STEPS} steps", f"stages.game.batch_size={batch}", "train.log_every=1"]
    settings += ["train.sync_batchnorm=true", "train.accelerator=cpu", "train.samples=4"]
    settings += ["stages.game.*.optimizer=sgd", "stages.game.*.lr=0.1"]
    words += [word for each in settings for word in ("--set", each)]
    gantk_(["build", *words, "-o", str(folder)])
    return Run(folder)


def gantk_(words: list[str]) -> None:
    done = gantk_forked(*words, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr.decode()


def compared(one: Run, other: Run) -> None:
    """Both have the same losses and weights, to rounding."""
    for mine, theirs in zip(read_log(one.log_file), read_log(other.log_file), strict=True):
        for name, value in mine["values"].items():
            assert theirs["values"][name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
    expected, found = (read_weights(run.checkpoint(STEPS)) for run in (one, other))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4, msg=name)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run that one process trained, and the code of its noise."""
    folder = tmp_path_factory.mktemp("runs")
    code = folder / "still.py"
    code.write_text(CODE)
    run = build(folder / "alone", code)
    shutil.copytree(run.path, folder / "untrained")
    gantk_(["train", str(run), "--code", str(code)])
    return run, code


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "nodes"), [(3, 1), (2, 2)])
def test_processes_train_as_one_does_with_the_whole_batch(
    alone: tuple[Run, Path], tmp_path: Path, processes: int, nodes: int
) -> None:
    one, code = alone
    together = Run(Path(shutil.copytree(one.path.with_name("untrained"), tmp_path / "together")))
    torchrun("train", str(together), "--code", str(code), processes=processes, nodes=nodes)
    compared(one, together)


def test_machines_are_only_waited_for_if_a_user_says_so() -> None:
    said = {"devices": 1, "nodes": 2}
    with pytest.raises(UsageError, match=r"asks for 2 nodes, and only you can allow that: --nodes 2, or --nodes 1"):
        check_devices("runs/of-a-stranger", said, ["train.devices"])
    check_devices("runs/of-a-stranger", said, ["train.nodes"])
    check_devices("", said, [])


def test_the_synchronized_layer_is_the_usual_one_where_nobody_else_trains() -> None:
    """With one process: the same outputs, gradients of first and second order, and running statistics as torch has."""
    port = free_port()
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    try:
        for momentum in (0.1, None):
            torch.manual_seed(0)
            usual = torch.nn.BatchNorm2d(3, momentum=momentum).double()
            mine = copy.deepcopy(usual)
            x = torch.randn(5, 3, 4, 4, dtype=torch.float64, requires_grad=True)
            with synchronized(mine):
                found, expected = mine(x), usual(x)
                torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
                first = [torch.autograd.grad((y**3).sum(), x, create_graph=True)[0] for y in (found, expected)]
                torch.testing.assert_close(*first, rtol=1e-4, atol=1e-3)
                second = [torch.autograd.grad(g.square().sum(), x)[0] for g in first]
                torch.testing.assert_close(*second, rtol=1e-3, atol=1e-1)
            for name, value in usual.state_dict().items():
                torch.testing.assert_close(mine.state_dict()[name], value, rtol=1e-5, atol=1e-6)
            mine.eval(), usual.eval()
            torch.testing.assert_close(mine(x), usual(x), rtol=1e-5, atol=1e-5)
    finally:
        dist.destroy_process_group()
