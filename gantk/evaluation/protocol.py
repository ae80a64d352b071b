"""The protocol of a score: everything that has to be equal before two numbers may stand in one column.

Three kinds of fields. `NAMES` are how somebody called a thing: they are shown, and decide nothing, since a name may
stand for other images tomorrow. `NOTED` are what made the generated images, and the versions: two models differ in
these, and a table says so. All others must be equal.
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


def line(*protocols: Protocol) -> str:
    """The protocol as one line, under a table: of several that differ in checkpoints and seeds alone, one for all."""
    first = protocols[0]
    generated = _generated([each.generated for each in protocols])
    return "; ".join([*_real(first), generated, *_features(first), _versions(protocols)])


def shared_line(protocols: Sequence[Protocol]) -> str:
    """The protocols of a column as one line: what all share, and what they have instead where they may differ."""
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
    how += [f"labels {' / '.join(labels)}"] if labels != ["none"] else []
    return "; ".join([*_real(first), ", ".join(how), *_features(first), _versions(protocols)])


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
