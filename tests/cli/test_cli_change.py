"""A run goes on: longer, with other rates, with data that were moved or have changed; its history says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import gantk
from gantk import toml
from gantk.data import ArraySource
from gantk.errors import DataError
from gantk.training.progress import Silent

LENGTH = "stages.game.length"


def weights(run: Path, step: int) -> dict[str, bytes]:
    file = load_file(run / f"checkpoints/step-{step:07d}/model.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in file.items()}


def history(run: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = toml.loads((run / "history.toml").read_text())["change"]
    return found


def test_a_finished_run_goes_on_as_if_it_had_been_built_longer(
    trained: Path, tmp_path: Path, small_build: list[str], call
) -> None:
    call(*small_build, "--set", f"{LENGTH}=12 steps", "-o", "long").worked()
    call("train", "long").worked()
    done = call("train", "trained", "--set", f"{LENGTH}=12 steps").worked()
    assert "from step 8 on: stages.game.length = 12 steps (was 8 steps)" in done.err
    assert weights(trained, 12) == weights(tmp_path / "long", 12)
    (change,) = history(trained)
    assert change["step"] == 8
    assert change["was"] == {"stages": {"game": {"length": "8 steps"}}}
    assert 'length = "12 steps"' in (trained / "model.toml").read_text()
    assert "resuming from trained/checkpoints/step-0000012" in call("train", "trained").worked().err


@pytest.mark.slow
def test_a_crash_behind_a_change_replays_it(trained: Path, tmp_path: Path, call) -> None:
    rate = "stages.game.generator.lr=1e-3"
    shutil.copytree(trained, tmp_path / "other")
    call("train", "trained", "--set", f"{LENGTH}=12 steps", "--set", rate).worked()
    call("train", "trained", "--set", f"{LENGTH}=16 steps", "--set", "stages.*.discriminator.lr=3e-3").worked()
    whole = weights(trained, 16)
    for step in (16, 12, 8):  # from the checkpoint of step 4, over both changes
        shutil.rmtree(trained / f"checkpoints/step-{step:07d}", ignore_errors=True)
    if not list((trained / "checkpoints").iterdir()):
        shutil.copytree(tmp_path / "other/checkpoints/step-0000004", trained / "checkpoints/step-0000004")
    call("train", "trained").worked()
    assert weights(trained, 16) == whole
    plain = call("train", "other", "--set", f"{LENGTH}=16 steps").worked()
    assert "resuming" in plain.err
    assert weights(tmp_path / "other", 16) != whole, "the rates matter"


REFUSED = {
    "a part": ("generator.width=8", "not generator: its weights belong to its parts"),
    "the seed": ("seed=3", "not seed"),
    "the data's options": ("data.path=x", "give the data with --data"),
    "batch size": ("stages.game.batch_size=4", "has started (8 steps are done), so this cannot change"),
    "turns": ("stages.game.discriminator.repeats=2", "so this cannot change"),
    "optimizer": ("stages.game.generator.optimizer=sgd", "so this cannot change"),
    "shorter than done": (f"{LENGTH}=5 steps", "5 steps, but 8 are done"),
    "averages": ("train.ema=0.9", "cannot change within a run"),
    "no stage": ("stages.gmae.length=9 steps", "Did you mean 'game'?"),
    "no player": ("stages.game.generater.lr=1", "Did you mean 'generator'?"),
    "no length": (f"{LENGTH}=9", "'25 epochs'"),
    "no value": (LENGTH, "PATH=VALUE"),
}


@pytest.mark.parametrize(("setting", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_change_is_refused_with_the_reason(
    setting: str, reason: str, trained: Path, call, contents
) -> None:
    before = contents(trained)
    done = call("train", "trained", "--set", setting)
    assert done.code == 2
    assert reason in done.err.splitlines()[-1]
    assert contents(trained) == before


def test_before_the_first_step_everything_of_a_stage_can_change(untrained: Path, call) -> None:
    call("train", "untrained", "--set", "stages.game.batch_size=4", "--set", f"{LENGTH}=2 steps").worked()
    assert (untrained / "checkpoints/step-0000002").is_dir()
    assert "batch_size = 4" in (untrained / "model.toml").read_text()


@pytest.fixture
def photos(tmp_path: Path, call) -> Path:
    """A folder of ten pictures, and a run `run` that was trained on it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(10):
        Image.fromarray(np.full((12, 12), 25 * number, dtype=np.uint8)).save(folder / f"{number}.png")
    short = ("--set", f"{LENGTH}=4 steps", "--set", "stages.game.batch_size=2", "--set", "train.checkpoint_every=2")
    call("build", "gan", "--data", "photos:color=gray", *short, "-o", "run").worked()
    call("train", "run").worked()
    return folder


