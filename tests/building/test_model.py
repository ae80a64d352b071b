"""A model in a user's hands: its modes, its seeds, its types, and what it says of arguments that cannot work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import gantk
from gantk.errors import FitError, UsageError
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]


def test_a_model_is_in_evaluation_mode_after_build_load_and_train(tiny: Build, tmp_path: Path) -> None:
    model = tiny()
    assert not any(module.training for module in model.modules())
    gantk.train(model, tmp_path / "run", progress=Silent())
    loaded = gantk.load(tmp_path / "run")
    for each in (model, loaded):
        assert not any(module.training for module in each.modules())
        assert all(parameter.requires_grad for parameter in each.parameters())
        before = each.sample(4, seed=1)
        each.generator(torch.randn(64, 6))
        assert torch.equal(each.sample(4, seed=1), before)


def test_with_averages_the_generator_is_what_is_sampled_from(tiny: Build, tmp_path: Path) -> None:
    settings = {"train.ema": 0.9, "train.checkpoint_every": 1, "train.keep": 9}
    model = gantk.train(tiny(settings=settings), tmp_path / "run", progress=Silent())
    loaded = gantk.load(tmp_path / "run")
    for each in (model, loaded):
        noise = each.sample_noise(32, seed=1)
        assert torch.equal(each.generator(noise).detach(), each.generate(noise))
        assert not any(name.startswith("average.") for name, _ in each.named_parameters())
    plain = tiny()
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in plain.parameters())
    with loaded.averaging():
        assert not torch.equal(loaded.generator(noise).detach(), loaded.generate(noise))
    assert torch.equal(loaded.generate(noise), model.generate(noise))


def test_own_weights_in_the_generator_are_sampled_from_with_averages_too(tiny: Build) -> None:
    model = tiny(settings={"train.ema": 0.9})
    before = model.sample(2, seed=0)
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.mul_(1.5)
    assert not torch.equal(model.sample(2, seed=0), before)


def test_samples_are_new_at_every_call_unless_a_seed_is_given(tiny: Build) -> None:
    model = tiny()
    assert not torch.equal(model.sample(4), model.sample(4))
    assert not torch.equal(model.sample_noise(4, seed=None), model.sample_noise(4, seed=None))
    torch.manual_seed(5)
    one = model.sample(4)
    torch.manual_seed(5)
    assert torch.equal(model.sample(4), one)
    assert torch.equal(model.sample(4, seed=np.int64(3)), model.sample(4, seed=3))


@pytest.mark.parametrize("n", [-1, 2.5, "4", None])
def test_how_many_is_a_count(n: object, tiny: Build) -> None:
    with pytest.raises(UsageError, match="a number of images, 0 or more"):
        tiny().sample(n)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "0", True])
def test_a_seed_in_its_range(seed: object, tiny: Build) -> None:
    with pytest.raises(UsageError, match="a seed is an integer"):
        tiny().sample(1, seed=seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("cast", [nn.Module.double, nn.Module.half, nn.Module.bfloat16])
@pytest.mark.parametrize(
    "noise", ["gaussian:dim=6", "uniform:dim=6", "sphere:dim=6", "de:dim=6,autoencoder='vae:width=4'"]
)
def test_a_model_samples_in_any_type(cast: Callable[[nn.Module], nn.Module], noise: str, tiny: Build) -> None:
    model = tiny(noise=noise)
    cast(model)
    images = model.sample(3, seed=0)
    assert (images.dtype, images.shape) == (torch.float32, (3, 1, 14, 14))
    assert images.isfinite().all()


def test_noise_of_any_real_type_is_read(tiny: Build) -> None:
    model = tiny()
    noise = model.sample_noise(3, seed=0)
    expected = model.generate(noise)
    assert torch.equal(model.generate(noise.numpy()), expected)  # type: ignore[arg-type]
    assert torch.equal(model.generate(noise.double()), expected)
    assert model.generate(torch.ones(2, 6, dtype=torch.int64)).shape == (2, 1, 14, 14)


@pytest.mark.parametrize(
    ("noise", "said"),
    [
        (torch.zeros(2, 7), r"noise is \[N, 6\], not \[2, 7\]\.$"),
        (torch.zeros(6), r"noise is \[N, 6\], not \[6\]\.$"),
        (torch.zeros(2, 6, 1, 1), r"not \[2, 6, 1, 1\]; write noise.flatten\(1\)"),
        (torch.zeros(2, 6, dtype=torch.complex64), "noise is real, not torch.complex64"),
        (np.zeros((2, 6), dtype=bool), "noise is real, not torch.bool"),
        ("noise", r"a tensor \[N, 6\], not a str"),
        (None, r"a tensor \[N, 6\], not a NoneType"),
    ],
)
def test_noise_that_cannot_work_is_named(noise: object, said: str, tiny: Build) -> None:
    with pytest.raises(UsageError, match=said):
        tiny().generate(noise)  # type: ignore[arg-type]


def test_a_broken_forward_is_named(tiny: Build) -> None:
    model = tiny()
    model.generator.forward = lambda noise: noise @ torch.zeros(5, 3)  # type: ignore[method-assign]
    with pytest.raises(FitError, match=r"generator DCGANGenerator fails on noise \[32, 6\] of torch.float32: RuntimeE"):
        model.sample(2)
