"""How weights lie in memory while they are trained: the same training, to rounding, and the same bits on a resume."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk.nn.layout import lay_out
from gantk.run.folder import Run
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]
LAST = {"train.memory_format": "channels_last"}
SHORT = {"stages.game.length": "4 steps", "train.checkpoint_every": 2}


def is_last(tensor: Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


def test_only_weights_of_convolutions_are_laid_out() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Linear(3, 3), nn.Conv1d(2, 3, 3), nn.Conv3d(2, 3, 3))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    lay_out(module, "channels_last")
    assert [name for name, value in module.named_parameters() if is_last(value)] == ["0.weight"]
    lay_out(module, "contiguous")
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.stride() == before[name].stride()


@pytest.mark.parametrize("network", [nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 1), nn.ConvTranspose2d(4, 4, 1)])
def test_what_has_one_channel_or_one_pixel_gives_maps_in_the_layout_too(network: nn.Module) -> None:
    """Otherwise later gradients are in another layout than maps, and activations many times as slow."""
    weight: Any = network.weight
    images = torch.zeros(2, len(weight[0]), 8, 8)
    lay_out(network, "channels_last")
    assert is_last(network(images))
    lay_out(network, "contiguous")
    assert network(images).is_contiguous()


@pytest.mark.parametrize("parts", [{}, {"loss": "wgan-gp"}, {"noise": "de:dim=6,autoencoder='vae:width=4'"}])
def test_layouts_train_alike(parts: dict[str, Any], tiny: Build, tmp_path: Path) -> None:
    plain = gantk.train(tiny(settings=SHORT, **parts), tmp_path / "plain", progress=Silent())
    model = tiny(settings={**SHORT, **LAST}, **parts)
    assert model.discriminator is not None
    seen: list[bool] = []
    convolution = next(each for each in model.discriminator.modules() if isinstance(each, nn.Conv2d))
    convolution.register_forward_hook(lambda of, given, output: seen.append(of.training and is_last(output)))
    model = gantk.train(model, tmp_path / "last", progress=Silent())
    assert any(seen)
    for (name, value), other in zip(model.state_dict().items(), plain.state_dict().values(), strict=True):
        assert value.is_contiguous(), f"{name} is as it was before"
        # Adam turns rounding into steps of the learning rate where a gradient is almost zero.
        torch.testing.assert_close(value, other, rtol=0.02, atol=2e-3, msg=lambda text, at=name: f"{at}: {text}")


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_resumed_training_ends_in_the_same_bits(optimizer: str, tiny: Build, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = {f"stages.game.{player}.optimizer": optimizer for player in ("generator", "discriminator")}
    model = tiny(data="digits", settings={**SHORT, **LAST, **settings, "train.ema": 0.9})
    once = gantk.train(model, run, progress=Silent()).state_dict()
    shutil.rmtree(Run(run).checkpoint(4))
    again = gantk.train(gantk.load(run), run, progress=Silent()).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in once.items())


def test_it_can_change_within_a_run(tiny: Build, tmp_path: Path) -> None:
    """The states of optimizers follow."""
    found = []
    for name, change in (("same", {}), ("other", LAST)):
        run = tmp_path / name
        gantk.train(tiny(data="digits", settings=SHORT), run, progress=Silent())
        longer = {"stages.game.length": "5 steps", **change}
        found.append(gantk.train(gantk.load(run), run, settings=longer, progress=Silent()).state_dict())
    for name, value in found[0].items():
        torch.testing.assert_close(
            found[1][name], value, rtol=0.01, atol=1e-3, msg=lambda text, at=name: f"{at}: {text}"
        )
