"""Parts that remember, learn, measure and follow the training: what a run makes of what they say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor, nn

import gantk
from gantk import Loss, Metric, Model, NoiseSource, Play
from gantk.errors import Diverged, OptionError
from gantk.parts import Part
from gantk.run.checkpoints import load_training
from gantk.run.folder import Run
from gantk.training.progress import Silent

Build = Callable[..., Model]
Register = Callable[[str, str, type], None]
EVERY_STEP = {"train.log_every": 1, "train.checkpoint_every": 1, "train.keep": 99}


def logged(run: Path) -> list[dict[str, float]]:
    """The values of every step."""
    found: dict[int, dict[str, float]] = {}
    for line in (run / "log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        found.setdefault(entry["step"], {}).update(entry["values"])
    return [found[step] for step in sorted(found)]


def column(run: Path, ending: str) -> list[float]:
    """The values of the one logged name that ends so."""
    names = {name for values in logged(run) for name in values if name.endswith(ending)}
    assert len(names) == 1, names
    return [values[name] for values in logged(run) for name in names if name in values]


class Turns(Part):
    """Counts the turns of each player, and how bright the images of the last were."""

    state: Mapping[str, float] = {"discriminators": 0.0, "generators": 10.0, "bright": 0.0}

    def after_discriminator(self, play: Play) -> dict[str, Tensor]:
        assert not torch.is_grad_enabled()
        return {"discriminators": play.state["discriminators"] + 1, "bright": play.real.mean()}

    def after_generator(self, play: Play) -> dict[str, Tensor]:
        return {"generators": play.state["generators"] + 1}


def test_what_parts_remember_moves_once_after_each_turn(register: Register, tiny: Build, tmp_path: Path) -> None:
    """Never at build, which tries every turn; every repeated turn is one."""
    register("addon", "turns", Turns)
    model = tiny(addon="turns", settings={**EVERY_STEP, "stages.game.discriminator.repeats": 3})
    held = {name: value.item() for name, value in model.state.named_buffers()}
    assert sorted(held.values()) == [0, 0, 10]
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert column(tmp_path / "run", ".discriminators") == [3, 6, 9, 12, 15, 18]
    assert column(tmp_path / "run", ".generators") == [11, 12, 13, 14, 15, 16]
    assert len(set(column(tmp_path / "run", ".bright"))) == 6
    loaded = gantk.load(tmp_path / "run")
    assert {n: v.item() for n, v in loaded.state.named_buffers()} == {
        n: v.item() for n, v in model.state.named_buffers()
    }


def test_devices_keep_the_mean_of_what_they_remember(
    register: Register, tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another device had counted as far as 4."""
    asked: list[str] = []

    def all_reduce(self: Fabric, data: Tensor, group: Any = None, reduce_op: str = "mean") -> Tensor:
        asked.append(reduce_op)
        return (data + 4) / 2

    monkeypatch.setattr(Fabric, "all_reduce", all_reduce)
    register("addon", "turns", Turns)
    gantk.train(tiny(addon="turns", settings=EVERY_STEP), tmp_path / "run", progress=Silent())
    assert column(tmp_path / "run", ".discriminators")[:3] == [2.5, 3.75, 4.375]
    assert set(asked) == {"mean"}


class Lost(Part):
    """Remembers what is no number."""

    state: Mapping[str, float] = {"k": 0.0}

    def after_generator(self, play: Play) -> dict[str, Tensor]:
        return {"k": torch.tensor(float("nan") if play.step >= 2 else 1.0)}


def test_a_remembered_number_that_is_none_stops_the_run(register: Register, tiny: Build, tmp_path: Path) -> None:
    register("addon", "lost", Lost)
    with pytest.raises(Diverged, match=r"step 3, player 'generator': k of .*lost = nan"):
        gantk.train(tiny(addon="lost", settings=EVERY_STEP), tmp_path / "run", progress=Silent())
    assert Run(tmp_path / "run").steps() == [1, 2]


class Broken(Loss):
    """Is no number from the third step on, or has no gradient that is one."""

    def __init__(self, *, gradient: bool = False) -> None:
        super().__init__()
        self.gradient = gradient

    def generator(self, play: Play) -> Tensor:
        value = play.fake.square().mean()
        if play.step < 2:
            return value
        return (0 * value).sqrt() if self.gradient else value * torch.inf


@pytest.mark.parametrize(("gradient", "said"), [(False, "broken = inf"), (True, "gradient norm = nan")])
def test_what_is_no_number_stops_a_run_before_it_moves_anything(
    gradient: bool, said: str, register: Register, tiny: Build, tmp_path: Path
) -> None:
    register("loss", "broken", Broken)
    model, run = tiny(loss=f"broken:gradient={str(gradient).lower()}", settings=EVERY_STEP), Run(tmp_path / "run")
    where = rf"stage 'game', step 3, player 'generator': {said}; the checkpoint of step 2 is whole"
    with pytest.raises(Diverged, match=where):
        gantk.train(model, run, progress=Silent())
    assert run.steps() == [1, 2]
    kept = gantk.load(run).generator
    assert all(torch.equal(a, b) for a, b in zip(kept.parameters(), model.generator.parameters(), strict=True))


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


