"""The whole way of a model, from training to the last bit after resuming, for tests of what can be put together."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

import gantk
from gantk.building.load import load
from gantk.data import ArraySource
from gantk.run.folder import Run
from gantk.training.progress import Silent

SHORT = {
    "stages.*.length": "2 steps",
    "stages.*.batch_size": 4,
    "train.log_every": 1,
    "train.sample_every": 4,
    "train.samples": 2,
    "train.checkpoint_every": 1,
    "train.keep": 99,
}


def weights(run: Run, step: int) -> dict[str, Tensor]:
    return load_file(run.checkpoint(step) / "model.safetensors")


def goes_the_whole_way(model: gantk.Model, data: ArraySource, folder: Path) -> None:
    """Train, sample, load and resume: everybody moves, and a resumed run ends in the same bits.

    Args:
        model: freshly built, with two steps to a stage.
        data: what it was built on.
        folder: an empty one.
    """
    whole, resumed = Run(folder / "whole"), Run(folder / "resumed")
    before = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    gantk.train(model, whole.path, progress=Silent())
    last = 2 * len(model.built.stages)
    assert whole.steps()[-1] == last

    for number, stage in enumerate(model.built.stages):
        start = weights(whole, 2 * number) if number else before
        end = weights(whole, 2 * number + 2)
        for player in stage.players:
            for path in player.moves:
                moved = [name for name, _ in model.get_submodule(path).named_parameters(prefix=path)]
                assert any(not torch.equal(start[name], end[name]) for name in moved), (
                    f"{stage.name}: {path} stood still"
                )

    images = model.sample(3, seed=1)
    assert images.shape == (3, *data.image_shape)
    assert torch.equal(load(whole.path, data=data).sample(3, seed=1), images)

    shutil.copytree(whole.path, resumed.path)
    shutil.rmtree(resumed.checkpoint(last))
    gantk.train(load(resumed.path, data=data), resumed.path, progress=Silent())
    one, other = weights(whole, last), weights(resumed, last)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
