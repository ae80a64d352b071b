"""Models put together by hand, runs without a place, and weights that a loop of one's own has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from whole_way import SHORT

import gantk
from gantk.cli.main import cli
from gantk.data import ArraySource
from gantk.errors import FitError, GantkError, OptionError, UsageError
from gantk.training.progress import Silent
from gantk_classic.dcgan import DCGANDiscriminator, DCGANGenerator
from gantk_classic.losses import NonSaturating
from gantk_classic.noise import Gaussian

Build = Callable[..., gantk.Model]
SHAPE = (1, 14, 14)


class Heard(Silent):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def by_hand(**parts: object) -> gantk.Model:
    usual = {
        "noise": Gaussian(dim=6),
        "generator": DCGANGenerator(SHAPE, 6, width=4),
        "discriminator": DCGANDiscriminator(SHAPE, 6, width=4),
        "losses": {"game": NonSaturating()},
    }
    return gantk.Model(**{**usual, **parts})


def pull(play: gantk.Play) -> Tensor:
    return play.fake.square().mean()


def test_a_model_by_hand_is_trained_saved_and_read_by_everybody(
    images: ArraySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = by_hand()
    generator, before = model.generator, model.sample(2, seed=0)
    gantk.train(model, "run", data=images, settings=SHORT, progress=Silent())
    assert model.generator is generator
    assert not torch.equal(model.sample(2, seed=0), before)
    assert torch.equal(gantk.load("run").sample(2, seed=0), model.sample(2, seed=0))
    assert cli.main(["sample", "run", "-n", "2", "-o", "x.npz"], standalone_mode=False) is None
    gantk.train(gantk.load("run", data=images), "run", progress=Silent())


def test_a_model_by_hand_of_modules_and_functions(images: ArraySource, tmp_path: Path) -> None:
    network, judge = nn.Sequential(nn.Linear(5, 196), nn.Tanh(), nn.Unflatten(1, SHAPE)), nn.Linear(196, 1)
    model = by_hand(
        noise=lambda n: torch.randn(n, 5),
        generator=network,
        discriminator=judge,
        losses=[F.mse_loss, pull],
        refiner=nn.Tanh(),
    )
    assert model.image_shape == SHAPE
    assert [name for name, _ in model.losses] == ["mse_loss", "pull"]
    gantk.train(model, tmp_path / "run", data=images, settings={**SHORT, "train.ema": 0.5}, progress=Silent())
    weights = [parameter.detach().clone() for parameter in network.parameters()]
    again = nn.Sequential(nn.Linear(5, 196), nn.Tanh(), nn.Unflatten(1, SHAPE))
    loaded = gantk.load(
        tmp_path / "run",
        noise=lambda n: torch.randn(n, 5),
        generator=again,
        discriminator=nn.Linear(196, 1),
        refiner=nn.Tanh(),
    )
    assert torch.equal(loaded.sample(2, seed=0), model.sample(2, seed=0))
    assert all(torch.equal(one, other) for one, other in zip(weights, again.parameters(), strict=True))


@pytest.mark.parametrize("recipe", ["wgan", "dcgan"])
def test_the_recipe_gives_the_schedule_and_the_losses_that_are_missing(
    recipe: str, images: ArraySource, tmp_path: Path
) -> None:
    model = by_hand(losses=NonSaturating()) if recipe == "dcgan" else by_hand(losses=None, discriminator=None)
    gantk.train(model, tmp_path / "run", data=images, recipe=recipe, settings=SHORT, progress=Silent())
    assert model.built.stages[0].players[0].repeats == (5 if recipe == "wgan" else 1)
    assert [name for name, _ in model.losses] == ["wasserstein" if recipe == "wgan" else "nonsaturating"]


def test_a_model_by_hand_takes_the_seed_and_the_settings_of_its_training(images: ArraySource, tmp_path: Path) -> None:
    model = by_hand()
    gantk.train(model, tmp_path / "run", data=images, seed=3, settings=SHORT, progress=Silent())
    assert model.built.spec["seed"] == 3
    assert model.built.stages[0].length == "2 steps"
    assert not (tmp_path / "run/history.toml").exists()


def test_by_hand_what_is_missing_is_named(images: ArraySource) -> None:
    with pytest.raises(UsageError, match=r"assembled by hand: give its training data with data=…"):
        gantk.train(by_hand())
    with pytest.raises(FitError, match="recipe 'vae' takes no discriminator"):
        gantk.train(by_hand(), data=images, recipe="vae")
    with pytest.raises(OptionError, match=r"expected an instance, Gaussian\(…\), not the class"):
        by_hand(noise=Gaussian)
    with pytest.raises(OptionError, match="loss 'pull' is given twice"):
        by_hand(losses=[pull, pull])
    with pytest.raises(FitError, match="generator Linear fails on noise"):
        by_hand(generator=nn.Linear(3, 196))
    with pytest.raises(UsageError, match=r"gantk.save\(model, RUN, data=…\)"):
        by_hand().save("run")


def test_a_run_without_a_place_takes_a_free_one_and_says_so(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    heard, model = Heard(), tiny(settings={"stages.game.length": "2 steps"})
    gantk.train(model, progress=heard)
    assert "training in runs/dcgan" in heard.said
    assert gantk.Run("runs/dcgan").steps()[-1] == 2
    gantk.train(model, progress=heard)
    gantk.train(tiny(settings={"stages.game.length": "2 steps"}), progress=heard)
    assert sorted(path.name for path in Path("runs").iterdir()) == ["dcgan", "dcgan-2"]
    loaded = gantk.load("runs/dcgan-2", data=model.built.data)
    gantk.train(loaded, settings={"stages.game.length": "3 steps"}, progress=heard)
    assert gantk.Run("runs/dcgan-2").steps()[-1] == 3


def changed(model: gantk.Model) -> gantk.Model:
    """After a loop of one's own."""
    optimizer = torch.optim.SGD(model.generator.parameters(), lr=0.1)
    model.generator(model.sample_noise(4, seed=1)).square().mean().backward()
    optimizer.step()
    return model


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_changed_weights_are_never_thrown_away_in_silence(ema: float, tiny: Build, tmp_path: Path) -> None:
    settings = {"train.ema": ema, "train.keep": 9}
    model = gantk.train(tiny(settings=settings), tmp_path / "run", progress=Silent())
    trained = model.sample(2, seed=0)
    changed(model)
    own = model.sample(2, seed=0)
    assert not torch.equal(own, trained)
    with pytest.raises(
        UsageError, match=r"weights of this model were changed .* save them with model.save\(ANOTHER_RUN\)"
    ):
        gantk.train(model, tmp_path / "run", progress=Silent())
    assert torch.equal(model.sample(2, seed=0), own)

    model.save(tmp_path / "own")
    assert torch.equal(gantk.load(tmp_path / "own").sample(2, seed=0), own)
    assert torch.equal(gantk.load(tmp_path / "run").sample(2, seed=0), trained)
    with pytest.raises(UsageError, match="already exists"):
        model.save(tmp_path / "own")

    gantk.train(model, tmp_path / "own", progress=Silent())
    assert gantk.Run(tmp_path / "own").steps()[-1] == 6


