"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal

# Before torch loads, and for the processes that tests start as well. As the command line does:
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Tensors this small gain nothing from more, and several processes may share the tests:
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gantk
from gantk import registry
from gantk.data import ArraySource


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data sets: GANTK_DATA, else `shared/data` beside the repository; without it the test skips."""
    if given := os.environ.get("GANTK_DATA"):
        return Path(given)
    beside = Path(__file__).parents[2] / "shared" / "data"
    if not beside.is_dir():
        pytest.skip("no real data: set GANTK_DATA to a folder with mnist/, fashion-mnist/ and cifar10-jpeg/")
    return beside


@pytest.fixture(autouse=True)
def _code_of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands name again the files of code that this process has imported: those of other tests are none of theirs."""
    monkeypatch.setattr("gantk.building.code._named", {})


@pytest.fixture(scope="session", autouse=True)
def _no_power_cuts() -> Iterator[None]:
    """Waiting for the disk would be half of the time of short trainings. Drills test what a power cut leaves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_as_in_a_terminal() -> None:
    """Shells ignore Ctrl-C for what they start in the background, such as all tests, and so would their processes."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_callbacks_of_others() -> Iterator[None]:
    """Lightning reads the metadata of all installed packages for callbacks, at each training anew: there are none."""
    with pytest.MonkeyPatch.context() as patch:
        import gantk.training.fabric  # noqa: F401 - quicker than Lightning's own import

        patch.setattr("lightning_fabric.fabric._load_external_callbacks", lambda group: [])
        yield


@pytest.fixture(scope="session", autouse=True)
def _time_from_one_step() -> Iterator[None]:
    """`gantk build` estimates the time of a training from its first step, as for models whose steps are slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gantk.training.estimate.LONG", 0.0)
        yield


@pytest.fixture
def images() -> ArraySource:
    """40 random gray 14×14 images of two classes: stripes along and across."""
    rng = np.random.default_rng(0)
    stripes = np.tile(np.array([0, 255], dtype=np.uint8).repeat(2), 4)[:14]
    labels = np.arange(40) % 2
    pictures = np.stack([np.tile(stripes, (14, 1)) if k else np.tile(stripes[:, None], (1, 14)) for k in labels])
    noisy = np.clip(pictures + rng.integers(-20, 20, pictures.shape), 0, 255).astype(np.uint8)
    return ArraySource(noisy[:, None], labels, ("across", "along"))


@pytest.fixture
def tiny_pictures() -> ArraySource:
    """24 random gray images of 16×18 pixels, the smallest that every bundled network takes, of two classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 1, 16, 18), dtype=np.uint8)
    return ArraySource(pixels, np.arange(24) % 2, ("even", "odd"))


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
        every: dict[str, Any] = {"train.log_every": 2, "train.sample_every": 3, "train.checkpoint_every": 2}
        every |= {"train.samples": 4, "train.every_minutes": 0.0}  # by steps alone, however slow the machine is
        data = chosen.pop("data", images)
        return gantk.build(recipe, data=data, settings={**small, **every, **(settings or {})}, **chosen)

    return build


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, type], None]:
    """Registers a class of the top of a test module as a plugin for the length of a test: kind, name, class."""

    def add(kind: str, name: str, part: type) -> None:
        installed, broken = registry._entry_points()
        mine = registry.Plugin(kind, name, "gantk", "0", f"{part.__module__}:{part.__name__}")
        monkeypatch.setattr(registry, "_entry_points", lambda: ((*installed, mine), broken))

    return add


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Whatever a test before left."""
    torch.set_num_threads(1)
