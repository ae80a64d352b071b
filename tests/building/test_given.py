"""Code in place of a name: classes, instances, modules and functions are trained, resumed, loaded and sampled from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from given_code import CASES, CODE, SHAPE, SMALL, Critic, Painter, PlainD, PlainG, Softened, Squares, brightness, paint
from torch import Tensor, nn
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk import registry
from gantk.data import ArraySource
from gantk.errors import FitError, GantkError, OptionError, UsageError
from gantk.training.progress import Silent
from gantk_classic.dcgan import DCGANGenerator
from gantk_classic.losses import NonSaturating
from gantk_classic.noise import Gaussian


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was given nothing yet."""
    monkeypatch.setattr(registry, "_given", {})


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "form"), CASES, ids=[f"{kind}-{form}" for kind, form in CASES])
def test_code_is_trained_saved_resumed_and_loaded(
    kind: str, form: str, images: ArraySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = CODE[kind][form]()
    model = gantk.build(data=images, settings=SHORT, **{**SMALL, kind: code})
    goes_the_whole_way(model, images, tmp_path)

    # Another process knows nothing of the code.
    monkeypatch.setattr(registry, "_given", {})
    expected, run = model.sample(3, seed=1), tmp_path / "whole"
    if form.startswith("bundled"):
        assert torch.equal(gantk.load(run).sample(3, seed=1), expected)
        return
    with pytest.raises(UsageError, match=rf"{kind} '[\w-]+' was given from Python.*gantk.load\(…, {kind}=…\)"):
        gantk.load(run)
    fresh = CODE[kind][form]()
    fresh = fresh[0] if isinstance(fresh, tuple) else fresh
    fresh = [each for each in fresh if not isinstance(each, str)] if isinstance(fresh, list) else fresh
    loaded = gantk.load(run, data=images, **{kind: fresh})
    assert torch.equal(loaded.sample(3, seed=1), expected)
    gantk.train(loaded, run, progress=Silent())


def test_an_instance_is_the_part_itself(images: ArraySource) -> None:
    painter, network = Painter(SHAPE, 6), PlainD()
    model = gantk.build(data=images, noise=Squares(), generator=painter, discriminator=network)
    assert model.generator is painter
    assert model.discriminator is not None
    assert model.discriminator.network is network
    assert model.built.spec["generator"] == {"plugin": "python:Painter", "width": 8}


def test_an_instance_of_a_bundled_part_needs_no_code_to_be_loaded(images: ArraySource) -> None:
    generator = DCGANGenerator(image_shape=SHAPE, noise_dim=6, width=4)
    model = gantk.build(data=images, noise=Gaussian(dim=6), generator=generator, loss=NonSaturating)
    assert model.generator is generator
    assert model.built.spec["generator"]["plugin"] == "gantk:dcgan"
    assert model.built.spec["generator"]["width"] == 4
    assert model.built.spec["noise"] == {"plugin": "gantk:gaussian", "dim": 6}
    assert [loss["plugin"] for loss in model.built.spec["loss"]] == ["gantk:nonsaturating"]


def test_a_sigmoid_at_the_end_is_passed_by(images: ArraySource) -> None:
    network = PlainD()
    model = gantk.build(data=images, discriminator=network)
    assert model.discriminator is not None
    pictures = torch.rand(3, *SHAPE) * 2 - 1
    logits = model.discriminator(pictures).logits
    torch.testing.assert_close(torch.sigmoid(logits), network(pictures)[:, 0])
    assert any("ends in a Sigmoid" in note for note in model.built.notes)


def test_whether_a_plain_discriminator_judges_singly_is_found_out(images: ArraySource) -> None:
    alone = gantk.build(data=images, discriminator=nn.Sequential(nn.Flatten(), nn.Linear(196, 1)), loss="wgan-gp")
    assert alone.discriminator is not None
    assert "per-sample" in alone.discriminator.provides
    together = nn.Sequential(nn.Flatten(), nn.Linear(196, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    before = {name: tensor.clone() for name, tensor in together.state_dict().items()}
    with pytest.raises(FitError, match="needs per-sample"):
        gantk.build(data=images, discriminator=together, loss="wgan-gp")
    assert all(torch.equal(tensor, before[name]) for name, tensor in together.state_dict().items())


def test_the_average_of_a_function_has_networks_of_its_own(images: ArraySource, tmp_path: Path) -> None:
    settings = {**SHORT, "train.ema": 0.9}
    model = gantk.build(data=images, noise="gaussian:dim=6", generator=paint, settings=settings)
    gantk.train(model, tmp_path / "run", progress=Silent())
    noise = model.sample_noise(2, seed=0)
    with model.averaging():
        assert not torch.equal(model.generator(noise).detach(), model.generate(noise))


def test_registered_code_is_named_like_an_installed_part(images: ArraySource, tmp_path: Path) -> None:
    @gantk.register("generator", name="mine")
    class Mine(PlainG):
        """Mine."""

    gantk.register("loss", brightness)
    model = gantk.build(
        data=images, noise="gaussian:dim=6", generator="mine:width=3", loss="brightness:weight=0.5", settings=SHORT
    )
    assert model.built.spec["generator"] == {"plugin": "python:mine", "nz": 6, "width": 3}
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert torch.equal(gantk.load(tmp_path / "run").sample(2, seed=0), model.sample(2, seed=0))
    assert (
        gantk.build(data=images, noise="gaussian:dim=6", generator=Mine).built.spec["generator"]["plugin"]
        == "python:mine"
    )
    assert "mine" in [plugin.name for plugin in registry.plugins("generator")]


def test_a_recipe_and_a_data_source_may_be_code(images: ArraySource) -> None:
    from gantk_classic.recipe import Game

    class Mine(Game):
        """Mine."""

    class Pictures(gantk.DataSource):
        """Forty."""

        def __init__(self, side: int = 14) -> None:
            self.image_shape = (1, side, side)

        def __len__(self) -> int:
            return 40

        def images(self, indices: Any) -> Tensor:
            return torch.zeros(len(indices), *self.image_shape, dtype=torch.uint8)

    model = gantk.build(Mine, data=(Pictures, {"side": 16}), loss="nonsaturating", **SMALL)
    assert isinstance(model.built.recipe, Mine)
    assert model.image_shape == (1, 16, 16)
    assert model.built.spec["data"] == {"plugin": "python:Pictures", "side": 16}


def test_the_recipes_noise_is_as_long_as_a_module_reads_unless_it_was_chosen(images: ArraySource) -> None:
    model = gantk.build(data=images, generator=nn.Sequential(nn.Linear(5, 196), nn.Tanh()))
    assert (model.noise.dim, model.built.spec["noise"]["dim"]) == (5, 5)
    assert any("got dim=5, which generator Sequential reads" in note for note in model.built.notes)
    for chosen in ({"noise": "gaussian"}, {"settings": {"noise": {"dim": 7}}}):
        with pytest.raises(FitError, match="seems to read 5 numbers"):
            gantk.build(data=images, generator=nn.Linear(5, 196), **chosen)


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x @ torch.zeros(3, 3)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"generator": Broken()}, r"generator Broken fails on noise \[2, 6\]: RuntimeError"),
        ({"generator": nn.Linear(5, 196)}, r"it seems to read 5 numbers: noise='gaussian:dim=5'"),
        (
            {"generator": nn.Linear(6, 100)},
            r"generator Linear returned \[2, 100\] for 2 noise vectors; expected \[2, 1, 14, 14\]",
        ),
        ({"generator": lambda z: "picture"}, "generator lambda returned a str"),
        ({"generator": lambda z: z.repeat(1, 40)[:, :196]}, "which has no parameters"),
        ({"generator": Critic}, "'Critic' is a discriminator; expected a generator"),
        ({"generator": 3}, "generator: expected 'name'"),
        ({"generator": (Painter, {"widht": 3})}, "generator 'Painter' has no option 'widht'. Did you mean 'width'"),
        (
            {"generator": lambda noise_dim: 3},
            "generator 'lambda' returned int; expected a part or a network",
        ),
        ({"discriminator": nn.Linear(196, 1), "loss": "hidden"}, "let it return a dictionary with hidden"),
        ({"discriminator": Broken()}, r"discriminator Broken fails on images \[2, 1, 14, 14\]"),
        (
            {"discriminator": nn.Conv2d(1, 1, 3)},
            r"returned \[2, 1, 12, 12\] for 2 images; expected one number each: av",
        ),
        ({"refiner": nn.Conv2d(1, 1, 3)}, r"refiner Conv2d returned \[2, 1, 12, 12\]"),
        ({"noise": lambda n: torch.zeros(n)}, r"noise lambda returned \[2\] for n=2; expected \[2, dim\]"),
        ({"noise": lambda n: 1 / 0}, "noise lambda fails on n=2: ZeroDivisionError"),
        ({"loss": lambda play: play.fake.mean(0)}, "loss lambda returned .* expected a scalar"),
        ({"loss": lambda: 3}, "expected a function of a play, or of logits and targets"),
        ({"loss": [brightness, brightness]}, "brightness is given twice"),
        ({"noise": gantk.NoiseSource}, "noise 'NoiseSource' lacks sample"),
    ],
)
def test_code_that_cannot_work_is_named_in_one_line(parts: dict[str, Any], said: str, images: ArraySource) -> None:
    with pytest.raises(GantkError, match=said) as error:
        gantk.build(data=images, **{**SMALL, **parts})
    assert "\n" not in str(error.value)


