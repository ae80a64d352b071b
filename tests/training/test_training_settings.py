"""Settings of training that change no shape and no name: what a run computes with them, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor, nn

import gantk
from gantk.building.train_settings import TrainSettings
from gantk.errors import Diverged, UsageError
from gantk.training.devices import fabric_of
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]


def record(module: nn.Module, what: Callable[[Tensor], Any]) -> list[Any]:
    """What a function finds of each output of a module while it is trained, in order."""
    found: list[Any] = []

    def hook(of: nn.Module, given: object, output: Tensor) -> None:
        if of.training:
            found.append(what(output))

    module.register_forward_hook(hook)
    return found


def first(module: nn.Module, kind: type[nn.Module]) -> nn.Module:
    return next(each for each in module.modules() if isinstance(each, kind))


def values(run: Path) -> list[dict[str, float]]:
    return [json.loads(line)["values"] for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("precision", "expected"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)])
def test_networks_compute_in_the_precision_that_is_set(
    precision: str, expected: torch.dtype, tiny: Build, tmp_path: Path
) -> None:
    model = tiny(settings={"train.precision": precision, "stages.game.length": "2 steps"})
    assert model.discriminator is not None
    types = record(first(model.discriminator, nn.Conv2d), lambda output: output.dtype)
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert types
    assert set(types) == {expected}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("settings", "devices", "strategy"),
    [({}, 1, SingleDeviceStrategy), ({"devices": 2}, 2, DDPStrategy), ({"strategy": "ddp"}, 1, DDPStrategy)],
)
def test_as_many_devices_work_together_as_is_set(settings: dict[str, Any], devices: int, strategy: type) -> None:
    fabric = fabric_of(TrainSettings(accelerator="cpu", **settings))
    assert (fabric.device, fabric.world_size, type(fabric.strategy)) == (torch.device("cpu"), devices, strategy)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_this_machine_lacks_is_refused(tiny: Build, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^train: accelerator=cuda, devices=1, nodes=1, strategy=auto: "):
        gantk.train(tiny(settings={"train.accelerator": "cuda"}), tmp_path / "run", progress=Silent())


@pytest.mark.parametrize("pieces", [1, 2, 4])
def test_a_batch_is_split_into_as_many_pieces_as_is_set(pieces: int, tiny: Build, tmp_path: Path) -> None:
    model = tiny(settings={"train.accumulate": pieces})
    sizes = record(model.generator, len)
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert set(sizes) == {8 // pieces}


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_convolutions_lie_in_memory_as_is_set(layout: str, tiny: Build, tmp_path: Path) -> None:
    model = tiny(settings={"train.memory_format": layout}, data="digits")
    assert model.discriminator is not None
    wide = next(each for each in model.discriminator.modules() if isinstance(each, nn.Conv2d) and each.in_channels > 1)
    found = record(wide, lambda output: wide.weight.is_contiguous())
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert set(found) == {layout == "contiguous"}


@pytest.mark.parametrize("most", [0.0, 0.01])
def test_gradients_are_clipped_to_their_norm(most: float, tiny: Build, tmp_path: Path) -> None:
    """Plain gradient descent with a learning rate of 1 moves the weights by the gradient itself."""
    plain = {"optimizer": "sgd", "lr": 1.0, "clip_gradients": most}
    settings = {f"stages.game.discriminator.{name}": value for name, value in plain.items()}
    model = tiny(settings={**settings, "stages.game.length": "1 step"})
    assert model.discriminator is not None
    before = [parameter.detach().clone() for parameter in model.discriminator.parameters()]
    gantk.train(model, tmp_path / "run", progress=Silent())
    moved = [after - old for after, old in zip(model.discriminator.parameters(), before, strict=True)]
    norm = float(nn.utils.get_total_norm([each.detach() for each in moved]))
    logged = values(tmp_path / "run")[0]["discriminator/gradient_norm"]
    assert logged > 0.05
    assert norm == pytest.approx(most or logged, rel=1e-3)


def test_gradients_below_the_limit_stay_as_they_are(tiny: Build, tmp_path: Path) -> None:
    short = {"stages.game.length": "2 steps", "train.checkpoint_every": 1}
    limited = {f"stages.game.{player}.clip_gradients": 1e6 for player in ("discriminator", "generator")}
    free = gantk.train(tiny(settings=short), tmp_path / "free", progress=Silent())
    wide = gantk.train(tiny(settings={**short, **limited}), tmp_path / "wide", progress=Silent())
    pairs = zip(free.parameters(), wide.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(("repeats", "forwards"), [(1, 1), (3, 3)])
def test_one_generator_forward_serves_both_players(repeats: int, forwards: int, tiny: Build, tmp_path: Path) -> None:
    """One for each batch of a step: the last is the discriminator's and then the generator's."""
    model = tiny(settings={"stages.game.discriminator.repeats": repeats})
    counted = record(model.generator, len)
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert counted == [8] * (6 * forwards)


def deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


@pytest.mark.parametrize("before", [(False, False), (True, False)])
def test_training_asks_torch_for_deterministic_kernels(before: tuple[bool, bool], tiny: Build, tmp_path: Path) -> None:
    model = tiny(settings={"stages.game.length": "2 steps"})
    found = record(model.generator, lambda output: deterministic())
    torch.use_deterministic_algorithms(before[0], warn_only=before[1])
    try:
        gantk.train(model, tmp_path / "run", progress=Silent())
        after = deterministic()
    finally:
        torch.use_deterministic_algorithms(False)
    assert found
    assert all(asked for asked, _ in found)
    assert after == before


def test_training_leaves_torchs_settings_as_they_were(tiny: Build, tmp_path: Path) -> None:
    """Also its filling of memory, which training does without."""
    filling = torch.utils.deterministic  # type: ignore[attr-defined]
    found: list[bool] = []
    model = tiny(settings={"stages.game.length": "2 steps"})
    model.generator.register_forward_hook(lambda *_: found.append(filling.fill_uninitialized_memory))
    before = filling.fill_uninitialized_memory
    for value in (True, False):
        filling.fill_uninitialized_memory = value
        try:
            gantk.train(model, tmp_path / str(value), progress=Silent())
            assert filling.fill_uninitialized_memory == value
        finally:
            filling.fill_uninitialized_memory = before
    assert set(found) == {False}


def test_only_what_a_stage_moves_is_in_training_mode_and_takes_gradients(tiny: Build, tmp_path: Path) -> None:
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'")
    found: dict[str, set[tuple[bool, bool]]] = {"noise": set(), "generator": set(), "discriminator": set()}
    fitting = record(model.generator, lambda output: any(each.training for each in model.noise.modules()))
    for name, modes in found.items():
        first(model.get_submodule(name), nn.Linear).register_forward_hook(
            lambda module, given, output, modes=modes: modes.add((module.training, module.weight.requires_grad))
        )
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert set(fitting) == {False}, "where the generator is trained"
    assert found["noise"] == {(True, True), (False, False)}, "fitted, and then only drawn from"
    assert {live for training, live in found["generator"] if training} == {True}
    assert found["discriminator"] == {(True, True), (True, False)}, "in its own turn, and in the generator's"


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_trained_model_can_be_trained_on_in_a_loop_of_ones_own(ema: float, tiny: Build, tmp_path: Path) -> None:
    """Also a noise that the game has frozen."""
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'", settings={"train.ema": ema})
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert [name for name, parameter in model.named_parameters() if not parameter.requires_grad] == []
    assert [name for name, module in model.named_modules() if module.training] == []
    assert model.discriminator is not None
    (-model.discriminator(model.generator(model.noise.sample(4))).logits.mean()).backward()
    assert all(parameter.grad is not None for parameter in model.generator.parameters())


def test_a_model_whose_training_failed_is_not_left_frozen(tiny: Build, tmp_path: Path) -> None:
    model = tiny(settings={"stages.game.generator.lr": 1e30})
    with pytest.raises(Diverged):
        gantk.train(model, tmp_path / "run", progress=Silent())
    assert all(parameter.requires_grad for parameter in model.parameters())
