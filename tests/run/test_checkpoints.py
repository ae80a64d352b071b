"""Checkpoints of a run: what lies in one, and what is said of one that is damaged or of another model."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import OPTIMIZERS, TRAINING, WEIGHTS, as_former, rewrite
from safetensors.torch import load_file

import gantk
from gantk.errors import CheckpointError, DamagedCheckpoint, ForeignCheckpoint, GantkWarning
from gantk.run.checkpoints import machine_of, read_training, read_weights
from gantk.run.folder import Run
from gantk.run.machine import machine
from gantk.run.usable import newest, weights_at
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]
FILES = ("manifest.json", WEIGHTS, OPTIMIZERS, TRAINING)


def test_a_run_holds_nothing_else(run: Run) -> None:
    whole = {"model.toml", "precision.json", "log.jsonl", "tensorboard", "samples", "checkpoints"}
    assert {entry.name for entry in run.path.iterdir() if not entry.name.startswith(".")} == whole
    for step in run.steps():
        names = sorted(entry.name for entry in run.checkpoint(step).iterdir())
        assert names == ["manifest.json", WEIGHTS, OPTIMIZERS, TRAINING]


def test_a_checkpoint_says_where_training_stands(run: Run) -> None:
    states = [read_training(run.checkpoint(step)) for step in run.steps()]
    assert [vars(state.place) for state in states] == [{"stage": 0, "step": n, "total": n} for n in (2, 4, 6)]
    assert [int(state.optimizers["generator"][0]["step"]) for state in states] == [2, 4, 6]


def test_a_checkpoint_says_on_which_machine_it_was_trained(run: Run) -> None:
    found = machine_of(run.latest())
    assert found == machine(torch.device("cpu"))
    assert (found["device"], found["torch"]) == ("cpu", torch.__version__)
    assert platform.node() not in found.values()
    rewrite(run.latest(), training=lambda state: state.pop("machine"))
    assert machine_of(run.latest()) == {}, "those of earlier versions do not"
    assert read_training(run.latest()).place.total == 6


def test_a_manifest_says_what_the_files_are(run: Run) -> None:
    said = json.loads((run.latest() / "manifest.json").read_text())
    assert (said["format"], said["step"], said["torch"]) == (1, 6, torch.__version__)
    for name, entry in said["files"].items():
        content = (run.latest() / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_files_are_readable_as_the_user_says(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    expected = (tmp_path / "mine").stat().st_mode
    for path in (run.model_toml, run.log_file, *run.latest().iterdir(), *run.samples):
        assert path.stat().st_mode == expected, path


def test_weights_are_those_that_training_goes_on_from(run: Run, tiny: Build, tmp_path: Path) -> None:
    """Also where a model is sampled from with averages."""
    model = gantk.train(tiny(settings={"train.ema": 0.9}), tmp_path / "averaged", progress=Silent())
    held, plain = (load_file(Run(tmp_path / name).latest() / WEIGHTS) for name in ("averaged", "run"))
    assert all(torch.equal(held[name], value) for name, value in plain.items())
    name = next(n for n, _ in model.generator.named_parameters())
    assert torch.equal(held[f"average.generator.module.{name}"], model.generator.state_dict()[name])


def flip(path: Path, place: float) -> None:
    """Flip a bit at a fraction of a file."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1 << int(place * 997) % 8
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [cut, Path.unlink, folder, pipe], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", FILES)
def test_what_is_missing_or_no_file_is_damage(name: str, damage: Callable[[Path], Any], run: Run) -> None:
    damage(run.latest() / name)
    for read in (read_training, read_weights):
        with pytest.raises(DamagedCheckpoint, match=rf"step-0000006/{name} is damaged: it ") as e:
            read(run.latest())
        assert "\n" not in str(e.value)


