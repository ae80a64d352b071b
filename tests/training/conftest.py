"""Small data and models, so that whole trainings take a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import gantk
from gantk.data import ArraySource

TINY: dict[str, dict[str, str]] = {
    "noise": {"gaussian": "gaussian:dim=6", "uniform": "uniform:dim=6", "de": "de:dim=6,autoencoder='vae:width=4'"},
    "generator": {
        "gan": "gan:widths=[16]",
        "dcgan": "dcgan:width=4",
        "vae": "vae:width=4",
        "degan": "degan:fc=16,widths=[8],closing_conv=false",
    },
    "discriminator": {"gan": "gan:widths=[16]", "dcgan": "dcgan:width=4", "degan": "degan:fc=16,widths=[4,8]"},
}
"""kind → bundled name → the same plugin, made small."""


@pytest.fixture
def images() -> ArraySource:
    """40 random grey 14×14 images of two classes: stripes along and across."""
    rng = np.random.default_rng(0)
    stripes = np.tile(np.array([0, 255], dtype=np.uint8).repeat(2), 4)[:14]
    labels = np.arange(40) % 2
    pictures = np.stack([np.tile(stripes, (14, 1)) if k else np.tile(stripes[:, None], (1, 14)) for k in labels])
    noisy = np.clip(pictures + rng.integers(-20, 20, pictures.shape), 0, 255).astype(np.uint8)
    return ArraySource(noisy[:, None], labels, ("across", "along"))


@pytest.fixture
def tiny(images: ArraySource) -> Callable[..., gantk.Model]:
    """Builds a small model on those images; every stage is 6 steps of 8 images unless settings say otherwise."""

    def build(recipe: str = "dcgan", settings: dict[str, Any] | None = None, **parts: Any) -> gantk.Model:
        usual = {"noise": "gaussian:dim=6", "generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
        if recipe == "vae":
            usual = {"noise": "gaussian:dim=6", "generator": "vae:width=4"}
        chosen = {**usual, **parts}
        stage = "fit" if recipe == "vae" else "game"
        stages = ["pretrain", stage] if str(chosen["noise"]).startswith("de") else [stage]
        small = {f"stages.{name}.{k}": v for name in stages for k, v in (("length", "6 steps"), ("batch_size", 8))}
        every = {"train.log_every": 2, "train.sample_every": 3, "train.checkpoint_every": 2, "train.samples": 4}
        data = chosen.pop("data", images)
        return gantk.build(recipe, data=data, settings={**small, **every, **(settings or {})}, **chosen)

    return build


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tensors this small gain nothing from more."""
    torch.set_num_threads(1)
