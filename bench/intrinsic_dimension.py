"""The intrinsic dimension for k = 5 … 100 beside scikit-dimension and torchid: agreement and time.

Agreement is checked for every k on the first images, time on all of them. scikit-dimension and torchid take one k at a
time and search anew for each; scikit-dimension can be given neighbors, so it is also timed the way its users can make
it fast: one search for the greatest k, and all estimates from that.

    pip install scikit-dimension faiss-cpu torchmetrics
    pip download --no-deps --python-version 3.13 --only-binary=:all: torchid && unzip torchid-*.whl -d torchid
    GANTK_DATA=data python bench/intrinsic_dimension.py --torchid torchid
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from torch import Tensor

from gantk.construct import construct
from gantk.measures.dimension import intrinsic_dimension
from gantk.measures.neighbors import Neighbors
from gantk.measures.twonn import two_nn

K = range(5, 101)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done


def relative(one: float, other: float) -> float:
    return abs(one / other - 1)


def skdim_agreement(images: Tensor) -> dict[str, float]:
    """The greatest relative difference over all k: of single points and of both averages, with both normalizers."""
    from skdim.id import MLE
    from skdim.id import TwoNN as SkdimTwoNN

    points = images.flatten(1).double().numpy()
    found = Neighbors.search(images, K[-1])
    worst = {"points": 0.0, "mean": 0.0, "harmonic": 0.0}
    for normalizer, unbiased in (("k-1", False), ("k-2", True)):
        ours = intrinsic_dimension(found, K, normalizer=normalizer)
        for index, k in enumerate(K):
            theirs = MLE(unbiased=unbiased).fit(points, n_neighbors=k)
            single = theirs.dimension_pw_
            apart = np.abs(ours.per_point(k).numpy() / single - 1).max()
            worst["points"] = max(worst["points"], float(apart))
            worst["mean"] = max(worst["mean"], relative(float(ours.mean[index]), single.mean()))
            worst["harmonic"] = max(worst["harmonic"], relative(float(ours.harmonic[index]), theirs.dimension_))
    ratios = two_nn(found)
    worst["two_nn_line"] = relative(ratios.fit, SkdimTwoNN().fit(points).dimension_)
    worst["two_nn_likelihood"] = relative(ratios.likelihood, SkdimTwoNN(method="mle").fit(points).dimension_)
    return worst


def torchid_agreement(images: Tensor) -> dict[str, float]:
    """The same of torchid: its distances are float32 from faiss, its TwoNN has (i − 1) / N for the paper's i / N."""
    from torchid.estimators import MLE
    from torchid.estimators import TwoNN as TorchidTwoNN

    found = Neighbors.search(images, K[-1])
    ours = intrinsic_dimension(found, K)
    worst = {"points": 0.0, "mean": 0.0, "harmonic": 0.0}
    points = images.flatten(1).float()
    for index, k in enumerate(K):
        single = MLE().fit(points, n_neighbors=k).dimension_pw_.double()
        apart = (ours.per_point(k) / single - 1).abs().max()
        worst["points"] = max(worst["points"], float(apart))
        worst["mean"] = max(worst["mean"], relative(float(ours.mean[index]), float(single.mean())))
        together = float(1 / (1 / single).mean())
        worst["harmonic"] = max(worst["harmonic"], relative(float(ours.harmonic[index]), together))
    worst["two_nn_line"] = relative(two_nn(found).fit, TorchidTwoNN().fit(points).dimension_)
    return worst


def skdim_seconds(images: Tensor) -> dict[str, float]:
    """One k as its interface has it; all k after one search; and what all k would take by the interface alone."""
    from skdim._commonfuncs import get_nn
    from skdim.id import MLE

    points = images.flatten(1).double().numpy()
    search, (distances, indices) = seconds(lambda: get_nn(points, k=K[-1]))

    def estimates() -> None:
        for k in K:
            MLE().fit(points, precomputed_knn_arrays=(distances[:, :k], indices[:, :k]))

    every, _ = seconds(estimates)
    return {"search": search, "one_search": search + every, "a_search_for_each_k_extrapolated": len(K) * search + every}


def torchid_seconds(images: Tensor) -> dict[str, float]:
    """k = 100, and what all k would take: torchid can be given no neighbors."""
    from torchid.estimators import MLE

    points = images.flatten(1).float()
    one, _ = seconds(lambda: MLE().fit(points, n_neighbors=K[-1]))
    return {"k_100": one, "a_search_for_each_k_extrapolated": len(K) * one}


def gantk_seconds(images: Tensor) -> dict[str, float]:
    search, found = seconds(lambda: Neighbors.search(images, K[-1], duplicates="drop"))
    every, _ = seconds(lambda: intrinsic_dimension(found, K))
    return {"search": search, "estimates": every, "all": search + every}


def version_or_reason(module: str, package: str) -> dict[str, str]:
    """The version of a package that can be imported, or why it cannot."""
    try:
        found = importlib.import_module(module)
        return {"version": getattr(found, "__version__", None) or importlib.metadata.version(package)}
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        return {"missing": str(error)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--points", type=int, default=60_000, help="how many images the time is measured on")
    arguments.add_argument("--agree", type=int, default=1000, help="how many images agreement is checked on")
    arguments.add_argument("--rounds", type=int, default=3, help="how often gantk is timed, between the others")
    arguments.add_argument("--torchid", type=Path, help="an unpacked wheel of torchid, which asks for Python 3.13")
    arguments.add_argument("--trial", action="store_true", help="print, and write nothing")
    given = arguments.parse_args()
    if given.torchid:
        sys.path.insert(0, str(given.torchid))
    warnings.filterwarnings("ignore", category=FutureWarning)
    source = construct("data", "mnist")
    images = source.images(np.arange(min(given.points, len(source))))
    others = {
        "scikit-dimension": ("skdim", skdim_agreement, skdim_seconds),
        "torchid": ("torchid", torchid_agreement, torchid_seconds),
    }
    results: dict[str, Any] = {"gantk": {"seconds": [gantk_seconds(images)]}}
    for package, (module, agreement, timing) in others.items():
        results[package] = version_or_reason(module, package)
        if "missing" not in results[package]:
            results[package] |= {"agreement": agreement(images[: given.agree]), "seconds": timing(images)}
            results["gantk"]["seconds"].append(gantk_seconds(images))
        print(package, results[package], flush=True)
    while len(results["gantk"]["seconds"]) < given.rounds:
        results["gantk"]["seconds"].append(gantk_seconds(images))
    ours = sorted(each["all"] for each in results["gantk"]["seconds"])[len(results["gantk"]["seconds"]) // 2]
    results["ratios"] = {
        package: {name: took / ours for name, took in results[package]["seconds"].items()}
        for package in others
        if "seconds" in results[package]
    }
    print(results["gantk"], results["ratios"], flush=True)
    protocol = {
        "data": "MNIST, training images, uint8",
        "points": len(images),
        "k": "5 to 100",
        "agreement_points": given.agree,
        "ratio": "to gantk's median time for one search and all k",
        "threads": torch.get_num_threads(),
    }
    if not given.trial:
        print(common.write("intrinsic_dimension", protocol, results))


if __name__ == "__main__":
    main()
