"""Build: layers of a spec; what does not fit says why; what is resolved is written and read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import gantk
from gantk.building.assembly import assemble
from gantk.building.composition import compose
from gantk.building.spec import bare_name
from gantk.data import ArraySource
from gantk.errors import FitError, OptionError, UnknownName, UsageError
from gantk.run.folder import Run

Build = Callable[..., gantk.Model]


def test_an_adversarial_loss_replaces_and_the_others_are_added() -> None:
    def losses(recipe: str | None, *chosen: str) -> list[str]:
        return [loss["plugin"] for loss in compose(recipe, {"loss": list(chosen)} if chosen else {})["loss"]]

    assert losses(None) == ["gantk:nonsaturating"]
    assert losses(None, "hidden") == ["gantk:nonsaturating", "gantk:hidden"]
    assert losses(None, "hidden", "wgan-gp") == ["gantk:wgan-gp", "gantk:hidden"]
    assert losses("degan", "minimax") == ["gantk:minimax", "gantk:hidden"]
    assert losses("degan", "hidden:weight=3") == ["gantk:nonsaturating", "gantk:hidden"]
    with pytest.raises(UsageError, match="exactly one adversarial loss, not gantk:minimax and gantk:wasserstein"):
        losses(None, "minimax", "wasserstein")


def test_options_of_the_recipes_plugin_stay_and_those_of_another_go() -> None:
    assert compose("degan-mnist", {"noise": "de:dim=16"})["noise"] == {
        "plugin": "gantk:de",
        "dim": "16",
        "autoencoder": "'gantk:vae:output=sigmoid'",
        "loss": "'gantk:vae:reconstruction=bce'",
    }
    assert compose("degan-mnist", {"noise": "gaussian"})["noise"] == {"plugin": "gantk:gaussian"}


def test_degan_mnist_has_the_game_that_was_measured_and_the_papers_is_one_command_away() -> None:
    spec = compose("degan-mnist", {})
    losses = {bare_name(loss): loss for loss in spec["loss"]}
    assert set(losses) == {"nonsaturating", "hidden"}
    assert losses["hidden"]["weight"] == "0.0001"
    assert {spec["stages"]["game"][player]["lr"] for player in ("discriminator", "generator")} == {1e-3}
    assert spec["stages"]["game"]["generator"]["betas"] == [0.5, 0.999], "DCGAN's"
    papers = compose("degan-mnist", {"loss": ["minimax", "hidden:weight=0.1"]})
    assert papers["loss"][0]["plugin"] == "gantk:minimax"
    assert papers["loss"][1] == {"plugin": "gantk:hidden", "players": "both", "weight": "0.1"}


def test_another_optimizer_drops_the_options_of_the_one_before() -> None:
    spec = compose("dcgan", {}, ["stages.game.discriminator.optimizer=sgd", "stages.game.discriminator.lr=0.5"])
    assert spec["stages"]["game"]["discriminator"] == {"optimizer": "sgd", "lr": 0.5}
    assert gantk.build("dcgan").built.spec["stages"]["game"]["generator"]["betas"] == [0.5, 0.999]


def test_a_pattern_over_stages_goes_over_what_each_of_them_says(tiny: Build) -> None:
    settings = {
        "stages.pretrain.autoencoder.lr": 0.25,
        "stages.game.generator.lr": 0.25,
        "stages.*.generator.lr": 0.5,
        "stages.*.batch_size": 4,
    }
    model = tiny("dcgan", settings, noise="de:dim=6,autoencoder='vae:width=4'")
    assert {stage.name: stage.batch_size for stage in model.built.stages} == {"pretrain": 4, "game": 4}
    rates = {player.name: player.optimizer["lr"] for stage in model.built.stages for player in stage.players}
    assert rates == {"autoencoder": 0.25, "discriminator": 2e-4, "generator": 0.5}


def test_the_three_forms_of_a_part_are_one() -> None:
    forms = ["de:dim=7,sample=false", ("de", {"dim": 7, "sample": False}), {"plugin": "de", "dim": 7, "sample": False}]
    built = [gantk.build(noise=form).built.spec["noise"] for form in forms]
    assert built[0] == built[1] == built[2]
    assert built[0] | {"dim": 7, "sample": False} == built[0]
    assert compose(None, {"noise": "gantk:de"}) == compose(None, {"noise": "de"})


@pytest.mark.parametrize(
    ("recipe", "chosen", "settings", "error", "message"),
    [
        ("dcgam", {}, [], UnknownName, "Did you mean 'dcgan'"),
        (None, {"noise": "gausian"}, [], UnknownName, "Did you mean 'gaussian'"),
        (None, {"noise": "gaussian:dims=3"}, [], OptionError, "no option 'dims'. Did you mean 'dim'"),
        (None, {"noise": "gaussian:dim=many"}, [], OptionError, "dim takes int, not 'many'"),
        (None, {"noise": "gaussian:image_shape=3"}, [], OptionError, "is determined by other parts"),
        (None, {"loss": "hidden:layer=9"}, [], OptionError, "layer=9 is out of range"),
        (None, {"loss": "vae"}, [], FitError, "loss 'vae' needs posterior"),
        (None, {"loss": "wgan-gp", "discriminator": "dcgan:norm=batch"}, [], FitError, "dcgan:norm=layer"),
        (
            "wgan",
            {"discriminator": "progan:fmap_max=8"},
            [],
            FitError,
            "use a --loss that clips no weights",
        ),
        ("vae", {"loss": "hidden"}, [], FitError, "needs a discriminator, but this recipe has none"),
        ("vae", {"discriminator": "dcgan"}, [], FitError, "takes no discriminator"),
        ("vae", {"generator": "dcgan"}, [], FitError, "needs posterior, which generator 'dcgan' does not provide"),
        (None, {"seed": -1}, [], UsageError, "a seed is an integer"),
        (None, {}, ["stages.gam.length=3 steps"], OptionError, "Did you mean 'game'"),
        (None, {}, ["stages.game.length=3"], OptionError, "such as '25 epochs'"),
        (None, {}, ["stages.game.batch_size=0"], OptionError, "at least 1"),
        (None, {}, ["stages.game.generator.lr=-1"], OptionError, "Invalid learning rate"),
        (None, {}, ["stages.game.generator.momentun=1"], OptionError, "no option 'momentun'"),
        (None, {}, ["stages.game.generator.optimizer=adm"], OptionError, "Did you mean 'adam'"),
        (None, {}, ["train.keep=0"], OptionError, "keep must be at least 1"),
        (None, {}, ["train.precision=8"], OptionError, "'32-true' or 'bf16-mixed'"),
        (None, {}, ["train.devices=3"], UsageError, "128 images per batch is not divisible by 3 devices"),
        (None, {}, ["refiner.x=1"], OptionError, "has no refiner"),
        (None, {}, ["loss.hidden.weight=2"], OptionError, "no loss 'hidden' here"),
        (None, {}, ["nonsense"], OptionError, "takes PATH=VALUE"),
        (None, {}, ["a.b.c.d.e=1"], OptionError, "there is no such setting"),
        ("degan", {}, ["stages.game.batch_size=1"], FitError, "fails on a batch of 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_mend(
    recipe: str | None, chosen: dict[str, str], settings: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        assemble(compose(recipe, chosen, settings))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("recipe", ["gan", "dcgan", "wgan", "wgan-gp", "vae", "degan"])
def test_what_is_written_builds_the_same_model(recipe: str, tmp_path: Path) -> None:
    model = gantk.build(recipe, seed=5)
    Run(tmp_path / recipe).create(model.built.spec)
    again = assemble(Run(tmp_path / recipe).spec())
    Run(tmp_path / "again").create(again.built.spec)
    assert (tmp_path / "again" / "model.toml").read_text() == (tmp_path / recipe / "model.toml").read_text()
    state = again.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_changing_one_part_leaves_the_others_initial_weights_alone() -> None:
    one, other = gantk.build("dcgan"), gantk.build("dcgan", discriminator="gan", loss="hidden")
    for p, q in zip(one.generator.parameters(), other.generator.parameters(), strict=True):
        assert torch.equal(p, q)
    seeded = gantk.build("dcgan", seed=1)
    assert not torch.equal(next(one.generator.parameters()), next(seeded.generator.parameters()))


def test_a_loss_gets_what_it_needs_where_nobody_chose() -> None:
    model = gantk.build(loss="wgan-gp")
    assert model.built.spec["discriminator"]["norm"] == "layer"
    assert model.built.notes[0] == "discriminator dcgan got norm=layer, which loss wgan-gp needs."
    assert {p.name: p.repeats for p in model.built.stages[0].players} == {"discriminator": 5, "generator": 1}


def test_an_epoch_reads_every_image_once() -> None:
    plain, critic = gantk.build("dcgan"), gantk.build("wgan-gp")
    assert plain.built.stages[0].steps(10_000) == 1954  # 25 · 10,000 / 128
    assert critic.built.stages[0].steps(10_000) == 782  # 25 · 10,000 / (64 · 5)


def test_images_of_a_seed_do_not_depend_on_how_many(tiny: Build) -> None:
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'")
    many = model.sample(70, seed=4)
    assert torch.equal(model.sample(3, seed=4), many[:3])
    assert torch.equal(model.sample(33, seed=4), many[:33])
    assert not torch.equal(model.sample(3, seed=5), many[:3])
    assert many.min() >= -1
    assert many.max() <= 1
    assert not model.training  # as a built model is, before and after sampling


def test_building_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    gantk.build("degan")
    assert torch.equal(torch.rand(2), expected)


class Counted(ArraySource):
    """A folder of many images would take long to open."""

    opened = 0

    def __init__(self) -> None:
        super().__init__(np.zeros((8, 1, 16, 16), np.uint8))
        Counted.opened += 1


def test_data_is_opened_once_for_all_that_is_tried_after_a_refusal(register: Callable[[str, str, type], None]) -> None:
    register("data", "counted", Counted)
    with pytest.raises(FitError, match="leave out --loss age"):
        gantk.build(data="counted", generator="dcgan:width=4", discriminator="dcgan:width=4", loss="age")
    assert Counted.opened == 2
