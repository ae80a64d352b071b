"""Progressive GAN's schedule: what a stage shows, which parameters move when, and that a resumed run is the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_post_hook

import gantk
from gantk import Play, Verdict
from gantk.data import ArraySource
from gantk.errors import FitError, OptionError
from gantk.run.checkpoints import read_training
from gantk.run.folder import Run
from gantk.schedule import Batch
from gantk.training.progress import Silent
from gantk_progressive.discriminator import ProGANDiscriminator
from gantk_progressive.generator import ProGANGenerator
from gantk_progressive.layers import halve, twice
from gantk_progressive.recipe import Growing

SIDE = 28
"""So the stages are size-7, size-14 and size-28."""

SMALL = {
    "generator": "progan:fmap_base=32,fmap_max=8",
    "discriminator": "progan:fmap_base=32,fmap_max=8",
    "noise": "gaussian:dim=6",
}
STEPS = 4


@pytest.fixture
def pictures() -> ArraySource:
    return ArraySource(np.random.default_rng(0).integers(0, 256, (40, 1, SIDE, SIDE)).astype(np.uint8))


def build(data: ArraySource, recipe: str = "progan", settings: dict[str, Any] | None = None, **parts: Any) -> Any:
    few = {"stages.size-*.length": f"{STEPS} steps", "stages.size-*.batch_size": 8, "train.samples": 2}
    return gantk.build(recipe, data=data, settings={**few, **(settings or {})}, **{**SMALL, **parts})


def test_the_presets_values_are_the_papers(pictures: ArraySource) -> None:
    model = gantk.build("progan", data=pictures, **SMALL)
    assert [stage.name for stage in model.built.stages] == ["size-7", "size-14", "size-28"]
    assert [stage.length for stage in model.built.stages] == ["800000 images", "1600000 images", "1600000 images"]
    adam = {"optimizer": "adam", "lr": 1e-3, "betas": (0.0, 0.99), "eps": 1e-8}
    for stage in model.built.stages:
        assert stage.batch_size == 16
        assert stage.adversarial
        assert [(player.name, player.repeats) for player in stage.players] == [("discriminator", 1), ("generator", 1)]
        assert all(player.optimizer == adam for player in stage.players)
    assert model.built.spec["train"]["ema"] == 0.999
    assert model.built.spec["loss"] == [
        {
            "plugin": "gantk:wgan-gp",
            "penalty": 10.0,
            "target": 1.0,
            "drift": 0.001,
            "per_sample": False,
            "weight": 1.0,
        }
    ]


def test_the_authors_settings_on_cifar10() -> None:
    """config.py of their first code: 128 channels everywhere, 400k + 400k images, a gradient norm of 750."""
    model = gantk.build("progan-cifar10", data=ArraySource(np.zeros((4, 3, 32, 32), dtype=np.uint8)))
    assert [stage.length for stage in model.built.stages] == ["400000 images", *["800000 images"] * 3]
    assert [stage.name for stage in model.built.stages] == ["size-4", "size-8", "size-16", "size-32"]
    assert {p.shape[0] for n, p in model.generator.named_parameters() if n.endswith("conv.weight")} == {128}
    assert dict(model.losses)["wgan-gp"].target == 750


@pytest.mark.parametrize(
    ("size", "images"),
    [((4, 4), 16), ((128, 128), 16), ((129, 64), 16), ((256, 256), 14), ((300, 512), 6), ((1024, 1024), 3)],
)  # fmt: skip
def test_batch_sizes_follow_the_longer_side(size: tuple[int, int], images: int) -> None:
    assert Growing().batch_size(size) == images


def test_stages_of_other_shapes_and_tables() -> None:
    data = ArraySource(np.zeros((4, 4, 48, 32), dtype=np.uint8))
    model = gantk.build("progan:batch_sizes={8=5,20=4},fade=0.25,images=1000", data=data, **SMALL)
    found = [(stage.name, stage.length, stage.batch_size) for stage in model.built.stages]
    assert found == [
        ("size-6x4", "750 images", 5),
        ("size-12x8", "1000 images", 5),
        ("size-24x16", "1000 images", 4),
        ("size-48x32", "1000 images", 4),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("fade=1", r"fade must be in \[0, 1\), not 1"),
        ("images=0", "images must be at least 1"),
        ("batch_sizes={}", "batch_sizes are like"),
        ("batch_sizes={4=0}", "batch_sizes are like"),
        ("batch_sizes={a=4}", "batch_sizes are like"),
    ],
)
def test_options_out_of_range_are_refused(options: str, message: str, pictures: ArraySource) -> None:
    with pytest.raises(OptionError, match=message):
        build(pictures, f"progan:{options}")


@pytest.mark.parametrize("slot", ["generator", "discriminator"])
def test_networks_that_do_not_grow_are_refused(slot: str, pictures: ArraySource) -> None:
    with pytest.raises(FitError, match=f"needs a {slot} that grows, which DCGAN.* use --{slot} progan"):
        build(pictures, **{slot: "dcgan:width=4"}, loss="nonsaturating")


class Recorded(gantk.Loss):
    """Keeps what a player sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor, Tensor, Verdict]] = []

    def discriminator(self, play: Play) -> Tensor:
        self.seen.append((play.real, play.fake, play.generate(play.noise), play.real_verdict))
        return play.real_verdict.logits.mean() - play.fake_verdict.logits.mean()


