"""The images that a model is built for: the data that a spec names, and the shape that it has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gantk.building.construct import construct
from gantk.building.spec import Spec
from gantk.data import DataSource
from gantk.errors import DataError, OptionError, UsageError

__all__ = ["checked_shape", "open_data"]

MOST_VALUES = 1 << 28
"""Values of one image, at most."""


def open_data(spec: Spec) -> DataSource:
    """The data source that a spec names."""
    if "data" not in spec:
        raise UsageError("this model was built on data given from Python; pass the same data again with data=….")
    return construct("data", spec["data"])


def checked_shape(spec: Spec, data: DataSource | None) -> Mapping[str, Any]:
    """The shape of the data, after checking that it is the one that the model was built for.

    Training checks whether they are the images that a run was trained on.
    """
    built: Mapping[str, Any] = spec.get("shape", {})
    if (built or data is None) and not _is_shape(built):
        raise OptionError("the table [shape] of model.toml is damaged: restore it, or build a new run.")
    if data is None:
        return built
    found = _shape(data)
    if built and built["image_shape"] != found["image_shape"]:
        before, now = built["image_shape"], found["image_shape"]
        raise DataError(
            f"the model was built for images {before} (channels, height, width), but these are {now}: convert them to "
            "that size and color, or build a new run."
        )
    return found


def _is_shape(table: Any) -> bool:
    """Whether a table of a spec says what images are like, in sizes that images have."""
    if not isinstance(table, Mapping) or not isinstance(table.get("image_shape"), list | tuple):
        return False
    sides, counts = table["image_shape"], (table.get("images", 0), table.get("label_dim", 1))
    whole = all(hasattr(each, "__index__") and each > 0 for each in (*sides, *counts))
    classes = table.get("classes", [])
    named = isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes)
    return whole and named and len(sides) == 3 and math.prod(sides) <= MOST_VALUES


def _shape(data: DataSource) -> dict[str, Any]:
    classes = {"classes": list(data.classes)} if data.classes else {}
    vectors = {"label_dim": data.label_dim} if data.label_dim else {}
    return {"image_shape": list(data.image_shape), "images": len(data), **classes, **vectors}
