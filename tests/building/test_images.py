"""The images that a model is built for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gantk
from gantk.building.images import checked_shape, open_data
from gantk.data import ArraySource
from gantk.errors import DataError, OptionError, UsageError

Build = Callable[..., gantk.Model]


def test_data_from_python_are_not_named_by_a_run(tiny: Build, images: ArraySource) -> None:
    model = tiny()
    assert "data" not in model.built.spec
    assert model.built.data is images
    with pytest.raises(UsageError, match="built on data given from Python; pass the same data again"):
        open_data(model.built.spec)
    with pytest.raises(OptionError, match=r"--set data\.root: the data is given from Python and has no options"):
        tiny(settings={"data.root": "photos"})


def test_a_run_stores_what_its_images_are(images: ArraySource) -> None:
    shape = {"image_shape": [1, 14, 14], "images": 40}
    assert checked_shape({}, images) == {**shape, "classes": ["across", "along"]}
    vectors = ArraySource(images.images(range(8)).numpy(), np.zeros((8, 3), np.float32))
    assert checked_shape({}, vectors) == {**shape, "images": 8, "label_dim": 3}
    assert checked_shape({"shape": shape}, None) == shape
    with pytest.raises(
        DataError, match=r"built for images \[1, 8, 8\] \(channels, height, width\), but these are \[1, 14, 14\]"
    ):
        checked_shape({"shape": {**shape, "image_shape": [1, 8, 8]}}, images)


@pytest.mark.parametrize("shape", ["[1, 8, 8]", {"images": 3}, {}])
def test_a_damaged_shape_is_told(shape: Any, images: ArraySource) -> None:
    with pytest.raises(OptionError, match=r"the table \[shape\] of model.toml is damaged"):
        checked_shape({"shape": shape}, None)
    if shape:
        with pytest.raises(OptionError, match="damaged"):
            checked_shape({"shape": shape}, images)