@pytest.mark.parametrize(("index", "done", "alpha"), [(0, 0.0, 1.0), (1, 0.125, 0.25), (1, 0.5, 1.0), (2, 0.375, 0.75)])
def test_what_a_stage_shows(index: int, done: float, alpha: float, pictures: ArraySource) -> None:
    model = build(pictures)
    stage, recorder = model.built.stages[index], Recorded()
    stage.players[0].objective.losses[:] = [("recorded", recorder)]
    stage.each(model, done)
    assert (model.generator.growth.depth, model.generator.growth.alpha) == (index, alpha)
    batch = Batch(torch.rand(4, 1, SIDE, SIDE) * 2 - 1)
    step = model.step(batch, stage.values)
    step.begin(["discriminator"], ["generator"])
    stage.players[0].objective(step)
    real, fake, again, verdict = recorder.seen[0]

    size = (7 * 2**index, 7 * 2**index)
    sharp = F.adaptive_avg_pool2d(batch.images, size)
    expected = sharp if index == 0 else torch.lerp(twice(halve(sharp), size), sharp, alpha)
    torch.testing.assert_close(real, expected)
    torch.testing.assert_close(fake, model.generator.images.drawn(step["noise"], index, alpha))
    torch.testing.assert_close(again, fake)
    assert not fake.requires_grad
    assert verdict.hidden is not None
    assert len(verdict.hidden) == index + 1
    assert step["fake"].shape == (4, 1, SIDE, SIDE)
    blocks = F.interpolate(fake, (SIDE, SIDE)).clamp(-1, 1)
    torch.testing.assert_close(step["fake"], blocks)
    torch.testing.assert_close(model.built.recipe.judged(model, batch.images), expected)
    torch.testing.assert_close(model.generator(step["noise"]), blocks)


@contextmanager
def watched(model: gantk.Model) -> Iterator[list[set[str]]]:
    """The names of the parameters that each optimizer step has moved."""
    moved: list[set[str]] = []
    before = {name: p.detach().clone() for name, p in model.named_parameters() if not name.startswith("average")}

    def note(*_: Any) -> None:
        now = {name: model.get_parameter(name).detach().clone() for name in before}
        moved.append({name for name in now if not torch.equal(now[name], before[name])})
        before.update(now)

    handle = register_optimizer_step_post_hook(note)
    try:
        yield moved
    finally:
        handle.remove()


def parts(names: set[str]) -> set[str]:
    """`generator.images.doublings.0.convs.1.conv.weight` → `generator.doublings.0`."""
    short = {name.replace("generator.images.", "generator.") for name in names}
    return {".".join(name.split(".")[: 3 if name.split(".")[2].isdigit() else 2]) for name in short}


