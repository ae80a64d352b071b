"""What is logged of losses: every term and its parts without their weights, the weights beside them, every turn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import as_former
from lightning_fabric import Fabric
from torch import Tensor

import gantk
from gantk import Joined, Loss, Model, Play, Player, Stage, Step, Terms
from gantk.errors import FitError
from gantk.parts import Part
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.terms import terms_of
from gantk.schedule import Batch
from gantk.testing import ToyDiscriminator, ToyGenerator, ToyNoise
from gantk.training.graphs import Graphs
from gantk.training.progress import Silent, figures
from gantk.training.turn import Turns

SHAPE = (1, 4, 3)
SGD = {"optimizer": "sgd", "lr": 0.1}

Build = Callable[..., Model]
Register = Callable[[str, str, type], None]


class Shades(Loss):
    """A third-party loss: twice the mean of generated images less half of their mean square."""

    def __init__(self, *, weight: float = 0.25) -> None:
        super().__init__()
        self.weight = weight

    def generator(self, play: Play) -> Tensor:
        fake = play.fake
        return play.log("mean", fake.mean(), 2) + play.log("square", fake.square().mean(), -0.5)


class Silently(Loss):
    """The same without a word."""

    def __init__(self, *, weight: float = 0.25) -> None:
        super().__init__()
        self.weight = weight

    def generator(self, play: Play) -> Tensor:
        return 2 * play.fake.mean() - 0.5 * play.fake.square().mean()


class Showing(Part):
    """Logs where it only transforms."""

    def transform(self, images: Tensor, play: Play) -> Tensor:
        return play.log("mean", images.mean()) + images


def toy(loss: Loss, **addons: Part) -> Model:
    torch.manual_seed(0)
    judge = ToyDiscriminator(frozenset({"logits"}), SHAPE)
    return Model(ToyNoise(), ToyGenerator(SHAPE), judge, losses={"shades": loss}, addons=addons)


def played(model: Model, player: Player) -> tuple[list[Tensor], list[dict[str, float]]]:
    """The images of each of a player's turns, and what was logged of it."""
    seen: list[Tensor] = []
    objective = player.objective

    def watched(step: Step) -> Mapping[str, Tensor]:
        seen.append(step["fake"].detach().clone())
        return objective(step)

    player.objective = watched
    steps = [model.step(Batch(torch.zeros(4, *SHAPE))) for _ in range(player.repeats)]
    turns = Turns(Fabric(accelerator="cpu", devices=1), model, Stage("game", [player])).play(steps)
    return seen, [{name: float(value) for name, value in turn.items()} for turn in turns]


def test_each_turn_has_its_terms_and_their_parts_with_their_weights() -> None:
    model = toy(Shades())
    objective = Joined({"game": Terms(model.losses, "generator")})
    seen, turns = played(model, Player("generator", ("generator",), objective, optimizer=SGD, repeats=3))
    assert len(turns) == 3
    for fake, turn in zip(seen, turns, strict=True):
        mean, square = fake.mean().item(), fake.square().mean().item()
        assert turn.pop("generator/gradient_norm") > 0
        assert turn == pytest.approx(
            {
                "generator/game/shades": 2 * mean - 0.5 * square,
                "generator/game/shades/weight": 0.25,
                "generator/game/shades/mean": mean,
                "generator/game/shades/mean/weight": 2,
                "generator/game/shades/square": square,
                "generator/game/shades/square/weight": -0.5,
                "generator/objective": 0.25 * (2 * mean - 0.5 * square),
            }
        )
    assert len({turn["generator/objective"] for turn in turns}) == 3


def test_what_is_logged_changes_nothing() -> None:
    weights = []
    for loss in (Shades(), Silently()):
        model = toy(loss)
        played(model, Player("generator", ("generator",), Terms(model.losses, "generator"), optimizer=SGD, repeats=3))
        weights.append(model.generator.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_play_by_hand_keeps_what_is_logged() -> None:
    fake = torch.rand(4, *SHAPE).requires_grad_()
    play = Play(fake=fake)
    term = Shades().generator(play)
    assert term.requires_grad
    (mean, two), (square, half) = play.logged["mean"], play.logged["square"]
    assert (two, half, mean.requires_grad) == (2, -0.5, False)
    assert term.item() == pytest.approx(2 * mean.item() - 0.5 * square.item())


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.0])
def test_what_is_logged_counts_with_its_weight(weight: float) -> None:
    value = torch.tensor(3.0, requires_grad=True)
    step = toy(Shades()).step(Batch(torch.zeros(4, *SHAPE)))
    for log in (Play().log, step.log):
        assert log("penalty", value, weight).item() == 3 * weight
        assert log("penalty", value, weight).requires_grad


@pytest.mark.parametrize("value", [torch.zeros(2), torch.tensor(1j), "1", None])
def test_only_scalars_are_logged(value: Any) -> None:
    with pytest.raises(FitError, match=r"log\('penalty', …\): .* expected a scalar tensor"):
        Play().log("penalty", value)


@pytest.mark.parametrize("name", ["weight", "a b", "2nd", ""])
def test_names_that_would_be_misread_are_refused(name: str) -> None:
    with pytest.raises(FitError, match=r"expected a name of letters, digits, _ and -, other than 'weight'"):
        Play().log(name, 1.0)


