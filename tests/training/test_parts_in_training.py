"""Parts that remember, learn and measure: what a run makes of what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from logged import column, logged
from small import small_parts
from torch import Tensor, nn

import gantk
from gantk import Loss, Metric, Model, NoiseSource, Play, Stage
from gantk.data import ArraySource
from gantk.errors import Diverged
from gantk.measures import Comparison
from gantk.parts import Part
from gantk.run.folder import Run
from gantk.training.progress import Silent
from gantk_classic.recipe import Game

Build = Callable[..., Model]
Register = Callable[[str, str, type], None]
EVERY_STEP = {"train.log_every": 1, "train.checkpoint_every": 1, "train.keep": 99}


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
    assert column(tmp_path / "run", ".discriminators") == [2, 5, 8, 11, 14, 17], "means of three turns each"
    assert {18.0, 16.0} < {value.item() for _, value in model.state.named_buffers()}
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
    where = rf"stage 'game', step 3, player 'generator': {said}; the last checkpoint is of step 2"
    with pytest.raises(Diverged, match=where):
        gantk.train(model, run, progress=Silent())
    assert run.steps() == [1, 2]
    kept = gantk.load(run).generator
    assert all(torch.equal(a, b) for a, b in zip(kept.parameters(), model.generator.parameters(), strict=True))


class Shifted(NoiseSource):
    """Normal noise around a mean that is learned, and one that is not."""

    learned = ("mean",)

    def __init__(self, *, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim
        self.mean = nn.Linear(1, dim)
        self.other = nn.Linear(1, dim)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        noise = self.draw_normal(n, self.dim, rng=rng)
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


class Scaled(NoiseSource):
    """Noise with a parameter of its own, by an author who says nothing of who moves it."""

    def __init__(self, *, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.Tanh())
        self.fixed = nn.Linear(dim, dim)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        drawn = self.draw_normal(n, self.dim, rng=rng)
        with torch.no_grad():
            drawn = drawn + self.fixed(drawn)
        noise: Tensor = self.layers(drawn)
        return noise


@pytest.mark.parametrize("recipe", ["dcgan", "wgan", "age", "aegan", "progan"])
def test_a_noise_with_parameters_is_moved_by_who_generates(
    recipe: str, tiny_pictures: ArraySource, tmp_path: Path
) -> None:
    parts = {**small_parts({"recipe": recipe}), "noise": Scaled}
    short = {"stages.*.length": "2 steps", "stages.*.batch_size": 4}
    model = gantk.build(recipe, data=tiny_pictures, settings=short, **parts)
    before = {name: value.clone() for name, value in model.noise.state_dict().items()}
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert changed(before, model.noise) == {"layers.0.weight", "layers.0.bias"}
    assert "no player trains noise.fixed." in model.built.notes


def test_a_fit_that_draws_no_noise_says_that_nobody_moves_it(tiny_pictures: ArraySource) -> None:
    model = gantk.build("vae", data=tiny_pictures, **{**small_parts({"recipe": "vae"}), "noise": Scaled})
    assert "no player trains noise." in model.built.notes


def test_a_noise_that_learns_nothing_is_moved_by_nobody(tiny: Build) -> None:
    assert [player.moves for player in tiny().built.stages[0].players] == [("discriminator",), ("generator",)]


class Looked(Metric):
    """What the state of things is when a model is measured."""

    needs = frozenset({"model"})

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        assert comparison.model is not None
        modules = comparison.model.modules()
        seen = {"training": any(module.training for module in modules), "gradients": torch.is_grad_enabled()}
        return {**{name: float(value) for name, value in seen.items()}, "draw": torch.rand(()).item()}


def test_metrics_are_measured_and_logged_and_change_nothing(register: Register, tiny: Build, tmp_path: Path) -> None:
    register("metric", "looked", Looked)
    measured = tiny(metric="looked", settings={"train.measure_every": 4, **EVERY_STEP})
    gantk.train(measured, tmp_path / "run", progress=Silent())
    run = tmp_path / "run"
    steps = [k + 1 for k, values in enumerate(logged(run)) if "measure/looked/draw" in values]
    assert steps == [4, 6], "every fourth step and the last"
    assert column(run, "looked/training") == [0, 0]
    assert column(run, "looked/gradients") == [0, 0]
    assert len(set(column(run, "looked/draw"))) == 1, "random numbers are the same every time"
    plain = gantk.train(tiny(), tmp_path / "plain", progress=Silent())
    assert all(torch.equal(one, other) for one, other in zip(measured.parameters(), plain.parameters(), strict=True))


class Entering(Game):
    """Draws the generator's first bias as its game is entered."""

    def stages(self, model: Model) -> Sequence[Stage]:
        (game,) = super().stages(model)
        game.enter = _draw
        return [game]


@torch.no_grad()
def _draw(model: Model) -> None:
    next(model.generator.parameters()).copy_(torch.rand(next(model.generator.parameters()).shape))


def test_what_is_drawn_as_a_stage_is_entered_follows_from_the_seed(
    register: Register, tiny: Build, tmp_path: Path
) -> None:
    """And from the stage, whatever was drawn before."""
    register("recipe", "entering", Entering)
    found = []
    for number, seed in enumerate((0, 0, 1)):
        settings = {"stages.game.length": "1 step", "stages.game.generator.lr": 0.0}
        model = tiny("entering", loss="nonsaturating", seed=seed, settings=settings)
        torch.rand(number)
        gantk.train(model, tmp_path / str(number), progress=Silent())
        found.append(next(model.generator.parameters()).detach().clone())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
