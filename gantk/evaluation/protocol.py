"""The protocol of a score: everything that must be equal for two numbers to be comparable.

There are three kinds of fields. `NAMES` are names that users gave: they are shown but not compared, since a name can
refer to other images later. `NOTED` describe the generated images and the versions: models may differ in these, and
tables show it. All other fields must be equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = [
    "NAMES",
    "NOTED",
    "WORDS",
    "Features",
    "Generated",
    "Protocol",
    "RealImages",
    "differences",
    "flat",
    "line",
    "shared_line",
]


@dataclass(frozen=True)
class RealImages:
    """The real images of a comparison."""

    data: str
    """Their name, such as `mnist:split=test`."""
    split: str
    """Their split, such as `train`; `all` if the data set has no splits."""
    images: int
    """Number of images used."""
    of: int
    """Size of the whole set."""
    subset_seed: int | None
    """Seed of the random subset; `None` if all were used."""
    shape: tuple[int, ...]
    """(channels, height, width)"""
    content: str
    """A hash of the pixels of the images used, decoded and resized, in order."""
    labels: str
    """A hash of their labels; empty if the metric does not read labels."""


@dataclass(frozen=True)
class Generated:
    """The generated images of a comparison."""

    source: str
    """The run, or the name of the images."""
    images: int
    """Number of images."""
    quantized: str
    """Quantization of the generator's output: `uint8`."""
    seed: int | None
    """Sampling seed; `None` for given images."""
    labels: str
    """`none`; `drawn as the data has them`; or a hash of the labels of given images."""
    averaged: bool | None
    """Whether averaged weights (EMA) were used; `None` for given images."""
    refined: bool | None
    """Whether the model's refiner was applied."""
    dtype: str
    """Type of the weights, such as `float32`."""
    step: int | None
    """The step of the checkpoint."""
    weights: str
    """A hash of all weights of the model; empty for given images."""
    content: str
    """A hash of given images; empty if they are determined by weights and seed."""


@dataclass(frozen=True)
class Features:
    """The features of a comparison."""

    extractor: str
    """The extractor with its options, such as `classifier:data=mnist`."""
    hash: str
    """A hash of what it computes: code, options, weights."""
    resize: str
    """How it resizes images."""
    dim: int
    """Length of a feature vector."""
    dtype: str
    """Type in which features are stored."""
    test_error: float | None
    """The classification error on held-out images, if it is a classifier and the error is known."""


@dataclass(frozen=True)
class Protocol:
    """The conditions under which a score was computed."""

    real: RealImages
    generated: Generated
    held_out: RealImages | None
    """Held-out real images, if the metric reads them."""
    features: Features | None
    """`None` if the metric reads only images."""
    versions: Mapping[str, str]
    """Of gantk, torch and Python, and of the packages of the metric and the extractor."""


NAMES = frozenset({"real.data", "real.split", "held_out.data", "held_out.split", "generated.source"})
"""Fields that are names only."""

NOTED = frozenset(
    {"seed", "labels", "averaged", "refined", "dtype", "step", "weights", "content"},
)
"""Fields of `generated` that may differ within a column; versions may differ too."""

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
"""Names in messages for fields that must be equal; other fields are named by their path."""


def flat(protocol: Protocol) -> dict[str, Any]:
    """The fields by path, such as `real.content`; a group that is `None` has a single path."""
    found: dict[str, Any] = {}
    for name, value in asdict(protocol).items():
        inner = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
        found |= inner
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def is_noted(path: str) -> bool:
    """Whether a field may differ within a column."""
    group, _, name = path.partition(".")
    return group == "versions" or (group == "generated" and name in NOTED)


def differences(one: Protocol, other: Protocol) -> dict[str, tuple[Any, Any]]:
    """The fields in which two protocols differ, by path, with both values; names are ignored.

    Fields that must be equal come first, then those that are only noted (`is_noted`).
    """
    first, second = flat(one), flat(other)
    paths = [path for path in dict.fromkeys([*first, *second]) if path not in NAMES]
    differing = [path for path in paths if first.get(path) != second.get(path)]
    return {path: (first.get(path), second.get(path)) for path in sorted(differing, key=is_noted)}


def line(*protocols: Protocol) -> str:
    """The protocol as one line below a table; several that differ only in checkpoints and seeds share a line."""
    first = protocols[0]
    generated = _generated([each.generated for each in protocols])
    return "; ".join([*_real(first), generated, *_features(first), _versions(protocols)])


def shared_line(protocols: Sequence[Protocol]) -> str:
    """The protocols of a column as one line: what they share, and the values of fields that may differ."""
    first, made = protocols[0], [each.generated for each in protocols]
    how = [f"generated: {made[0].images:,} each", made[0].quantized]
    if seeds := sorted({each.seed for each in made if each.seed is not None}):
        how.append(f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}")
    drawn = [each for each in made if each.weights]
    if averaged := {bool(each.averaged) for each in drawn}:
        texts = ("weights not averaged", "averaged weights", "averaged weights where a model has them")
        how.append(texts[2] if len(averaged) == 2 else texts[averaged.pop()])
    if any(each.refined for each in drawn):
        how.append("refined" if all(each.refined for each in drawn) else "refined where a model has a refiner")
    how += ["/".join(sorted({each.dtype for each in drawn}))] if drawn else []
    labels = sorted({each.labels for each in made})
    how += [f"labels {' / '.join(map(_label, labels))}"] if labels != ["none"] else []
    return "; ".join([*_real(first), ", ".join(how), *_features(first), _versions(protocols)])


def _label(labels: str) -> str:
    """What labels are, in words, or the beginning of their hash."""
    return labels if " " in labels else labels[:8]


def _real(protocol: Protocol) -> list[str]:
    real = protocol.real
    of = "" if real.images == real.of else f" of {real.of:,}"
    said = [f"real: {real.images:,}{of} × {real.data} ({real.content[:8]})"]
    if protocol.held_out is not None:
        said.append(f"held out: {protocol.held_out.images:,} × {protocol.held_out.data}")
    return said


def _features(protocol: Protocol) -> list[str]:
    features = protocol.features
    if features is None:
        return []
    error = "" if features.test_error is None else f", test error {features.test_error:.2%}"
    resize = "not resized" if features.resize == "none" else f"resized {features.resize}"
    return [f"features: {features.extractor} ({features.hash[:8]}{error}), {features.dim} numbers, {resize}"]


def _versions(protocols: Sequence[Protocol]) -> str:
    names = dict.fromkeys(name for each in protocols for name in each.versions)
    found = {name: sorted({each.versions[name] for each in protocols if name in each.versions}) for name in names}
    return ", ".join(f"{name} {'/'.join(versions)}" for name, versions in found.items())


def _generated(samples: Sequence[Generated]) -> str:
    first = samples[0]
    hashes = ", ".join(_each(each.weights[:8] or each.content[:8] for each in samples))
    said = f"generated: {first.images:,} × {first.source} ({hashes})"
    if not first.weights:
        return f"{said}, {first.quantized}"
    steps, seeds = _each(each.step for each in samples if each.step is not None), _each(each.seed for each in samples)
    how = [f"step{'s' * (len(steps) > 1)} {', '.join(steps)}"] if steps else []
    how += [f"seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}"]
    how += ["averaged weights" if first.averaged else "weights not averaged", first.dtype]
    how += ["refined"] if first.refined else []
    how += [f"labels {first.labels}"] if first.labels != "none" else []
    return f"{said}, {', '.join(how)}, {first.quantized}"


def _each(values: Iterable[Any]) -> list[str]:
    """Every value once, in order."""
    return [str(value) for value in dict.fromkeys(values)]