def test_a_network_that_is_not_made_for_a_condition_is_told_of_its_channels(images: ArraySource) -> None:
    single = nn.Sequential(nn.Flatten(), nn.Linear(14 * 14, 1), nn.Flatten(0))
    with pytest.raises(FitError, match=r"images \[2, 3, 14, 14\]: .*; 2 of these channels are the condition"):
        gantk.build(data=images, discriminator=single, condition="class", generator="dcgan:width=4")


def test_options_that_a_run_cannot_hold_are_refused(images: ArraySource) -> None:
    class Activated(PlainG):
        def __init__(self, nz: int = 6, activation: Any = nn.ReLU) -> None:
            super().__init__(nz)

    assert gantk.build(data=images, noise=Squares, generator=Activated).built.spec["generator"]["nz"] == 6
    with pytest.raises(OptionError, match="a run stores numbers and strings, not activation="):
        gantk.build(data=images, noise=Squares, generator=(Activated, {"activation": nn.GELU}))


def test_what_is_given_again_belongs_to_the_run(images: ArraySource, tmp_path: Path) -> None:
    model = gantk.build(data=images, settings=SHORT, **{**SMALL, "generator": Painter})
    gantk.train(model, tmp_path / "run", progress=Silent())
    with pytest.raises(UsageError, match="its discriminator is gantk:dcgan, which is installed"):
        gantk.load(tmp_path / "run", discriminator=Critic)
    with pytest.raises(UsageError, match="has no refiner"):
        gantk.load(tmp_path / "run", refiner=Softened)
    with pytest.raises(UsageError, match=r"has no argument genrator=….*Did you mean 'generator'"):
        gantk.load(tmp_path / "run", genrator=Painter)
    with pytest.raises(UsageError, match="the code of Painter is needed"):
        gantk.load(tmp_path / "run", generator="dcgan")


def test_a_decorator_may_be_given_the_name_alone() -> None:
    @gantk.register("generator", "named-alone")
    class Some(nn.Module):
        """Some generator."""

    assert registry.find("generator", "named-alone").name == "named-alone"
    assert Some.__doc__ == "Some generator."
