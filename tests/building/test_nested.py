"""Parts within parts: what is needed of the outer one reaches the inner one, and what that offers comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gantk
from gantk import Discriminator, Verdict, registry
from gantk.construct import nested, offers_of
from gantk.errors import FitError, OptionError
from gantk.options import convert, parse_part, write_part
from gantk.parts import ImageShape

SHAPE = {"image_shape": (1, 16, 16), "noise_dim": 6}


class Mirrored(Discriminator):
    """Judges mirrored images.

    Args:
        of: the discriminator that judges, with options.
    """

    def __init__(self, image_shape: ImageShape, noise_dim: int, *, of: str = "dcgan:width=4") -> None:
        super().__init__()
        self.judge = nested("discriminator", of, image_shape=image_shape, noise_dim=noise_dim)
        self.provides = self.judge.provides
        self.offers = offers_of("of", of, self.judge)

    def forward(self, images: Tensor) -> Verdict:
        verdict: Verdict = self.judge(images.flip(3))
        return verdict


@pytest.fixture
def mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mirrored`, registered for a test."""
    monkeypatch.setattr(registry, "_given", {})
    gantk.register("discriminator", Mirrored, name="mirrored")


@pytest.mark.usefixtures("mirrored")
def test_a_loss_reaches_the_part_within(tmp_path: Path) -> None:
    """Two losses, each of which needs an option of the inner discriminator; what a user gave of it stays."""
    model = gantk.build(
        generator="dcgan:width=4",
        discriminator=("mirrored", {"of": "dcgan:width=5"}),
        loss=["wgan-gp", "code"],
        data="digits",
        settings={"stages.game.length": "1 steps", "stages.game.batch_size": 8},
    )
    name, options = parse_part(model.built.spec["discriminator"]["of"])
    assert (name, options["width"], options["norm"], options["code"]) == ("dcgan", "5", "layer", "true")
    notes = " ".join(model.built.notes)
    assert "which loss wgan-gp needs" in notes
    assert "which loss code needs" in notes
    gantk.train(model, tmp_path / "run")
    assert torch.equal(gantk.load(tmp_path / "run").sample(2, seed=0), model.sample(2, seed=0))


@pytest.mark.usefixtures("mirrored")
def test_what_a_user_chose_within_is_not_replaced() -> None:
    with pytest.raises(FitError, match="loss 'wgan-gp' needs per-sample"):
        gantk.build(
            generator="dcgan:width=4",
            discriminator=("mirrored", {"of": "dcgan:width=4,norm=batch"}),
            loss="wgan-gp",
            data="digits",
        )


def test_needs_are_met_by_what_is_offered() -> None:
    part = nested("discriminator", "dcgan:width=4", {"per-sample", "code"}, **SHAPE)
    assert {"per-sample", "code"} <= part.provides
    assert part(torch.zeros(2, 1, 16, 16)).code.shape == (2, 6)


def test_a_part_that_cannot_says_so() -> None:
    with pytest.raises(FitError, match="needs per-sample, which discriminator 'dcgan:width=4,norm=batch' does not"):
        nested("discriminator", "dcgan:width=4,norm=batch", {"per-sample"}, **SHAPE)
    with pytest.raises(OptionError, match="no option 'wdth'"):
        nested("discriminator", "dcgan:wdth=4", **SHAPE)


def test_a_part_within_may_be_of_a_kind_that_provides_nothing() -> None:
    assert nested("noise", "gaussian:dim=3").sample(2).shape == (2, 3)
    with pytest.raises(FitError, match="needs logits, which noise 'gaussian' does not provide"):
        nested("noise", "gaussian", {"logits"})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dim": 4, "rate": 0.0000001, "on": True, "off": False},
        {"text": "plain", "number": "12", "truth": "true", "list": "[1]", "spaces": " a b ", "empty": ""},
        {"widths": [8, 4], "names": ["a,b", "c"], "table": {"x": 1.5, "y z": False}},
        {"of": "dcgan:width=4,norm=layer", "path": "Ann's photos, old", "both": "'\"\\", "line": "a\nb"},
        {"of": write_part("outer", {"of": write_part("inner", {"of": write_part("core", {"text": "a,b"})})})},
    ],
)
def test_a_written_part_reads_back(options: dict[str, Any]) -> None:
    name, written = parse_part(write_part("name", options))
    assert (name, {option: convert(value, Any, option) for option, value in written.items()}) == ("name", options)
    assert parse_part(write_part(name, written)) == (name, written)
