"""No step waits for a device, and what is not finite is noticed all the same before anything is shown or saved."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from logged import logged
from safetensors.torch import load_file
from small import small_parts
from torch import Tensor

import gantk
from gantk import Loss, Part, Play
from gantk.data import ArraySource, to_float
from gantk.errors import Diverged
from gantk.registry import plugins
from gantk.run.folder import Run
from gantk.schedule import Batch, Stage
from gantk.training.progress import Silent
from gantk.training.turn import Turns
from gantk.training.waits import Waits

Build = Callable[..., gantk.Model]
Register = Callable[[str, str, type], None]

SAME = {
    *("aegan-128", "aegan-512", "aegan-64", "degan-celeba", "degan-cifar10", "degan-mnist", "progan-cifar10"),
    *("adversarial-autoencoder", "autoencoder-game", "embedding-game", "encoded-game", "fit", "game", "game-per-size"),
    *("growing", "residual-games", "semi-supervised-autoencoder", "stacked-games"),
}
"""Presets that are another one with other values, and schedules of which there is a preset."""
ON_THE_CPU_ALONE = {
    "began": "logits are checked to be negative errors",
    "ebgan": "logits are checked to be negative errors",
    "aae-semi": "a random number that is drawn on the CPU becomes a seed",
}


def played(model: gantk.Model, stage: Stage, data: ArraySource, size: int = 6) -> Waits:
    """What two steps of a stage wait for, after two that are not counted."""
    if stage.enter is not None:
        stage.enter(model)
    model.eval().requires_grad_(False)
    for path in stage.moves():
        model.get_submodule(path).train()
    turns = Turns(Fabric(accelerator="cpu", devices=1), model, stage, at_once=False)
    batch = Batch(to_float(data.images(range(size))), data.labels(range(size)))

    def step(number: int) -> None:
        if stage.each is not None:
            stage.each(model, number / 4)
        many = stage.batches() + stage.further_batches()
        turns.play(model.step(batch, stage.values, number=number, done=number / 4) for _ in range(many))
        model.update_average(stage.moves(), size)

    for number in range(2):
        step(number)
    with Waits(torch.device("cpu")) as waits:
        for number in range(2, 4):
            step(number)
    assert turns.divergence() is None
    return waits


@pytest.mark.parametrize("recipe", sorted({plugin.name for plugin in plugins("recipe")} - SAME))
def test_no_step_of_a_recipe_waits_for_a_device(recipe: str, tiny_pictures: ArraySource) -> None:
    settings = {"stages.*.batch_size": 6, "stages.*.length": "4 steps", "train.ema_half_life": 30}
    settings |= {"train.ema_warmup": 0.5, "stages.*.*.lr_schedule": "linear"}
    model = gantk.build(recipe, data=tiny_pictures, settings=settings, **small_parts({"recipe": recipe}))
    with model.averaging():
        found = {stage.name: played(model, stage, tiny_pictures).found for stage in model.built.stages}
    waited = sum(counter.total() for counter in found.values())
    assert waited == 0 or recipe in ON_THE_CPU_ALONE, found


@pytest.mark.parametrize(
    "waiting",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: (x > 0).nonzero(),
        lambda x: torch.tensor([1.0, 2.0]) + x,
    ],
)
def test_what_waits_is_counted(waiting: Callable[[Tensor], object]) -> None:
    with Waits(torch.device("cpu")) as waits:
        waiting(torch.arange(2.0))
    assert waits.found.total() == 1


class Broken(Loss):
    """Infinite from the third step on."""

    def generator(self, play: Play) -> Tensor:
        value = play.fake.square().mean()
        return value if play.step < 2 else value * torch.inf


class Lost(Part):
    """Keeps what is no number after the third step, which it does not use."""

    state: Mapping[str, float] = {"k": 0.0}

    def after_generator(self, play: Play) -> dict[str, Tensor]:
        return {"k": torch.tensor(float("nan") if play.step >= 2 else 1.0)}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training looks for what is not finite as on a GPU."""
    monkeypatch.setattr("gantk.training.trainer.Turns", partial(Turns, at_once=False))


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize(
    ("due", "noticed"),
    [
        ({"train.log_every": 4}, 4),
        ({"train.checkpoint_every": 5}, 5),
        ({"train.sample_every": 3}, 3),
        ({}, 6),  # the stage's last step
    ],
)
def test_divergence_is_noticed_before_anything_is_shown_or_saved(
    due: dict[str, int], noticed: int, register: Register, tiny: Build, tmp_path: Path
) -> None:
    register("loss", "broken", Broken)
    never = {f"train.{name}_every": 100 for name in ("log", "sample", "checkpoint", "measure")}
    when = rf" \(noticed after step {noticed}\)" if noticed > 3 else ""
    said = f"stage 'game', step 3, player 'generator': broken = inf{when}; there is no checkpoint yet"
    run = Run(tmp_path / "run")
    with pytest.raises(Diverged, match=f"^{said}$"):
        gantk.train(tiny(loss="broken", settings={**never, **due}), run, progress=Silent())
    assert run.steps() == []
    assert not list(run.path.glob("samples/*"))
    assert not run.log_file.exists() or not run.log_file.read_text()


@pytest.mark.usefixtures("later")
def test_state_that_diverges_is_noticed_and_checkpoints_before_it_stay(
    register: Register, tiny: Build, tmp_path: Path
) -> None:
    register("addon", "lost", Lost)
    run = Run(tmp_path / "run")
    said = r"step 3, player 'generator': k of .*lost = nan; the last checkpoint is of step 2"
    with pytest.raises(Diverged, match=said):
        gantk.train(tiny(addon="lost"), run, progress=Silent())
    assert run.steps() == [2]


class Ended(Broken):
    """Is asked to end by a signal in the fifth step."""

    def generator(self, play: Play) -> Tensor:
        if play.step == 4:
            signal.raise_signal(signal.SIGTERM)
        return super().generator(play)


@pytest.mark.usefixtures("later")
def test_a_signal_saves_nothing_that_diverged(register: Register, tiny: Build, tmp_path: Path) -> None:
    register("loss", "ended", Ended)
    never = {f"train.{name}_every": 100 for name in ("log", "sample", "checkpoint", "measure")}
    with pytest.raises(Diverged, match=r"step 3, .* \(noticed after step 5\)"):
        gantk.train(tiny(loss="ended", settings=never), tmp_path / "run", progress=Silent())
    assert Run(tmp_path / "run").steps() == []


def test_training_is_the_same_whether_it_waits_or_not(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Run(tmp_path / "one"), Run(tmp_path / "other")
    settings = {"stages.game.*.lr_schedule": "linear"}
    gantk.train(tiny(loss="r1", addon="ada:images=100", settings=settings), one, progress=Silent())
    monkeypatch.setattr("gantk.training.trainer.Turns", partial(Turns, at_once=False))
    gantk.train(tiny(loss="r1", addon="ada:images=100", settings=settings), other, progress=Silent())
    weights = [load_file(run.checkpoint(6) / "model.safetensors") for run in (one, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert logged(one.path) == logged(other.path)
