"""Steps as CUDA graphs, on a GPU: the bits of computed steps, no waiting, and training with both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from replayed import played
from safetensors.torch import load_file
from small import small_parts

import gantk
from gantk.data import ArraySource
from gantk.run.folder import Run
from gantk.training.begin import deterministic
from gantk.training.progress import Silent
from gantk.training.recording import CudaGraphs

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

Build = Callable[..., gantk.Model]

RECIPES = {
    **dict.fromkeys(("dcgan", "wgan", "wgan-gp", "degan", "autodecoder", "aegan", "age", "sagan", "r3gan"), ""),
    **dict.fromkeys(("stackgan", "stackgan-v2", "vaegan", "lapgan", "deligan", "cdcgan", "biggan", "ebgan"), ""),
    "aae-semi": "draws random numbers on the CPU",
    "progan": "",
}


class Counting(CudaGraphs):
    """Counts what it records and replays."""

    def __init__(self) -> None:
        super().__init__(torch.device("cuda", torch.cuda.current_device()))
        self.recorded = self.replayed = 0

    def record(self, step: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        found, replay = super().record(step)
        self.recorded += 1

        def play() -> None:
            self.replayed += 1
            replay()

        return found, play


@pytest.fixture(autouse=True)
def same_kernels() -> Iterator[None]:
    with deterministic():
        yield


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_are_replayed_with_the_same_bits(recipe: str, tiny_pictures: ArraySource) -> None:
    settings = {"stages.*.batch_size": 6, "stages.*.length": "9 steps"}
    parts, fabric, recorder = small_parts({"recipe": recipe}), Fabric(accelerator="cuda", devices=1), Counting()
    steps = 18 if recipe == "progan" else 9  # of which it fades in for half
    models = [gantk.build(recipe, data=tiny_pictures, settings=settings, **parts) for _ in range(2)]
    found, said = played(models[0], tiny_pictures, recorder, steps, fabric)
    expected, _ = played(models[1], tiny_pictures, None, steps, fabric)
    assert all(RECIPES[recipe] in line for line in said)
    assert bool(said) == bool(RECIPES[recipe]), said
    assert bool(recorder.replayed) == (not said)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_training_with_graphs_ends_in_the_bits_of_one_without(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With rates that change, averages, penalties every few steps and augmentation."""
    settings = {
        "stages.game.length": "14 steps",
        "stages.game.*.lr_schedule": "linear",
        "stages.game.generator.weight_schedule": {"nonsaturating": "linear"},
        "train.accelerator": "cuda",
        "train.ema_half_life": 50,
        "train.ema_warmup": 0.5,
    }
    recorder = Counting()
    monkeypatch.setattr("gantk.training.trainer.recorder_of", lambda fabric, wanted: recorder if wanted else None)
    weights = []
    for wanted in (True, False):
        model = tiny(loss="r1:every=2", addon="ada:images=200", settings={**settings, "train.cuda_graphs": wanted})
        run = Run(tmp_path / str(wanted))
        gantk.train(model, run, progress=Silent())
        weights.append(load_file(run.checkpoint(14) / "model.safetensors"))
    assert recorder.recorded == 2
    assert recorder.replayed >= 4
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
