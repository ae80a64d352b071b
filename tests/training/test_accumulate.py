"""Gradients that are added up over pieces of a batch: the same training, in less memory."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from forked import torchrun
from lightning_fabric import Fabric
from logged import logged
from torch import Tensor

import gantk
from gantk import Loss, Model, Play, Player, Stage, Step
from gantk.errors import Diverged, FitError, OptionError
from gantk.run.folder import Run
from gantk.schedule import Batch
from gantk.testing import ToyDiscriminator, ToyGenerator, ToyNoise
from gantk.training.progress import Silent
from gantk.training.turn import Turns

Build = Callable[..., Model]
Register = Callable[[str, str, type], None]
SHAPE = (1, 4, 3)
SGD = {"optimizer": "sgd", "lr": 0.5}
NETWORKS = {"generator": "dcgan:width=4,norm=none", "discriminator": "dcgan:width=4,norm=layer"}
SHORT = {"stages.game.length": "4 steps", "train.log_every": 1, "train.checkpoint_every": 2}


def trained(tiny: Build, run: Path, accumulate: int, settings: Mapping[str, Any] | None = None, **parts: Any) -> Model:
    model = tiny(settings={**SHORT, "train.accumulate": accumulate, **(settings or {})}, **{**NETWORKS, **parts})
    return gantk.train(model, run, progress=Silent())


class Remembering(Loss):
    """Remembers the mean square of real images, and mixes it into its term."""

    state: Mapping[str, float] = {"shade": 0.5}

    def discriminator(self, play: Play) -> Tensor:
        return play.state["shade"] * play.real_verdict.logits.square().mean()  # type: ignore[union-attr]

    def after_discriminator(self, play: Play) -> dict[str, Tensor]:
        return {"shade": 0.9 * play.state["shade"] + 0.1 * play.real.square().mean()}


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"loss": "wgan-gp"},
        {
            "loss": "r1:every=2",
            "settings": {"stages.game.discriminator.repeats": 2, "stages.game.generator.repeats": 2},
        },
        {"loss": "wasserstein", "settings": {"stages.game.discriminator.clip_weights": 0.05}},
        {"loss": "remembering", "settings": {"stages.game.generator.clip_gradients": 0.01}},
    ],
    ids=["usual", "gradient-penalty", "lazy-penalty-and-repeats", "clipped-weights", "state"],
)
@pytest.mark.parametrize("accumulate", [2, 3])
def test_pieces_train_as_the_whole_batch_does(
    accumulate: int, parts: dict[str, Any], tiny: Build, register: Register, tmp_path: Path
) -> None:
    """To rounding; with the same images, steps and figures. Three pieces of eight images have different sizes."""
    register("loss", "remembering", Remembering)
    plain = {
        f"stages.game.{name}.{key}": value for name in ("discriminator", "generator") for key, value in SGD.items()
    }
    settings = {**plain, **{f"stages.game.{name}.lr": 0.05 for name in ("discriminator", "generator")}}
    chosen = {**parts, "settings": {**settings, **parts.get("settings", {})}}
    whole = trained(tiny, tmp_path / "whole", 1, **chosen).state_dict()
    pieces = trained(tiny, tmp_path / "pieces", accumulate, **chosen).state_dict()
    for name, value in whole.items():
        torch.testing.assert_close(pieces[name], value, rtol=1e-4, atol=1e-6, msg=lambda text, at=name: f"{at}: {text}")
    lines, others = logged(tmp_path / "whole"), logged(tmp_path / "pieces")
    assert [*map(list, lines)] == [*map(list, others)]
    for one, other in zip(lines, others, strict=True):
        assert other == pytest.approx(one, rel=1e-3, abs=1e-5)


def test_one_piece_is_the_whole_batch_bit_for_bit(tiny: Build, tmp_path: Path) -> None:
    """One image cannot be split."""
    single = {"stages.game.batch_size": 1}
    whole = trained(tiny, tmp_path / "whole", 1, single).state_dict()
    pieces = trained(tiny, tmp_path / "pieces", 4, single).state_dict()
    assert all(torch.equal(value, pieces[name]) for name, value in whole.items())


def test_a_resumed_training_ends_in_the_same_bits(tiny: Build, tmp_path: Path) -> None:
    run = tmp_path / "run"
    once = trained(tiny, run, 3, data="digits").state_dict()
    shutil.rmtree(Run(run).checkpoint(4))
    again = gantk.train(gantk.load(run), run, progress=Silent()).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in once.items())


def test_it_can_change_within_a_run(tiny: Build, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained(tiny, run, 1, data="digits")
    longer = {"stages.game.length": "6 steps", "train.accumulate": 4}
    gantk.train(gantk.load(run), run, settings=longer, progress=Silent())
    assert Run(run).spec()["train"]["accumulate"] == 4
    assert Run(run).steps()[-1] == 6


@pytest.mark.slow
def test_several_devices_split_their_shares(tmp_path: Path) -> None:
    """Each draws its own noise for its whole share; gradients are averaged once in a turn."""
    found = []
    for accumulate in (1, 2):
        settings = {"stages.game.length": "2 steps", "stages.game.batch_size": 8, "train.accelerator": "cpu"}
        settings |= {f"stages.game.{player}.optimizer": "sgd" for player in ("discriminator", "generator")}
        settings |= {"train.devices": 2, "train.accumulate": accumulate}
        run = Run(tmp_path / f"run-{accumulate}")
        run.create(gantk.build(loss="wgan-gp", settings=settings, **NETWORKS).built.spec)
        torchrun("train", str(run), processes=2)
        found.append(gantk.load(run).state_dict())
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("wrong", [0, -2])
def test_there_is_at_least_one_piece(wrong: int, tiny: Build) -> None:
    with pytest.raises(OptionError, match=f"accumulate must be at least 1, not {wrong}"):
        tiny(settings={"train.accumulate": wrong})


class Spread(Loss):
    """How much images differ, which one image cannot tell."""

    def generator(self, play: Play) -> Tensor:
        if len(play.fake) < 2:
            raise ValueError("one image")
        return -play.fake.std(dim=0).mean()


def test_a_build_tries_pieces_that_are_too_small_for_a_loss(tiny: Build, register: Register) -> None:
    register("loss", "spread", Spread)
    tiny(loss="spread", settings={"train.accumulate": 4})
    with pytest.raises(FitError, match="on a batch of 1"):
        tiny(loss="spread", settings={"train.accumulate": 8})


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return Model(ToyNoise(), ToyGenerator(SHAPE), ToyDiscriminator(frozenset({"logits"}), SHAPE))


def turns(model: Model, accumulate: int, *players: Player) -> Turns:
    return Turns(Fabric(accelerator="cpu", devices=1), model, Stage("game", [*players]), accumulate)


def test_all_players_see_the_same_pieces_and_noise(model: Model) -> None:
    """Those of the whole batch, in its order."""
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {"generator": [], "discriminator": []}

    def playing(name: str, path: str) -> Player:
        def objective(step: Step) -> Mapping[str, Tensor]:
            seen[name].append((step["real"], step["noise"]))
            return {"weight": step.use(path).get_parameter("weight").sum()}

        return Player(name, (path,), objective, optimizer=SGD)

    images = torch.rand(7, *SHAPE)
    torch.manual_seed(1)
    players = (playing("discriminator", "discriminator.first"), playing("generator", "generator.decoder"))
    turns(model, 3, *players).play([model.step(Batch(images))])
    torch.manual_seed(1)
    noise = model.noise.sample(7)
    for pieces in seen.values():
        assert [len(real) for real, _ in pieces] == [2, 2, 3]
        assert torch.equal(torch.cat([real for real, _ in pieces]), images)
        assert torch.equal(torch.cat([drawn for _, drawn in pieces]), noise)


def bright(step: Step) -> Mapping[str, Tensor]:
    logits = step.use("discriminator")(step["fake"]).logits
    assert logits is not None
    return {"bright": logits.square().mean()}


class Learned(ToyNoise):
    """Noise that is scaled by a parameter."""

    learned = ("scale",)

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Linear(1, 1)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        scaled: Tensor = self.scale(torch.ones(1, 1)) * super().sample(n, rng)
        return scaled


def test_noise_that_learns_gets_its_gradient_from_every_piece(model: Model) -> None:
    learning = Model(Learned(), model.generator, model.discriminator)
    player = Player("generator", ("generator", "noise.scale"), bright, optimizer=SGD)
    before = {name: value.clone() for name, value in learning.noise.state_dict().items()}
    turns(learning, 4, player).play([learning.step(Batch(torch.rand(8, *SHAPE)))])
    assert not torch.equal(learning.noise.state_dict()["scale.weight"], before["scale.weight"])


def peak(model: Model, accumulate: int, size: int) -> int:
    """The most numbers that graphs keep at once for gradients, in one step of both players."""
    live = most = 0

    class Held:
        def __init__(self, tensor: Tensor) -> None:
            self.tensor = tensor

    def freed(count: int) -> None:
        nonlocal live
        live -= count

    def keep(tensor: Tensor) -> Held:
        nonlocal live, most
        held = Held(tensor)
        if not isinstance(tensor, torch.nn.Parameter):
            live, most = live + tensor.numel(), max(most, live + tensor.numel())
            weakref.finalize(held, freed, tensor.numel())
        return held

    judge = Player("discriminator", ("discriminator",), bright, optimizer=SGD)
    generator = Player("generator", ("generator",), bright, optimizer=SGD)
    played = turns(model, accumulate, judge, generator)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda held: held.tensor):
        played.play([model.step(Batch(torch.rand(size, *SHAPE)))])
    return most


def test_the_graph_of_one_piece_is_held_at_a_time(model: Model) -> None:
    whole = peak(model, 1, 64)
    assert peak(model, 8, 64) < whole / 6


def test_a_piece_that_diverges_moves_nothing(model: Model) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def shade(step: Step) -> Mapping[str, Tensor]:
        return {"shade": step["fake"].square().mean() / step["real"].mean()}

    images = torch.ones(4, *SHAPE)
    images[3] = 0
    player = Player("generator", ("generator",), shade, optimizer=SGD)
    with pytest.raises(Diverged, match="player 'generator': shade = inf"):
        turns(model, 4, player).play([model.step(Batch(images))])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