def test_a_moved_folder(photos: Path, tmp_path: Path, call) -> None:
    photos.rename(tmp_path / "moved")
    error = call("train", "run").error(1)
    assert "gantk train run --data PATH" in error
    done = call("train", "run", "--data", "moved:color=gray", "--set", f"{LENGTH}=6 steps").worked()
    assert "data.path" in done.err
    assert (tmp_path / "run/checkpoints/step-0000006").is_dir()
    assert history(tmp_path / "run")[0]["now"]["data"]["path"] == str(tmp_path / "moved")  # type: ignore[index]
    call("train", "run").worked()


def test_data_of_another_size_has_not_moved(photos: Path, call) -> None:
    error = call("train", "run", "--data", "photos:color=gray,size=8").error(1)
    assert "the model was built for images [1, " in error
    assert "has moved" not in error
    assert "within a run, give the data with --data" in call("train", "run", "--set", "data.size=8").error(2)


def test_other_parts_bring_the_stages_of_the_recipe_again(photos: Path, call) -> None:
    same = call("build", "--from", "run", "--dry-run").worked()
    assert "the recipe's again" not in same.out
    other = call("build", "--from", "run", "--noise", "gaussian", "--dry-run").worked()
    assert "note: with other parts, stages have the recipe's settings, not the run's" in other.out


def test_what_else_reads_the_data_names_its_option(photos: Path, tmp_path: Path, call) -> None:
    photos.rename(tmp_path / "moved")
    assert "if the data has moved: name it with --data" in call("build", "--from", "run", "-o", "fine").error(1)
    call("build", "--from", "run", "--data", "moved:color=gray", "-o", "fine").worked()


def test_other_arrays_of_the_same_number_from_python(tmp_path: Path, tiny) -> None:
    model = tiny()
    gantk.train(model, tmp_path / "run", progress=Silent())
    other = ArraySource(np.zeros((40, 1, 14, 14), dtype=np.uint8), np.arange(40) % 2, ("across", "along"))
    again = gantk.load(tmp_path / "run", data=other)
    more = {LENGTH: "8 steps"}
    with pytest.raises(
        DataError,
        match=r"their content has changed\. To continue with this data: gantk\.train\(…, accept_data=True\)",
    ):
        gantk.train(again, tmp_path / "run", settings=more, progress=Silent())
    gantk.train(again, tmp_path / "run", settings=more, accept_data=True, progress=Silent())
    assert (tmp_path / "run/checkpoints/step-0000008").is_dir()


def test_a_replaced_picture(photos: Path, tmp_path: Path, call) -> None:
    Image.fromarray(np.full((12, 12), 7, dtype=np.uint8)).save(photos / "3.png")
    more = ("--set", f"{LENGTH}=6 steps")
    done = call("train", "run", *more)
    assert done.code == 1
    assert "there are still 10 images, but their content has changed" in done.err
    assert "gantk train run --accept-data" in done.err
    assert not (tmp_path / "run/history.toml").exists()
    call("train", "run", *more, "--accept-data").worked()
    call("train", "run").worked()


def test_an_added_picture(photos: Path, tmp_path: Path, call) -> None:
    Image.fromarray(np.full((12, 12), 7, dtype=np.uint8)).save(photos / "x.png")
    done = call("train", "run")
    assert done.code == 1
    assert "there were 10 images and now there are 11" in done.err
    done = call("train", "run", "--accept-data", "--set", f"{LENGTH}=8 steps").worked()
    assert "shape.images = 11 (was 10)" in done.err
    assert (tmp_path / "run/checkpoints/step-0000008").is_dir()
    call("train", "run").worked()


def test_other_data_need_to_be_accepted(photos: Path, tmp_path: Path, call) -> None:
    shutil.copytree(photos, tmp_path / "fewer")
    (tmp_path / "fewer/0.png").unlink()
    done = call("train", "run", "--data", "fewer:color=gray")
    assert done.code == 1
    assert "there were 10 images and now there are 9" in done.err
    call("train", "run", "--data", "fewer:color=gray", "--accept-data").worked()
    (tmp_path / "larger").mkdir()
    Image.new("L", (14, 14)).save(tmp_path / "larger/0.png")
    assert "built for images [1, 12, 12]" in call("train", "run", "--data", "larger:color=gray").error(1)


def test_fresh_sets_aside_what_was_there(trained: Path, tmp_path: Path, call) -> None:
    before = weights(trained, 8)
    done = call("train", "trained", "--fresh", "--set", "stages.game.generator.lr=1e-3").worked()
    assert "moved the previous checkpoints, samples and logs to trained/old-1" in done.err
    assert weights(trained / "old-1", 8) == before
    assert weights(trained, 8) != before
    call("sample", "trained/old-1", "-n", "1").worked()
    call("train", "trained", "--fresh").worked()
    assert (trained / "old-2/checkpoints/step-0000008").is_dir()
