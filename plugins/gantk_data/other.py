"""The data set that another one is made from."""

from __future__ import annotations

from typing import Literal

from gantk.construct import construct, part_named
from gantk.data import DataSource
from gantk.errors import NothingHeldOut

__all__ = ["other_data"]


def other_data(of: str, split: Literal["train", "test"]) -> DataSource:
    """A data set as it is named on the command line, or the images that it holds out.

    Args:
        of: its name with options, or a path.
        split: whether it is the data set itself or what it holds out.

    Raises:
        NothingHeldOut: it holds no images out.
    """
    name, options = part_named("data", of)
    found: DataSource = construct("data", {"plugin": name, **options})
    if split == "train":
        return found
    if not found.held_out:
        raise NothingHeldOut(f"{of} holds no images out; choose other data.")
    held_out: DataSource = construct("data", {"plugin": name, **options, **found.held_out})
    return held_out
