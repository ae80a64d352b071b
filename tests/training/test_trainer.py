"""The trainer, seen from outside: what a run holds, what moves, what stops it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import gantk
from gantk.errors import DataError, Diverged, UsageError
from gantk.run.folder import Run
from gantk.training.batches import Batches
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(Run(run).latest() / "model.safetensors")


def test_a_run_holds_what_the_design_says(tiny: Build, tmp_path: Path) -> None:
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    run = Run(tmp_path / "run")
    assert run.steps() == [2, 4, 6]
    assert sorted(path.name for path in run.samples_folder.iterdir()) == ["step-0000003.png", "step-0000006.png"]
    assert Image.open(run.samples_folder / "step-0000006.png").size == (2 * 16 + 2, 2 * 16 + 2)
    lines = [json.loads(line) for line in run.log_file.read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    each = ("nonsaturating", "objective", "gradient_norm")
    parts = {f"discriminator/nonsaturating/{part}" for part in ("real", "fake")}
    both = {f"{player}/{term}" for player in ("discriminator", "generator") for term in each}
    assert set(lines[0]["values"]) == both | parts
    assert [line["stage_images"] for line in lines] == [16, 32, 48]
    board = EventAccumulator(str(run.tensorboard))
    board.Reload()
    logged = {event.step: event.value for event in board.Scalars("game/generator/nonsaturating")}
    assert logged == pytest.approx({line["step"]: line["values"]["generator/nonsaturating"] for line in lines})


def test_the_last_step_of_a_stage_is_logged_drawn_and_kept(tiny: Build, tmp_path: Path) -> None:
    """Whatever the intervals."""
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'", settings={"stages.*.length": "5 steps"})
    gantk.train(model, tmp_path / "run", progress=Silent())
    run = Run(tmp_path / "run")
    lines = [json.loads(line) for line in run.log_file.read_text().splitlines()]
    logged = [(line["step"], line["stage"], line["stage_step"]) for line in lines]
    assert logged == [
        *((k, "pretrain", k) for k in (2, 4, 5)),
        *((k, "game", k - 5) for k in (6, 8, 10)),
    ]
    assert [path.name for path in run.samples] == [f"step-{k:07d}.png" for k in (3, 5, 6, 9, 10)]
    assert run.steps() == [6, 8, 10], "the newest three of 2, 4, 5, 6, 8, 10"


@pytest.mark.parametrize("recipe", ["dcgan", "wgan-gp", "vae", "degan"])
def test_four_schedules_through_one_trainer(recipe: str, tiny: Build, tmp_path: Path) -> None:
    parts = {"noise": "de:dim=6,autoencoder='vae:width=4'"} if recipe == "degan" else {}
    parts |= {"discriminator": "dcgan:width=4,norm=layer"} if recipe == "wgan-gp" else {}
    model = tiny(recipe, **parts)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    gantk.train(model, tmp_path / "run", progress=Silent())
    moved = {n.split(".")[0] for n, p in model.named_parameters() if not torch.equal(p.detach(), before[n])}
    assert (
        moved
        == {
            "dcgan": {"discriminator", "generator"},
            "wgan-gp": {"discriminator", "generator"},
            "vae": {"generator"},
            "degan": {"noise", "discriminator", "generator"},
        }[recipe]
    )
    loaded = gantk.load(tmp_path / "run")
    assert torch.equal(loaded.sample(5, seed=3), model.sample(5, seed=3))


def test_the_frozen_noise_does_not_move_in_the_game(tiny: Build, tmp_path: Path) -> None:
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'", settings={"train.keep": 20, "train.checkpoint_every": 1})
    gantk.train(model, tmp_path / "run", progress=Silent())
    run = Run(tmp_path / "run")
    first, last = (load_file(run.checkpoint(step) / "model.safetensors") for step in (6, 12))
    noise = [name for name in first if name.startswith("noise.")]
    assert noise
    assert all(torch.equal(first[name], last[name]) for name in noise)


def test_repeated_turns_read_batches_of_their_own(tiny: Build, tmp_path: Path) -> None:
    model = tiny(loss="wasserstein")
    stage = model.built.stages[0]
    assert stage.players[0].repeats == 5
    assert stage.batches() == 5
    seen: list[int] = []
    assert model.built.data is not None
    original = model.built.data.images
    model.built.data.images = lambda indices: (seen.extend(int(i) for i in indices), original(indices))[1]  # type: ignore[method-assign,func-returns-value]
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert len(seen) == 6 * 5 * 8
    assert np.bincount(seen).tolist() == [6] * 40  # 240 images read are six epochs of 40


def test_each_step_draws_noise_of_its_own_by_the_runs_seed(tiny: Build, tmp_path: Path) -> None:
    drawn: dict[str, list[tuple[float, ...]]] = {"one": [], "again": [], "other": []}
    for name, noise in drawn.items():
        model = tiny(seed=int(name == "other"))
        model.generator.register_forward_pre_hook(
            lambda module, given, noise=noise: (
                noise.append(tuple(given[0].ravel().tolist())) if module.training else None
            )
        )
        gantk.train(model, tmp_path / name, progress=Silent())
    assert len(set(drawn["one"])) == len(drawn["one"]) == 6
    assert drawn["one"] == drawn["again"]
    assert not set(drawn["one"]) & set(drawn["other"])


def test_clipped_weights_stay_within(tiny: Build, tmp_path: Path) -> None:
    model = gantk.train(tiny(loss="wasserstein"), tmp_path / "run", progress=Silent())
    assert model.discriminator is not None
    weights = torch.cat([parameter.detach().ravel() for parameter in model.discriminator.parameters()])
    assert (float(weights.min()), float(weights.max())) == pytest.approx((-0.01, 0.01))


def test_the_average_follows_the_generator_and_is_sampled_from(tiny: Build, tmp_path: Path) -> None:
    model = tiny(settings={"train.ema": 0.5, "stages.game.length": "2 steps", "train.checkpoint_every": 1})
    gantk.train(model, tmp_path / "run", progress=Silent())
    run = Run(tmp_path / "run")
    one, two = (load_file(run.checkpoint(step) / "model.safetensors") for step in (1, 2))
    name = next(name for name in one if name.startswith("generator.") and name.endswith("weight"))
    averaged = f"average.generator.module.{name.removeprefix('generator.')}"
    # torch's averaging copies the weights at its first update and averages from the second on
    torch.testing.assert_close(one[averaged], one[name])
    torch.testing.assert_close(two[averaged], 0.5 * one[name] + 0.5 * two[name])
    plain = tiny(settings={"stages.game.length": "2 steps"})
    plain.load_state_dict({k: v for k, v in two.items() if not k.startswith("average.")})
    assert not torch.equal(plain.sample(2, seed=0), gantk.load(run).sample(2, seed=0))


def test_not_a_number_stops_the_run_and_the_last_checkpoint_stays(tiny: Build, tmp_path: Path) -> None:
    model = tiny(settings={"stages.game.generator.lr": 1e30, "train.checkpoint_every": 1})
    with pytest.raises(Diverged, match=r"stage 'game', step \d, player '\w+': .* = (nan|inf)|step \d: .* holds NaN"):
        gantk.train(model, tmp_path / "run", progress=Silent())
    run = Run(tmp_path / "run")
    for step in run.steps():
        assert all(torch.isfinite(t).all() for t in load_file(run.checkpoint(step) / "model.safetensors").values())


def test_a_trained_run_is_left_alone_and_fresh_starts_over(tiny: Build, tmp_path: Path) -> None:
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    first, log = weights(tmp_path / "run"), (tmp_path / "run" / "log.jsonl").read_text()
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    assert (tmp_path / "run" / "log.jsonl").read_text() == log
    gantk.train(tiny(), tmp_path / "run", fresh=True, progress=Silent())
    assert Run(tmp_path / "run" / "old-1").steps() == [2, 4, 6]
    again = weights(tmp_path / "run")
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_another_model_is_refused_in_a_run(tiny: Build, tmp_path: Path) -> None:
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    with pytest.raises(UsageError, match="contains another model"):
        gantk.train(tiny(seed=1), tmp_path / "run", progress=Silent())


def test_changed_data_is_refused(tiny: Build, tmp_path: Path) -> None:
    model = tiny()
    model.built.spec["shape"]["images"] = 41
    with pytest.raises(DataError, match=r"there were 41 images and now there are 40.*accept_data=True"):
        gantk.train(model, tmp_path / "run", progress=Silent())
    model.built.spec["shape"]["images"] = 41
    run = Run(tmp_path / "run")
    gantk.train(model, run, accept_data=True, progress=Silent())
    assert run.steps() == [2, 4, 6]
    assert run.spec()["shape"]["images"] == 40


def test_logging_and_sampling_change_nothing(tiny: Build, tmp_path: Path) -> None:
    gantk.train(tiny(), tmp_path / "often", progress=Silent())
    seldom = {"train.log_every": 100, "train.sample_every": 100, "train.checkpoint_every": 100}
    gantk.train(tiny(settings=seldom), tmp_path / "seldom", progress=Silent())
    often, never = weights(tmp_path / "often"), weights(tmp_path / "seldom")
    assert all(torch.equal(often[name], never[name]) for name in often)


def test_training_leaves_the_callers_random_numbers_alone(tiny: Build, tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    assert torch.equal(torch.rand(3), expected)


def test_bfloat16_trains(tiny: Build, tmp_path: Path) -> None:
    model = tiny(settings={"train.precision": "bf16-mixed"})
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert torch.isfinite(model.sample(4)).all()


def test_a_vae_learns_two_kinds_of_stripes(tiny: Build, tmp_path: Path) -> None:
    model = tiny("vae", settings={"stages.fit.length": "150 steps", "train.log_every": 10})
    gantk.train(model, tmp_path / "run", progress=Silent())
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [line["values"]["autoencoder/vae"] for line in lines]
    assert losses[-1] < 0.5 * losses[0]


def test_any_player_can_repeat_its_turn(tiny: Build, tmp_path: Path) -> None:
    model = tiny(settings={"stages.game.generator.repeats": 3, "stages.game.discriminator.repeats": 2})
    assert model.built.stages[0].batches() == 4
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert torch.isfinite(model.sample(2)).all()


def test_what_was_trained_before_data_vanished_is_saved(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the run ends in the same bits once they are back."""
    whole, run, usual = tmp_path / "whole", tmp_path / "run", Batches._read

    def vanished(batches: Batches, done: int) -> Any:
        if done == 3:
            raise OSError("Stale file handle")
        return usual(batches, done)

    gantk.train(tiny(), whole, progress=Silent())
    monkeypatch.setattr(Batches, "_read", vanished)
    with pytest.raises(DataError) as error:
        gantk.train(tiny(), run, progress=Silent())
    said = f"an image cannot be read: Stale file handle; step 3 is saved; resume with: gantk train {run}"
    assert (str(error.value), Run(run).steps()[-1]) == (said, 3)
    monkeypatch.setattr(Batches, "_read", usual)
    gantk.train(tiny(), run, progress=Silent())
    one, two = weights(whole), weights(run)
    assert all(torch.equal(value, two[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("vanished_after", "says"),
    [
        (0, "there is no checkpoint yet"),
        (1, "step 1 is saved"),
        (4, "the last checkpoint is of step 4"),
        (5, "step 5 is saved"),
    ],
)
def test_a_step_that_data_vanished_after_is_saved_once(
    vanished_after: int, says: str, tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Batches._read
    gone = tmp_path / "gone"
    monkeypatch.setattr(Batches, "_read", lambda own, n: usual(own, n) if n < vanished_after else gone.stat())
    with pytest.raises(DataError, match=f"cannot be read: .*No such file.*; {says}; resume with: gantk train"):
        gantk.train(tiny(), tmp_path / "run", progress=Silent())
    expected = [step for step in (2, 4) if step < vanished_after]
    assert Run(tmp_path / "run").steps() == [*expected, *([vanished_after] if vanished_after else [])]


@pytest.mark.parametrize(("batch", "said"), [(40, False), (48, True)])
def test_batches_that_are_larger_than_the_data_are_told(batch: int, said: bool, tiny: Build, tmp_path: Path) -> None:
    lines: list[str] = []
    progress = Silent()
    progress.say = lines.append  # type: ignore[method-assign]
    gantk.train(tiny(settings={"stages.game.batch_size": batch}), tmp_path / "run", progress=progress)
    assert said == any(
        line.startswith(f"game: a batch of {batch} is larger than the data set of 40 images") for line in lines
    )


def test_a_clock_that_stands_still_stops_nothing(tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    assert Run(tmp_path / "run").steps()[-1] == 6