@pytest.mark.parametrize("name", FILES)
def test_no_flipped_bit_is_accepted(name: str, run: Run) -> None:
    """The same for 2,000 flips: tests/drills/flips.py."""
    path = run.latest() / name
    whole = path.read_bytes()
    for place in np.linspace(0, 1, 12):
        flip(path, float(place))
        with pytest.raises(CheckpointError):
            (read_weights if name == WEIGHTS else read_training)(run.latest())
        path.write_bytes(whole)
    read_training(run.latest())


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(run: Run, tiny: Build, finished: Path) -> None:
    """And kept, so that nothing is lost."""
    whole = load_file(Run(finished).latest() / WEIGHTS)
    flip(run.latest() / WEIGHTS, 0.7)
    damaged = (run.latest() / WEIGHTS).read_bytes()
    with pytest.warns(GantkWarning, match=r"step-0000006/model\.safetensors is damaged: .* using \S*step-0000004"):
        gantk.load(run)
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    gantk.train(tiny(), run, progress=progress)
    (line,) = (each for each in said if "damaged" in each)
    assert "step-0000006/model.safetensors is damaged: its content is not what was written" in line
    assert line.endswith("step-0000004: 2 steps after it are trained again")
    assert run.steps() == [2, 4, 6]
    assert all(torch.equal(value, whole[name]) for name, value in load_file(run.latest() / WEIGHTS).items())
    assert (run.checkpoints_folder / "damaged-step-0000006" / WEIGHTS).read_bytes() == damaged


def test_where_none_is_whole_there_is_one_error(run: Run, tiny: Build) -> None:
    for step in run.steps():
        flip(run.checkpoint(step) / TRAINING, 0.5)
    with pytest.raises(CheckpointError, match=r"step-0000006/\S+ is damaged.*\(2 more\); gantk train \S+ --fresh"):
        gantk.train(tiny(), run, progress=Silent())
    for step in (2, 4):
        shutil.rmtree(run.checkpoint(step))
    with pytest.raises(CheckpointError, match=r"it is the only checkpoint; gantk train \S+ --fresh starts over"):
        gantk.train(tiny(), run, progress=Silent())


def test_a_warning_counts_what_is_passed_over_and_names_the_line_of_the_user(run: Run) -> None:
    for step in (6, 4):
        flip(run.checkpoint(step) / WEIGHTS, 0.5)
    with pytest.warns(GantkWarning, match=r"step-0000006/\S+ is damaged \(and 1 before it\): ") as caught:
        gantk.load(run)
    assert [each.filename for each in caught] == [__file__]


def test_weights_are_read_without_their_model(run: Run) -> None:
    checkpoint, weights = weights_at(run, None)
    assert checkpoint == run.checkpoint(6)
    assert weights.keys() == load_file(checkpoint / WEIGHTS).keys()


def test_a_run_without_checkpoints_has_none_to_use(run: Run) -> None:
    shutil.rmtree(run.checkpoints_folder)
    with pytest.raises(CheckpointError, match="has not been trained yet: run gantk train"):
        gantk.load(run)


def test_advice_on_what_is_wrong_comes_before_that_on_other_checkpoints(run: Run) -> None:
    def read(checkpoint: Path) -> None:
        raise ForeignCheckpoint(checkpoint, "mine.py was changed", "restore it")

    with pytest.raises(ForeignCheckpoint, match=r"step-0000006 does not fit .*: mine\.py was changed; restore it\.$"):
        newest(run, read)


def test_a_step_that_was_asked_for_is_not_replaced_by_another(run: Run) -> None:
    flip(run.latest() / WEIGHTS, 0.5)
    with pytest.raises(CheckpointError, match=r"step-0000006/.* is damaged: .*; use another step: 2, 4\.$"):
        gantk.load(run, step=6)
    flip(run.checkpoint(4) / WEIGHTS, 0.5)
    with pytest.raises(CheckpointError, match=r"; use another step: 2\.$"):
        gantk.load(run, step=6)
    flip(run.checkpoint(2) / "manifest.json", 0.5)
    with pytest.raises(CheckpointError, match=r"; no other checkpoint is whole \(2 more\); gantk train \S+ --fresh"):
        gantk.load(run, step=6)


def test_weights_of_another_model_are_refused(run: Run) -> None:
    def renamed(weights: dict[str, Any]) -> None:
        weights["other"] = weights.pop("generator.first.weight", torch.zeros(1))

    for step in run.steps():
        rewrite(run.checkpoint(step), weights=renamed)
    said = r"contains the weights of another model: other .*no other checkpoint fits \(2 more\).*--fresh starts over"
    with pytest.raises(CheckpointError, match=said):
        gantk.load(run)
    with pytest.raises(CheckpointError, match=said):
        gantk.build(data=np.zeros((8, 1, 14, 14), np.uint8), start_from=run.path)


def test_a_later_format_is_no_damage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gantk.run.manifest.FORMAT", 2)
    rewrite(run.latest())
    monkeypatch.setattr("gantk.run.manifest.FORMAT", 1)
    with pytest.raises(CheckpointError, match=r"step-0000006 was written by gantk \S+, which is newer.*update gantk"):
        gantk.load(run)


