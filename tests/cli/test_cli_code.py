"""Parts out of Python files that a command names, and never out of those that a run names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import gantk_forked

from gantk import registry
from gantk.building import code
from gantk.cli.main import cli
from gantk.errors import BrokenPlugin, OptionError, UnknownName, UsageError

MINE = """
import torch
from torch import nn
import gantk

open("imported", "a").write("x")


class MyGenerator(nn.Module):
    def __init__(self, noise_dim, image_shape, width=4):
        super().__init__()
        self.shape = image_shape
        self.layer = nn.Linear(noise_dim, image_shape[0] * image_shape[1] * image_shape[2])

    def forward(self, z):
        return torch.tanh(self.layer(z)).view(-1, *self.shape)


def brightness(play):
    return play.fake.mean().square()


judge = nn.Sequential(nn.Flatten(), nn.LazyLinear(1))


@gantk.register("noise", name="dice")
def roll(n):
    return torch.rand(n, 5)
"""
SMALL = ["--set", "stages.game.length=2 steps", "--set", "stages.game.batch_size=4", "--set", "train.samples=4"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(MINE)
    forget(monkeypatch)
    return tmp_path


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process would."""
    monkeypatch.setattr(registry, "_given", {})
    monkeypatch.setattr(code, "_named", {})
    code._imported.cache_clear()
    for name in ("mine", "gantk_code_mine"):
        sys.modules.pop(name, None)


def gantk(*words: str) -> None:
    cli.main(list(words), standalone_mode=False)


@pytest.fixture
def built(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], None]:
    parts = [
        "--generator",
        "./mine.py:MyGenerator:width=3",
        "--loss",
        "mine.py:brightness",
        "--discriminator",
        "mine.py:judge",
    ]
    gantk("build", *parts, "--noise", "dice", "--code", "mine.py", "-o", "run", *SMALL)
    assert "next: gantk train run --code mine.py" in capsys.readouterr().out
    return lambda: forget(monkeypatch)


def test_code_is_named_again_by_every_command(built: Callable[[], None], folder: Path) -> None:
    for command in (["train", "run"], ["sample", "run", "-n", "2", "-o", "x.npz"], ["train", "run", "--fresh"]):
        built()
        with pytest.raises(UsageError, match=r"was given from Python.*--code FILE.py"):
            gantk(*command)
        gantk(*command, "--code", "mine.py")
    assert (folder / "x.npz").exists()


def test_a_run_never_imports_code(built: Callable[[], None], folder: Path) -> None:
    (folder / "imported").unlink()
    written = (folder / "run" / "model.toml").read_text()
    for evil in ("python:MyGenerator", "./mine.py:MyGenerator", "mine:MyGenerator", f"{folder}/mine.py:MyGenerator"):
        built()
        (folder / "run" / "model.toml").write_text(written.replace("python:MyGenerator", evil))
        with pytest.raises(UsageError):
            gantk("train", "run")
    short = 'noise = "gaussian"\ndiscriminator = "dcgan"\ngenerator = "./mine.py:MyGenerator"\nrecipe = "game"\n'
    (folder / "run" / "model.toml").write_text(short + "[shape]\nimage_shape = [1, 28, 28]\nimages = 3\n")
    with pytest.raises(UsageError):
        gantk("train", "run")
    assert not (folder / "imported").exists()


def test_what_is_registered_in_a_file_is_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gantk("list", "noise", "--code", "mine.py")
    assert "dice" in capsys.readouterr().out
    gantk("show", "noise", "dice", "--code", "mine.py")
    assert "dice" in capsys.readouterr().out


def test_files_that_cannot_be_used_are_named(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"their.py: no such file"):
        gantk("build", "--generator", "./their.py:G", "--dry-run")
    with pytest.raises(UnknownName, match=r"mine.py has no 'MyGenerater'. Did you mean 'MyGenerator'"):
        gantk("build", "--generator", "./mine.py:MyGenerater", "--dry-run")
    (folder / "broken.py").write_text("import no_such_module\n")
    with pytest.raises(BrokenPlugin, match=r"broken.py cannot be imported: ModuleNotFoundError: .*no_such_module"):
        gantk("list", "--code", "broken.py")


@pytest.mark.slow
def test_a_new_process(built: Callable[[], None], folder: Path) -> None:
    refused = gantk_forked("train", "run", cwd=folder)
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1
    assert gantk_forked("train", "run", "--code", "mine.py", cwd=folder).returncode == 0


def test_a_file_alone_asks_for_what_is_in_it(folder: Path) -> None:
    with pytest.raises(
        OptionError, match=r"'./mine.py' is a file; give the name of an object in it, as in ./mine.py:NAME"
    ):
        gantk("build", "--generator", "./mine.py", "--dry-run")
