"""The command line as its users meet it: its exit code, what it prints, what it writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest
from forked import Forked, gantk_forked

from gantk import registry
from gantk.cli.main import cli, main

GAME = ("--noise", "gaussian:dim=4", "--generator", "dcgan:width=4", "--discriminator", "dcgan:width=4")
SHORT = (
    "stages.game.length=8 steps",
    "stages.game.batch_size=8",
    "train.log_every=1",
    "train.checkpoint_every=4",
    "train.sample_every=8",
    "train.samples=4",
    "train.accelerator=cpu",
)


@dataclass(frozen=True)
class Done:
    """What one call left."""

    code: int
    out: str
    err: str

    def worked(self) -> Done:
        assert self.code == 0, f"{self.out}\n{self.err}"
        assert "Traceback" not in self.err
        return self

    def error(self, code: int) -> str:
        """The one line that a failed call prints."""
        assert self.code == code, f"{self.out}\n{self.err}"
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("gantk: error: "), self.err
        assert "internal error" not in self.err
        assert self.out == ""
        return lines[0]


def environment(*sites: Path) -> dict[str, str]:
    """The environment of a process, with folders of installed packages before the others."""
    given = {key: value for key, value in os.environ.items() if key not in ("GANTK_DATA", "PYTHONPATH")}
    path = {"PYTHONPATH": os.pathsep.join(map(str, sites))} if sites else {}
    return {**given, **path, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


Call = Callable[..., Done]


@pytest.fixture
def gantk(tmp_path: Path) -> Call:
    """Run gantk as a process of its own in `tmp_path`."""

    def run(*arguments: str, site: Path | None = None) -> Done:
        done = gantk_forked(*arguments, cwd=tmp_path, env=environment(*([site] if site else [])))
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The same entry point in this process, which does not wait for torch again; for long lists of small cases."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GANTK_DATA", raising=False)

    def run(*arguments: str, site: Path | None = None) -> Done:
        capsys.readouterr()
        with monkeypatch.context() as patch, installed(site, patch) if site else nullcontext():
            patch.setattr(sys, "argv", ["gantk", *arguments])
            with pytest.raises(SystemExit) as exit_:
                main()
        out, err = capsys.readouterr()
        return Done(int(exit_.value.code or 0), out, err)

    return run


@contextmanager
def installed(site: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of installed packages in this process; modules imported from it are forgotten afterwards."""
    patch.syspath_prepend(str(site))
    registry._entry_points.cache_clear()
    before = set(sys.modules)
    try:
        yield
    finally:
        registry._entry_points.cache_clear()
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(site)):
                del sys.modules[name]


def settings(*values: str) -> list[str]:
    return [word for value in values for word in ("--set", value)]


@pytest.fixture(scope="session")
def untrained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small built run; copy it before you change it."""
    run = tmp_path_factory.mktemp("runs") / "untrained"
    cli.main(["build", *GAME, *settings(*SHORT), "-o", str(run)], standalone_mode=False)
    return run


@pytest.fixture(scope="session")
def trained_run(untrained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after training, with the checkpoints of steps 4 and 8; copy it before you change it."""
    run = Path(shutil.copytree(untrained_run, tmp_path_factory.mktemp("runs") / "trained"))
    done = gantk_forked("train", str(run), cwd=run.parent, env=environment())
    assert done.returncode == 0, done.stderr.decode()
    (run.parent / "train.err").write_bytes(done.stderr)
    return run


@pytest.fixture
def untrained(untrained_run: Path, tmp_path: Path) -> Path:
    """A run of this test's own, never trained, at `untrained`."""
    return Path(shutil.copytree(untrained_run, tmp_path / "untrained"))


@pytest.fixture
def trained(trained_run: Path, tmp_path: Path) -> Path:
    """A run of this test's own, trained, at `trained`."""
    return Path(shutil.copytree(trained_run, tmp_path / "trained"))


def everything_under(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def small_build() -> list[str]:
    """The arguments of a build that takes no time."""
    return ["build", *GAME, *settings(*SHORT)]


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file under a folder with its bytes."""
    return everything_under


@pytest.fixture
def start() -> Callable[..., Forked]:
    """Start gantk and go on."""

    def run(*arguments: str, cwd: Path, **streams: int) -> Forked:
        return Forked(*arguments, cwd=cwd, env=environment(), **streams)

    return run


@pytest.fixture
def forked_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sweep, a search or a reproduction of this process starts is forked."""

    def popen(command: list[str], *, env: dict[str, str], stdout: int, stderr: IO[bytes], **other: object) -> Forked:
        assert command[:3] == [sys.executable, "-m", "gantk"]
        return Forked(*command[3:], cwd=Path.cwd(), env=env, stdout=stdout, stderr=stderr)

    def run(command: list[str], **other: object) -> subprocess.CompletedProcess[str]:
        assert command[:3] == [sys.executable, "-m", "gantk"]
        done = gantk_forked(*command[3:], cwd=Path.cwd())
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())

    started = SimpleNamespace(Popen=popen, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr("gantk.sweeps.processes.subprocess", started)
    monkeypatch.setattr("gantk.reproducing.work.subprocess", SimpleNamespace(run=run))


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Path]:
    """Lay out what `pip install` leaves of a package, in a folder to put on the path."""
    site = tmp_path / "site"
    site.mkdir()

    def lay(package: str, entry_points: str, metadata: str | None = None, **modules: str) -> Path:
        info = site / f"{package.replace('-', '_')}-2.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(metadata or f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.5\n")
        (info / "entry_points.txt").write_text(entry_points)
        for name, text in modules.items():
            (site / f"{name}.py").write_text(text)
        return site

    return lay