def rates(run: Path, player: str) -> list[float]:
    """The learning rate of every step, as the checkpoint after it has it."""
    states = [load_training(Run(run).checkpoint(step))["optimizers"][player] for step in Run(run).steps()]
    return [state["param_groups"][0]["lr"] for state in states]


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_learning_rates_are_base_times_rate_after_a_resume_too(stop: int, tiny: Build, tmp_path: Path) -> None:
    schedules = {
        "stages.game.generator.lr": 0.01,
        "stages.game.generator.lr_schedule": "linear:end=0.1",
        "stages.game.discriminator.lr": 0.02,
        "stages.game.discriminator.lr_schedule": "step:at=[0.5]",
    }
    run = tmp_path / "run"
    gantk.train(tiny(data="digits", settings={**EVERY_STEP, **schedules}), run, progress=Silent())
    for each in (run, resumed(run, stop, tmp_path / "resumed")):
        assert rates(each, "generator") == [0.01 * (1 - 0.9 * max(0.0, k / 6)) for k in range(6)]
        assert rates(each, "discriminator") == [0.02] * 3 + [0.02 * 0.1] * 3


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
        assert column(each, "generator/following") == pytest.approx([1 - k / 6 for k in range(6)])
        assert logged(each)[-1]["generator/nonsaturating"] == logged(run)[-1]["generator/nonsaturating"]


def test_a_schedule_of_a_term_that_there_is_not_is_refused(tiny: Build) -> None:
    schedule = {"stages.game.generator.weight_schedule": {"nonsaturatin": "linear"}}
    with pytest.raises(OptionError, match=r"this player has no term 'nonsaturatin'\. Did you mean 'nonsaturating'"):
        tiny(settings=schedule)


class Shifted(NoiseSource):
    """Normal noise around a mean that is learned, and one that is not."""

    learned = ("mean",)

    def __init__(self, *, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim
        self.mean = nn.Linear(1, dim)
        self.other = nn.Linear(1, dim)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        noise = self.draw_normal(n, self.dim, generator=generator)
        return noise + self.mean(torch.ones(1, 1, device=self.device)) + self.other.bias.detach()


class WhollyShifted(Shifted):
    """The same, and says that it learns all of it."""

    learned = ("",)


def changed(before: Mapping[str, Tensor], after: nn.Module) -> set[str]:
    return {name for name, value in after.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize(
    ("noise", "moves"), [(Shifted, "noise.mean"), (WhollyShifted, "noise")], ids=["a module", "all of it"]
)
def test_a_learned_noise_is_moved_by_the_generators_player(
    noise: type, moves: str, register: Register, tiny: Build, tmp_path: Path
) -> None:
    register("noise", "shifted", noise)
    model = tiny(noise="shifted:dim=6")
    assert [player.moves for player in model.built.stages[0].players] == [("discriminator",), ("generator", moves)]
    before = {name: value.clone() for name, value in model.noise.state_dict().items()}
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert changed(before, model.noise) == {"mean.weight", "mean.bias"}


def test_a_noise_that_learns_nothing_is_moved_by_nobody(tiny: Build) -> None:
    assert [player.moves for player in tiny().built.stages[0].players] == [("discriminator",), ("generator",)]


class Looked(Metric):
    """What the state of things is when a model is measured."""

    def measure(self, model: Model) -> Mapping[str, float]:
        seen = {"training": any(module.training for module in model.modules()), "gradients": torch.is_grad_enabled()}
        return {**{name: float(value) for name, value in seen.items()}, "draw": torch.rand(()).item()}


def test_metrics_are_measured_and_logged_and_change_nothing(register: Register, tiny: Build, tmp_path: Path) -> None:
    register("metric", "looked", Looked)
    measured = tiny(metric="looked", settings={"train.measure_every": 4, **EVERY_STEP})
    gantk.train(measured, tmp_path / "run", progress=Silent())
    run = tmp_path / "run"
    steps = [k + 1 for k, values in enumerate(logged(run)) if "measure/metric.looked/draw" in values]
    assert steps == [4, 6], "every fourth step and the last"
    assert column(run, "looked/training") == [0, 0]
    assert column(run, "looked/gradients") == [0, 0]
    assert len(set(column(run, "looked/draw"))) == 1, "random numbers are the same every time"
    plain = gantk.train(tiny(), tmp_path / "plain", progress=Silent())
    assert all(torch.equal(one, other) for one, other in zip(measured.parameters(), plain.parameters(), strict=True))


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