def test_which_parameters_move_at_which_turn(pictures: ArraySource, tmp_path: Path) -> None:
    model = build(pictures)
    with watched(model) as moved:
        gantk.train(model, tmp_path / "run", progress=Silent())
    turns = [parts(names) for names in moved]
    assert len(turns) == 3 * STEPS * 2

    judging, drawing = {"discriminator.last", "discriminator.logit"}, {"generator.base"}
    judges = [{f"discriminator.from_image.{depth}"} for depth in range(3)]
    draws = [{f"generator.to_image.{depth}"} for depth in range(3)]
    for depth in range(3):
        below = judging | {f"discriminator.halvings.{d}" for d in range(depth)}
        maps = drawing | {f"generator.doublings.{d}" for d in range(depth)}
        stage = turns[depth * STEPS * 2 : (depth + 1) * STEPS * 2]
        if depth:  # alpha is 0, 0.5, 1, 1: at 0 the new layers get no gradient, at 1 the old ones
            new_judge, new_maps = {f"discriminator.halvings.{depth - 1}"}, {f"generator.doublings.{depth - 1}"}
            assert stage[0] == (below - new_judge) | judges[depth - 1]
            assert stage[1] == (maps - new_maps) | draws[depth - 1]
            assert stage[2] == below | judges[depth] | judges[depth - 1]
            assert stage[3] == maps | draws[depth] | draws[depth - 1]
        whole = stage[4:] if depth else stage
        assert whole[::2] == [below | judges[depth]] * (len(whole) // 2), "the discriminator's turns"
        assert whole[1::2] == [maps | draws[depth]] * (len(whole) // 2), "the generator's turns"


def trained(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint holds beside the weights, but for how long it took."""
    state = vars(read_training(checkpoint))
    return {**state, "interval": {**state["interval"], "seconds": 0}}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def test_resumed_anywhere_it_ends_in_the_same_bits(pictures: ArraySource, tmp_path: Path) -> None:
    """In the middle of a fade, at the border of two stages, and after one."""
    whole = Run(tmp_path / "whole")
    model = build(pictures, settings={"train.checkpoint_every": 1, "train.keep": 99, "train.ema": 0.9})
    gantk.train(model, whole, progress=Silent())
    assert whole.steps() == list(range(1, 3 * STEPS + 1))
    for kept in (1, STEPS, STEPS + 2, 2 * STEPS + 1):
        resumed = Run(shutil.copytree(whole.path, tmp_path / f"from-{kept}"))
        for step in range(kept + 1, 3 * STEPS + 1):
            shutil.rmtree(resumed.checkpoint(step))
        gantk.train(gantk.load(resumed, data=pictures), resumed, progress=Silent())
        for step in range(kept + 1, 3 * STEPS + 1):
            one, other = whole.checkpoint(step), resumed.checkpoint(step)
            assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
            assert same(trained(one), trained(other))
    assert torch.equal(gantk.load(whole).sample(3, seed=0), model.sample(3, seed=0))


def test_the_average_grows_with_the_generator(pictures: ArraySource) -> None:
    model = build(pictures, settings={"train.ema": 0.5})
    for stage in model.built.stages:
        stage.each(model, 0.25)
        with model.averaging():
            model.update_average(stage.moves(), stage.batch_size)
            average = model.sampler("generator")
            assert isinstance(average, ProGANGenerator)
            assert average is not model.generator
            assert average.growth.depth == model.generator.growth.depth
            assert average.growth.alpha == model.generator.growth.alpha


def test_a_build_leaves_the_networks_fully_grown(pictures: ArraySource) -> None:
    model = build(pictures)
    assert isinstance(model.discriminator, ProGANDiscriminator)
    for growth in (model.generator.growth, model.discriminator.growth):
        assert (growth.depth, growth.alpha) == (2, 1.0)


@pytest.mark.parametrize(
    "parts",
    [
        {"noise": "de:dim=6,autoencoder='vae:width=4'", "loss": ["code", "hidden"]},
        {"refiner": "denoiser:width=2", "noise": "uniform:dim=6", "loss": "nonsaturating"},
        {"loss": "wasserstein", "noise": "sphere:dim=6", "settings": {"stages.*.discriminator.clip_weights": 1.0}},
        {"loss": ["wgan-gp:per_sample=true", "code:loops=2"]},
    ],
    ids=["de noise, code and hidden loss", "denoiser", "wasserstein", "per sample, code loops"],
)
def test_it_takes_other_parts(parts: dict[str, Any], pictures: ArraySource, tmp_path: Path) -> None:
    pretrain = {"stages.pretrain.length": "2 steps"} if "de:" in parts.get("noise", "") else {}
    settings = {"stages.size-*.length": "2 steps", "train.ema": 0.9, **pretrain, **parts.get("settings", {})}
    model = build(pictures, **{**parts, "settings": settings})
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    gantk.train(model, tmp_path / "run", progress=Silent())
    moved = {n.split(".")[0] for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert {"generator", "discriminator"} <= moved
    assert ("refiner" in moved) == ("refiner" in parts)
    loaded = gantk.load(tmp_path / "run")
    assert torch.equal(loaded.sample(2, seed=0), model.sample(2, seed=0))
    assert loaded.sample(2).shape == (2, 1, SIDE, SIDE)


@pytest.mark.parametrize("names", [("progan", "dcgan:width=4"), ("dcgan:width=4", "progan")])
def test_its_networks_play_in_other_games(names: tuple[str, str], pictures: ArraySource, tmp_path: Path) -> None:
    small = {"progan": SMALL["generator"]}
    generator, discriminator = (small.get(name, name) for name in names)
    few = {"stages.game.length": "2 steps", "stages.game.batch_size": 8}
    model = gantk.build("dcgan", data=pictures, generator=generator, discriminator=discriminator, settings=few)
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert model.sample(2).shape == (2, 1, SIDE, SIDE)