def test_a_transformation_has_no_term_to_log_parts_of() -> None:
    model = toy(Shades(), showing=Showing())
    step = model.step(Batch(torch.zeros(4, *SHAPE)))
    with pytest.raises(FitError, match=r"showing: play\.log in `transform`"):
        gantk.SharedPlay(step, gantk.Binding()).shown(torch.zeros(4, *SHAPE))


def lines(run: Path) -> list[tuple[int, dict[str, float]]]:
    return [(entry["step"], entry["values"]) for entry in read_log(Run(run).log_file)]


def test_a_line_is_the_mean_of_every_turn_of_every_step(register: Register, tiny: Build, tmp_path: Path) -> None:
    """A player that has three turns in each of four steps is logged by the mean of twelve."""
    register("loss", "shades", Shades)
    turns: list[dict[str, float]] = []
    repeats = {"stages.game.generator.repeats": 3, "stages.game.discriminator.repeats": 2, "train.log_every": 4}
    model = tiny(loss=["nonsaturating", "shades"], settings=repeats)
    play = Graphs.play

    def kept(self: Graphs, *step: Any) -> Any:
        found = play(self, *step)
        turns.extend({name: float(value) for name, value in turn.items()} for turn in found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Graphs, "play", kept)
        gantk.train(model, tmp_path / "run", progress=Silent())
    (_, first), (_, second) = lines(tmp_path / "run")
    per_step = 3 + 2
    for values, own in ((first, turns[: 4 * per_step]), (second, turns[4 * per_step :])):
        for name, value in values.items():
            every = [turn[name] for turn in own if name in turn]
            assert len(every) == len(own) // per_step * (3 if name.startswith("generator/") else 2)
            assert value == pytest.approx(sum(every) / len(every))
    assert first["generator/shades/weight"] == 0.25
    assert "generator/nonsaturating/weight" not in first


def test_means_continue_over_a_resume(register: Register, tiny: Build, tmp_path: Path) -> None:
    """From a checkpoint in the middle of an interval, to the last bit; images and seconds go on, too."""
    register("loss", "shades", Shades)
    every = {"train.log_every": 4, "train.checkpoint_every": 1, "train.keep": 99}
    whole = tmp_path / "whole"
    losses, judge = ["wgan-gp", "shades"], "dcgan:width=4,norm=layer"
    gantk.train(tiny(loss=losses, discriminator=judge, data="digits", settings=every), whole, progress=Silent())
    for step in (1, 3, 5):
        run = tmp_path / f"from-{step}"
        shutil.copytree(whole, run)
        for later in Run(run).steps():
            if later > step:
                shutil.rmtree(Run(run).checkpoint(later))
        gantk.train(gantk.load(run), run, progress=Silent())
        assert lines(run) == lines(whole)
        log = Run(run).log
        batches = 5  # one for each turn of the discriminator; the generator's is on the last of them
        assert log["stage_images"].tolist() == [4 * 8 * batches, 6 * 8 * batches]
        assert 0 < log["stage_seconds"][0] < log["stage_seconds"][1]


def test_a_checkpoint_of_versions_without_intervals_is_resumed(tiny: Build, tmp_path: Path) -> None:
    """The line after it is the mean of the steps since then."""
    every = {"train.log_every": 4, "train.checkpoint_every": 1, "train.keep": 99}
    run = Run(tmp_path / "run")
    gantk.train(tiny(data="digits", settings=every), run, progress=Silent())
    _, last = lines(run.path)
    for step in (6, 5):
        shutil.rmtree(run.checkpoint(step))
    as_former(run.checkpoint(4), "interval")
    gantk.train(gantk.load(run), run, progress=Silent())
    assert lines(run.path)[-1] == last, "this checkpoint lies between two intervals"


def test_a_log_of_versions_without_weights_still_reads(tmp_path: Path) -> None:
    old = {"step": 2, "stage": "game", "stage_step": 2, "time": 1.5, "values": {"generator/hidden": 0.5}}
    new = {**old, "step": 4, "stage_images": 32, "values": {"generator/hidden": 5.0, "generator/hidden/weight": 0.1}}
    (tmp_path / "model.toml").write_text("")
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in (old, new)))
    log = Run(tmp_path).log
    assert log["generator/hidden"].tolist() == [0.5, 5.0]
    assert torch.tensor(log["generator/hidden/weight"]).isnan().tolist() == [True, False]


def test_terms_are_found_by_their_names() -> None:
    values = {
        "discriminator/wgan-gp": -1.0,
        "discriminator/wgan-gp/penalty": 0.2,
        "discriminator/wgan-gp/penalty/weight": 10.0,
        "discriminator/objective": -1.0,
        "discriminator/gradient_norm": 4.0,
        "generator/game/wgan-gp": 2.0,
        "generator/hidden": 5.0,
        "generator/hidden/weight": 0.1,
        "generator/state/ada.p": 0.5,
        "measure/prdc/coverage": 0.5,
    }
    found = terms_of(values)
    assert list(found) == ["discriminator/wgan-gp", "generator/game/wgan-gp", "generator/hidden"]
    assert found["discriminator/wgan-gp"].parts == {"penalty": 0.2}
    assert found["generator/hidden"].weight == 0.1
    assert figures(values) == "discriminator -1  generator 2 + 0.1·5"
    assert figures(values, parts=True) == "discriminator -1 (penalty 0.2)  generator 2 + 0.1·5"
