"""The second example package: its ten systems train, resume to the last bit, and compose with the bundled parts."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from covering import Combination, Pair, covering, every_pair, pairs_of
from forked import torchrun
from installing import EXAMPLES, copied, installed
from small import OWN, TINY, small_parts
from whole_way import SHORT, goes_the_whole_way, weights

import gantk
from gantk import registry
from gantk.cli.main import cli
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.run.folder import Run
from gantk.training.progress import Silent

TEN: Mapping[str, Mapping[str, str]] = {
    "noise": {"mini-mixture": "mini-mixture:dim=6,components=3"},
    "generator": {"mini-pyramid": "mini-pyramid:width=2,scales=2"},
    "discriminator": {
        "mini-projection": "mini-projection:width=4",
        "mini-autoencoding": "mini-autoencoding:width=4",
        "mini-pyramid": "mini-pyramid:scales=2,of='dcgan:width=4'",
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    source = copied("gantk-ten-systems", tmp_path_factory.mktemp("source"))
    return installed(source, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module", autouse=True)
def _package(place: Path) -> Iterator[None]:
    """The package on the path of this process, and its parts among the small ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        for kind, parts in TEN.items():
            patch.setitem(TINY, kind, {**TINY[kind], **parts})
        registry._entry_points.cache_clear()
        yield
    registry._entry_points.cache_clear()


def built(recipe: str, data: ArraySource, settings: Mapping[str, Any] | None = None, **parts: Any) -> gantk.Model:
    small = small_parts({"recipe": recipe})
    return gantk.build(recipe, data=data, settings={**SHORT, **(settings or {})}, **{**small, **parts})


SYSTEMS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "conditional DCGAN": ("mini-cdcgan", {}),
    "adversarial autoencoder": ("mini-aae", {}),
    "DeLiGAN": ("mini-deligan", {}),
    "BEGAN": ("mini-began", {}),
    "StackGAN-v2": ("mini-stackgan-v2", {}),
    "R3GAN with lazy penalties": ("mini-r3gan", {}),
    "DiffAugment": ("dcgan", {"addon": "mini-diffaugment"}),
    "ADA": ("dcgan", {"addon": "mini-ada:images=40"}),
    "schedule and average": ("dcgan-annealed", {"metric": "sliced:directions=8"}),
    "VAE/GAN": ("mini-vaegan", {}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "parts"), SYSTEMS.values(), ids=SYSTEMS)
def test_each_system_goes_the_whole_way(
    recipe: str, parts: dict[str, Any], tiny_pictures: ArraySource, tmp_path: Path
) -> None:
    goes_the_whole_way(built(recipe, tiny_pictures, **parts), tiny_pictures, tmp_path)


FACTORS: Mapping[str, tuple[str, ...]] = {
    "recipe": (
        "mini-aae",
        "mini-began",
        "mini-stackgan-v2",
        "mini-r3gan",
        "dcgan-annealed",
        "mini-vaegan",
        "degan",
        "aegan",
        "progan",
    ),
    "noise": ("mini-mixture", "de"),
    "discriminator": (OWN, "mini-autoencoding"),
    "loss": (OWN, "mini-began", "mini-r3gan:every=2", "wgan-gp", "hidden", "code"),
    "addon": ("", "mini-diffaugment", "mini-ada:images=40"),
    "condition": ("", "class"),
    "refiner": ("", "denoiser"),
    "metric": ("", "sliced:directions=8"),
}

REFUSED: Mapping[str, tuple[str, set[str], str, set[str]]] = {
    "too small for this network": ("recipe", {"mini-aae"}, "discriminator", {"mini-autoencoding"}),
    "images of several sizes": ("recipe", {"mini-stackgan-v2"}, "discriminator", {"mini-autoencoding"}),
    "a discriminator that grows": ("recipe", {"progan"}, "discriminator", {"mini-autoencoding"}),
    "takes no condition": ("recipe", {"mini-aae", "mini-vaegan"}, "condition", {"class"}),
    "takes no refiner": ("recipe", {"mini-aae"}, "refiner", {"denoiser"}),
    "this game judges codes": ("recipe", {"mini-aae"}, "addon", {"mini-diffaugment", "mini-ada:images=40"}),
    "reads logits as negative reconstruction errors": (
        "recipe",
        {"mini-aae", "mini-stackgan-v2", "progan"},
        "loss",
        {"mini-began"},
    ),
    "needs code": ("discriminator", {"mini-autoencoding"}, "loss", {"code"}),
    "mini-autoencoding' does not provide": ("recipe", {"mini-began"}, "loss", {"code"}),
}
"""What the error says of pairs that do not go together."""

