"""build: everything is checked before anything is written, and what is written says everything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import gantk as api
from gantk import toml
from gantk.building.assembly import assemble
from gantk.run.folder import Run


def test_what_is_built_is_printed_and_written(small_build: list[str], tmp_path: Path, gantk) -> None:
    shown = gantk(*small_build, "--loss", "hidden", "--seed", "7", "-o", "a/run").worked().out
    model = api.build(noise="gaussian:dim=4", generator="dcgan:width=4", discriminator="dcgan:width=4", loss="hidden")
    rows = {line.split()[0]: line for line in shown.splitlines() if line[:1].strip()}
    for part in ("data", "noise", "generator", "discriminator", "loss"):
        assert "gantk " + api_version() in rows[part]
    for slot in ("generator", "discriminator"):
        parameters = sum(parameter.numel() for parameter in model.get_submodule(slot).parameters())
        assert f" {parameters:,} " in rows[slot]
        assert "width=4" in rows[slot]
    assert "[N, 4]" in rows["noise"]
    assert "[N, 1, 28, 28]" in rows["generator"]
    assert "stage game: 8 steps = 8 steps of 8 images" in shown
    assert "hidden" in shown.partition("stage game")[2]
    assert shown.splitlines()[-1] == "written to a/run/model.toml; next: gantk train a/run"
    written = toml.loads((tmp_path / "a/run/model.toml").read_text())
    assert written["seed"] == 7
    assert written["noise"] == {"plugin": "gantk:gaussian", **written["noise"], "dim": 4}
    assert [loss["plugin"] for loss in written["loss"]] == ["gantk:nonsaturating", "gantk:hidden"]
    assert written["stages"]["game"]["length"] == "8 steps"
    assert written["train"]["log_every"] == 1
    assert set(written["versions"]) >= {"gantk", "torch", "python"}


def api_version() -> str:
    import importlib.metadata

    return importlib.metadata.version("gantk")


def test_a_dry_run_writes_nothing(small_build: list[str], tmp_path: Path, call) -> None:
    shown = call(*small_build, "--dry-run", "-o", "run").worked().out
    assert "stage game" in shown
    assert "written" not in shown
    assert list(tmp_path.iterdir()) == []
    shown_again = call(*small_build, "--dry-run").worked().out
    assert shown_again == shown
    assert list(tmp_path.iterdir()) == []


def test_runs_without_a_place_get_names_of_their_own(small_build: list[str], tmp_path: Path, call) -> None:
    for name in ("dcgan", "dcgan-2", "dcgan-3"):
        assert f"runs/{name}/model.toml" in call(*small_build).worked().out
        assert (tmp_path / "runs" / name / "model.toml").is_file()


@pytest.mark.parametrize("before", ["run", "file", "folder"])
def test_nothing_is_overwritten(before: str, small_build: list[str], tmp_path: Path, contents, call) -> None:
    place = tmp_path / "place"
    if before == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / ("model.toml" if before == "run" else "thesis.txt")).write_text("mine")
    found = contents(tmp_path)
    error = call(*small_build, "-o", "place").error(2)
    assert "place already exists" in error
    assert "choose another path, or remove it first" in error
    assert contents(tmp_path) == found
    assert "next: gantk train elsewhere" in call(*small_build, "-o", "elsewhere").worked().out


def test_an_empty_folder_is_a_place(small_build: list[str], tmp_path: Path, call) -> None:
    (tmp_path / "empty").mkdir()
    call(*small_build, "-o", "empty").worked()
    assert (tmp_path / "empty" / "model.toml").is_file()


@pytest.mark.parametrize(
    "place", ["file/run", "/proc/no/such/place", "/dev/null/run", "x" * 300], ids=["under-file", "proc", "null", "long"]
)
def test_a_place_that_cannot_be_written(place: str, small_build: list[str], tmp_path: Path, call) -> None:
    (tmp_path / "file").write_text("mine")
    error = call(*small_build, "-o", place).error(1)
    assert place[:200] in error
    assert (tmp_path / "file").read_text() == "mine"


def test_an_unset_variable_is_no_place(small_build: list[str], tmp_path: Path, call) -> None:
    assert "the path is empty; give a path" in call(*small_build, "-o", "").error(2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ünï cödé 💥", "a b", "new\nline", "-o", "$HOME;ls"])
def test_odd_names_are_names(name: str, small_build: list[str], tmp_path: Path, call) -> None:
    last = call(*small_build, "-o", name).worked().out.split("next: ")[-1]
    assert (tmp_path / name / "model.toml").is_file()
    import shlex

    assert shlex.split(last) == ["gantk", "train", name], "what it says next can be pasted"


def test_names_that_are_not_text(small_build: list[str], tmp_path: Path, call) -> None:
    name = b"latin-\xe9".decode(errors="surrogateescape")
    call(*small_build, "-o", name).worked()
    assert (tmp_path / name / "model.toml").is_file()


@pytest.mark.parametrize("recipe", ["dcgan", "wgan-gp", "vae", "degan", "gan"])
def test_what_is_written_builds_the_same_again(recipe: str, tmp_path: Path, call) -> None:
    call("build", recipe, "--data", "digits", "-o", "first").worked()
    model = assemble(Run("first").spec())
    Run("second").create(model.built.spec)
    first, second = (Path(name, "model.toml").read_bytes() for name in ("first", "second"))
    assert first == second
    call("build", recipe, "--data", "digits", "-o", "third").worked()
    assert Path("third", "model.toml").read_bytes() == first


WRONG = {
    "recipe": (["deegan"], "Did you mean 'degan'?"),
    "part": (["--noise", "gausian"], "Did you mean 'gaussian'?"),
    "no part": (["--noise", ""], "expected NAME or NAME:option=value"),
    "no name": (["--noise", ":dim=3"], "expected NAME or NAME:option=value"),
    "option": (["--noise", "de:dmi=3"], "Did you mean 'dim'?"),
    "option without value": (["--noise", "de:dim"], "de"),
    "option of another type": (["--noise", "gaussian:dim=many"], "dim takes int, not 'many'"),
    "option that is not a number": (["--noise", "gaussian:dim=nan"], "dim takes int"),
    "context": (["--generator", "dcgan:noise_dim=3"], "is determined by other parts"),
    "dim=0": (["--noise", "de:dim=0"], "dim must be at least 1, not 0"),
    "dim=-3": (["--noise", "gaussian:dim=-3"], "dim must be at least 1, not -3"),
    "width=0": (["--generator", "dcgan:width=0"], "width must be at least 1"),
    "lr=-1": (["--set", "stages.game.generator.lr=-1"], "Invalid learning rate: -1"),
    "lr=fast": (["--set", "stages.game.generator.lr=fast"], "lr takes float"),
    "optimizer": (["--set", "stages.game.generator.optimizer=adm"], "Did you mean 'adam'?"),
    "batch_size=0": (["--set", "stages.game.batch_size=0"], "must be at least 1, not 0"),
    "batch_size=half": (["--set", "stages.game.batch_size=half"], "batch_size takes int"),
    "length=nonsense": (["--set", "stages.game.length=nonsense"], "'25 epochs', '2000 steps'"),
    "length=-5 steps": (["--set", "stages.game.length=-5 steps"], "'25 epochs', '2000 steps'"),
    "length=0 epochs": (["--set", "stages.game.length=0 epochs"], "'25 epochs', '2000 steps'"),
    "repeats=0": (["--set", "stages.game.discriminator.repeats=0"], "at least 1"),
    "log_every=0": (["--set", "train.log_every=0"], "at least 1"),
    "ema=1": (["--set", "train.ema=1"], "ema must be in [0, 1)"),
    "train setting": (["--set", "train.log_evry=1"], "Did you mean 'log_every'?"),
    "stage": (["--set", "stages.gam.length=5 steps"], "Did you mean 'game'?"),
    "player": (["--set", "stages.game.generatr.lr=1"], "Did you mean 'generator'?"),
    "setting": (["--set", "stages.game.lenght=5 steps"], "Did you mean 'length'?"),
    "loss setting": (["--set", "loss.hiden.weight=2"], "there is no loss 'hiden'"),
    "path": (["--set", "nonsense=1"], "stages.STAGE.SETTING"),
    "no value": (["--set", "noise.dim"], "--set takes PATH=VALUE"),
    "no path": (["--set", "=3"], "--set takes PATH=VALUE"),
    "refiner of none": (["--set", "refiner.x=1"], "--refiner"),
    "seed=-1": (["--seed", "-1"], "from 0 to 2^63-1"),
    "huge seed": (["--seed", "9" * 30], "from 0 to 2^63-1"),
    "seed=x": (["--seed", "x"], "gantk build --help"),
    "set seed": (["--set", "seed=1.5"], "from 0 to 2^63-1"),
    "command line option": (["--nose", "de"], "--noise"),
    "second argument": (["dcgan", "degan"], "gantk build --help"),
    "two adversarial": (["--loss", "minimax", "--loss", "wgan-gp"], "exactly one adversarial loss"),
    "vae with a discriminator": (["vae", "--discriminator", "dcgan"], "leave out --discriminator"),
    "vae with hidden": (["vae", "--loss", "hidden"], "leave out --loss hidden"),
    "required option": (["--data", "folder"], "needs path="),
}


@pytest.mark.parametrize(("arguments", "mend"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_mend(arguments: list[str], mend: str, tmp_path: Path, call) -> None:
    assert mend in call("build", *arguments, "-o", "run").error(2)
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_errors_of_a_process_and_their_traceback(tmp_path: Path, gantk, call) -> None:
    assert "Did you mean 'dim'?" in gantk("build", "--noise", "de:dmi=3", "-o", "run").error(2)
    debugged = call("build", "--noise", "de:dmi=3", "-o", "run", "--debug")
    assert debugged.code == 2
    assert debugged.err.startswith("Traceback")
    assert debugged.err.splitlines()[-1].startswith("gantk: error: noise 'de' has no option 'dmi'")
    assert list(tmp_path.iterdir()) == []


def test_commands_and_their_spelling(call) -> None:
    assert "Did you mean 'train'?" in call("trian").error(2)
    assert "Known: build, compare, data" in call("quetzal").error(2)
    assert "gantk --help" in call("--nonsense").error(2)
    assert "gantk train --help" in call("train").error(2)
    assert "Traceback" in call("trian", "--debug").err


def test_a_broken_pipe_and_a_full_disk(gantk, tmp_path: Path) -> None:
    import subprocess
    import sys

    words = f"'{sys.executable}' -m gantk list"
    piped = subprocess.run(f"{words} | head -1", shell=True, cwd=tmp_path, capture_output=True, check=False)
    assert piped.stderr == b""
    full = subprocess.run(f"{words} > /dev/full", shell=True, cwd=tmp_path, capture_output=True, check=False)
    assert full.returncode == 1
    assert full.stderr.decode() == "gantk: error: output: No space left on device.\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of twelve small pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(12):
        Image.new("RGB", (8, 8), (index * 20, 255 - index * 20, 7)).save(folder / f"{index}.png")
    return folder


def test_data_that_is_missing_or_no_images(photos: Path, tmp_path: Path, call) -> None:
    assert "path=FOLDER or the environment variable GANTK_DATA" in call("build", "--data", "mnist", "-o", "run").error(
        1
    )
    error = call("build", "--data", "folder:path=nowhere", "-o", "run").error(1)
    assert str(tmp_path / "nowhere") in error
    assert "path=FOLDER" in error
    (photos / "notes.png").write_text("not a picture")
    error = call("build", "--data", "folder:path=photos", "-o", "run").error(1)
    assert str(photos / "notes.png") in error
    assert "skip=true" in error
    assert not (tmp_path / "run").exists()
    call("build", "--data", "folder:path=photos,skip=true", *small()).worked()
    assert (tmp_path / "run").exists()


def small() -> list[str]:
    return ["--generator", "dcgan:width=4", "--discriminator", "dcgan:width=4", "-o", "run"]


def test_a_root_that_is_not_text_is_refused_and_nothing_left(photos: Path, tmp_path: Path, call) -> None:
    odd = photos.rename(tmp_path / b"phot\xf6s".decode(errors="surrogateescape"))
    error = call("build", "--data", f"folder:path={odd}", *small()).error(1)
    assert "not valid text" in error
    assert not (tmp_path / "run").exists()


def test_data_that_is_gone_or_other_at_training(
    photos: Path, tmp_path: Path, call, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    lengths = ["--set", "stages.game.length=2 steps", "--set", "stages.game.batch_size=4", "--set", "train.samples=4"]
    call("build", "--data", "folder:path=photos", *lengths, *small()).worked()
    before = contents(tmp_path / "run")
    photos.rename(tmp_path / "moved")
    assert str(photos) in call("train", "run").error(1)
    (tmp_path / "moved").rename(photos)
    Image.new("RGB", (8, 8)).save(photos / "another.png")
    error = call("train", "run").error(1)
    assert "there were 12 images and now there are 13" in error
    assert "--accept-data" in error
    assert contents(tmp_path / "run") == before
    (photos / "another.png").unlink()
    call("train", "run").worked()
    assert (tmp_path / "run/checkpoints/step-0000002").is_dir()


@pytest.mark.parametrize("name", ["2024_01_05", "2024.10", "1e3", "true", "2024-01-31", "Ann's photos", "a,b", "'90s"])
def test_a_folder_may_be_called_anything(photos: Path, tmp_path: Path, call, name: str) -> None:
    photos.rename(tmp_path / name)
    call("build", "--data", f"folder:path={name},size=16", *small()).worked()
    assert toml.loads((tmp_path / "run/model.toml").read_text())["data"]["path"] == str(tmp_path / name)
    other = ("--data", "folder:path=nowhere,size=16", "--set", f"data.path={name}", "--dry-run")
    call("build", *other, *small()).worked()
    python = api.build(data=("folder", {"path": name, "size": 16}), generator="dcgan:width=4")
    assert python.built.spec["data"]["path"] == str(tmp_path / name)


def test_a_tilde_is_the_home_folder_in_every_path(
    photos: Path, tmp_path: Path, call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    lengths = ["--set", "stages.game.length=2 steps", "--set", "stages.game.batch_size=4", "--set", "train.samples=4"]
    call("build", "--data", "folder:path=~/photos", *lengths, *small()[:-2], "--output=~/x1").worked()
    call("train", "~/x1").worked()
    call("sample", "~/x1", "-n", "2", "-o", "~/two.npz").worked()
    call("intrinsic-dim", "folder:path=~/photos", "--k", "3", "--json", "-o", "~/curve.png").worked()
    assert api.load("~/x1").sample(2).shape == (2, 3, 8, 8)
    assert {"x1", "two.npz", "curve.png"} <= {path.name for path in tmp_path.iterdir()}
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_skipped_file_is_told_of_in_one_line(small_build: list[str], tmp_path: Path, gantk) -> None:
    (tmp_path / "photos").mkdir()
    for index in range(3):
        Image.effect_noise((40, 40), 50).save(tmp_path / f"photos/{index}.jpg")
    whole = (tmp_path / "photos/1.jpg").read_bytes()
    (tmp_path / "photos/1.jpg").write_bytes(whole[: len(whole) // 2])
    (line,) = gantk(*small_build, "--data", "photos:size=16,skip=true", "-o", "run").worked().err.splitlines()
    assert line.startswith(f"gantk: warning: {tmp_path}/photos: 1 file was skipped")
    assert "1.jpg: cannot be decoded (" in line


def test_a_recipes_second_loss_is_left_out(tmp_path: Path, call) -> None:
    call("build", "degan", "--loss", "minimax", "--without", "hidden", "--noise", "gaussian", *small()).worked()
    losses = toml.loads((tmp_path / "run/model.toml").read_text())["loss"]
    assert [loss["plugin"] for loss in losses] == ["gantk:minimax"]
    assert "no such part" in call("build", "degan", "--without", "vae", "--dry-run").error(2)
    assert "--without" in call("build", "--help").worked().out
