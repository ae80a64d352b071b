"""What a page draws with a run's model: samples beside training images, interpolations, and noise."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from gantk.building.construct import construct
from gantk.data import DataSource, to_uint8
from gantk.errors import DataError, UsageError
from gantk.grids import grid, opaque
from gantk.measures.interpolation import linear, strips
from gantk.measures.nearest import training_neighbors
from gantk.measures.principal import PrincipalComponents, principal_components
from gantk.measures.samples import sample_batches
from gantk.measures.search import Points
from gantk.model import Model
from gantk.pages.images import Picture, thumbnail
from gantk.permissions import as_said_by
from gantk.report.neighbors import verdict
from gantk.report.pictures import check_drawable
from gantk.seeds import rng_for

__all__ = ["Cloud", "Neighbors", "Strip", "TrainingImages", "clouds", "fresh_grid", "interpolation", "neighbors"]

Tell = Callable[[str, float], object]
"""Receives what is being done, and the fraction of it that is done."""

SEED = 0
SAMPLES, ROWS, NEAREST = 200, 8, 4
"""Samples for the verdict; samples that are shown; training images beside each."""
MOST_READ = 1 << 29
"""Bytes of training images that are compared; of larger data sets, as many images as that, evenly chosen."""
STRIPS, STEPS = 6, 10
VECTORS, DRAWN = 2000, 600
"""Noise vectors that are analyzed, and those of them that are shown."""
PLANE = 200
"""Width and height of a plot of noise."""


@dataclass(frozen=True)
class Near:
    """A training image beside a sample."""

    picture: Picture
    distance: float
    """Root mean square over pixels, in levels of 0 to 255."""
    index: int


@dataclass(frozen=True)
class Neighbor:
    """A sample with its nearest training images."""

    picture: Picture
    near: Sequence[Near]
    copied: bool
    """Whether it is as near to a training image as that is to any other one."""


@dataclass(frozen=True)
class Neighbors:
    """Samples beside their nearest training images."""

    rows: Sequence[Neighbor]
    verdict: str
    compared: str
    """With how many training images they were compared."""


@dataclass(frozen=True)
class Strip:
    """Images on the way from one noise vector to another."""

    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Cloud:
    """Noise along its first two principal components."""

    name: str
    path: str
    """Its points as the path of an SVG, in a square of `PLANE`."""
    first: float
    second: float
    """Shares of the variance along these components."""
    needed: int
    """Number of components that hold 90 % of the variance."""
    dim: int


def fresh_grid(model: Model) -> Picture:
    """64 samples as a grid, for a run whose training drew none."""
    check_drawable(model.image_shape)
    drawn = torch.cat(list(sample_batches(model, 64, SEED)))
    return thumbnail(opaque(grid(drawn)), 1120, 80)


def interpolation(model: Model, side: int) -> list[Strip]:
    """Strips between pairs of random noise vectors."""
    check_drawable(model.image_shape)
    noise = strips(model.sample_noise(2 * STRIPS, SEED), STEPS, linear)
    images = to_uint8(model.generate(noise))
    made = [thumbnail(opaque(image), side) for image in images]
    return [Strip(made[start : start + STEPS]) for start in range(0, len(made), STEPS)]


def clouds(model: Model, name: str) -> list[Cloud]:
    """A model's noise beside Gaussian noise of the same length, drawn to one scale."""
    dim = model.noise.dim
    own = model.sample_noise(VECTORS, SEED)[:, :dim].float().cpu()
    gaussian = torch.randn(VECTORS, dim, generator=rng_for(SEED, "gaussian"))
    found = {name: principal_components(own), "Gaussian noise": principal_components(gaussian)}
    limit = 1.05 * max(float(each.projected[:DRAWN].abs().max()) for each in found.values()) or 1.0
    if not math.isfinite(limit):
        raise UsageError("its noise is not finite")
    return [_cloud(name, each, limit) for name, each in found.items()]


def _cloud(name: str, found: PrincipalComponents, limit: float) -> Cloud:
    half = PLANE / 2
    points = [(half + half * x / limit, half - half * y / limit) for x, y in found.projected[:DRAWN, :2].tolist()]
    first, second = (*found.shares[:2].tolist(), 0.0)[:2]
    path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
    return Cloud(name, path, first, second, found.needed(0.9), len(found.variances))


class TrainingImages:
    """The training images of models; those of the last model stay open, since runs of a page often share them."""

    def __init__(self) -> None:
        self._key = ""
        self._source: DataSource | None = None

    def of(self, model: Model, tell: Tell) -> DataSource:
        """The images that a model was trained on.

        Raises:
            UsageError: the model was built on data given from Python.
            DataError: they cannot be read, or are others.
        """
        if "data" not in model.built.spec:
            raise UsageError("it was trained on data given from Python, which its run does not hold")
        key = json.dumps(model.built.spec["data"], default=str)
        if self._source is None or key != self._key:
            with as_said_by(model.built.said_by):
                self._source, self._key = construct("data", model.built.spec["data"]), key
        source: DataSource = self._source
        if tuple(source.image_shape) != tuple(model.image_shape):
            shapes = [list(each.image_shape) for each in (source, model)]
            raise DataError(
                f"the training images are {shapes[0]} now, and the model's are {shapes[1]} (channels, height, width)"
            )
        source.prepare(lambda done: tell("reading training images", done))
        return source


def neighbors(model: Model, images: TrainingImages, side: int, tell: Tell) -> Neighbors:
    """Samples beside the training images that are nearest to them between pixels.

    Raises:
        UsageError: the model was built on data given from Python.
        DataError: the training images cannot be read, or are others.
    """
    check_drawable(model.image_shape)
    training = images.of(model, tell)
    chosen, compared = _compared(training, math.prod(model.image_shape))
    drawn = torch.cat([to_uint8(batch) for batch in sample_batches(model, SAMPLES, SEED)])
    points = Points(len(chosen), lambda places: training.images([chosen[place] for place in places]))
    k = min(NEAREST, len(chosen))
    found = training_neighbors(drawn, points, k, SEED, lambda done: tell("nearest training images", done))
    unit = math.sqrt(math.prod(model.image_shape))
    rows = []
    for row in range(min(ROWS, len(drawn))):
        places = [chosen[place] for place in found.indices[row].tolist()]
        beside = zip(training.images(places), found.distances[row].tolist(), places, strict=True)
        near = [Near(thumbnail(opaque(image), side), distance / unit, place) for image, distance, place in beside]
        rows.append(Neighbor(thumbnail(opaque(drawn[row]), side), near, bool(found.samples.copied[row])))
    return Neighbors(rows, verdict(found), compared)


def _compared(training: DataSource, size: int) -> tuple[Sequence[int], str]:
    """The training images that samples are compared with, and how many that are, in words."""
    count = len(training)
    most = max(3, MOST_READ // size)
    if count <= most:
        return range(count), f"all {count:,} training images"
    chosen = [place * count // most for place in range(most)]
    return chosen, f"{most:,} of {count:,} training images, evenly chosen"