UNSURE: tuple[tuple[str, set[str], str, set[str]], ...] = (
    # BEGAN's loss goes with another recipe where its discriminator is chosen as well.
    ("discriminator", {OWN}, "loss", {"mini-began"}),
)


def _holds(pair: Pair, refused: tuple[str, set[str], str, set[str]]) -> bool:
    one, ones, other, others = refused
    (a, x), (b, y) = pair
    return (a == one and x in ones and b == other and y in others) or (
        b == one and y in ones and a == other and x in others
    )


def reason(pair: Pair) -> str | None:
    return next((says for says, refused in REFUSED.items() if _holds(pair, refused)), None)


def _allowed(pair: Pair) -> bool:
    return reason(pair) is None and not any(_holds(pair, each) for each in UNSURE)


COMBINATIONS, IMPOSSIBLE = covering(FACTORS, _allowed)


def written(combination: Combination) -> str:
    return ",".join(value.replace(" ", "-") or "-" for value in combination.values())


def test_the_combinations_hold_every_pair() -> None:
    held = frozenset().union(*map(pairs_of, COMBINATIONS))
    assert all((pair in held) + (pair in IMPOSSIBLE) + (not _allowed(pair)) == 1 for pair in every_pair(FACTORS))
    assert len(COMBINATIONS) < 90
    assert not IMPOSSIBLE


