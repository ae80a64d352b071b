"""Real images to compare with: their name, the subset that is used, and hashes of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

from gantk.building.construct import construct, part_class
from gantk.building.given import named, source_of
from gantk.building.resolved import plain, resolved
from gantk.building.spec import bare_name, part_table
from gantk.data import DataSource
from gantk.errors import DataError, UsageError
from gantk.evaluation.array_files import array_source
from gantk.evaluation.protocol import RealImages
from gantk.evaluation.views import Some
from gantk.measures.side import content_digest
from gantk.options import read_options
from gantk.seeds import rng_for
from gantk.written import write_part

__all__ = ["ImageSet", "held_out_of", "image_set", "short_name"]

SUBSET_SEED = 0
"""The seed of subsets: evaluations with the same number of images use the same ones."""


class ImageSet:
    """Images with a name.

    Args:
        name: their name, such as `mnist:split=test`.
        source: the whole set.
        most: size of a random subset; by default, or if there are fewer, all images.
        split: their split of the data set.
        table: the data plugin with its options, if any.
    """

    def __init__(
        self,
        name: str,
        source: DataSource,
        most: int | None = None,
        split: str = "all",
        table: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.split, self.table, self.of = name, split, table, len(source)
        self.subset_seed = SUBSET_SEED if most is not None and most < len(source) else None
        self.source: DataSource = source
        if most is not None and self.subset_seed is not None:
            order = torch.randperm(len(source), generator=rng_for(SUBSET_SEED, "subset"))
            self.source = Some(source, order[:most].sort().values.tolist())

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def content(self) -> str:
        """A hash of the pixels of the images that are used."""
        return content_digest(self.source)

    @cached_property
    def labels(self) -> str:
        """A hash of their labels and the names of the classes; empty without classes."""
        if not self.source.classes:
            return ""
        labels = self.source.labels(range(len(self)))
        found = hashlib.blake2b(repr(self.source.classes).encode(), digest_size=16)
        found.update(b"" if labels is None else labels.numpy().tobytes())
        return found.hexdigest()

    def record(self, with_labels: bool) -> RealImages:
        """Their entry in a protocol."""
        return RealImages(
            data=self.name,
            split=self.split,
            images=len(self),
            of=self.of,
            subset_seed=self.subset_seed,
            shape=tuple(self.source.image_shape),
            content=self.content,
            labels=self.labels if with_labels else "",
        )


def image_set(
    data: Any,
    most: int | None = None,
    progress: Callable[[float], object] | None = None,
    classes: Sequence[str] = (),
) -> ImageSet:
    """The images of a plugin, a folder, a file, an array or a data source.

    Args:
        data: the data, as for `gantk.build`, or an array file.
        most: size of a random subset.
        progress: receives the fraction of images that are decoded.
        classes: class names of labels in array files.

    Raises:
        UsageError: there is no such data.
        DataError: they cannot be read.
    """
    source = array_source(data, classes)
    if source is not None:
        return ImageSet(str(data), source, most)
    source = source_of(data)
    if source is not None:
        return _prepared(ImageSet("the data given", source, most), progress)
    table = resolved("data", part_table("data", named("data", data)))
    source = construct("data", table)
    name = short_name("data", table)
    return _prepared(ImageSet(name, source, most, str(table.get("split", "all")), table), progress)


def held_out_of(images: ImageSet, most: int | None = None) -> ImageSet | None:
    """The held-out images of the data set; `None` if there are none, they are missing, or they are this set itself."""
    if images.table is None:
        return None
    options = part_class("data", images.table["plugin"]).held_out
    if all(images.table.get(name) == value for name, value in options.items()):
        return None
    try:
        found = image_set({**images.table, **options}, most)
        found.source.images([0])  # opens the files
    except (DataError, UsageError):
        return None
    return found if found.source.image_shape == images.source.image_shape else None


def _prepared(images: ImageSet, progress: Callable[[float], object] | None) -> ImageSet:
    images.source.prepare(progress or (lambda done: None))
    return images


def short_name(kind: str, table: Mapping[str, Any]) -> str:
    """A part as it is typed, such as `mnist:split=test`, without options at their defaults."""
    options = read_options(part_class(kind, table["plugin"])).values()
    usual = {option.name: plain(option.default) for option in options}
    chosen = {name: value for name, value in table.items() if name != "plugin" and plain(value) != usual.get(name)}
    return write_part(bare_name(table), chosen)
