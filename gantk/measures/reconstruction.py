"""Reconstruction: the codes of images are read and generated from again, and how far what comes back is off.

A model reads codes by its discriminator, where that has a code head, else by its generator, where that has an encoder.
Reconstructions are the generator's own: a refiner, which would improve them, takes no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from gantk.building.construct import construct, part_class
from gantk.building.spec import bare_name
from gantk.chunks import CHUNK
from gantk.data import DataSource
from gantk.errors import FitError, UsageError
from gantk.measures.degradation import Degradation, degrade
from gantk.model import Model
from gantk.nn import evaluating
from gantk.parts import Generator, ImageShape
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
    "picture_files",
    "read_codes",
    "reconstructed",
]

COLOURS: Mapping[int, str] = {1: "gray", 3: "rgb", 4: "rgba"}
"""Channels → what the pixels of a picture file are converted to."""


@dataclass(frozen=True)
class Error:
    """How far two sets of numbers are apart, as means over all of them."""

    absolute: float
    """Mean absolute difference."""
    squared: float
    """Mean squared difference."""


@dataclass(frozen=True)
class Generated:
    """Noise, and what becomes of it: images and codes in the order of the noise."""

    noise: Tensor
    """`[N, dim]`"""
    images: Tensor
    """`[N, C, H, W]` in [-1, 1]: generated from the noise."""
    codes: Tensor
    """`[N, dim]`: read off the images."""
    again: Tensor
    """`[N, C, H, W]`: generated from the codes."""


@dataclass(frozen=True)
class Reconstructed:
    """Images, and what becomes of them."""

    images: Tensor
    """`[N, C, H, W]` in [-1, 1]"""
    degraded: Tensor
    """`[N, C, H, W]`: what the codes were read off; the images themselves where nothing degraded them."""
    codes: Tensor
    """`[N, dim]`"""
    again: Tensor
    """`[N, C, H, W]`: generated from the codes."""


@dataclass(frozen=True)
class GeneratedErrors:
    """How generated images come back."""

    codes: Error
    """From the noise to the codes that were read, per number of a code."""
    images: Error
    """From the images to those generated from the codes, per pixel in [-1, 1]."""
    silence: Error
    """From the noise to codes of zeros: what `codes` would be if nothing could be read."""


@dataclass(frozen=True)
class ImageErrors:
    """How images come back, per pixel in [-1, 1], against what they were before anything degraded them."""

    again: Error
    """To what was generated from their codes."""
    degraded: Error
    """To the degraded images; 0 where nothing degraded them."""


@dataclass(frozen=True)
class HeldOut:
    """The part of a data set that is held out from training, or else all there is."""

    source: DataSource
    name: str
    """As `mnist:split=test`."""
    seen: bool
    """Whether the model was trained on these very images, because the data set holds out none."""


def check_reads_codes(model: Model) -> None:
    """Refuse a model that reads no code off an image; raises `FitError` with the mend."""
    if _discriminator_reads(model) or _generator_reads(model):
        return
    if model.condition is not None:
        raise FitError(
            "this model is conditional: its discriminator reads a code beside a condition, and a picture comes without "
            "one. To reconstruct images, build without --condition."
        )
    with_code = "build with --loss code, which gives the discriminator a code to read"
    with_encoder = "build with a generator that encodes images as noise, as --generator vae"
    mend = with_encoder if model.discriminator is None else f"{with_code}, or {with_encoder}"
    raise FitError(f"this model reads no code off an image, so it cannot reconstruct one: {mend}.")


def _discriminator_reads(model: Model) -> bool:
    # A conditional model's is shown the condition beside the image, and would say it again.
    return model.discriminator is not None and "code" in model.discriminator.provides and model.condition is None


def _generator_reads(model: Model) -> bool:
    return "posterior" in model.generator.provides


@torch.no_grad()
def read_codes(model: Model, images: Tensor) -> Tensor:
    """The codes `[N, dim]` of `[N, C, H, W]` images in [-1, 1], on the CPU.

    They are the discriminator's where it has a code head, else the mean of the generator's posterior; read in
    evaluation mode and without gradients.

    Raises:
        FitError: the model has neither.
    """
    check_reads_codes(model)
    with evaluating(model):
        chunks = [_codes(model, chunk) for chunk in torch.split(images, CHUNK)] if len(images) else []
    return torch.cat(chunks) if chunks else torch.empty(0, model.noise.dim)


def _codes(model: Model, images: Tensor) -> Tensor:
    # A short last chunk is filled up: kernels may round differently for another batch size.
    full = torch.cat([images, images[:1].expand(CHUNK - len(images), *images.shape[1:])]).to(model.device)
    if model.discriminator is not None and _discriminator_reads(model):
        judged = full if not model.is_built else model.built.recipe.judged(model, full)
        codes = cast(Tensor, model.discriminator(judged).code)
    else:
        codes = cast(Generator, model.sampler("generator")).encode(full).mean
    return codes[: len(images)].float().cpu()


def generated_again(model: Model, n: int, seed: int = 0) -> Generated:
    """Generate n images from noise, read their codes, and generate from these.

    Args:
        n: how many, at least 1.
        seed: which noise, as in `Model.sample_noise`.

    Raises:
        FitError: the model reads no codes.
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
    """Read the codes of images `[N, C, H, W]` in [-1, 1] and generate from them.

    Args:
        degradations: what happens to the images, in this order, before their codes are read.
        rng: where degrading draws from; the same state, the same degraded images.

    Raises:
        FitError: the model reads no codes.
        OptionError: a degradation does not go with images of this size.
    """
    given = degrade(images, degradations, rng or rng_for(0, "degrade"))
    codes = read_codes(model, given)
    return Reconstructed(images, given, codes, model.generate(codes, refine=False))


