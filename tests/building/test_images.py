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
GOOD: dict[str, Any] = {"image_shape": [1, 8, 8], "images": 3, "label_dim": 2, "classes": ["a", "b"]}


def test_data_from_python_are_not_named_by_a_run(tiny: Build, images: ArraySource) -> None:
    model = tiny()
    assert "data" not in model.built.spec
    assert model.built.data is images
    with pytest.raises(UsageError, match="built on data given from Python; pass the same data again"):
        open_data(model.built.spec)
    with pytest.raises(OptionError, match=r"--set data\.root: the data is given from Python and has no options"):
        tiny(settings={"data.root": "photos"})


@pytest.mark.parametrize(
    "shape", [{"images": 1}, {"label_dim": 1}, {"classes": []}, {"image_shape": [1, 1 << 14, 1 << 14]}]
)
def test_a_shape_that_images_can_have_is_none_that_is_damaged(shape: dict[str, Any]) -> None:
    assert checked_shape({"shape": GOOD | shape}, None) == GOOD | shape


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


@pytest.mark.parametrize(
    "shape",
    [
        "[1, 8, 8]",
        {"images": 3},
        {},
        {"image_shape": [1, 8, 8]},
        *(
            GOOD | {"image_shape": sides}
            for sides in ("188", [8, 8], [1, 8, 8, 8], [0, 8, 8], [1.0, 8, 8], [1, "8", 8])
        ),
        GOOD | {"image_shape": [1, 1 << 14, (1 << 14) + 1]},
        *(GOOD | {"images": count} for count in (0, -1, 2.5)),
        GOOD | {"label_dim": 0},
        *(GOOD | {"classes": classes} for classes in ("ab", ["a", 1])),
    ],
)
def test_a_damaged_shape_is_told(shape: Any, images: ArraySource) -> None:
    with pytest.raises(OptionError, match=r"the table \[shape\] of model.toml is damaged"):
        checked_shape({"shape": shape}, None)
    if shape:
        with pytest.raises(OptionError, match="damaged"):
            checked_shape({"shape": shape}, images)
