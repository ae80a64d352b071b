"""Reconstruction: encode images, generate images from the codes, and measure the errors.

`gantk.measures.codes` encodes images. Refiners are not applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gantk.building.construct import construct, part_class
from gantk.building.spec import bare_name
from gantk.data import DataSource
from gantk.errors import NothingHeldOut, UsageError
from gantk.measures.codes import check_reads_codes, read_codes
from gantk.measures.degradation import Degradation, degrade
from gantk.model import Model
from gantk.parts import ImageShape
from gantk.renamed import renamed
from gantk.seeds import rng_for

__all__ = [
    "Error",
    "Generated",
    "GeneratedErrors",
    "HeldOut",
    "ImageErrors",
    "Reconstructed",
    "check_reads_codes",
    "generated_again",
    "generated_errors",
    "held_out",
    "image_errors",
    "mean_image",
    "picture_files",
    "read_codes",
    "reconstructed",
]

COLORS: Mapping[int, str] = {1: "gray", 3: "rgb", 4: "rgba"}
"""Channels → the color mode to which image files are converted."""


@dataclass(frozen=True)
class Error:
    """Mean differences between two sets of numbers."""

    absolute: float
    """Mean absolute difference."""
    squared: float
    """Mean squared difference."""


@dataclass(frozen=True)
class Generated:
    """Noise, the images generated from it, and their codes, in the order of the noise."""

    noise: Tensor
    """`[N, dim]`"""
    images: Tensor
    """`[N, C, H, W]` in [-1, 1]: generated from the noise."""
    codes: Tensor
    """`[N, dim]`: the codes of the images."""
    again: Tensor
    """`[N, C, H, W]`: generated from the codes."""


@dataclass(frozen=True)
class Reconstructed:
    """Images, their codes and their reconstructions."""

    images: Tensor
    """`[N, C, H, W]` in [-1, 1]"""
    degraded: Tensor
    """`[N, C, H, W]`: the images that were encoded; the originals if there is no degradation."""
    codes: Tensor
    """`[N, dim]`"""
    again: Tensor
    """`[N, C, H, W]`: generated from the codes."""


@dataclass(frozen=True)
class GeneratedErrors:
    """Reconstruction errors of generated images."""

    codes: Error
    """Between the noise and the codes, per code dimension."""
    images: Error
    """Between the images and those generated from the codes, per pixel in [-1, 1]."""
    silence: Error
    """Between the noise and codes of zeros, as a baseline for `codes`."""


@dataclass(frozen=True)
class ImageErrors:
    """Reconstruction errors per pixel in [-1, 1], relative to the images before any degradation."""

    again: Error
    """Of the images generated from the codes."""
    degraded: Error
    """Of the degraded images; 0 without degradation."""
    mean_image: Error | None = None
    """Of the mean of all images as the reconstruction of each: the baseline that a trained model should beat. `None` if
    the images could be read only once and no mean was given."""


@dataclass(frozen=True)
class HeldOut:
    """The held-out split of a data set or, if it has none, the training images."""

    source: DataSource
    name: str
    """The name, such as `mnist:split=test`."""
    seen: bool
    """Whether these are the training images, because the data set has no held-out split."""


def generated_again(model: Model, n: int, seed: int = 0) -> Generated:
    """Generate n images from noise, encode them, and generate images from the codes.

    Args:
        n: number of images, at least 1.
        seed: seed of the noise, as in `Model.sample_noise`.

    Raises:
        FitError: the model cannot encode images.
    """
    return _again(model, model.sample_noise(n, seed))


def _again(model: Model, noise: Tensor) -> Generated:
    images = model.generate(noise, refine=False)
    codes = read_codes(model, images)
    return Generated(noise.cpu(), images, codes, model.generate(codes, refine=False))


@renamed(generator="rng")
def reconstructed(
    model: Model,
    images: Tensor,
    degradations: Sequence[Degradation] = (),
    rng: torch.Generator | None = None,
) -> Reconstructed:
    """Encode images `[N, C, H, W]` in [-1, 1] and generate images from the codes.

    Args:
        degradations: applied to the images, in this order, before encoding.
        rng: source of randomness for degradations; the same state gives the same degraded images.

    Raises:
        FitError: the model cannot encode images.
        OptionError: a degradation cannot be applied to images of this size.
    """
    given = degrade(images, degradations, rng or rng_for(0, "degrade"))
    codes = read_codes(model, given)
    return Reconstructed(images, given, codes, model.generate(codes, refine=False))


class _Mean:
    """The mean error over pairs of tensors."""

    def __init__(self) -> None:
        self._absolute = self._squared = 0.0
        self._numbers = 0

    def add(self, one: Tensor, other: Tensor) -> None:
        difference = one.double() - other.double()
        self._absolute += difference.abs().sum().item()
        self._squared += difference.square().sum().item()
        self._numbers += difference.numel()

    def error(self) -> Error:
        return Error(self._absolute / self._numbers, self._squared / self._numbers)


def generated_errors(model: Model, n: int, seed: int = 0) -> GeneratedErrors:
    """Generate n images, encode them, generate images from the codes, and compare.

    Args:
        n: number of images, at least 1.
        seed: seed of the noise, as in `Model.sample_noise`.

    Raises:
        FitError: the model cannot encode images.
    """
    codes, images, silence = _Mean(), _Mean(), _Mean()
    for noise in torch.split(model.sample_noise(n, seed), model.chunk):
        found = _again(model, noise)
        codes.add(found.noise, found.codes)
        images.add(found.images, found.again)
        silence.add(found.noise, torch.zeros_like(found.noise))
    return GeneratedErrors(codes.error(), images.error(), silence.error())


def mean_image(batches: Iterable[Tensor]) -> Tensor:
    """The mean image `[C, H, W]` of batches `[N, C, H, W]` with at least one image in total."""
    total, count = torch.zeros(()).double(), 0
    for images in batches:
        total = total + images.double().sum(0)
        count += len(images)
    return (total / count).float()


def image_errors(
    model: Model,
    batches: Iterable[Tensor],
    degradations: Sequence[Degradation] = (),
    seed: int = 0,
    mean: Tensor | None = None,
) -> ImageErrors:
    """Reconstruct batches of images and compare with the images.

    Args:
        batches: `[N, C, H, W]` each, in [-1, 1]; at least one image.
        degradations: applied to the images, in this order, before encoding.
        seed: seed of the degradations.
        mean: the `mean_image` of the batches; by default, it is computed if batches can be iterated twice, as a list.

    Raises:
        FitError: the model cannot encode images.
        OptionError: a degradation cannot be applied to images of this size.
    """
    rng = rng_for(seed, "degrade")
    if mean is None and not isinstance(batches, Iterator):
        mean = mean_image(batches)
    again, degraded, constant = _Mean(), _Mean(), _Mean()
    for images in batches:
        found = reconstructed(model, images, degradations, rng)
        again.add(images, found.again)
        degraded.add(images, found.degraded)
        if mean is not None:
            constant.add(images, mean.expand_as(images))
    return ImageErrors(again.error(), degraded.error(), None if mean is None else constant.error())


def held_out(spec: Mapping[str, Any]) -> HeldOut:
    """The held-out split of a model's data set.

    Args:
        spec: the spec of the model.

    Raises:
        UsageError: the model was built on data given from Python.
        DataError: the data cannot be read.
    """
    if "data" not in spec:
        raise UsageError("this model was built on data given from Python: give a data set with --data, or image files.")
    table: Mapping[str, Any] = spec["data"]
    options: Mapping[str, Any] = part_class("data", table["plugin"]).held_out

    def written(chosen: Mapping[str, Any]) -> str:
        return ":".join(filter(None, (bare_name(table), ",".join(f"{name}={value}" for name, value in chosen.items()))))

    if all(table.get(name) == value for name, value in options.items()):
        return HeldOut(construct("data", table), written(options), seen=True)
    try:
        return HeldOut(construct("data", {**table, **options}), written(options), seen=False)
    except NothingHeldOut:
        return HeldOut(construct("data", table), written({}), seen=True)


def picture_files(paths: Sequence[Any], shape: ImageShape) -> DataSource:
    """Image files as a data source of images of this shape: center-cropped, resized, and converted to its channels.

    Raises:
        UsageError: image files cannot have this number of channels.
        DataError: a file is missing, or is not an image.
    """
    if shape[0] not in COLORS:
        raise UsageError(
            f"this model's images have {shape[0]} channels, but image files have 1, 3 or 4: use --data instead."
        )
    table = {"plugin": "gantk:files", "path": paths, "size": list(shape[1:]), "color": COLORS[shape[0]]}
    source: DataSource = construct("data", table)
    return source
