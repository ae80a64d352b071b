"""The protocol of a score: everything that has to be equal before two numbers may stand in one column.

Three kinds of fields. `NAMES` are how somebody called a thing: they are shown, and decide nothing, since a name may
stand for other images tomorrow. `NOTED` are what made the generated images, and the versions: two models differ in
these, and a table says so. All others must be equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["NAMES", "NOTED", "WORDS", "Features", "Generated", "Protocol", "RealImages", "differences", "flat", "line"]


@dataclass(frozen=True)
class RealImages:
    """Real images that were compared with."""

    data: str
    """What named them, as `mnist:split=test`."""
    split: str
    """Their split, as `train`; `all` where the data set has none."""
    images: int
    """How many were used."""
    of: int
    """How many there are."""
    subset_seed: int | None
    """The seed that chose them; `None` where all were used."""
    shape: tuple[int, ...]
    """(channels, height, width)"""
    content: str
    """A hash of every byte of those that were used, decoded and resized, in their order."""
    labels: str
    """A hash of their labels; empty where the metric does not read labels."""


@dataclass(frozen=True)
class Generated:
    """The images that were judged."""

    source: str
    """The run, or what named the images."""
    images: int
    """How many."""
    quantized: str
    """What became of the generator's numbers before anything was computed: `uint8`."""
    seed: int | None
    """The seed of the sampler; `None` where the images were given."""
    labels: str
    """`none`; `drawn as the data has them`; or a hash of the labels that came with the images."""
    averaged: bool | None
    """Whether the averaged weights (EMA) drew them; `None` where the images were given."""
    refined: bool | None
    """Whether they went through the model's refiner."""
    dtype: str
    """The type of the weights that drew them, as `float32`."""
    step: int | None
    """The step of the checkpoint."""
    weights: str
    """A hash of all weights of the model; empty where the images were given."""
    content: str
    """A hash of the images where they were given; empty where they follow from weights and seed."""


@dataclass(frozen=True)
class Features:
    """What the images were compared by."""

    extractor: str
    """The extractor with its options, as `classifier:data=mnist`."""
    hash: str
    """A hash of what it computes: code, options, weights."""
    resize: str
    """How it resizes images."""
    dim: int
    """Length of a feature vector."""
    dtype: str
    """The type that features are kept in."""
    test_error: float | None
    """The share of held-out images that it classifies wrongly, where it classifies and that is known."""


@dataclass(frozen=True)
class Protocol:
    """How a score came about."""

    real: RealImages
    generated: Generated
    held_out: RealImages | None
    """Real images that nobody trained on, where the metric reads them."""
    features: Features | None
    """`None` where the metric reads images alone."""
    versions: Mapping[str, str]
    """Of gantk, torch and Python, and of the packages of the metric and the extractor."""


NAMES = frozenset({"real.data", "real.split", "held_out.data", "held_out.split", "generated.source"})
"""Fields that name a thing and do not say what it is."""

NOTED = frozenset(
    {"seed", "labels", "averaged", "refined", "dtype", "step", "weights", "content"},
)
"""Fields of `generated` in which the numbers of one column may differ; versions may as well."""

WORDS: Mapping[str, str] = {
    "real.images": "number of real images",
    "real.of": "size of the real set",
    "real.subset_seed": "seed of the subset of real images",
    "real.shape": "size of the images",
    "real.content": "real images",
    "real.labels": "labels of the real images",
    "held_out.content": "held-out images",
    "generated.images": "number of generated images",
    "generated.quantized": "quantization",
    "features": "features",
    "features.extractor": "extractor",
    "features.hash": "weights or code of the extractor",
    "features.resize": "resizing by the extractor",
}
"""What a person calls the fields that must be equal; others go by their paths."""


def flat(protocol: Protocol) -> dict[str, Any]:
    """The fields by path, as `real.content`; of what is `None`, the one path of that."""
    found: dict[str, Any] = {}
    for name, value in asdict(protocol).items():
        inner = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
        found |= inner
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def is_noted(path: str) -> bool:
    """Whether two numbers of one column may differ in a field."""
    group, _, name = path.partition(".")
    return group == "versions" or (group == "generated" and name in NOTED)


def differences(one: Protocol, other: Protocol) -> dict[str, tuple[Any, Any]]:
    """The fields in which two protocols differ, by path, with both values; names are passed over.

    What must be equal comes first, what is noted (`is_noted`) after it.
    """
    first, second = flat(one), flat(other)
    paths = [path for path in dict.fromkeys([*first, *second]) if path not in NAMES]
    differing = [path for path in paths if first.get(path) != second.get(path)]
    return {path: (first.get(path), second.get(path)) for path in sorted(differing, key=is_noted)}


def line(protocol: Protocol) -> str:
    """The protocol as one line, under a table."""
    real, made, features = protocol.real, protocol.generated, protocol.features
    of = "" if real.images == real.of else f" of {real.of:,}"
    said = [f"real: {real.images:,}{of} × {real.data} ({real.content[:8]})"]
    if protocol.held_out is not None:
        said.append(f"held out: {protocol.held_out.images:,} × {protocol.held_out.data}")
    said.append(f"generated: {made.images:,} × {made.source}{_how(made)}")
    if features is not None:
        error = "" if features.test_error is None else f", test error {features.test_error:.2%}"
        resize = "not resized" if features.resize == "none" else f"resized {features.resize}"
        said.append(f"features: {features.extractor} ({features.hash[:8]}{error}), {features.dim} numbers, {resize}")
    said.append(", ".join(f"{name} {version}" for name, version in protocol.versions.items()))
    return "; ".join(said)


def _how(made: Generated) -> str:
    if not made.weights:
        return f" ({made.content[:8]}), {made.quantized}"
    how = [f"step {made.step}"] if made.step is not None else []
    how += [f"seed {made.seed}", "averaged weights" if made.averaged else "weights not averaged", made.dtype]
    how += ["refined"] if made.refined else []
    how += [f"labels {made.labels}"] if made.labels != "none" else []
    return f" ({made.weights[:8]}), {', '.join(how)}, {made.quantized}"