def weight(content: dict[str, Any]) -> str:
    return next(name for name in content if name.startswith("generator.") and name.endswith("weight"))


MEANINGS: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    "no number": ("weights", lambda each: each[weight(each)].view(-1)[0].fill_(torch.inf), "contains NaN or infinity"),
    "another type": (
        "weights",
        lambda each: each.update({weight(each): each[weight(each)].double()}),
        "is of float64 there and of float32 in the model",
    ),
    "another shape": ("weights", lambda each: each.update({weight(each): torch.zeros(3)}), r"is \[3\] there and \["),
    "another stage": ("training", lambda each: each["place"].update(stage=7), "its place is"),
    "a stage that there is not": ("training", lambda each: each["place"].update(stage=7, step=2), "in stage 8 of 1"),
    "another step": ("training", lambda each: each["place"].update(step=5, total=5), "its place is"),
    "no settings": ("training", lambda each: each.pop("trained"), "KeyError: 'trained'"),
    "another player": (
        "training",
        lambda each: each["players"].update(critic=each["players"].pop("discriminator")),
        "discriminator.* belongs to no player",
    ),
    "more players": ("training", lambda each: each["players"].update(critic={}), "written by players .*'critic'"),
    "no states": ("optimizers", dict.clear, "has nothing of parameter 0, not .*'exp_avg'"),
    "half a state": ("optimizers", lambda each: each.pop("generator.1.exp_avg"), "of parameter 1, not"),
    "a state of another shape": (
        "optimizers",
        lambda each: each.update({"generator.1.exp_avg": torch.zeros(99)}),
        r"exp_avg of parameter 1 is float32\[99\], not float32",
    ),
    "too many steps": ("optimizers", lambda each: each["generator.1.step"].fill_(9.0), "has had 9 of 4 steps"),
    "no number of steps": ("optimizers", lambda each: each["generator.1.step"].fill_(torch.nan), "has had nan of 4"),
    "more parameters": ("optimizers", lambda each: each.update({"generator.99.step": torch.ones(())}), "has more than"),
}


@pytest.mark.parametrize("name", MEANINGS)
def test_what_fits_its_manifest_must_fit_the_model_as_well(name: str, run: Run, tiny: Build) -> None:
    what, change, said = MEANINGS[name]
    for step in (2, 6):
        shutil.rmtree(run.checkpoint(step))
    rewrite(run.latest(), **{what: change})
    with pytest.raises(CheckpointError, match=said) as e:
        gantk.train(tiny(), run, progress=Silent())
    assert "\n" not in str(e.value)


def test_a_checkpoint_without_a_manifest_is_resumed_and_the_next_one_has_checksums(run: Run, tiny: Build) -> None:
    """Its learning rates are not read: they are those of the spec."""
    whole = load_file(run.latest() / WEIGHTS)
    shutil.rmtree(run.checkpoint(6))
    as_former(run.latest())
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    gantk.train(tiny(), run, progress=progress)
    assert "this checkpoint has no checksums, as an earlier version of gantk wrote it; the next one has them" in said
    assert all(torch.equal(value, whole[name]) for name, value in load_file(run.latest() / WEIGHTS).items())
    assert (run.latest() / "manifest.json").exists()


def test_a_damaged_checkpoint_without_a_manifest_says_so(run: Run) -> None:
    as_former(run.latest())
    path = run.latest() / "training.pt"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DamagedCheckpoint, match=r"training\.pt is damaged: torch cannot read it \(BadZipFile\)\.$"):
        read_training(run.latest())


def test_weights_alone_are_no_checkpoint_of_an_earlier_version(run: Run) -> None:
    """Otherwise, who loses the manifest with everything beside the weights would have them read unchecked."""
    for name in (OPTIMIZERS, TRAINING, "manifest.json"):
        (run.latest() / name).unlink()
    with pytest.raises(DamagedCheckpoint, match=r"step-0000006/manifest\.json is damaged: it is missing"):
        read_weights(run.latest())


@pytest.mark.parametrize("former", [False, True])
def test_a_folder_must_be_named_for_its_step(former: bool, run: Run) -> None:
    if former:
        as_former(run.latest())
    run.latest().rename(run.checkpoint(99))
    with pytest.raises(DamagedCheckpoint, match=r"it is of step 6, not 99|its place is"):
        read_training(run.latest())
