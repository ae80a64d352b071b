"""Scores as evaluations write them, made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gantk.evaluation.protocol import Features, Generated, Protocol, RealImages
from gantk.evaluation.scores import Score

REAL = RealImages("digits", "all", 100, 10000, 0, (1, 28, 28), "c0ffee", "")
GENERATED = Generated("runs/x", 100, "uint8", 0, "none", False, False, "float32", 500, "beef", "")
FEATURES = Features("pixels", "f00d", "none", 784, "float32", None)
PROTOCOL = Protocol(REAL, GENERATED, None, FEATURES, {"gantk": "0.1.0", "torch": "2.11.0", "python": "3.11.2"})


def changed(protocol: Protocol = PROTOCOL, **fields: Any) -> Protocol:
    """A protocol with other values: `changed(real__content="x")`."""
    for path, value in fields.items():
        group, _, name = path.partition("__")
        inner = replace(getattr(protocol, group), **{name: value}) if name else value
        protocol = replace(protocol, **{group: inner})
    return protocol


def score(value: float = 1.5, metric: str = "gantk:toy", protocol: Protocol = PROTOCOL, **options: Any) -> Score:
    """A score of one figure."""
    return Score(metric, options, {"distance": value}, protocol, 0.5, "2026-11-29T12:00:00+00:00")
