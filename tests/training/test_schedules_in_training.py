"""What follows the training: learning rates, weights of terms and averages, also after a resume."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from logged import column, logged
from safetensors.torch import load_file
from torch import Tensor

import gantk
from gantk import Loss, Model, Play
from gantk.errors import OptionError, WorkError
from gantk.run.checkpoints import save
from gantk.run.folder import Run
from gantk.training.progress import Progress, Silent

Build = Callable[..., Model]
Register = Callable[[str, str, type], None]
EVERY_STEP = {"train.log_every": 1, "train.checkpoint_every": 1, "train.keep": 99}


class Following(Loss):
    """One, whatever the images; what it logs beside that is where the training stands."""

    state: Mapping[str, float] = {"step": -1.0, "done": -1.0}

    def generator(self, play: Play) -> Tensor:
        return 1 + 0 * play.fake.mean()

    def after_generator(self, play: Play) -> dict[str, Tensor]:
        return {"step": torch.tensor(float(play.step)), "done": torch.tensor(play.done)}


def test_a_play_knows_where_training_is(register: Register, tiny: Build, tmp_path: Path) -> None:
    register("loss", "following", Following)
    gantk.train(tiny(loss="following", settings=EVERY_STEP), tmp_path / "run", progress=Silent())
    assert column(tmp_path / "run", "following.step") == [0, 1, 2, 3, 4, 5]
    assert column(tmp_path / "run", "following.done") == pytest.approx([k / 6 for k in range(6)])


def resumed(run: Path, step: int, into: Path) -> Path:
    """A copy of a run that was stopped after a step and trained on."""
    shutil.copytree(run, into)
    for later in Run(into).steps():
        if later > step:
            shutil.rmtree(Run(into).checkpoint(later))
    gantk.train(gantk.load(into), into, progress=Silent())
    return into


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_learning_rates_are_base_times_rate_after_a_resume_too(
    stop: int, tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: dict[str, list[float]] = {"generator": [], "discriminator": []}

    def saved(run: Run, model: gantk.Model, place: Any, optimizers: Any, *rest: Any) -> Path:
        for player, optimizer in optimizers.items():
            rates[player].append(optimizer.param_groups[0]["lr"])
        return save(run, model, place, optimizers, *rest)

    monkeypatch.setattr("gantk.training.trainer.save", saved)
    schedules = {
        "stages.game.generator.lr": 0.01,
        "stages.game.generator.lr_schedule": "linear:end=0.1",
        "stages.game.discriminator.lr": 0.02,
        "stages.game.discriminator.lr_schedule": "step:at=[0.5]",
    }
    run = tmp_path / "run"
    gantk.train(tiny(data="digits", settings={**EVERY_STEP, **schedules}), run, progress=Silent())
    resumed(run, stop, tmp_path / "resumed")
    steps = [*range(6), *range(stop, 6)]
    assert rates["generator"] == [0.01 * (1 - 0.9 * max(0.0, k / 6)) for k in steps]
    assert rates["discriminator"] == [0.02 if k < 3 else 0.02 * 0.1 for k in steps]


def test_a_learning_rate_of_nothing_moves_nothing(tiny: Build, tmp_path: Path) -> None:
    settings = {"stages.game.generator.lr_schedule": "step:at=[0.5],factor=0.0"}
    gantk.train(tiny(settings={**EVERY_STEP, **settings}), tmp_path / "run", progress=Silent())
    at = [gantk.load(tmp_path / "run", step=step).generator for step in (2, 3, 6)]
    one, two, three = (torch.cat([p.flatten() for p in g.parameters()]) for g in at)
    assert not torch.equal(one, two)
    assert torch.equal(two, three)


def test_weights_of_terms_follow_their_schedule(register: Register, tiny: Build, tmp_path: Path) -> None:
    register("loss", "following", Following)
    run, schedule = tmp_path / "run", {"stages.game.generator.weight_schedule": {"following": "linear"}}
    model = tiny(loss="following", data="digits", settings={**EVERY_STEP, **schedule})
    gantk.train(model, run, progress=Silent())
    for each in (run, resumed(run, 3, tmp_path / "resumed")):
        assert column(each, "generator/following") == [1.0] * 6
        assert column(each, "generator/following/weight") == pytest.approx([1 - k / 6 for k in range(6)])
        assert logged(each)[-1]["generator/nonsaturating"] == logged(run)[-1]["generator/nonsaturating"]


def test_a_schedule_of_a_term_that_there_is_not_is_refused(tiny: Build) -> None:
    schedule = {"stages.game.generator.weight_schedule": {"nonsaturatin": "linear"}}
    with pytest.raises(OptionError, match=r"this player has no term 'nonsaturatin'\. Did you mean 'nonsaturating'"):
        tiny(settings=schedule)


def averaged(model: Model, slot: str) -> tuple[int, list[Tensor]]:
    average = model.average.get_submodule(slot)
    assert isinstance(average, gantk.nn.Average)
    return int(average.images), [value.clone() for value in average.module.parameters()]


def test_averages_count_the_images_of_steps_that_moved_them(tiny: Build, tmp_path: Path) -> None:
    """Not those of a noise's pre-training; and every image that a step reads, repeated turns included."""
    settings = {"train.ema_half_life": 100, "train.ema_warmup": 0.1, "stages.game.discriminator.repeats": 2}
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'", settings={**settings, **EVERY_STEP})
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert averaged(model, "generator")[0] == 6 * 2 * 8


