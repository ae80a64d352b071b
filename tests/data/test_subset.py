"""A subset of another data set: how many of each class, the same ones every time, and what is held out."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import encoded, pixels
from PIL import Image

from gantk.construct import construct
from gantk.errors import DataError, GantkError, NothingHeldOut, OptionError


def test_every_class_has_as_many_images() -> None:
    source = construct("data", "subset:of=digits,images=25")
    counts = torch.bincount(source.labels(range(25)), minlength=10)
    assert (len(source), counts.sum().item()) == (25, 25)
    assert set(counts.tolist()) == {2, 3}
    assert len(np.unique(source.images(range(25)).flatten(1).numpy(), axis=0)) == 25


def test_a_seed_draws_the_same_images() -> None:
    one, again = (construct("data", "subset:of=digits,images=20") for _ in range(2))
    other = construct("data", "subset:of=digits,images=20,seed=1")
    assert torch.equal(one.images(range(20)), again.images(range(20)))
    assert one.digest() == again.digest() != other.digest()


def test_its_images_and_labels_are_those_of_the_whole() -> None:
    whole, source = construct("data", "digits"), construct("data", "subset:of=digits,images=7")
    every = whole.images(range(len(whole)))
    for image, label in zip(source.images(range(7)), source.labels(range(7)), strict=True):
        (place,) = torch.nonzero((every == image).flatten(1).all(dim=1)).flatten()[:1].tolist()
        assert whole.labels([place]).item() == label


def test_what_is_held_out_is_that_of_the_whole(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.png").write_bytes(encoded(pixels(number)))
    data = f"folder:path={tmp_path},held_out=0.4"
    train = construct("data", {"plugin": "subset", "of": data, "images": 3})
    test = construct("data", {"plugin": "subset", "of": data, "images": 3, **train.held_out})
    assert len(train) == 3
    whole = construct("data", f"{data},split=test")
    assert torch.equal(test.images(range(len(test))), whole.images(range(len(whole))))


def test_what_it_cannot_give_is_refused() -> None:
    with pytest.raises(DataError, match="choose images="):
        construct("data", "subset:of=digits,images=100000")
    with pytest.raises(NothingHeldOut):
        construct("data", "subset:of=digits,images=5,split=test")
    with pytest.raises(OptionError, match="at least 1"):
        construct("data", "subset:of=digits,images=0")


def test_a_folder_and_a_zip_are_named_by_their_paths_as_everywhere(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for level in range(6):
            Image.new("L", (8, 8), 40 * level).save(tmp_path / "photos" / f"{level}.png")
            archive.write(tmp_path / "photos" / f"{level}.png", f"{level}.png")
    found = [
        construct("data", {"plugin": "subset", "of": f"{tmp_path / name}:size=4", "images": 3})
        for name in ("photos", "photos.zip")
    ]
    assert found[0].image_shape == found[1].image_shape == (3, 4, 4)
    assert torch.equal(found[0].images(range(3)), found[1].images(range(3)))
    with pytest.raises(GantkError, match="no such file or folder"):
        construct("data", {"plugin": "subset", "of": f"{tmp_path}/pictures", "images": 3})
