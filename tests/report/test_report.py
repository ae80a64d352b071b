"""Tables and descriptions: what people read says what is."""

from __future__ import annotations

import pytest

import gantk
from gantk.errors import UnknownName
from gantk.report.plugin import describe, describe_text
from gantk.report.summary import option_text, summary
from gantk.report.table import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    lines = table([("a", "long cell", ""), ("longer", "b", "c")], ("X", "Y", "Z")).splitlines()
    assert lines == ["X       Y          Z", "a       long cell", "longer  b          c"]
    assert table([("a", "b")]) == "a  b"


def test_options_are_written_as_they_are_typed() -> None:
    options = {
        "plugin": "gantk:x",
        "flag": True,
        "lr": 0.0002,
        "betas": [0.5, 0.999],
        "name": "n",
        "whole": 1.0,
        "map": {"4": 2},
    }
    assert option_text(options) == "flag=true, lr=0.0002, betas=[0.5, 0.999], name=n, whole=1, map={4=2}"


@pytest.fixture(scope="module")
def model() -> gantk.Model:
    return gantk.build(
        noise="de:dim=4",
        generator="dcgan:width=4",
        discriminator="dcgan:width=4",
        settings={"stages.game.discriminator.repeats": 2, "stages.game.length": "2 epochs"},
    )


def test_a_summary_has_a_row_for_every_part_and_player(model: gantk.Model) -> None:
    text = summary(model)
    first = [line.split()[0] for line in text.splitlines() if line[:1].strip()]
    parts = ["recipe", "data", *(slot.partition(".")[0] for slot in model.parts)]
    assert [word for word in first if word in {*parts, "stage"}] == [*parts, *["stage"] * len(model.built.stages)]
    for stage in model.built.stages:
        images = stage.batch_size * stage.batches()
        assert f"stage {stage.name}: {stage.length} = {stage.steps(10_000):,} steps of {images} images" in text
        for player in stage.players:
            assert f"\n  {player.name} " in text
    assert f"steps of {2 * model.built.stages[1].batch_size} images in 2 batches" in text
    assert "repeats=2" in text
    assert text.count("repeats=") == 1, "only what is unusual is said of a player"
    total = sum(parameter.numel() for parameter in model.noise.parameters())
    assert f" {total:,} " in text


def test_a_summary_says_what_was_changed_by_itself(model: gantk.Model) -> None:
    assert "note: " not in summary(model)
    model.built.notes.append("something was chosen")
    assert summary(model).endswith("note: something was chosen")
    model.built.notes.clear()


def test_a_summary_says_what_the_recipe_and_the_training_are_told() -> None:
    settings = {"train.ema": 0.99, "train.keep": 3}
    text = summary(gantk.build("autodecoder", data="digits", settings=settings))
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("recipe ")] == ["image_noise=0.1"]
    assert "\n\ntrain: ema=0.99\n" in f"{text}\n", "only what is unusual"


def test_a_loss_says_what_it_needs_and_where_it_speaks() -> None:
    shown = describe("loss", "wgan-gp")
    text = describe_text(shown)
    assert shown["adversarial"] is True
    assert set(shown["roles"]) == {"discriminator", "generator"}
    assert "adversarial: a game has exactly one such loss" in text
    assert f"needs: {', '.join(shown['needs'])}" in text
    assert any(line.startswith("default settings of the discriminator: ") for line in text.splitlines())


def test_a_discriminator_says_what_it_provides_and_offers() -> None:
    shown = describe("discriminator", "dcgan")
    assert {"logits", "hidden"} <= set(shown["provides"])
    assert shown["offers"]["code"] == {"code": True}
    assert "offers code with code=true" in describe_text(shown)


def test_a_required_option_is_said_to_be_required() -> None:
    path = next(option for option in describe("data", "folder")["options"] if option["name"] == "path")
    assert path["required"] is True
    assert "default" not in path
    line = next(line for line in describe_text(describe("data", "folder")).splitlines() if line.startswith("path "))
    assert "(required)" in line


def test_an_unknown_plugin_is_an_error() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'gaussian'"):
        describe("noise", "gausian")
