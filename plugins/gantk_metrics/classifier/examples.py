"""What a classifier learns from: the images and classes of a data set, and those that it is tested on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from gantk.construct import construct, part_named
from gantk.data import DataSource, to_float, to_uint8
from gantk.errors import DataError, FitError
from gantk.parts import ImageShape
from gantk_metrics.classifier.training import Examples
from gantk_metrics.images import as_taken

__all__ = ["Split", "read"]

SMALLEST = 4
"""Fewest pixels of a side."""

READ = 256
"""Images that are decoded at a time."""


@dataclass(frozen=True)
class Split:
    """Examples to learn from, and others to be tested on."""

    seen: Examples
    held_out: Examples
    classes: tuple[str, ...]
    held_out_name: str
    """Which those are, as `split=test` or `a tenth`."""
    symmetric: bool | None
    """Whether mirrored images have the same class; `None` if it is not known."""

    @property
    def image_shape(self) -> ImageShape:
        """(channels, height, width) of all images."""
        _, channels, height, width = self.seen.images.shape
        return channels, height, width

    def digest(self) -> str:
        """A hash of every image and its class."""
        found = hashlib.blake2b(repr(self.classes).encode(), digest_size=16)
        for part in (self.seen, self.held_out):
            found.update(repr(tuple(part.images.shape)).encode())
            for images in torch.split(part.images, READ):
                found.update(images.numpy().tobytes())
            found.update(part.labels.numpy().tobytes())
        return found.hexdigest()


def read(data: str | DataSource, size: int, seed: int) -> Split:
    """A data set's images with their classes.

    Args:
        data: a data plugin with options, or a data source.
        size: longest side of images in pixels; larger ones are reduced.
        seed: what a tenth of the images follows from that is held out, where the data set has no part for it.

    Raises:
        FitError: the images have no classes, are of one class only, or are too small.
    """
    source = construct("data", data) if isinstance(data, str) else data
    classes = tuple(source.classes or ())
    if len(classes) < 2:
        name = f"data '{data}'" if isinstance(data, str) else "the data"
        raise FitError(f"{name} has {len(classes) or 'no'} class{'es' * (len(classes) != 1)}; two at least are needed.")
    shape = _reduced(source.image_shape, size)
    if min(shape[1:]) < SMALLEST:
        raise FitError(f"images are {shape[1]}x{shape[2]} pixels; {SMALLEST}x{SMALLEST} at least are needed.")
    seen = _examples(source, shape)
    held_out = _held_out(data, source) if isinstance(data, str) else None
    if held_out is not None:
        other, name = held_out
        return Split(seen, _examples(other, shape), classes, name, source.symmetric)
    order = torch.randperm(len(seen), generator=torch.Generator().manual_seed(seed))
    tested, learned = order[: max(1, len(seen) // 10)], order[max(1, len(seen) // 10) :]
    if not len(learned):
        raise FitError("there is one image; two at least are needed.")
    rest, tenth = (Examples(seen.images[chosen], seen.labels[chosen]) for chosen in (learned, tested))
    return Split(rest, tenth, classes, "a tenth of the data", source.symmetric)


def _reduced(shape: ImageShape, size: int) -> ImageShape:
    channels, height, width = shape
    factor = min(1.0, size / max(height, width))
    return channels, round(height * factor), round(width * factor)


def _examples(source: DataSource, shape: ImageShape) -> Examples:
    images = torch.empty((len(source), *shape), dtype=torch.uint8)
    for start in range(0, len(source), READ):
        part = source.images(range(start, min(start + READ, len(source))))
        reduced = part if source.image_shape == shape else to_uint8(as_taken(to_float(part), shape))
        images[start : start + len(part)] = reduced
    labels = source.labels(range(len(source)))
    if labels is None:
        raise FitError("the data set names classes and gives its images none.")
    return Examples(images, labels)


def _held_out(text: str, source: DataSource) -> tuple[DataSource, str] | None:
    """The part of a data set that nobody trains on, unless it has none, it is not there, or it is the one named."""
    options = type(source).held_out
    if not options:
        return None
    name, given = part_named("data", text)
    try:
        found = construct("data", {"plugin": name, **given, **options})
        same = found.digest() == source.digest()
    except DataError:
        return None
    return None if same else (found, ",".join(f"{option}={value}" for option, value in options.items()))
