"""Runs as `gantk compare` reads them, made by hand: no model, only what is written of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w
from scored import changed, score

from gantk.evaluation.scores import add_score

FRECHET, PRDC = "gantk:frechet", "gantk:prdc"


def laid(place: Path, seed: int = 0, lr: float = 2e-4, **settings: Any) -> Path:
    """A run with nothing but its `model.toml`."""
    spec: dict[str, Any] = {
        "preset": "dcgan",
        "seed": seed,
        "data": {"plugin": "gantk:digits"},
        "metric": [{"plugin": PRDC, "k": 5}],
        "stages": {"game": {"generator": {"lr": lr}}},
        "train": {"ema": 0.0, "measure_samples": 50, "extractor": "pixels"},
        "shape": {"image_shape": [1, 28, 28], "images": 100},
        "versions": {"torch": "2.11.0"},
    }
    place.mkdir(parents=True)
    (place / "model.toml").write_text(tomli_w.dumps({**spec, **settings}))
    return place


def scored(run: Path, figures: Mapping[str, float], metric: str = FRECHET, **protocol: Any) -> Path:
    """The same run with one more score, of weights of its own."""
    fields = {"generated__weights": f"{run.name} {protocol.get('generated__step', 500)}", "generated__source": str(run)}
    made = score(metric=metric, protocol=changed(**(fields | protocol)))
    options = {"k": 5} if metric == PRDC else {}
    add_score(run / "metrics.json", replace(made, figures=dict(figures), options=options))
    return run


def row(folder: Path, name: str, values: Mapping[int, float], lr: float = 2e-4, **protocol: Any) -> list[Path]:
    """Runs `NAME-SEED` with a Fréchet distance each."""
    return [
        scored(laid(folder / f"{name}-{seed}", seed, lr), {"frechet": value}, **protocol)
        for seed, value in values.items()
    ]


def logged(run: Path, curve: Mapping[int, float], name: str = "measure/prdc/precision") -> Path:
    """The same run with a curve in its log."""
    lines = [{"step": step, "stage": "game", "values": {name: value}} for step, value in curve.items()]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run
