"""Where runs are: free names, runs of a folder, and what is meant by a path that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gantk.run.places import advice, free_place, near_run, runs_under


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "digits"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def runs(*paths: str) -> None:
    for path in paths:
        Path(path).mkdir(parents=True)
        (Path(path) / "model.toml").touch()


def test_a_free_name_is_the_first_that_nothing_has() -> None:
    for expected in ("runs/x", "runs/x-2", "runs/x-3"):
        assert free_place("x") == Path(expected)
        Path(expected).mkdir(parents=True)


def test_only_folders_with_a_model_are_runs() -> None:
    runs("runs/b", "runs/a")
    Path("runs/c").mkdir()
    (Path("runs/d") / "model.toml").mkdir(parents=True)
    assert runs_under(Path("runs")) == [Path("runs/a"), Path("runs/b")]
    assert runs_under(Path("nowhere")) == []


@pytest.mark.parametrize(
    ("there", "path", "meant"),
    [
        ("other/dcgan", "other/dcgann", "other/dcgan"),
        ("other/runs/dcgan", "other/dcgann", "other/runs/dcgan"),
        ("runs/dcgan", "other/dcgann", "runs/dcgan"),
        ("runs/dcgan", "dcgann", "runs/dcgan"),
        ("dcgan", "runs/dcgann", "dcgan"),
        ("my runs/dcgan", "my runs/dcgann", "'my runs/dcgan'"),
        ("runs/digits-2", ".", "runs/digits-2"),
        ("runs/wgan", "runs/dcgan-of-long-ago", ""),
    ],
)
def test_a_similar_run_is_meant(there: str, path: str, meant: str) -> None:
    runs(there)
    assert near_run(Path(path)) == (f"did you mean {meant}?" if meant else "")


def test_the_most_similar_is_meant_and_never_the_path_itself() -> None:
    runs("runs/dcgan", "runs/dcgan-2", "runs/dcgan-22")
    assert near_run(Path("runs/dcgan-222")) == "did you mean runs/dcgan-22?"
    assert near_run(Path("runs/dcgan-22")) == "did you mean runs/dcgan-2?"


def test_without_a_similar_run_it_is_said_what_is_there(tmp_path: Path) -> None:
    runs(*(f"all/{name}" for name in "abcdef"))
    assert advice(Path("all")) == "the runs in it are all/a, all/b, all/c, all/d, all/e."
    Path("all/a/samples").mkdir()
    assert advice(Path("all/a/samples")) == f"it lies in the run {tmp_path / 'digits/all/a'}."
    Path("mine").mkdir()
    for name in (".unfinished-model.toml", "picture.png"):
        create = "create one with gantk build"
        assert advice(Path("mine")) == f"{create} -o mine."
        (Path("mine") / name).touch()
    assert advice(Path("mine")) == f"{create}; gantk list-runs FOLDER shows those in a folder."
    assert advice(Path("new one")) == f"{create} -o 'new one'."
