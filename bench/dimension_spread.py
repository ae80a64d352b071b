"""Bias and spread of estimates of the intrinsic dimension, on points of known dimension.

For uniform points in cubes and on spheres: the mean estimate compared with the dimension, and the spread of estimates
over draws of the points compared with the reported standard error.

    python bench/dimension_spread.py          # about two minutes on one core
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import common
import torch
from torch import Tensor

from gantk.measures.dimension import intrinsic_dimension
from gantk.measures.neighbors import Neighbors
from gantk.measures.twonn import two_nn

K = (10, 20, 50, 100)


def cube(points: int, dim: int, rng: torch.Generator) -> Tensor:
    return torch.rand(points, dim, generator=rng, dtype=torch.float64)


def sphere(points: int, dim: int, rng: torch.Generator) -> Tensor:
    around = torch.randn(points, dim + 1, generator=rng, dtype=torch.float64)
    return around / around.norm(dim=1, keepdim=True)


SHAPES: dict[str, Callable[[int, int, torch.Generator], Tensor]] = {"cube": cube, "sphere": sphere}


def spread(shape: str, dim: int, points: int, draws: int) -> list[dict[str, Any]]:
    """Each estimator's average, spread over draws, and average standard error."""
    values: dict[str, list[tuple[float, float]]] = {}
    for seed in range(draws):
        found = Neighbors.search(SHAPES[shape](points, dim, torch.Generator().manual_seed(seed)), max(K))
        estimate, ratios = intrinsic_dimension(found, K), two_nn(found, resamples=50)
        for index, k in enumerate(K):
            for name in ("mean", "harmonic"):
                pair = (float(getattr(estimate, name)[index]), float(getattr(estimate, f"{name}_error")[index]))
                values.setdefault(f"{name}, k = {k}", []).append(pair)
        values.setdefault("TwoNN, line", []).append((ratios.fit, ratios.fit_error))
        values.setdefault("TwoNN, likelihood", []).append((ratios.likelihood, ratios.likelihood_error))
    rows = []
    for name, pairs in values.items():
        drawn, errors = torch.tensor(pairs, dtype=torch.float64).T
        rows.append(
            {
                "shape": shape,
                "dimension": dim,
                "estimator": name,
                "average": float(drawn.mean()),
                "spread": float(drawn.std()),
                "standard_error": float(errors.mean()),
                "spread_by_error": float(drawn.std() / errors.mean()),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--points", type=int, default=2000)
    arguments.add_argument("--draws", type=int, default=100)
    given = arguments.parse_args()
    results = []
    for shape in SHAPES:
        for dim in (5, 10, 20):
            results += spread(shape, dim, given.points, given.draws)
    print(
        common.write("dimension_spread", {"points": given.points, "draws": given.draws, "normalizer": "k-1"}, results)
    )


if __name__ == "__main__":
    main()
