"""A refiner leaves the model as it is without one: same seed, same weights, buffers and plain samples, bit for bit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from small import TINY, small_parts
from torch import Tensor, nn

import gantk
from gantk.data import ArraySource

DENOISER = TINY["refiner"]["denoiser"]
SHORT = {"stages.*.length": "12 steps", "stages.*.batch_size": 4, "train.checkpoint_every": 5}


def built(recipe: str, data: ArraySource, refiner: Any, **more: Any) -> gantk.Model:
    parts = {**small_parts({"recipe": recipe.partition(":")[0]}), "refiner": refiner, **more.pop("parts", {})}
    parts = {slot: part for slot, part in parts.items() if part is not None}
    without = [] if refiner is not None or not recipe.startswith("aegan") else ["refiner"]
    return gantk.build(recipe, data=data, without=without, settings={**SHORT, **more}, **parts)


def check_same(plain: gantk.Model, refined: gantk.Model) -> None:
    own, others = plain.state_dict(), refined.state_dict()
    assert own.keys() <= others.keys()
    assert [name for name in own if not torch.equal(own[name], others[name])] == []
    assert torch.equal(plain.sample(6, seed=1), refined.sample(6, seed=1, refine=False))


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe", ["gan", "dcgan", "wgan", "wgan-gp", "degan", "autodecoder", "age", "aegan", "progan"]
)
def test_every_recipe_that_takes_one(recipe: str, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    plain, refined = built(recipe, tiny_pictures, None), built(recipe, tiny_pictures, DENOISER)
    for name, model in (("plain", plain), ("refined", refined)):
        gantk.train(model, run=tmp_path / name)
    check_same(plain, refined)


class Dropping(gantk.Refiner):
    """Another's refiner: it draws random numbers, and takes two turns in a step."""

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels = image_shape[0]
        self.layers = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, channels, 3, padding=1), nn.Tanh())

    def forward(self, images: Tensor) -> Tensor:
        refined: Tensor = self.layers(images)
        return refined

    def players(self, path: str, stage: gantk.Stage) -> list[gantk.Player]:
        return [gantk.Player(path, (f"{path}.layers",), Near(), repeats=3)]


class Near:
    def __call__(self, step: gantk.Step) -> dict[str, Tensor]:
        return {"near": (step["refined"] - step["real"]).square().mean()}

    def __str__(self) -> str:
        return "near"


OTHERS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "averaged weights": ("dcgan", DENOISER, {"train.ema": 0.9}),
    "noise that trains first": ("dcgan", DENOISER, {"parts": {"noise": TINY["noise"]["de"]}}),
    "a conditional model": ("dcgan", DENOISER, {"parts": {"condition": "class"}}),
    "random images": ("dcgan:image_noise=0.1", DENOISER, {}),
    "turns of its own": ("wgan", f"{DENOISER},loss=wgan-gp,discriminator='dcgan:width=4'", {}),
    "another's refiner": ("dcgan", Dropping, {}),
}


@pytest.mark.parametrize(("recipe", "refiner", "more"), OTHERS.values(), ids=OTHERS)
def test_whatever_else_the_model_has(
    recipe: str, refiner: Any, more: dict[str, Any], tiny_pictures: ArraySource, tmp_path: Path
) -> None:
    plain, refined = (built(recipe, tiny_pictures, each, **more) for each in (None, refiner))
    gantk.train(plain, run=tmp_path / "plain")
    gantk.train(refined, run=tmp_path / "refined")
    check_same(plain, refined)
    for checkpoint in sorted((tmp_path / "refined" / "checkpoints").iterdir())[1:]:
        shutil.rmtree(checkpoint)
    resumed = gantk.load(tmp_path / "refined", **({"refiner": refiner} if isinstance(refiner, type) else {}))
    assert not torch.equal(plain.sample(6, seed=1), resumed.sample(6, seed=1, refine=False))
    check_same(plain, gantk.train(resumed, data=tiny_pictures))
