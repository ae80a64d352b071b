"""Precision, recall, density and coverage compared with the package prdc: equality of the figures, and time.

Both alternate on the same features, and ratios are of consecutive runs. Peak memory is that of the whole process.

python bench/prdc_speed.py [--points 10000] [--dim 2048] [--rounds 3] [--threads 2]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from typing import Any

import common
import torch

from gantk.measures import compare_manifolds

K = 5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--points", type=int, default=10_000, help="features of each side")
    arguments.add_argument("--dim", type=int, default=2048)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=2)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(given.points, given.dim, generator=rng).relu_()
    generated = torch.randn(given.points, given.dim, generator=rng).mul_(0.98).relu_()
    rounds = []
    for _ in range(given.rounds):
        ours, found = timed_gantk(real, generated)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        theirs, expected = timed_prdc(real, generated)
        rounds.append({"gantk_s": ours, "prdc_s": theirs, "ratio": theirs / ours, "gantk": found, "prdc": expected})
        rounds[-1]["peak_gib_before_prdc"] = round(memory, 2)
        print(rounds[-1], flush=True)
    ratio = statistics.median(each["ratio"] for each in rounds)
    print(f"prdc takes {ratio:.1f} times as long")
    common.write("prdc_speed", vars(given) | {"k": K}, {"rounds": rounds, "median_ratio": ratio})


def timed_gantk(real: torch.Tensor, generated: torch.Tensor) -> tuple[float, dict[str, float]]:
    begin = time.perf_counter()
    found = compare_manifolds(real, generated, K)
    return time.perf_counter() - begin, vars(found)


def timed_prdc(real: torch.Tensor, generated: torch.Tensor) -> tuple[float, dict[str, Any]]:
    from prdc import compute_prdc  # an oracle: gantk itself does not need it

    begin = time.perf_counter()
    found = compute_prdc(real.numpy(), generated.numpy(), nearest_k=K)
    return time.perf_counter() - begin, {name: float(value) for name, value in found.items()}


if __name__ == "__main__":
    main()
