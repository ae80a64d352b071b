"""What `gantk.train` checks and prepares before the first step; nothing is trained here."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import gantk
from gantk.construct import construct
from gantk.data import ArraySource
from gantk.errors import UsageError
from gantk.training import begin
from gantk.training.progress import Silent
from gantk_classic.dcgan import DCGANGenerator

Build = Callable[..., gantk.Model]


class Pretended:
    """In place of the trainer."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def fit(self, fresh: bool, accept_data: bool) -> None:
        assert torch.are_deterministic_algorithms_enabled()


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working folder of a test, in which nothing is trained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(begin, "Trainer", Pretended)
    return tmp_path


def train(model: gantk.Model, run: str | None = None, **more: Any) -> gantk.Run:
    """The run in which a model is trained."""
    found = gantk.train(model, run, progress=Silent(), **more).built.run
    assert found is not None
    return found


def changed(model: gantk.Model) -> gantk.Model:
    with torch.no_grad():
        next(model.generator.parameters()).add_(0.1)
    return model


def test_a_model_is_trained_where_it_was(tiny: Build, folder: Path) -> None:
    model = tiny()
    assert train(model).path == Path("runs/dcgan")
    assert train(model).path == Path("runs/dcgan")
    assert train(model, "elsewhere").path == Path("elsewhere")
    assert train(model).path == Path("elsewhere")
    assert sorted(path.name for path in folder.iterdir()) == ["elsewhere", "runs"]


@pytest.mark.parametrize("devices", [1, 2])
def test_several_devices_need_a_run(devices: int, tiny: Build) -> None:
    model = tiny(settings={"train.devices": devices})
    if devices > 1:
        with pytest.raises(UsageError, match=r"several devices needs a run: gantk\.train\(model, RUN\)"):
            train(model)
        assert train(model, "run").path == Path("run")
    else:
        train(model)


def test_what_a_model_was_built_with_is_not_given_again(tiny: Build, images: ArraySource) -> None:
    model = tiny()
    for given in ({"recipe": "dcgan"}, {"seed": 0}):
        with pytest.raises(UsageError, match=f"already built with a {next(iter(given))}: omit"):
            train(model, "run", **given)
    with pytest.raises(UsageError, match=r"data is an array, .* not str"):
        train(model, "run", data="digits")
    assert not Path("run").exists()
    pixels = images.images(range(8)).numpy()
    train(model, "run", data=pixels)
    assert len(model.built.data) == 8


def test_weights_that_a_seed_does_not_make_are_saved_first(tiny: Build) -> None:
    assert train(tiny(), "as-built").steps() == []
    assert train(changed(tiny()), "changed").steps() == [0]
    assert train(tiny(generator=DCGANGenerator((1, 14, 14), 6, width=4)), "handed-over").steps() == [0]


def test_weights_of_another_run_are_no_weights_that_were_changed(tiny: Build, images: ArraySource) -> None:
    first = train(changed(tiny()), "first")
    assert train(gantk.build(data=images, start_from=first.path), "second").steps() == []


def test_the_run_of_another_model_is_refused(tiny: Build) -> None:
    train(tiny(), "run")
    with pytest.raises(UsageError, match="run contains another model: train that one with gantk train run, or"):
        train(tiny(noise="uniform:dim=6"), "run")
    written = Path("run/model.toml").read_text()
    assert 'plugin = "gantk:gaussian"' in written
    Path("run/model.toml").write_text(written.replace('plugin = "gantk:gaussian"', 'plugin = "gaussian"'))
    train(tiny(), "run")


def test_the_data_of_a_run_that_was_trained_are_compared_by_its_checkpoint(tiny: Build) -> None:
    """They may be stored elsewhere; those of a run that was not yet trained are its model's."""
    other = tiny(data="digits")
    for name, model in (("new", tiny()), ("trained", changed(tiny()))):
        train(model, name)
    train(other, "trained")
    with pytest.raises(UsageError, match="new contains another model"):
        train(other, "new")
    train(other, "new", accept_data=True)


def test_a_run_that_was_not_yet_trained_takes_other_images(tiny: Build, images: ArraySource) -> None:
    pixels = images.images(range(20)).numpy()
    train(tiny(data=pixels), "run")
    train(tiny(data=pixels[:19]), "run")


def assembled() -> gantk.Model:
    torch.manual_seed(0)
    parts = [construct("noise", "gaussian:dim=6"), DCGANGenerator((1, 14, 14), 6, width=4)]
    return gantk.Model(
        *parts,
        construct("discriminator", "dcgan:width=4", image_shape=(1, 14, 14), noise_dim=6),
        losses={"mine": construct("loss", "hinge")},
    )


def test_a_run_of_earlier_versions_is_resumed(tiny: Build, images: ArraySource) -> None:
    for number, make in enumerate((tiny, assembled)):
        given = {"data": images} if make is assembled else {}
        train(make(), f"run-{number}", **given)
        path = Path(f"run-{number}/model.toml")
        path.write_text(path.read_text().replace(f'torch = "{torch.__version__}"', 'torch = "1.0"'))
        assert 'torch = "1.0"' in path.read_text()
        train(make(), f"run-{number}", **given)


def test_changed_weights_are_refused_where_a_run_has_its_own(tiny: Build) -> None:
    for name in ("new", "started"):
        train(tiny(), name)
    gantk.Run("started").start.mkdir()
    model = changed(tiny())
    train(model, "new")
    with pytest.raises(UsageError, match="weights of this model were changed"):
        train(changed(model), "started")


def test_a_run_without_a_name_is_told_where_it_is(tiny: Build) -> None:
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    model = gantk.train(tiny(), progress=progress)
    assert said == ["training in runs/dcgan"]
    gantk.train(model, progress=progress)
    assert len(said) == 1


def test_progress_is_shown_unless_it_is_given(tiny: Build, capsys: pytest.CaptureFixture[str]) -> None:
    gantk.train(tiny())
    assert capsys.readouterr().err == "training in runs/dcgan\n"


def test_a_signal_before_the_first_step_needs_no_word(
    tiny: Build, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Pretended, "fit", lambda *given: signal.raise_signal(signal.SIGINT))
    train(tiny())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", [torch.float16, torch.float64])
def test_weights_of_other_types_are_for_sampling(kind: torch.dtype, tiny: Build) -> None:
    name = str(kind).removeprefix("torch.")
    with pytest.raises(UsageError, match=rf"weights are {name}, but training needs float32: use model\.float\(\)"):
        train(tiny().to(kind))


def test_parameters_that_are_no_weights_may_have_any_type(tiny: Build) -> None:
    model = tiny()
    model.generator.register_parameter("seen", torch.nn.Parameter(torch.tensor(3), requires_grad=False))
    train(model)
