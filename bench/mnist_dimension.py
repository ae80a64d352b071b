"""The intrinsic dimension of MNIST, Fashion-MNIST and CIFAR-10 beside DE-GAN's Table I, and its curves over k.

Reads the data sets from GANTK_DATA; draws docs/images/intrinsic-dimension.png.

    GANTK_DATA=data python bench/mnist_dimension.py
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import common
import numpy as np
from matplotlib.figure import Figure

from gantk.construct import construct
from gantk.ops.dimension import LevinaBickel, intrinsic_dimension
from gantk.ops.neighbours import Neighbours
from gantk.ops.twonn import two_nn
from gantk.pictures import save_figure
from gantk.report.dimension import draw_curve, of_mle, of_two_nn

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "intrinsic-dimension.png"
PAPER = {"mnist": 12.7, "fashion-mnist": None, "cifar10": 11.6}
"""Table I; it says neither k nor how many points."""
TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}


def measure(name: str, points: int | None) -> tuple[LevinaBickel, dict[str, Any]]:
    """Both estimators on a data set's training images, or on the first `points` of them."""
    source = construct("data", name)
    count = min(points or len(source), len(source))
    images = source.images(np.arange(count))
    start = time.perf_counter()
    found = Neighbours.search(images, 100, duplicates="drop")
    searched = time.perf_counter()
    estimate = intrinsic_dimension(found, range(5, 101))
    seconds = {"search": searched - start, "estimate": time.perf_counter() - searched}
    unbiased = intrinsic_dimension(found, range(5, 101), normaliser="k-2")
    facts = {
        "data": name,
        "points": len(found.distances),
        "shape": list(source.image_shape),
        "duplicates": found.dropped,
        "paper": PAPER[name],
        "seconds": seconds,
        "mle": of_mle(estimate),
        "mle_unbiased": of_mle(unbiased),
        "twonn": of_two_nn(two_nn(found)),
    }
    return estimate, facts


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--points", type=int, help="the first so many images only, for a trial; writes nothing")
    arguments.add_argument("--data", nargs="+", default=list(PAPER), choices=PAPER)
    given = arguments.parse_args()
    figure = Figure(figsize=(3.6 * len(given.data) + 0.6, 3.8), layout="constrained")
    every = figure.subplots(1, len(given.data), squeeze=False)[0]
    results = []
    for axes, name in zip(every, given.data, strict=True):
        estimate, facts = measure(name, given.points)
        results.append(facts)
        shown = {key: facts[key] for key in ("data", "points", "duplicates", "seconds", "twonn")}
        print(shown, facts["mle"]["mean"], facts["mle"]["harmonic"], facts["mle_unbiased"]["mean"], flush=True)
        draw_curve(axes, estimate)
        axes.set_title(f"{TITLES[name]}, {facts['points']:,} images")
        if PAPER[name]:
            axes.axhline(PAPER[name], color="C3", linestyle=":", label=f"the paper's {PAPER[name]}")
        axes.legend(fontsize="x-small")
    if given.points is None:
        save_figure(figure, PICTURE)
        protocol = {"k": "5 to 100", "distance": "Euclidean, of uint8 pixels", "points": "all training images"}
        print(common.write("mnist_dimension", protocol, results))


if __name__ == "__main__":
    main()
