"""What a build writes down of its data, and when it has something to say."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import gantk
from gantk import Condition, Loss, Part, Play, registry
from gantk.building.assembly import assemble
from gantk.building.composition import compose
from gantk.data import ArraySource
from gantk.errors import FitError, OptionError, UsageError
from gantk_classic.dcgan import DCGANGenerator
from gantk_classic.recipe import Game

Build = Callable[..., gantk.Model]
SMALL: dict[str, Any] = {
    "noise": "gaussian:dim=6",
    "generator": "gan:widths=[4]",
    "discriminator": "gan:widths=[4]",
    "settings": {"stages.game.batch_size": 4},
}


def pixels(channels: int) -> np.ndarray[Any, Any]:
    return np.zeros((8, channels, 8, 8), np.uint8)


def test_data_that_are_named_have_their_options(tmp_path: Path) -> None:
    for name in "abcd":
        Image.fromarray(pixels(1)[0, 0]).save(tmp_path / f"{name}.png")
    model = gantk.build(data=f"folder:path={tmp_path}", **SMALL | {"settings": ["data.size=6"]})
    assert model.built.spec["data"]["size"] == 6
    assert model.image_shape[1:] == (6, 6)
    with pytest.raises(OptionError, match=r"^data 'digits' has no option 'size'\. There are none\.$"):
        gantk.build(data="digits:size=6", **SMALL)


@pytest.mark.parametrize(("channels", "told"), [(4, False), (5, True)])
def test_images_that_are_no_pictures_are_told_of(channels: int, told: bool) -> None:
    notes = [note for note in gantk.build(data=pixels(channels), **SMALL).built.notes if "channels" in note]
    said = (
        "images have 5 channels, and a picture has 1 to 4: training draws no sample grids, and gantk sample writes "
        ".npz files only."
    )
    assert notes == ([said] if told else [])


def test_a_batch_larger_than_the_data_is_noted() -> None:
    def notes(size: int) -> list[str]:
        return gantk.build(data=pixels(1), **SMALL | {"settings": {"stages.game.batch_size": size}}).built.notes

    assert notes(8) == []
    assert [note.partition(":")[0] for note in notes(9)] == ["stage game"]


def test_a_condition_needs_labels() -> None:
    with pytest.raises(FitError, match="condition 'class': it needs a data set with classes"):
        gantk.build(data=pixels(1), condition="class", **SMALL)
    labeled = (pixels(1), [0, 1, 2, 0, 1, 2, 0, 0])
    model = gantk.build(data=labeled, condition="class", **SMALL)
    assert model.condition is not None
    assert model.condition.dim == 3
    counts = model.condition.draw(800, torch.Generator().manual_seed(0)).sum(0)
    assert 350 < counts[0] < 450, "half of the labels are 0"


def test_the_size_in_a_title_is_that_of_the_images(tiny: Build) -> None:
    spec = {**tiny().built.spec, "title": "Stripes at {size}"}
    assert assemble(spec, for_training=False).built.spec["title"] == "Stripes at 14×14"


class Counting(Condition):
    """A condition that adds up the labels that it sees."""

    dim = 1

    def seen(self, labels: Tensor) -> None:
        self.register_buffer("sum", labels.sum())

    def of(self, labels: Tensor) -> Tensor:
        return labels.float().view(-1, 1)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.zeros(n, 1)

    def told(self, text: str) -> Tensor:
        return torch.zeros(1, 1)


def test_a_condition_of_ones_own_needs_labels_too() -> None:
    with pytest.raises(FitError, match="condition 'Counting' needs labels, but this data set has none"):
        gantk.build(data=pixels(1), condition=Counting, **SMALL)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("recipe", "gantk_classic.recipe:Game"),
        ("data", "gantk_data.idx:Digits"),
        ("noise", "gantk_classic.noise:Gaussian"),
        ("loss", "gantk_adversarial.games:Hinge"),
    ],
)
def test_a_model_tells_the_versions_of_its_packages(kind: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    installed, broken = registry._entry_points()
    other = registry.Plugin(kind, "other", "pytest", "0", code)
    monkeypatch.setattr(registry, "_entry_points", lambda: ((*installed, other), broken))
    given = {"loss": ["hinge"], "data": "digits", "addon": Unchanged, **SMALL, kind: "other"}
    assert gantk.build(**given).built.spec["versions"] == {
        "gantk": importlib.metadata.version("gantk"),
        "pytest": pytest.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


class Unchanged(Part):
    """Joins the game, and changes nothing; being from Python, it has no package."""


class Both(Game):
    """Needs two parts that it has no default for."""

    slots = ("noise", "generator", "refiner")
    optional = ()


def test_parts_that_a_recipe_needs_or_does_not_take_are_all_named(
    register: Callable[[str, str, type], None],
) -> None:
    register("recipe", "both", Both)
    both = "give them with --generator and --refiner"
    with pytest.raises(FitError, match=f"recipe 'both' needs a generator and a refiner: {both}"):
        assemble({"recipe": "both", "noise": "gaussian"}, ArraySource(pixels(1)))
    parts = {"noise": "gaussian", "generator": "dcgan", "refiner": "denoiser"}
    said = "takes no discriminator and no condition: leave out --discriminator and --condition, or choose another"
    with pytest.raises(FitError, match=f"recipe 'both' {said} recipe"):
        assemble({"recipe": "both", **parts, "discriminator": "dcgan", "condition": "class"}, ArraySource(pixels(1)))


def test_what_a_spec_may_leave_out(tiny: Build) -> None:
    spec = tiny(seed=3).built.spec

    def without(*names: str) -> gantk.Model:
        return assemble({name: each for name, each in spec.items() if name not in names}, for_training=False)

    assert without("seed", "title").built.spec["seed"] == 0
    with pytest.raises(OptionError, match="recipe: expected 'name'"):
        without("recipe")


def test_a_model_that_is_only_loaded_is_not_tried(
    tiny: Build, images: ArraySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: DCGANGenerator, noise: Tensor) -> Tensor:
        raise ValueError("not today")

    spec = tiny().built.spec
    monkeypatch.setattr(DCGANGenerator, "forward", broken)
    assemble(spec, for_training=False)
    with pytest.raises(FitError, match="not today"):
        assemble(spec, images)


def test_a_title_says_what_was_changed(tiny: Build) -> None:
    (usual,) = (plugin for plugin in registry.plugins("recipe") if plugin.name == "dcgan")
    title = tiny().built.spec["title"]
    assert title.endswith(" (changed: noise, generator, discriminator)")
    assert title.partition(" (")[0] in usual.load()


class code(Loss):  # noqa: N801
    """Called like a loss of the recipe."""

    def generator(self, play: Play) -> Tensor:
        return play.fake.mean()


def test_a_loss_from_python_replaces_the_recipes_of_its_name() -> None:
    losses = compose("autodecoder", {"loss": code})["loss"]
    assert [loss["plugin"] for loss in losses] == ["gantk:nonsaturating", "python:code"]


def test_a_game_whose_adversarial_loss_is_left_out_is_told(tiny: Build) -> None:
    def told(without: str) -> bool:
        model = tiny("autodecoder", without=without, loss="hidden", discriminator="dcgan:width=4,code=true")
        return any("no adversarial loss is left" in note for note in model.built.notes)

    assert not told("code")
    assert told("nonsaturating")
    assert not tiny("vae", without="loss.vae", loss="vae:reconstruction=bce").built.notes, "this is no game"


class Friendly(Game):
    """A game that needs no adversarial loss."""

    defaults = {kind: part for kind, part in Game.defaults.items() if kind != "loss"}  # noqa: RUF012


class Apart(Loss):
    """Scores that both players want to be small."""

    def generator(self, play: Play) -> Tensor:
        assert play.fake_verdict.logits is not None
        return play.fake_verdict.logits.square().mean()

    discriminator = generator


def test_a_game_that_never_had_an_adversarial_loss_misses_none() -> None:
    assert not gantk.build(Friendly, data=pixels(1), loss=Apart, **SMALL).built.notes


def test_stages_of_a_run_with_other_parts_are_the_recipes(tiny: Build, images: ArraySource, tmp_path: Path) -> None:
    run = tmp_path / "run"
    tiny(settings={"stages.game.batch_size": 4}).save(run)

    def told(*recipe: str, **parts: Any) -> bool:
        model = gantk.build(*recipe, data=images, start_from=run, **parts)
        return any(note.startswith("with other parts, stages have the recipe's settings") for note in model.built.notes)

    assert told(noise="uniform:dim=6")
    assert not told()
    model = gantk.build("wgan", data=images, start_from=run, generator="dcgan:width=4", noise="gaussian:dim=6")
    assert model.built.spec["preset"] == "wgan"
    assert model.built.said_by == str(run)
    with pytest.raises(UsageError, match="data given from Python; pass the same data again"):
        gantk.build(start_from=run)
    assert not told("dcgan", noise="uniform:dim=6", generator="dcgan:width=4", discriminator="dcgan:width=4")


class Broken(Loss):
    def generator(self, play: Play) -> Tensor:
        raise ValueError("not today")


def test_other_parts_are_no_advice_on_a_fault_of_code(tiny: Build) -> None:
    with pytest.raises(FitError) as caught:
        tiny(loss=Broken)
    assert str(caught.value).endswith("in loss.Broken, by ValueError: not today")