class _Mean:
    """The error over pairs of tensors that come one after the other."""

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
    """Generate n images, read their codes, generate from these, and compare.

    Args:
        n: how many, at least 1.
        seed: which noise, as in `Model.sample_noise`.

    Raises:
        FitError: the model reads no codes.
    """
    codes, images, silence = _Mean(), _Mean(), _Mean()
    for noise in torch.split(model.sample_noise(n, seed), model.chunk):
        found = _again(model, noise)
        codes.add(found.noise, found.codes)
        images.add(found.images, found.again)
        silence.add(found.noise, torch.zeros_like(found.noise))
    return GeneratedErrors(codes.error(), images.error(), silence.error())


def image_errors(
    model: Model, batches: Iterable[Tensor], degradations: Sequence[Degradation] = (), seed: int = 0
) -> ImageErrors:
    """Reconstruct batches of images and compare with the images.

    Args:
        batches: `[N, C, H, W]` each, in [-1, 1]; one image at least.
        degradations: what happens to the images, in this order, before their codes are read.
        seed: from which what is random in degrading follows.

    Raises:
        FitError: the model reads no codes.
        OptionError: a degradation does not go with images of this size.
    """
    rng = rng_for(seed, "degrade")
    again, degraded = _Mean(), _Mean()
    for images in batches:
        found = reconstructed(model, images, degradations, rng)
        again.add(images, found.again)
        degraded.add(images, found.degraded)
    return ImageErrors(again.error(), degraded.error())


def held_out(spec: Mapping[str, Any]) -> HeldOut:
    """What a model's data set holds out from training.

    Args:
        spec: the model's.

    Raises:
        UsageError: the model was built on data given from Python.
        DataError: the data cannot be read.
    """
    if "data" not in spec:
        raise UsageError("this model was built on data given from Python: name a data set with --data, or images.")
    table: Mapping[str, Any] = spec["data"]
    options: Mapping[str, Any] = part_class("data", table["plugin"]).held_out
    seen = all(table.get(name) == value for name, value in options.items())
    written = ",".join(f"{name}={value}" for name, value in options.items())
    name = f"{bare_name(table)}{':' if written else ''}{written}"
    return HeldOut(construct("data", {**table, **options}), name, seen)


def picture_files(paths: Sequence[Any], shape: ImageShape) -> DataSource:
    """Picture files as a data source of images of this shape: the middle of each, resized, in the model's colours.

    Raises:
        UsageError: no picture file has so many channels.
        DataError: a file is missing, or is no picture.
    """
    if shape[0] not in COLOURS:
        raise UsageError(f"this model's images have {shape[0]} channels, and picture files 1, 3 or 4: name a data set.")
    table = {"plugin": "gantk:files", "path": paths, "size": list(shape[1:]), "color": COLOURS[shape[0]]}
    source: DataSource = construct("data", table)
    return source
