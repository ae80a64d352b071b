"""A small classifier's features and class probabilities."""

from __future__ import annotations

import ast
import hashlib
import inspect
import math
import sys
import time
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from gantk import Extractor, require
from gantk.data import DataSource
from gantk.parts import ImageShape, weights_digest
from gantk_metrics import images as conversion
from gantk_metrics.cache import Weights, kept
from gantk_metrics.classifier import network, training
from gantk_metrics.classifier.examples import Split, read

__all__ = ["Classifier"]

GRAY: dict[str, Any] = {"width": 24, "epochs": 6, "offsets": 64.0, "half": False}
COLOR: dict[str, Any] = {"width": 64, "epochs": 10, "offsets": 1.0, "half": True}
"""Networks and trainings by the kind of images. Those for gray images are too narrow to gain much by bfloat16, in which
offsets that learn 64 times faster, as in the source of the network's design, diverge on a constant background."""
SOON = 10.0
"""Seconds after which it is said how long a training will take."""
LEAST_SEEN = 48_000
"""Images that training sees at least, the same ones several times where there are few."""


class Classifier(Extractor):
    """A small classifier of the data set's own classes, trained on first use.

    Its features are what its last layer reads, and their means over an image and its mirror image where training saw
    mirrored images. It is trained once per data set, on images that are not held out, and kept under the content of the
    images in the folder that GANTK_CACHE names (`~/.cache/gantk`). That takes minutes, and longer for many color
    images on few cores without matrix instructions for bfloat16: a line says how long. Images of another size are
    resized to the data set's; gray ones and RGB ones are converted to each other.

    Args:
        data: the data set whose classes it learns, as mnist, with options in quotes: data='mnist:path=sets'; in Python
            a data source as well. It is tested on the part that the data set holds out, else on a tenth of the images.
        epochs: passes over the images, at least 1. By default 6 for gray images and 10 for others, and more where
            images are few: training sees 48,000 at least.
        width: channels of its first block, at least 1; four times as many features. By default 24 for gray images and
            64 for others.
        flip: whether half of the training images are mirrored; by default, if the data set says that mirrored images
            have the same class, or says nothing and is in color.
        size: longest side, in pixels, of what it sees, at least 4; larger images are reduced.
        seed: random seed of weights, order and shifts.
    """

    preference = 3
    test_error: float
    """The share of held-out images that it gives the wrong class."""
    held_out: str
    """What it was tested on, as `10,000 images (split=test)`."""

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        data: str | DataSource,
        epochs: int | None = None,
        width: int | None = None,
        flip: bool | None = None,
        size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require(epochs is None or epochs >= 1, f"epochs must be at least 1, not {epochs}.")
        require(width is None or width >= 1, f"width must be at least 1, not {width}.")
        require(size >= 4, f"size must be at least 4, not {size}.")
        split = read(data, size, seed)
        self.taken = split.image_shape
        conversion.check_channels(image_shape[0], self.taken[0])
        self.resize = conversion.resized_as(image_shape, self.taken)
        gray = self.taken[0] == 1
        usual = GRAY if gray else COLOR
        settings = training.Settings(
            epochs=epochs or max(usual["epochs"], math.ceil(LEAST_SEEN / len(split.seen))),
            width=width or usual["width"],
            offsets=usual["offsets"],
            half=usual["half"],
            flip=next(known for known in (flip, split.symmetric, not gray) if known is not None),
            seed=seed,
        )
        self.mirrored = settings.flip
        self.class_count = len(split.classes)
        with torch.random.fork_rng(devices=[]):  # the weights that it draws are replaced
            self.network = network.ClassifierNetwork(self.taken, self.class_count, settings.width)
        self.dim = self.network.dim
        self.key = _key(split, settings)
        self.held_out = f"{len(split.held_out):,} images ({split.held_out_name})"
        name = data if isinstance(data, str) else type(data).__name__
        weights = kept("classifiers", self.key, lambda: _train(split, settings, name))
        self.network.load_state_dict(weights.tensors)
        self.test_error = float(weights.notes["test_error"])

    def forward(self, images: Tensor) -> Tensor:
        return self.network.features(conversion.as_taken(images, self.taken), self.mirrored)

    def classify(self, features: Tensor) -> Tensor:
        return torch.softmax(self.network.logits(features), dim=1)

    def fingerprint(self) -> str:
        """A hash of its weights and of all that they follow from: the data set's content, and not its name."""
        return weights_digest(self, self.key, self.resize)


def _key(split: Split, settings: training.Settings) -> str:
    """A hash of data, code and settings."""
    code = "".join(map(_code, (network, training, conversion, sys.modules[__name__])))
    text = f"{split.digest()} {settings!r} {code}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _code(module: ModuleType) -> str:
    """A module's source without comments, docstrings and layout, which change nothing that is computed."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.unparse(tree)


def _train(split: Split, settings: training.Settings, name: str) -> Weights:
    title, shape = f"training a classifier on {name}", "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, desc=title, file=sys.stderr, disable=None, leave=False, bar_format=shape) as bar:
        estimate = _Estimate(f"{title}, on {len(split.seen):,} images, once") if bar.disable else None

        def progress(done: float) -> None:
            bar.update(done - bar.n)
            if estimate:
                estimate.update(done)

        made = training.trained(split.seen, len(split.classes), settings, progress)
    error = training.error_rate(made, split.held_out, mirrored=settings.flip)
    tested = f"{len(split.held_out):,} held-out images ({split.held_out_name})"
    tqdm.write(f"classifier of {name}: test error {error:.2%} on {tested}", file=sys.stderr)
    return Weights(made.state_dict(), {"test_error": str(error)})


class _Estimate:
    """One line that says how long a work will take, where no bar is shown: after a few seconds, or at its end."""

    def __init__(self, title: str) -> None:
        self._title, self._told = title, False
        self._first: tuple[float, float] | None = None

    def update(self, done: float) -> None:
        now = time.monotonic()
        if self._first is None:  # what came before were the first step's preparations
            self._first = now, done
        spent, share = now - self._first[0], done - self._first[1]
        if not self._told and (spent > SOON or done >= 1):
            print(f"{self._title}: about {max(1, round(spent / (share or 1) / 60))} min", file=sys.stderr)
            self._told = True
