"""Intrinsic dimensions of MNIST, Fashion-MNIST and CIFAR-10 (JPEG) beside DE-GAN's Table I, and their curves over k.

Reads the data sets from GANTK_DATA; draws docs/images/intrinsic-dimension.png.

    GANTK_DATA=data python bench/mnist_dimension.py
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from gantk.construct import construct
from gantk.measures.dimension import LevinaBickel, intrinsic_dimension
from gantk.measures.neighbors import Neighbors
from gantk.measures.twonn import two_nn
from gantk.report.dimension import draw_curve, of_mle, of_two_nn
from gantk.report.pictures import save_figure

K = range(5, 101)
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "intrinsic-dimension.png"
PAPER = {"mnist": 12.7, "fashion-mnist": None, "cifar10": 11.6}
"""Table I; it says neither k nor how many points."""
TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10 (JPEG)"}


def measure(name: str, points: int | None) -> tuple[LevinaBickel, dict[str, Any]]:
    """Both estimators on a data set's training images, or on the first `points` of them."""
    source = construct("data", name)
    count = min(points or len(source), len(source))
    found = Neighbors.search(source.images(np.arange(count)), K[-1], duplicates="drop")
    estimate = intrinsic_dimension(found, K)
    unbiased = of_mle(intrinsic_dimension(found, K, normalizer="k-2"))
    facts = {
        "data": name,
        "points": len(found.distances),
        "shape": list(source.image_shape),
        "duplicates": found.dropped,
        "paper": PAPER[name],
        "mle": of_mle(estimate),
        "mle_unbiased": {name: unbiased[name] for name in ("mean", "harmonic")},
        "twonn": of_two_nn(two_nn(found)),
    }
    return estimate, facts


def by_points(images: Tensor) -> list[dict[str, Any]]:
    """How the estimate changes with the number of points, drawn at random."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    rows = []
    for count in (2500, 5000, 10_000, 20_000, 40_000, 60_000):
        found = of_mle(intrinsic_dimension(images[order[:count]], K))
        rows.append({"points": count, "mean": found["mean"], "harmonic": found["harmonic"], "end": found["curve"][-1]})
    return rows


def beyond(images: Tensor) -> list[dict[str, Any]]:
    """How it goes on where the curve ends."""
    curve: list[dict[str, Any]] = of_mle(intrinsic_dimension(images, (100, 200, 500, 1000)))["curve"]
    return curve


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--points", type=int, help="the first so many images only, for a trial; writes nothing")
    arguments.add_argument("--data", nargs="+", default=list(PAPER), choices=PAPER)
    given = arguments.parse_args()
    figure = Figure(figsize=(3.6 * len(given.data) + 0.6, 3.8), layout="constrained")
    every = figure.subplots(1, len(given.data), squeeze=False)[0]
    results: dict[str, Any] = {"data": []}
    for axes, name in zip(every, given.data, strict=True):
        estimate, facts = measure(name, given.points)
        results["data"].append(facts)
        shown = {key: facts[key] for key in ("data", "points", "duplicates", "twonn")}
        print(shown, facts["mle"]["mean"], facts["mle"]["harmonic"], facts["mle_unbiased"]["mean"], flush=True)
        draw_curve(axes, estimate)
        axes.set_title(f"{TITLES[name]}, {facts['points']:,} images")
        if PAPER[name]:
            axes.axhline(PAPER[name], color="C3", linestyle=":", label=f"the paper's {PAPER[name]}")
        axes.legend(fontsize="x-small")
    if given.points is None:
        save_figure(figure, PICTURE)
        mnist = construct("data", "mnist")
        images = mnist.images(np.arange(len(mnist)))
        results |= {"mnist_by_points": by_points(images), "mnist_beyond": beyond(images)}
        for row in (*results["mnist_by_points"], *results["mnist_beyond"]):
            print(row, flush=True)
        protocol = {"k": "5 to 100", "distance": "Euclidean, of uint8 pixels", "points": "all training images"}
        print(common.write("mnist_dimension", protocol, results))


if __name__ == "__main__":
    main()
