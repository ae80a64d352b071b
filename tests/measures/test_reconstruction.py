"""Reconstruction: whose codes are read, how far off what comes back is, and what is held out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gantk import Discriminator, Generator, Model, NoiseSource, Posterior, Refiner, Verdict
from gantk.building.record import Record
from gantk.chunks import CHUNK
from gantk.errors import DataError, FitError, UsageError
from gantk.measures.degradation import Degradation
from gantk.measures.reconstruction import (
    Error,
    check_reads_codes,
    generated_again,
    generated_errors,
    held_out,
    image_errors,
    picture_files,
    read_codes,
    reconstructed,
)
from gantk.nn import Average
from gantk.recipe import Recipe
from gantk.report.pictures import colored, heat_maps, side_by_side
from gantk.report.reconstruction import picture_of


class Noise(NoiseSource):
    dim = 4

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_uniform(n, 4, rng=rng) * 2 - 1


class Plain(Generator):
    """A code is an image of 2×2 pixels."""

    image_shape = (1, 2, 2)

    def forward(self, noise: Tensor) -> Tensor:
        return noise.view(-1, 1, 2, 2)


class Encoding(Plain):
    provides = frozenset({"posterior"})

    def encode(self, images: Tensor) -> Posterior:
        return Posterior(images.flatten(1) / 2, torch.zeros(len(images), 4))


class Shifting(Discriminator):
    """Its code is 0.25 too large, and more in training."""

    provides = frozenset({"code"})

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(code=images.flatten(1) + (9 if self.training else 0.25))


class Silent(Discriminator):
    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=images.flatten(1).sum(1))


class Black(Refiner):
    def forward(self, images: Tensor) -> Tensor:
        return torch.full_like(images, -1.0)


IMAGES = torch.linspace(-0.5, 0.5, 40 * 4).view(40, 1, 2, 2)


def test_the_discriminators_code_comes_before_the_generators() -> None:
    codes = read_codes(Model(Noise(), Encoding(), Shifting()), IMAGES)
    torch.testing.assert_close(codes, IMAGES.flatten(1) + 0.25)
    for model in (Model(Noise(), Encoding()), Model(Noise(), Encoding(), Silent())):
        torch.testing.assert_close(read_codes(model, IMAGES), IMAGES.flatten(1) / 2)
    assert read_codes(Model(Noise(), Encoding()), IMAGES[:0]).shape == (0, 4)


def test_codes_are_read_in_evaluation_mode_and_without_gradients() -> None:
    model = Model(Noise(), Plain(), Shifting()).train()
    assert not read_codes(model, IMAGES.clone().requires_grad_()).requires_grad
    assert model.training
    assert len(IMAGES) > CHUNK
    assert torch.equal(read_codes(model, IMAGES)[35:37], read_codes(model, IMAGES[35:37]))


def test_what_the_recipe_has_judged_is_read() -> None:
    class Brightened(Recipe):
        def stages(self, model: Model) -> list[Any]:
            return []

        def judged(self, model: Model, images: Tensor) -> Tensor:
            return images + 1

    model = Model(Noise(), Plain(), Shifting())
    model.built = Record(spec={}, recipe=Brightened())
    torch.testing.assert_close(read_codes(model, IMAGES), IMAGES.flatten(1) + 1.25)


@pytest.mark.parametrize(
    ("discriminator", "mend"), [(Silent(), "--loss code.*or.*recipe.* vae or age"), (None, "vae or age")]
)
def test_a_model_without_codes_names_the_mend(discriminator: Discriminator | None, mend: str) -> None:
    with pytest.raises(FitError, match=mend):
        check_reads_codes(Model(Noise(), Plain(), discriminator))
    with pytest.raises(FitError, match="cannot encode images"):
        read_codes(Model(Noise(), Plain(), discriminator), IMAGES)


def test_generated_and_generated_again_by_hand_and_unrefined() -> None:
    model = Model(Noise(), Plain(), Shifting(), Black())
    found = generated_again(model, 3, seed=5)
    torch.testing.assert_close(found.noise, model.sample_noise(3, 5))
    torch.testing.assert_close(found.images.flatten(1), found.noise)
    torch.testing.assert_close(found.codes, found.noise + 0.25)
    torch.testing.assert_close(found.again.flatten(1), found.noise + 0.25)
    errors = generated_errors(model, 50, seed=5)
    assert (errors.codes.absolute, errors.codes.squared) == pytest.approx((0.25, 0.0625))
    assert (errors.images.absolute, errors.images.squared) == pytest.approx((0.25, 0.0625))
    noise = model.sample_noise(50, 5)
    assert errors.silence.absolute == pytest.approx(noise.abs().mean().item())
    assert errors.silence.squared == pytest.approx(noise.square().mean().item())


def test_errors_are_means_over_every_pixel_of_uneven_batches() -> None:
    model = Model(Noise(), Encoding())
    errors = image_errors(model, iter([IMAGES[:7], IMAGES[7:]]))
    halves = IMAGES.double() / 2
    assert errors.again.absolute == pytest.approx(halves.abs().mean().item())
    assert errors.again.squared == pytest.approx(halves.square().mean().item())
    assert errors.degraded == Error(0, 0)


def test_errors_are_against_the_images_before_they_were_degraded() -> None:
    model = Model(Noise(), Plain(), Shifting())
    shrink = [Degradation.parse("downscale=2")]
    found = reconstructed(model, IMAGES, shrink)
    means = IMAGES.mean((2, 3), keepdim=True).expand_as(IMAGES)
    torch.testing.assert_close(found.degraded, means)
    torch.testing.assert_close(found.again, means + 0.25)
    assert torch.equal(found.images, IMAGES)
    errors = image_errors(model, [IMAGES], shrink)
    assert errors.again.absolute == pytest.approx((IMAGES - means - 0.25).abs().mean().item())
    assert errors.degraded.absolute == pytest.approx((IMAGES - means).abs().mean().item())


def spec(plugin: str, **options: Any) -> Mapping[str, Any]:
    return {"data": {"plugin": f"gantk:{plugin}", **options}}


def test_a_data_set_that_holds_nothing_out_says_so() -> None:
    found = held_out(spec("digits"))
    assert (found.name, found.seen, len(found.source)) == ("digits", True, 10_000)
    with pytest.raises(UsageError, match="data given from Python: give a data set with --data"):
        held_out({})


@pytest.mark.parametrize(("split", "seen"), [("train", False), ("test", True)])
def test_the_test_split_is_held_out_from_those_who_train_on_the_other(split: str, seen: bool, tmp_path: Path) -> None:
    for stem, count in (("train", 3), ("t10k", 2)):
        for kind, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">i4").tobytes()
            (tmp_path / f"{stem}-{kind}-ubyte").write_bytes(head + bytes(int(np.prod(shape))))
    found = held_out(spec("mnist", path=str(tmp_path), split=split, download=False))
    assert (found.name, found.seen, len(found.source)) == ("mnist:split=test", seen, 2)


def test_picture_files_come_in_their_order_and_in_the_models_shape(tmp_path: Path) -> None:
    for name, colour, size in (("z", (255, 0, 0), (9, 9)), ("a", (0, 0, 255), (30, 12))):
        Image.new("RGB", size, colour).save(tmp_path / f"{name}.png")
    paths = [tmp_path / "z.png", tmp_path / "a.png", tmp_path / "z.png"]
    found = picture_files(paths, (3, 6, 4))
    assert (len(found), found.image_shape, found.classes) == (3, (3, 6, 4), None)
    assert found.images([0, 1, 2])[:, :, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255], [255, 0, 0]]
    assert picture_files(paths, (1, 6, 4)).images([0])[0, 0, 0, 0] == 76
    assert picture_files(paths, (4, 6, 4)).images([0])[0, :, 0, 0].tolist() == [255, 0, 0, 255]
    with pytest.raises(UsageError, match="5 channels"):
        picture_files(paths, (5, 6, 4))


def test_bad_picture_files(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for path, message in (
        (tmp_path / "gone.png", "gone.png: cannot be read"),
        (tmp_path, "a folder; expected an image file"),
        (tmp_path / "text.png", r"text.png: not an image; expected PNG, .*: remove it\.$"),
    ):
        with pytest.raises(DataError, match=message):
            picture_files([path], (1, 6, 4)).images([0])


RED, BLUE, WHITE, GREY = [1.0, -1.0, -1.0], [-1.0, -1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]


def test_heat_maps_by_hand() -> None:
    tiles = heat_maps(torch.tensor([[2.0, -2.0, 0.0], [1.0, 9.0, -0.5]]), (4, 6), limit=2.0)
    assert tiles.shape == (2, 3, 4, 6)
    assert tiles[0, :, 0, 0].tolist() == RED
    assert tiles[0, :, 1, 5].tolist() == BLUE
    assert tiles[0, :, 3, 2].tolist() == WHITE
    assert tiles[0, :, 3, 3].tolist() == GREY, "what the code leaves free"
    assert tiles[1, :, 0, 0].tolist() == [1, 0, 0]
    assert tiles[1, :, 0, 5].tolist() == RED
    assert tiles[1, :, 2, 0].tolist() == [0.5, 0.5, 1]
    assert heat_maps(torch.ones(1, 2), (3, 3), 1.0, channels=4)[0, 3].eq(1).all()
    for size in ((28, 28), (96, 4), (2, 2)):
        assert heat_maps(torch.randn(2, 100), size, 1.0).shape == (2, 3, *size)


def test_colored_and_side_by_side() -> None:
    for channels, expected in ((1, 3), (2, 4), (3, 3), (4, 4)):
        images = torch.rand(2, channels, 3, 3)
        found = colored(images)
        assert found.shape == (2, expected, 3, 3)
        assert torch.equal(found[:, 0], images[:, 0])
        assert torch.equal(found[:, -1], images[:, -1])
    with pytest.raises(UsageError, match="got 5"):
        colored(torch.rand(2, 5, 3, 3))
    joined = side_by_side([torch.zeros(3, 4, 5, dtype=torch.uint8), torch.ones(3, 2, 7, dtype=torch.uint8)], gap=3)
    assert joined.shape == (3, 4, 15)
    assert joined[0, 3].tolist() == [0] * 5 + [255] * 10
    assert joined[0, 0].tolist() == [0] * 5 + [255] * 3 + [1] * 7


def test_the_picture_has_its_columns_in_order() -> None:
    model = Model(Noise(), Plain(), Shifting())
    generated = generated_again(model, 2)
    real = reconstructed(model, IMAGES[:3], [Degradation.parse("downscale=2")])
    for degraded, columns in ((False, 7), (True, 8)):
        drawn = picture_of(generated, real, degraded)
        assert drawn.shape == (3, 3 * 4 + 2, (4 * 4 + 2) + 12 + (columns - 4) * 4 + 2)
        pixels = drawn[0].float() / 127.5 - 1
        assert pixels[2:4, 6:8].flatten().tolist() == pytest.approx(generated.noise[0].tolist(), abs=0.01)
        right = 4 * 4 + 2 + 12 + 2
        assert pixels[2:4, right : right + 2].flatten().tolist() == pytest.approx(
            IMAGES[0].flatten().tolist(), abs=0.01
        )
        last = drawn.shape[2] - 4
        assert pixels[10:12, last : last + 2].flatten().tolist() == pytest.approx(
            real.again[2].flatten().tolist(), abs=0.01
        )


def test_averaged_weights_draw_and_encode() -> None:
    class Scaled(Encoding):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def encode(self, images: Tensor) -> Posterior:
            return Posterior(images.flatten(1) * self.scale, torch.zeros(len(images), 4))

    model = Model(Noise(), Scaled(), average=partial(Average, decay=0.9))
    with torch.no_grad(), model.averaging():
        model.generator.scale.fill_(5.0)  # type: ignore[operator,union-attr]
        torch.testing.assert_close(read_codes(model, IMAGES), IMAGES.flatten(1))
    torch.testing.assert_close(read_codes(model, IMAGES), IMAGES.flatten(1))
