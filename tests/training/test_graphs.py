"""Steps that are recorded and replayed are those that would be computed, bit for bit, or are computed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from logged import logged
from replayed import Operators, played
from safetensors.torch import load_file
from small import small_parts
from torch import Tensor

import gantk
from gantk import Loss, Part, Play
from gantk.data import ArraySource, to_float
from gantk.errors import Diverged
from gantk.run.folder import Run
from gantk.schedule import Batch
from gantk.seeds import seed_everything
from gantk.training.graphs import PROVED, WARM, Graphs
from gantk.training.progress import Silent
from gantk.training.recording import Recorder
from gantk.training.turn import Turns

Build = Callable[..., gantk.Model]
Register = Callable[[str, str, type], None]


class Heard(Silent):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, text: str) -> None:
        if "CUDA graphs" in text:
            self.said.append(text)


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Run, Heard]]:
    """Trains a model, as on a GPU, with a recorder or without one."""

    def run(model: gantk.Model, recorder: Recorder | None, name: str = "") -> tuple[Run, Heard]:
        monkeypatch.setattr("gantk.training.trainer.Turns", partial(Turns, at_once=False, in_tensors=True))
        monkeypatch.setattr("gantk.training.trainer.recorder_of", lambda fabric, wanted: recorder if wanted else None)
        place, heard = Run(tmp_path / (name or ("replayed" if recorder else "computed"))), Heard()
        gantk.train(model, place, progress=heard)
        return place, heard

    return run


def same(one: Run, other: Run) -> None:
    assert one.steps() == other.steps()
    for step in one.steps():
        for name in ("model.safetensors", "optimizers.safetensors"):
            found, expected = (load_file(run.checkpoint(step) / name) for run in (one, other))
            assert found.keys() == expected.keys()
            assert not [key for key in found if not torch.equal(found[key], expected[key])]
    assert logged(one.path) == logged(other.path)


LONG = {"stages.game.length": "14 steps", "train.checkpoint_every": 7, "train.sample_every": 100}


def test_a_replayed_training_ends_in_the_bits_of_a_computed_one(tiny: Build, train: Callable[..., Any]) -> None:
    """With all that changes from step to step: rates, weights, averages, states of parts, random numbers, buffers."""
    settings = {
        **LONG,
        "stages.game.*.lr_schedule": "linear",
        "stages.game.generator.weight_schedule": {"nonsaturating": "linear"},
        "stages.game.generator.clip_gradients": 1.0,
        "train.ema_half_life": 50,
        "train.ema_warmup": 0.5,
    }
    parts = {"addon": "ada:images=200", "settings": settings}
    recorder = Operators()
    one, heard = train(tiny(**parts), recorder)
    other, _ = train(tiny(**parts), None)
    # The first step copies the weights to the average.
    assert (recorder.warmed, recorder.recorded, recorder.replayed, heard.said) == (WARM, 1, 14 - WARM, [])
    same(one, other)


def test_what_happens_every_few_steps_is_recorded_for_itself(tiny: Build, train: Callable[..., Any]) -> None:
    model = partial(tiny, loss="r1:every=2", settings=LONG | {"train.ema": 0.9})
    recorder = Operators()
    one, heard = train(model(), recorder)
    other, _ = train(model(), None)
    assert (recorder.recorded, heard.said) == (2, [])
    assert recorder.replayed >= 4
    same(one, other)


def test_a_resumed_training_records_anew(tiny: Build, train: Callable[..., Any]) -> None:
    model = partial(tiny, settings=LONG | {"stages.game.*.lr_schedule": "cosine:warmup=0.2"})
    whole, _ = train(model(), Operators(), "whole")
    half, _ = train(model(), Operators(), "half")
    shutil.rmtree(half.checkpoint(14))
    recorder = Operators()
    train(model(), recorder, "half")
    assert recorder.recorded == 1
    weights = [load_file(run.checkpoint(14) / "model.safetensors") for run in (whole, half)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


RECIPES = {
    **dict.fromkeys(("dcgan", "degan", "autodecoder", "aegan"), ""),
    **dict.fromkeys(("stackgan", "vaegan", "lapgan", "deligan", "cdcgan"), ""),
    "ebgan": "reads numbers from the device",
    "aae-semi": "reads numbers from the device",
    "progan": "",
}
"""Recipe → why its steps cannot be recorded, on a CPU."""


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_are_replayed_with_the_same_bits(recipe: str, tiny_pictures: ArraySource) -> None:
    settings = {"stages.*.batch_size": 6}
    parts = small_parts({"recipe": recipe})
    recorder = Operators()
    models = [gantk.build(recipe, data=tiny_pictures, settings=settings, **parts) for _ in range(2)]
    steps = 12 if recipe == "progan" else 7  # of which it fades in for half
    found, said = played(models[0], tiny_pictures, recorder, steps)
    expected, _ = played(models[1], tiny_pictures, None, steps)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    if RECIPES[recipe]:
        assert said
        assert all(RECIPES[recipe] in line for line in said)
    else:
        assert not said
        assert recorder.replayed >= 4 * len(models[0].built.stages)


class Fading(Part):
    def transform(self, images: Tensor, play: Play) -> Tensor:
        return images * (1 - play.done)


class Counting(Part):
    """Counts in an attribute what it has seen."""

    count = 0

    def transform(self, images: Tensor, play: Play) -> Tensor:
        self.count += 1
        return images * (1 + self.count / 100)


SEEN: list[int] = []


class Hiding(Part):
    """Counts where nobody looks."""

    def transform(self, images: Tensor, play: Play) -> Tensor:
        SEEN.append(1)
        return images * (1 + len(SEEN) / 10)


class Reading(Part):
    def transform(self, images: Tensor, play: Play) -> Tensor:
        return images * (1 + images.mean().item() / 100)


class Drawing(Part):
    def transform(self, images: Tensor, play: Play) -> Tensor:
        return images * float(np.random.default_rng(int(np.random.randint(9))).random() + 0.5)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Fading, "a part reads play.done"),
        (Counting, "Counting.count changes from step to step"),
        (Hiding, "a replayed step differs from a computed one"),
        (Reading, "a part reads numbers from the device (_local_scalar_dense)"),
        (Drawing, "a part draws random numbers on the CPU"),
    ],
)
def test_what_a_replay_would_miss_is_computed_and_said_once(
    part: type, reason: str, register: Register, tiny: Build, train: Callable[..., Any]
) -> None:
    register("addon", "odd", part)
    one, heard = train(tiny(addon="odd", settings=LONG), Operators())
    assert heard.said == [f"game: steps are computed one by one, not as CUDA graphs: {reason}"]
    if part is not Hiding:  # which counts the attempt, too
        other, _ = train(tiny(addon="odd", settings=LONG), None)
        same(one, other)


UNSTEADY = torch.Generator()


class Unsteady(Part):
    """Other bits each time, as of kernels that add up in any order."""

    def transform(self, images: Tensor, play: Play) -> Tensor:
        return images + 1e-6 * torch.randn(images.shape, generator=UNSTEADY)


def test_replays_may_differ_as_much_as_computed_steps_do(
    register: Register, tiny: Build, train: Callable[..., Any]
) -> None:
    register("addon", "unsteady", Unsteady)
    UNSTEADY.manual_seed(0)
    recorder = Operators()
    _, heard = train(tiny(addon="unsteady", settings=LONG), recorder)
    assert heard.said == []
    assert recorder.replayed == 14 - WARM


@pytest.mark.parametrize(
    ("settings", "recorder", "reason"),
    [
        (
            {"stages.game.generator.optimizer": "adagrad"},
            Operators(),
            "the optimizer of player 'generator' does not allow it",
        ),
        (
            {"stages.game.generator.optimizer": "sgd", "stages.game.generator.lr_schedule": "linear"},
            Operators(),
            "the optimizer of player 'generator' takes no schedule in a tensor",
        ),
        ({}, Operators(fails=True), "operation not permitted when stream is capturing"),
    ],
)
def test_what_cannot_be_recorded_is_computed(
    settings: Mapping[str, Any], recorder: Operators, reason: str, tiny: Build, train: Callable[..., Any]
) -> None:
    one, heard = train(tiny(settings={**LONG, **settings}), recorder)
    other, _ = train(tiny(settings={**LONG, **settings}), None)
    assert heard.said == [f"game: steps are computed one by one, not as CUDA graphs: {reason}"]
    same(one, other)


def test_a_stage_that_sets_something_else_in_every_step_is_computed(tiny: Build, images: ArraySource) -> None:
    model, recorder = tiny(), Operators()

    def each(model: gantk.Model, done: float) -> None:
        model.generator.seen = done

    model.built.stages[0].each = each
    _, said = played(model, images, recorder, 80)
    assert said == ["game: steps are computed one by one, not as CUDA graphs: too many of them differ"]
    assert recorder.recorded == 0


def test_batches_of_another_size_are_recorded_for_themselves(tiny: Build, images: ArraySource) -> None:
    model, recorder = tiny(), Operators()
    stage = model.built.stages[0]
    turns = Turns(Fabric(accelerator="cpu", devices=1), model, stage, at_once=False, in_tensors=True)
    graphs = Graphs(turns, model, recorder, pytest.fail)
    for number in range(2 * WARM + 4):
        batch = to_float(images.images(range(4 + 2 * (number % 2))))
        seed_everything(number)
        (_, values) = graphs.play([Batch(batch)], number, 0.0, number)
        assert all(torch.isfinite(torch.as_tensor(value)) for value in values.values())
    assert (recorder.recorded, recorder.warmed) == (2, 2 * WARM)


class Growing(Loss):
    """Overflows after some steps, by a state that grows."""

    state: Mapping[str, float] = {"k": 1.0}

    def generator(self, play: Play) -> Tensor:
        return play.state["k"] * play.fake.square().mean()

    def after_generator(self, play: Play) -> dict[str, Tensor]:
        return {"k": play.state["k"] * 1e5}


def test_divergence_in_a_replayed_step_is_noticed_with_its_number(
    register: Register, tiny: Build, train: Callable[..., Any]
) -> None:
    register("loss", "growing", Growing)
    recorder = Operators()
    never = {f"train.{name}_every": 100 for name in ("log", "sample", "checkpoint", "measure")}
    said = r"stage 'game', step 6, player 'generator': gradient norm = inf \(noticed after step 14\); there is no"
    with pytest.raises(Diverged, match=said):
        train(tiny(loss="growing", settings=LONG | never), recorder)
    assert recorder.replayed > PROVED


def test_graphs_are_not_used_where_they_are_not_wanted(tiny: Build, train: Callable[..., Any]) -> None:
    recorder = Operators()
    train(tiny(settings={"train.cuda_graphs": False}), recorder)
    assert (recorder.warmed, recorder.recorded) == (0, 0)


def test_training_goes_on_where_there_is_no_memory_to_compare_replays(
    tiny: Build, train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(graphs: Graphs) -> list[Tensor]:
        short = torch.zeros(1)
        short.clone = lambda: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory"))  # type: ignore[method-assign]
        return [short]

    with monkeypatch.context() as patch:
        patch.setattr(Graphs, "_tensors", failing)
        one, heard = train(tiny(settings=LONG), Operators())
    other, _ = train(tiny(settings=LONG), None)
    assert [line.partition("CUDA graphs: ")[2] for line in heard.said] == [
        "there is not enough memory to compare replayed steps with computed ones"
    ]
    same(one, other)
