"""build --from: a run that starts from another one's weights, part by part."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from by_hand import rewrite
from safetensors.torch import load_file

import gantk as api
from gantk.data import ArraySource


def weights(run: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(run / f"checkpoints/step-{step:07d}/model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_it_goes_on_from_these_weights_and_needs_the_run_no_longer(trained: Path, tmp_path: Path, call) -> None:
    longer = ("--set", "stages.game.length=4 steps")
    out = call("build", "--from", "trained", *longer, "-o", "fine").worked().out
    assert "note: generator, discriminator start from trained/checkpoints/step-0000008." in out
    first = load_file(tmp_path / "fine/start/model.safetensors")
    assert same(first, weights(trained, 8))
    shutil.rmtree(trained)
    call("train", "fine").worked()
    once = weights(tmp_path / "fine", 4)
    assert not same(once, first)
    call("train", "fine", "--fresh").worked()
    assert same(weights(tmp_path / "fine", 4), once), "--fresh starts from them again"
    text = (tmp_path / "fine/model.toml").read_text()
    assert f'run = "{trained}"' in text
    assert "step = 8" in text


def test_its_settings_are_the_runs_and_a_checkpoint_can_be_named(trained: Path, tmp_path: Path, call) -> None:
    call("build", "--from", "trained/checkpoints/step-0000004", "--seed", "3", "-o", "fine").worked()
    assert same(load_file(tmp_path / "fine/start/model.safetensors"), weights(trained, 4))
    text = (tmp_path / "fine/model.toml").read_text()
    for setting in ("width = 4", 'length = "8 steps"', "seed = 3", "checkpoint_every = 4"):
        assert setting in text


def test_parts_that_do_not_fit_start_anew_with_the_reason(trained: Path, tmp_path: Path, call) -> None:
    out = call("build", "--from", "trained", "--discriminator", "dcgan:width=6", "-o", "fine").worked().out
    assert "note: generator starts from trained/checkpoints/step-0000008." in out
    reason = next(line for line in out.splitlines() if line.startswith("note: discriminator starts from new weights: "))
    assert " there and " in reason
    assert "[" in reason
    out = call("build", "--from", "trained", "--generator", "gan", "-o", "other").worked().out
    assert "generator starts from new weights: it is gantk:dcgan there and gantk:gan here" in out


def test_the_stages_are_the_schedules_where_the_runs_preset_is_no_longer_installed(trained: Path, call) -> None:
    written = trained / "model.toml"
    written.write_text(written.read_text().replace('preset = "dcgan"', 'preset = "uninstalled"'))
    out = call("build", "--from", "trained", "--discriminator", "dcgan:width=6", "-o", "fine").worked().out
    assert "note: generator starts from trained/checkpoints/step-0000008." in out
    stages = api.Run(trained.parent / "fine").spec()["stages"]
    assert [*stages] == ["game"]
    assert stages["game"]["length"] != "8 steps"


def test_nothing_fits(trained: Path, tmp_path: Path, call) -> None:
    both = ("--generator", "dcgan:width=6", "--discriminator", "dcgan:width=6")
    error = call("build", "--from", "trained", *both, "-o", "fine").error(2)
    assert "no part can start from trained/checkpoints/step-0000008: generator starts from new weights: " in error
    assert not (tmp_path / "fine").exists()


@pytest.mark.parametrize("foreign", [False, True])
def test_a_newest_checkpoint_that_cannot_be_used_is_named_and_the_one_before_it_used(
    foreign: bool, trained: Path, call
) -> None:
    newest = trained / "checkpoints/step-0000008"
    if foreign:
        rewrite(newest, weights=lambda weights: weights.update(other=torch.zeros(1)))
    else:
        (newest / "model.safetensors").write_bytes(b"cut")
    result = call("build", "--from", "trained", "-o", "fine").worked()
    assert "note: generator, discriminator start from trained/checkpoints/step-0000004." in result.out
    said = (
        "does not fit this run: it contains the weights of another model" if foreign else "is damaged: it has 3 bytes"
    )
    assert f"trained/checkpoints/step-0000008/model.safetensors {said}" in result.err
    assert "using trained/checkpoints/step-0000004" in result.err


def test_a_run_never_trained_and_none(untrained: Path, call) -> None:
    assert "has not been trained yet" in call("build", "--from", "untrained", "-o", "fine").error(1)
    assert "nowhere is not a run" in call("build", "--from", "nowhere", "-o", "fine").error(1)


@pytest.mark.slow
def test_in_python_with_other_data_and_an_average(trained: Path, tmp_path: Path) -> None:
    black = ArraySource(torch.zeros(20, 1, 28, 28, dtype=torch.uint8))
    model = api.build(start_from=trained, data=black, settings={"train.ema": 0.9})
    assert torch.equal(model.sample(3, seed=0), api.load(trained).sample(3, seed=0))
    api.train(model, tmp_path / "fine")
    assert (tmp_path / "fine/checkpoints/step-0000008").is_dir()
