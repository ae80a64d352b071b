"""Settings that losses bring, over the usual ones and below a recipe's; and parts of a recipe that are left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gantk
from gantk import Model
from gantk.building.player_settings import notes_on_brought, without
from gantk.errors import FitError, UsageError
from gantk.run.folder import Run

Build = Callable[..., Model]


def players(model: Model) -> dict[str, dict[str, Any]]:
    return {player.name: player.settings() for player in model.built.stages[-1].players}


def rates(model: Model) -> dict[str, tuple[str, float]]:
    return {name: (settings["optimizer"], settings["lr"]) for name, settings in players(model).items()}


def test_a_loss_brings_its_papers_settings(tiny: Build, tmp_path: Path) -> None:
    """What was taken over is said, written down, and the same once it is read back."""
    model = tiny(loss="wgan-gp")
    found = players(model)
    assert {role: [*settings["betas"], settings["lr"], settings["repeats"]] for role, settings in found.items()} == {
        "discriminator": [0.0, 0.9, 1e-4, 5],
        "generator": [0.0, 0.9, 1e-4, 1],
    }
    assert model.built.notes[1:] == [
        "player discriminator of stage game got lr=0.0001, betas=[0, 0.9], repeats=5, which loss wgan-gp brings.",
        "player generator of stage game got lr=0.0001, betas=[0, 0.9], which loss wgan-gp brings.",
    ]
    assert rates(tiny(loss="wasserstein")) == dict.fromkeys(found, ("rmsprop", 5e-5))
    written = gantk.build(loss="wgan-gp")
    Run(tmp_path / "run").create(written.built.spec)
    assert Run(tmp_path / "run").spec()["stages"]["game"]["generator"]["betas"] == [0, 0.9]


@pytest.mark.parametrize(
    ("recipe", "loss", "kept", "got"),
    [
        ("wgan", "wgan-gp", {"discriminator": ("rmsprop", 5e-5), "generator": ("rmsprop", 5e-5)}, "repeats=5"),
        ("autodecoder", "wgan-gp", {"discriminator": ("adam", 2e-4), "generator": ("adam", 2e-4)}, "repeats=5"),
        (
            "wgan-gp",
            "wasserstein",
            {"discriminator": ("adam", 1e-4), "generator": ("adam", 1e-4)},
            "repeats=5, clip_weights=0.01",
        ),
    ],
)
def test_a_recipes_own_settings_stay_and_that_is_said(
    recipe: str, loss: str, kept: dict[str, Any], got: str, tiny: Build
) -> None:
    discriminator = "dcgan:width=4,code=true,norm=layer" if recipe == "autodecoder" else "dcgan:width=4"
    model = tiny(recipe, loss=loss, discriminator=discriminator)
    assert rates(model) == kept
    notes = [note for note in model.built.notes if "keeps the recipe's" in note]
    assert len(notes) == 2
    assert f"where loss {loss} brings" in notes[0]
    assert "take that over with --set stages.game.discriminator." in notes[0]
    assert [note for note in model.built.notes if note.startswith("player") and " got " in note] == [
        f"player discriminator of stage game got {got}, which loss {loss} brings."
    ]


def test_a_recipes_code_keeps_each_setting_that_it_gives_and_its_optimizer_whole() -> None:
    brought = {"optimizer": "adam", "lr": 1e-4, "repeats": 5, "clip_weights": 0.1}
    assert without(brought, ()) == brought
    assert without(brought, {"repeats"}) == {"optimizer": "adam", "lr": 1e-4, "clip_weights": 0.1}
    assert without(brought, {"optimizer", "clip_weights"}) == {"repeats": 5}


def test_nothing_is_said_of_a_recipes_own_loss(tiny: Build) -> None:
    for recipe in ("wgan", "wgan-gp"):
        assert not [note for note in tiny(recipe).built.notes if note.startswith("player")]


def test_nothing_is_said_to_players_that_do_not_have_the_loss(tiny: Build) -> None:
    stages = tiny("wgan").built.stages
    assert not [*notes_on_brought(stages, {"wgan-gp": gantk.construct("loss", "wgan-gp")})]


def test_what_a_user_says_goes_over_both_and_needs_no_note(tiny: Build) -> None:
    settings = {"stages.game.generator.lr": 0.5, "stages.game.discriminator.lr": 0.25}
    model = tiny(loss="wgan-gp", settings=settings)
    assert rates(model) == {"discriminator": ("adam", 0.25), "generator": ("adam", 0.5)}
    assert not [note for note in model.built.notes if "keeps" in note]
    other = tiny(loss="wgan-gp", settings={"stages.*.*.optimizer": "sgd", "stages.*.*.lr": 0.1})
    assert rates(other) == dict.fromkeys(("discriminator", "generator"), ("sgd", 0.1))
    assert "betas" not in players(other)["generator"]


def test_what_a_recipes_code_gives_a_player_stays(tiny_pictures: gantk.data.ArraySource) -> None:
    """The growing schedule has Adam at 1e-3 in its code, and no preset."""
    networks = {"generator": "progan:fmap_base=16,fmap_max=8", "discriminator": "progan:fmap_base=16,fmap_max=8"}
    loss = "wgan-gp:per_sample=false"
    model = gantk.build("growing", data=tiny_pictures, noise="gaussian:dim=6", loss=loss, **networks)
    assert {player.optimizer["lr"] for stage in model.built.stages for player in stage.players} == {1e-3}
    assert {stage.players[0].repeats for stage in model.built.stages} == {5}


def losses(model: Model) -> list[str]:
    return [name for name, _ in model.losses]


SMALL = {"generator": "dcgan:width=4", "discriminator": "dcgan:width=4", "noise": "gaussian:dim=6", "data": "digits"}


def test_a_part_of_a_recipe_can_be_left_out() -> None:
    def built(recipe: str, names: Any, **parts: Any) -> Model:
        return gantk.build(recipe, without=names, **{**SMALL, **parts})

    assert losses(built("degan", ())) == ["nonsaturating", "hidden"]
    for name in ("hidden", "loss.hidden", "gantk:hidden", ["hidden"]):
        assert losses(built("degan", name)) == ["nonsaturating"]
    assert losses(built("degan", "hidden", loss="minimax")) == ["minimax"]
    assert losses(built("degan", "loss", loss=["minimax", "code"])) == ["minimax", "code"]
    refined = {"generator": "aegan:width=4,embedding=8", "discriminator": "aegan:width=4"}
    assert built("aegan", "refiner", **refined).refiner is None
    assert built("aegan", "denoiser", **refined).refiner is None


def test_a_part_that_is_left_out_first_comes_back_with_its_own_options() -> None:
    def code(**more: Any) -> dict[str, Any]:
        spec: dict[str, Any] = gantk.build("autodecoder", **SMALL, loss="code:p=1", **more).built.spec["loss"][1]
        return spec

    assert (code()["weight"], code(without="code")["weight"]) == (0.5, 1.0)
    assert code()["p"] == code(without="code")["p"] == 1


@pytest.mark.parametrize(
    ("recipe", "without", "error", "says"),
    [
        ("degan", "hiden", UsageError, "--without hiden: the recipe has no such part. Did you mean 'hidden'?"),
        ("degan", "degan", UsageError, "--without degan is ambiguous: use generator.degan or discriminator.degan."),
        ("degan", "loss", FitError, "has nothing to minimize"),
        ("degan", "noise", FitError, "needs a noise: add --noise uniform or --noise de, or leave out --without noise"),
    ],
)
def test_what_cannot_be_left_out_is_refused(recipe: str, without: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        gantk.build(recipe, without=without, data="digits")
    assert says in str(caught.value)