@pytest.mark.slow
@pytest.mark.parametrize("combination", COMBINATIONS, ids=written)
def test_every_pair_trains(combination: Combination, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    model = gantk.build(combination["recipe"], data=tiny_pictures, settings=SHORT, **small_parts(combination))
    goes_the_whole_way(model, tiny_pictures, tmp_path)


REFUSED_PAIRS = [(pair, says) for pair in every_pair(FACTORS) if (says := reason(pair)) is not None]


@pytest.mark.parametrize(("pair", "says"), REFUSED_PAIRS, ids=lambda v: v if isinstance(v, str) else written(dict(v)))
def test_what_is_refused_says_why(pair: Pair, says: str, tiny_pictures: ArraySource) -> None:
    combination = {"recipe": "dcgan", **dict(pair)}
    with pytest.raises(FitError) as caught:
        gantk.build(combination["recipe"], data=tiny_pictures, settings=SHORT, **small_parts(combination))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


PYRAMID = "BEGAN's k in the games of a pyramid, with an adaptive augmentation, by class"
TOGETHER: Mapping[str, tuple[str, dict[str, Any]]] = {
    PYRAMID: (
        "mini-stackgan-v2",
        {
            "discriminator": "mini-pyramid:scales=2,of='mini-autoencoding:width=4'",
            "loss": "mini-began",
            "addon": "mini-ada:images=40",
            "condition": "class",
        },
    ),
    "ADA on Progressive GAN as it is": ("progan", {"addon": "mini-ada:images=40"}),
    "code loss in loops, DE noise, hidden loss and denoiser, by class": (
        "dcgan",
        {
            "noise": TINY["noise"]["de"],
            "loss": ["code:loops=2", "hidden"],
            "refiner": TINY["refiner"]["denoiser"],
            "condition": "class",
        },
    ),
    "a learned mixture, projection, both augmentations and an average": (
        "mini-cdcgan",
        {
            "noise": "mini-mixture:dim=6,components=3",
            "addon": ["mini-diffaugment", "mini-ada:images=40"],
            "settings": {"train.ema_half_life": 10, "train.ema_warmup": 0.5},
        },
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "parts"), TOGETHER.values(), ids=TOGETHER)
def test_together(recipe: str, parts: dict[str, Any], tiny_pictures: ArraySource, tmp_path: Path) -> None:
    goes_the_whole_way(built(recipe, tiny_pictures, **parts), tiny_pictures, tmp_path)


def _logged(run: Run) -> list[dict[str, float]]:
    return [json.loads(line)["values"] for line in (run.path / "log.jsonl").read_text().splitlines()]


def test_each_game_has_a_k_of_its_own(tiny_pictures: ArraySource, tmp_path: Path) -> None:
    """The number that each discriminator's turn leaves is what it would be by hand from that game's errors."""
    model = built(
        "mini-stackgan-v2",
        tiny_pictures,
        discriminator="mini-pyramid:scales=2,of='mini-autoencoding:width=4'",
        loss="mini-began:gamma=1.0,rate=0.2",
        settings={"stages.game.length": "4 steps"},
    )
    gantk.train(model, tmp_path / "run", progress=Silent())
    held = {name: value.item() for name, value in model.state.named_buffers()}
    assert len(held) == 2
    assert len(set(held.values())) == 2
    assert all(0 < k <= 1 for k in held.values())
    last = _logged(Run(tmp_path / "run"))[-1]
    for scale in (0, 1):
        (k,) = [v for name, v in last.items() if name.startswith(f"discriminator-{scale}/state/")]
        assert k in [pytest.approx(value) for value in held.values()]


def test_lazy_penalties_fall_on_all_discriminators_at_the_same_steps(
    tiny_pictures: ArraySource, tmp_path: Path
) -> None:
    model = built(
        "mini-stackgan-v2",
        tiny_pictures,
        discriminator="mini-pyramid:scales=2,of='dcgan:width=4,norm=none'",
        loss="mini-r3gan:every=3,penalty=1000000000.0",
        settings={"stages.game.length": "7 steps"},
    )
    gantk.train(model, tmp_path / "run", progress=Silent())
    for scale in (0, 1):
        penalized = [line[f"discriminator-{scale}/mini-r3gan"] > 20 for line in _logged(Run(tmp_path / "run"))]
        assert penalized == [True, False, False, True, False, False, True]


def test_adaptive_augmentation_follows_the_overfitting(tiny_pictures: ArraySource, tmp_path: Path) -> None:
    """With a target of r that nothing reaches p stays 0; with one that everything exceeds it grows with every image."""
    for target, expected in ((0.999, 0.0), (-0.999, 3 * 4 / 40)):
        model = built(
            "progan",
            tiny_pictures,
            addon=f"mini-ada:images=40,target={target}",
            settings={"stages.*.length": "3 steps"},
        )
        assert type(model.discriminator).__module__.startswith("gantk_progressive")
        gantk.train(model, tmp_path / str(target), progress=Silent())
        held = [value.item() for value in model.state.buffers()]
        assert len(held) == 1
        first = _logged(Run(tmp_path / str(target)))[2]
        (p,) = [value for name, value in first.items() if "/state/" in name]
        assert p == pytest.approx(expected, abs=0.21 if target < 0 else 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", [PYRAMID])
def test_two_devices_resume_to_the_last_bit(name: str, place: Path, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    recipe, parts = {**TOGETHER, **SYSTEMS}[name]
    parts = {"data": "digits", **small_parts({"recipe": recipe}), **parts}
    two = {"train.devices": 2, "train.accelerator": "cpu", "stages.*.length": "4 steps", "stages.*.batch_size": 8}
    model = gantk.build(recipe, settings={**SHORT, **two}, **parts)
    whole, resumed = Run(tmp_path / "whole"), Run(tmp_path / "resumed")
    whole.create(model.built.spec)
    environment = {**os.environ, "PYTHONPATH": str(place)}
    torchrun("train", str(whole.path), processes=2, env=environment)
    shutil.copytree(whole.path, resumed.path)
    for step in whole.steps()[-2:]:
        shutil.rmtree(resumed.checkpoint(step))
    torchrun("train", str(resumed.path), processes=2, env=environment)
    last = whole.steps()[-1]
    one, other = weights(whole, last), weights(resumed, last)
    assert any(key.startswith("state.") for key in one) == (recipe == "mini-stackgan-v2")
    assert [key for key in one if not torch.equal(one[key], other[key])] == []


def test_a_class_is_drawn_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(*arguments: str) -> None:
        cli.main([*arguments], standalone_mode=False)

    monkeypatch.chdir(tmp_path)
    small = ["--generator", "dcgan:width=4", "--discriminator", "mini-projection:width=4"]
    command("build", "mini-cdcgan", *small, "--set", "stages.*.length=2 steps", "-o", "run")
    command("train", "run")
    command("sample", "run", "--condition", "3", "-n", "4", "-o", "threes.png")
    assert (tmp_path / "threes.png").stat().st_size > 0


def test_without_its_class_projection_is_refused(tiny_pictures: ArraySource) -> None:
    with pytest.raises(FitError, match="use --condition class"):
        built("dcgan", tiny_pictures, discriminator="mini-projection:width=4")


README = (EXAMPLES / "gantk-ten-systems" / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"(?:`|^    )(gantk build [^`\n]+)", README, re.MULTILINE)
OPTIONS = re.findall(r"`(--[^`]+)`", README)


@pytest.mark.slow
@pytest.mark.parametrize("words", [*COMMANDS, *(f"gantk build {option}" for option in OPTIONS)])
def test_what_the_readme_says_is_built(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the digits that come with gantk, with the networks of every preset as it is written."""
    monkeypatch.setattr("gantk.cli.build._time", lambda model: "")
    cli.main([*shlex.split(words)[1:], "--dry-run"], standalone_mode=False)


def test_the_readme_names_every_recipe() -> None:
    named = {shlex.split(words)[2] for words in COMMANDS}
    presets = {plugin.name for plugin in registry.plugins("recipe") if plugin.target == "gantk_ten.presets"}
    assert presets <= named
    assert presets
