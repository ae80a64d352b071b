"""Stacked images: gray images of another data set as channels, and the extractor that recognizes each."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import gantk
from gantk.construct import construct
from gantk.data import ArraySource, to_float
from gantk.errors import FitError, GantkError, NothingHeldOut, OptionError
from gantk.measures import Comparison, Side


def test_a_channel_is_an_image_and_a_class_is_three() -> None:
    digits, source = construct("data", "digits"), construct("data", "stacked:of=digits,images=40")
    assert (len(source), source.image_shape, len(source.classes)) == (40, (3, 28, 28), 1000)
    assert (source.classes[0], source.classes[-1], source.classes[427]) == ("000", "999", "427")
    six = construct("data", "stacked:of=digits,images=2,channels=6")
    assert (six.image_shape, six.classes, six.labels([0])) == ((6, 28, 28), None, None)
    images, labels = source.images(range(40)), source.labels(range(40))
    every, known = digits.images(range(len(digits))), digits.labels(range(len(digits)))
    for image, label in zip(images[:5], labels[:5].tolist(), strict=True):
        for channel, digit in zip(image, f"{label:03}", strict=True):
            (place,) = torch.nonzero((every[:, 0] == channel).flatten(1).all(dim=1)).flatten()[:1].tolist()
            assert known[place].item() == int(digit)


def test_any_order_gives_the_same_images_and_a_seed_others() -> None:
    one, again, other = (construct("data", f"stacked:of=digits,images=30,channels=2,seed={seed}") for seed in (0, 0, 1))
    assert torch.equal(one.images([7, 2]), again.images(range(30))[[7, 2]])
    assert torch.equal(one.labels([7, 2]), again.labels(range(30))[[7, 2]])
    assert one.digest() == again.digest() != other.digest()


def test_digits_are_drawn_evenly() -> None:
    labels = construct("data", "stacked:of=digits,images=20000").labels(range(20_000))
    for digit in (labels // 100, labels // 10 % 10, labels % 10):
        assert (torch.bincount(digit, minlength=10) - 2000).abs().max() < 5 * (20_000 * 0.1 * 0.9) ** 0.5


def test_what_is_held_out_is_drawn_from_what_the_other_holds_out(tmp_path: Path) -> None:
    for name, level in (("train", 10), ("t10k", 200)):
        images = np.full((4, 28, 28), level, dtype=np.uint8)
        header = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        labels = struct.pack(">4BI", 0, 0, 8, 1, 4) + bytes(range(4))
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    train = construct("data", {"plugin": "stacked", "of": f"mnist:path={tmp_path}", "images": 6})
    test = construct("data", {"plugin": "stacked", "of": f"mnist:path={tmp_path}", "images": 6, **train.held_out})
    assert {*train.images(range(6)).unique().tolist()} == {10}
    assert {*test.images(range(6)).unique().tolist()} == {200}
    with pytest.raises(NothingHeldOut):
        construct("data", "stacked:of=digits,split=test")


@pytest.mark.parametrize(
    ("text", "error"),
    [("images=0", "at least 1"), ("channels=0", "at least 1"), ("seed=-1", "0 or more")],
)
def test_what_cannot_be_drawn_is_refused(text: str, error: str) -> None:
    with pytest.raises(OptionError, match=error):
        construct("data", f"stacked:of=digits,{text}")


def test_images_in_color_are_refused() -> None:
    with pytest.raises(GantkError, match="must be gray"):
        construct("data", {"plugin": "stacked", "of": "stacked:of=digits"})


def test_each_channel_is_recognized_by_itself() -> None:
    extractor = construct("extractor", "channels:of=pixels", image_shape=(3, 4, 5))
    images = torch.rand(6, 3, 4, 5) * 2 - 1
    assert torch.equal(extractor(images), images.flatten(1))
    with pytest.raises(FitError):
        extractor.classify(extractor(images))


def test_the_classes_of_real_digits_are_found() -> None:
    source = construct("data", "stacked:of=digits,images=300")
    extractor = construct(
        "extractor", "channels:of='classifier:data=digits,epochs=1,width=4,size=14'", image_shape=source.image_shape
    ).eval()
    assert (extractor.class_count, extractor.dim) == (1000, 3 * extractor.of.dim)
    images, labels = to_float(source.images(range(300))), source.labels(range(300))
    with torch.no_grad():
        found = extractor.classify(extractor(images))
        each = [extractor.of.classify(extractor.of(images[:, [channel]])) for channel in range(3)]
    assert torch.allclose(found.sum(1), torch.ones(300))
    expected = each[0].argmax(1) * 100 + each[1].argmax(1) * 10 + each[2].argmax(1)
    assert torch.equal(found.argmax(1), expected)
    assert (expected == labels).float().mean() > 0.1, "a hundred times as many as by chance"


def test_a_generator_of_one_digit_per_channel_is_said_to_have_one_class() -> None:
    real = construct("data", "stacked:of=digits,images=400")
    extractor = construct(
        "extractor", "channels:of='classifier:data=digits,epochs=1,width=4,size=14'", image_shape=(3, 28, 28)
    ).eval()
    same = real.images([5]).expand(400, -1, -1, -1).numpy()
    sides = [Side(real, extractor, name="real"), Side(ArraySource(same), extractor, name="generated")]
    with torch.no_grad():
        found = construct("metric", "classes").compute(Comparison(sides[0], sides[1], None, None))
    assert (found["classes"], found["commonest"]) == (1, 1.0)
    assert found["classes_real"] > 250


def test_a_stacked_gan_is_built() -> None:
    model = gantk.build(
        "dcgan", data="stacked:of=digits,images=50", generator="dcgan:width=4", discriminator="dcgan:width=4"
    )
    assert model.sample(2, seed=0).shape == (2, 3, 28, 28)