def test_changed_weights_are_where_a_new_run_starts(tiny: Build, tmp_path: Path) -> None:
    model = changed(tiny())
    own = model.sample(2, seed=0)
    gantk.train(model, tmp_path / "run", settings={"train.keep": 9}, progress=Silent())
    assert torch.equal(gantk.load(tmp_path / "run", step=0).sample(2, seed=0), own)


def test_looking_at_a_model_in_training_mode_changes_no_weights(tiny: Build, tmp_path: Path) -> None:
    model = gantk.train(tiny(), tmp_path / "run", progress=Silent())
    model.train()
    model.generator(torch.randn(4, 6))
    gantk.train(model, tmp_path / "run", progress=Silent())


def test_settings_may_be_nested_dotted_or_both(images: ArraySource) -> None:
    settings = {
        "noise": {"dim": 5},
        "stages": {"game": {"length": "3 steps", "generator": {"lr": 1e-3}}, "game.discriminator": {"lr": 2e-3}},
        "stages.game.batch_size": 4,
        "train": {"ema": 0.5},
        "seed": 3,
        "loss": {"hidden": {"weight": 0.25}},
    }
    spec = gantk.build(data=images, loss="hidden", settings=settings).built.spec
    game = spec["stages"]["game"]
    assert (spec["noise"]["dim"], spec["seed"], spec["train"]["ema"]) == (5, 3, 0.5)
    assert (game["length"], game["batch_size"]) == ("3 steps", 4)
    assert (game["generator"]["lr"], game["discriminator"]["lr"]) == (1e-3, 2e-3)
    assert next(loss for loss in spec["loss"] if loss["plugin"] == "gantk:hidden")["weight"] == 0.25
    with pytest.raises(GantkError, match=r"stages.game.lenght: .*Did you mean 'length'"):
        gantk.build(data=images, settings={"stages": {"game": {"lenght": "3 steps"}}})


def test_data_are_handed_over_to_a_loaded_model_in_training_too(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 1, 14, 14), dtype=np.uint8)
    gantk.train(gantk.build(data=pixels, settings=SHORT), tmp_path / "run", progress=Silent())
    gantk.train(gantk.load(tmp_path / "run"), data=pixels, progress=Silent())
    with pytest.raises(UsageError, match="already built with a recipe"):
        gantk.train(gantk.load(tmp_path / "run"), recipe="wgan", progress=Silent())