def test_an_average_in_training_is_that_of_its_weights(tiny: Build, tmp_path: Path) -> None:
    """From the weights of every checkpoint, with half-life and warm-up, by its formula."""
    settings = {"train.ema_half_life": 20, "train.ema_warmup": 0.5}
    gantk.train(tiny(settings={**settings, **EVERY_STEP}), tmp_path / "run", progress=Silent())
    run = Run(tmp_path / "run")
    held = [load_file(run.checkpoint(step) / "model.safetensors") for step in run.steps()]
    name = next(n for n in held[0] if n.startswith("generator.") and n.endswith("weight"))
    expected = held[0][name]
    for step, weights in enumerate(held[1:], 1):
        decay = 0.5 ** (8 / min(20, 0.5 * 8 * step))
        expected = decay * expected + (1 - decay) * weights[name]
        found = weights[f"average.generator.module.{name.removeprefix('generator.')}"]
        torch.testing.assert_close(found, expected)


class Failing(Silent):
    """Fails in the middle of the fourth step."""

    def step(self) -> None:
        super().step()
        if self._done == 4:
            raise MemoryError


def test_a_stage_is_entered_once_and_told_before_each_step_how_much_is_done(tiny: Build, tmp_path: Path) -> None:
    """Also over a resume, from the third step; what is drawn at random on entering depends on the run's seed alone."""
    entered: list[float] = []
    parts: list[float] = []

    def train(name: str, seed: int = 0, progress: Progress | None = None) -> None:
        model = tiny(seed=seed, settings={"train.checkpoint_every": 3})
        (stage,) = model.built.stages
        stage.enter = lambda model: entered.append(float(torch.rand(())))
        stage.each = lambda model, done: parts.append(done)
        gantk.train(model, tmp_path / name, progress=progress or Silent())

    with pytest.raises(WorkError):
        train("stopped", progress=Failing())
    assert len(entered) == 1
    assert parts == pytest.approx([k / 6 for k in range(4)])
    train("stopped")
    assert len(entered) == 1
    assert parts[4:] == pytest.approx([k / 6 for k in range(3, 6)])
    torch.manual_seed(1)
    train("again")
    train("other", seed=1)
    assert entered[0] == entered[1] != entered[2]


def test_what_a_stage_draws_on_entering_is_the_same_after_a_resume(tiny: Build, tmp_path: Path) -> None:
    entered: list[float] = []
    run, pretrained = Run(tmp_path / "run"), {"noise": "de:dim=6,autoencoder='vae:width=4'"}
    for _ in range(2):
        model = tiny(**pretrained, settings={"stages.*.length": "2 steps", **EVERY_STEP})
        model.built.stages[-1].enter = lambda model: entered.append(float(torch.rand(())))
        gantk.train(model, run, progress=Silent())
        for later in (3, 4):
            shutil.rmtree(run.checkpoint(later))
    assert len(entered) == 2
    assert entered[0] == entered[1]
