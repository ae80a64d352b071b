"""A run from somebody else does not download, make folders or start processes, unless this user says so."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gantk
from gantk.building.load import reopened
from gantk.errors import DataError, UsageError
from gantk.permissions import allowing_downloads, as_said_by, asks_for_downloads, check_download
from gantk.run.folder import Run
from gantk.sweeps.work import Allowed, training_command
from gantk.training.progress import Silent
from gantk_classic.noise import Gaussian


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "run"
    parts = {"noise": "gaussian:dim=2", "generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}
    small = {"stages.game.length": "1 steps", "stages.game.batch_size": 4, "train.samples": 1}
    gantk.train(gantk.build("dcgan", data="digits", **parts, settings=small), path, progress=Silent())
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were opened; there is no network."""
    found: list[str] = []

    def urlopen(url: str, **_: Any) -> None:
        found.append(url)
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return found


def strangers(trained: Path, tmp_path: Path, **changes: Any) -> Run:
    run = Run(shutil.copytree(trained, tmp_path / "stranger"))
    spec = run.spec()
    for key, value in changes.items():
        spec[key] = {**spec[key], **value} if key == "train" else value
    run.rewrite(spec)
    return run


def mnist(place: Path) -> dict[str, Any]:
    return {"plugin": "gantk:mnist", "path": str(place), "download": True}


EVERY: dict[str, Callable[[Run], object]] = {
    "train": reopened,
    "train in Python": lambda run: gantk.train(gantk.load(run), run, progress=Silent()),
    "evaluate": lambda run: gantk.evaluate(run, metrics="prdc", extractor="pixels", n=8),
    "build --from": lambda run: gantk.build(start_from=run.path),
}


@pytest.mark.parametrize("what", EVERY)
def test_a_run_does_not_download(what: str, trained: Path, opened: list[str], tmp_path: Path) -> None:
    run = strangers(trained, tmp_path, data=mnist(tmp_path / "new"))
    with pytest.raises((UsageError, DataError), match=r"asks for a download of train.*gz, and only you can allow that"):
        EVERY[what](run)
    assert opened == []
    assert not (tmp_path / "new").exists()


def test_nor_within_words(trained: Path, opened: list[str], tmp_path: Path) -> None:
    """Whatever a run's text unpacks to; that a part was constructed is what counts."""
    hidden = f'classifier:data="mnist:downl\\u006fad=true,path={tmp_path}/new"'
    assert not asks_for_downloads(hidden)
    metric = [{"plugin": "gantk:frechet"}]
    run = strangers(trained, tmp_path, train={"extractor": hidden, "measure_samples": 8}, metric=metric)
    with pytest.raises((UsageError, DataError), match="only you can allow that"):
        gantk.train(gantk.load(run, data=gantk.construct("data", "digits")), run, progress=Silent(), fresh=True)
    assert opened == []
    assert not (tmp_path / "new").exists()


def test_a_user_may(trained: Path, opened: list[str], tmp_path: Path) -> None:
    run = strangers(trained, tmp_path, data=mnist(tmp_path / "new"))
    with pytest.raises(DataError, match="could not be downloaded"), allowing_downloads():
        reopened(run)
    assert len(opened) == 2
    for text in (f"mnist:download=true,path={tmp_path}/other", mnist(tmp_path / "other")):
        opened.clear()
        with pytest.raises(DataError, match="could not be downloaded"):
            reopened(run, text)
        with pytest.raises(DataError, match="could not be downloaded"):
            gantk.build(data=text)
        assert len(opened) == 4
    opened.clear()
    with pytest.raises((UsageError, DataError), match="only you can allow that"):
        reopened(run)
    assert opened == []


def test_what_a_user_says_lasts_as_long_as_the_call() -> None:
    check_download("x", "y")
    with as_said_by("runs/x", "digits"):
        with pytest.raises(UsageError, match=r"^runs/x asks for a download of x, and only you can allow that: y\.$"):
            check_download("x", "y")
        with as_said_by("runs/y", ["mnist:download=true"]):
            check_download("x", "y")
        with pytest.raises(UsageError):
            check_download("x", "y")


@pytest.mark.parametrize(
    ("value", "asks"),
    [
        ("mnist:download=true", True),
        ({"data": {"plugin": "mnist", "download": True}}, True),
        ({"data": {"plugin": "mnist", "download": False}}, False),
        (["train.extractor=inception:download=true"], True),
        ("~/downloads/photos", False),
        ([("data.download", "true")], False),
        (None, False),
    ],
)
def test_what_asks(value: Any, asks: bool) -> None:
    assert asks_for_downloads(value) == asks


def test_a_run_starts_no_processes(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gantk.training.trainer.Trainer.fit", lambda *given: None)
    monkeypatch.setattr("gantk.training.trainer.fabric_of", lambda settings: pytest.fail(f"{settings.devices}"))
    run = strangers(trained, tmp_path, train={"devices": 4})
    data = gantk.construct("data", "digits")
    for model in (gantk.load(run, data=data), reopened(run)):
        with pytest.raises(UsageError, match=r"stranger asks for 4 devices, .*: --devices 4, or --devices 1"):
            gantk.train(model, run, progress=Silent())
    with pytest.raises(UsageError, match="asks for 4 devices"):
        gantk.build(start_from=run.path)
    for said in (["train.devices=4"], {"train.devices": 4}, {"train": {"devices": 4}}):
        with pytest.raises(pytest.fail.Exception, match=r"^4$"):
            gantk.train(gantk.load(run, data=data), run, settings=said, progress=Silent())
    with pytest.raises(pytest.fail.Exception, match=r"^1$"):
        gantk.train(gantk.load(run, data=data), run, settings=["train.devices=1"], progress=Silent())


def test_a_sweep_says_for_its_runs_what_was_said_to_it(trained: Path, tmp_path: Path) -> None:
    run = strangers(trained, tmp_path, train={"devices": 4})
    train = training_command(run, Allowed())
    parts, settings = {"data": "mnist:download=true"}, ["stages.*.lr=1|2", "train.devices=2|4"]
    assert training_command(run, Allowed.by(parts, settings)) == [
        *(*train, "--allow-download", "--set", "train.devices=4")
    ]
    assert training_command(run, Allowed.by({"data": "mnist"}, ["train.devices=2"])) == train


class Fetched(Gaussian):
    """Noise that downloads something."""

    def __init__(self, dim: int = 6) -> None:
        check_download("numbers", "take others")
        super().__init__(dim)


def test_a_user_who_names_a_part_allows_what_it_downloads(tiny: Callable[..., gantk.Model]) -> None:
    assert tiny(noise=Fetched).noise_dim == 6
