"""Every recipe as it is written: what a build writes is read back as the same model, and every stage is entered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from small import small_parts

import gantk
from gantk.building.assembly import assemble
from gantk.cli.main import cli
from gantk.data import ArraySource
from gantk.registry import plugins
from gantk.run.folder import Run
from gantk.schedule import Length

RECIPES = [plugin.name for plugin in plugins("recipe")]
BARE = {
    "game": {"noise": "gaussian", "generator": "gan", "discriminator": "gan", "loss": "minimax"},
    "fit": {"noise": "gaussian", "generator": "vae", "loss": "vae"},
    "growing": {"noise": "gaussian", "generator": "progan", "discriminator": "progan", "loss": "nonsaturating"},
    "autoencoder-game": {"noise": "sphere", "generator": "age", "loss": "age"},
}
"""What the bare schedules must be given."""


def _parts(recipe: str) -> dict[str, str]:
    return small_parts({"recipe": recipe, **BARE.get(recipe, {})})


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_written_is_read_back(recipe: str, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    model = gantk.build(recipe, data=tiny_pictures, **_parts(recipe))
    run = Run(tmp_path / "run")
    run.create(model.built.spec)
    again = assemble(run.spec(), tiny_pictures, for_training=False)
    assert again.built.spec == run.spec()
    for stage in model.built.stages:
        assert str(Length.parse(stage.length)) == stage.length


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_stage_is_entered(recipe: str, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for number, image in enumerate(tiny_pictures.images(range(4))):
        picture = folder / ("even", "odd")[number % 2] / f"{number}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(picture)
    short = {"stages.*.length": "1.5 images", "stages.*.batch_size": "2", "train.samples": "1"}
    settings = [word for path, value in short.items() for word in ("--set", f"{path}={value}")]
    parts = [word for slot, part in _parts(recipe).items() for word in (f"--{slot}", part)]
    place = str(tmp_path / "run")
    data = f"folder:path={folder},color=gray"
    cli.main(["build", recipe, "--data", data, *parts, *settings, "-o", place], standalone_mode=False)
    cli.main(["train", place], standalone_mode=False)
    run = Run(place)
    entered = [json.loads(line)["stage"] for line in run.log_file.read_text().splitlines()]
    assert entered == list(run.spec()["stages"])


@pytest.mark.parametrize(
    "length", ["1600000 images", "1000000 steps", "123456.7 epochs", "0.3 epochs", "12345678901 images"]
)
def test_a_length_keeps_every_digit(length: str) -> None:
    assert str(Length.parse(length)) == length


def test_a_length_may_be_written_with_an_exponent() -> None:
    assert str(Length.parse("1.6e6 images")) == "1600000 images"
