"""Exact self-search: each image's k nearest among the others, against faiss, scikit-learn and torch.

    pip install '.[bench]'
    GANTK_DATA=data python bench/knn.py                 # everything: half an hour on two cores
    GANTK_DATA=data python bench/knn.py --part bytes    # or one part: bytes, floats, curves

All implementations must find the same neighbors; whether they do is part of the result. Implementations alternate, and
ratios are of the best times, since other work on the machine can only make a run slower.

bytes   MNIST's 60,000 training images, uint8, k = 100, with each vector instruction set that the machine has.
floats  the same images divided by 255, and features of CIFAR-10's 50,000 training images, in float32; with the relative
        error of distances against direct differences in float64, on a sample of the points, and among near-duplicates.
curves  time and peak memory over the number of points and dimensions, each in its own process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from torch import Tensor, nn

from gantk.construct import construct
from gantk.ops import knn_distances, native

K = 100
Search = Callable[[Tensor], Tensor]


def faiss_flat(x: Tensor) -> Tensor:
    """Squared distances, of which each point is its own first."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    points = x.float().numpy()
    index = faiss.IndexFlatL2(points.shape[1])
    index.add(points)
    squared, _ = index.search(points, K + 1)
    return torch.from_numpy(squared)[:, 1:].double().clamp_min(0).sqrt()


def scikit_learn(x: Tensor) -> Tensor:
    from sklearn.neighbors import NearestNeighbors

    points = x.float().numpy()
    found = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(points)
    return torch.from_numpy(found.kneighbors()[0]).double()


def matmul_topk(x: Tensor) -> Tensor:
    """What one writes by hand: float32 products in blocks, and torch.topk."""
    points = x.float()
    norms = points.square().sum(1)
    parts = []
    for first in range(0, len(points), 2048):
        block = points[first : first + 2048]
        squared = norms[first : first + 2048, None] + norms - 2 * block @ points.T
        own = torch.arange(len(block))
        squared[own, first + own] = torch.inf
        parts.append(squared.topk(K, largest=False).values)
    return torch.cat(parts).double().clamp_min(0).sqrt()


def ours(x: Tensor) -> Tensor:
    return knn_distances(x, K)


def seconds(search: Search, x: Tensor) -> tuple[float, Tensor]:
    start = time.perf_counter()
    found = search(x)
    return time.perf_counter() - start, found


def compare(
    x: Tensor, ways: dict[str, Search], rounds: dict[str, int]
) -> tuple[dict[str, list[float]], dict[str, Tensor]]:
    """Times of each way, in turn: its number of rounds; and what it found."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    for turn in range(max(rounds.values())):
        for name, search in ways.items():
            if turn < rounds[name]:
                taken, found[name] = seconds(search, x)
                times[name].append(round(taken, 3))
                print(f"{name}: {taken:.2f} s", flush=True)
    return times, found


def summary(times: dict[str, list[float]]) -> dict[str, Any]:
    """Each way's times, and how many times as long as ours it takes, best against best and turn by turn."""
    mine = times["gantk"]
    return {
        name: {
            "seconds": taken,
            "best": min(taken),
            "times_gantk": round(min(taken) / min(mine), 2),
            "times_gantk_by_turn": [round(other / own, 2) for other, own in zip(taken, mine, strict=False)],
        }
        for name, taken in times.items()
    }


def bytes_part() -> dict[str, Any]:
    x = images("mnist")
    ways: dict[str, Search] = {"gantk": ours, "faiss": faiss_flat}
    for name in native.state("cpu").usable[1:-1]:  # plain C++ would take minutes
        ways[f"gantk {name}"] = with_set(name)
    ways |= {"torch": matmul_topk, "scikit-learn": scikit_learn}
    rounds = dict.fromkeys(ways, 3) | {"torch": 2, "scikit-learn": 1}
    times, found = compare(x, ways, rounds)
    exact = found["gantk"].square().round()
    same = {name: bool((other.square().round() == exact).all()) for name, other in found.items()}
    return {"points": list(x.shape), "k": K, "instruction_set": native.instruction_set(), "ways": summary(times),
            "equal_to_integer_arithmetic": {**same, "gantk": integers_agree(x, exact)}}  # fmt: skip


def with_set(name: str) -> Search:
    def search(x: Tensor) -> Tensor:
        with native.using(name):
            return ours(x)

    return search


def integers_agree(x: Tensor, squared: Tensor) -> bool:
    """Whether a sample of the rows is what numpy's int64 arithmetic gives."""
    points = x.numpy().astype(np.int64)
    for row in range(0, len(points), len(points) // 50):
        to = ((points - points[row]) ** 2).sum(1)
        to[row] = np.iinfo(np.int64).max
        if not np.array_equal(np.sort(to)[:K], squared[row].numpy().astype(np.int64)):
            return False
    return True


def floats_part() -> dict[str, Any]:
    results = {}
    for name, x in (("mnist / 255", images("mnist").float() / 255), ("cifar10 features", features())):
        ways: dict[str, Search] = {"gantk": ours, "faiss": faiss_flat}
        times, found = compare(x, ways, {"gantk": 3, "faiss": 3})
        near = with_near_duplicates(x[:5000])
        results[name] = {
            "points": list(x.shape),
            "ways": summary(times),
            "relative_error": {way: direct_error(x, squared) for way, squared in found.items()},
            "relative_error_with_near_duplicates": {
                way: direct_error(near, search(near)) for way, search in ways.items()
            },
        }
    return results


def with_near_duplicates(x: Tensor) -> Tensor:
    """Half of the points again, each moved by a thousandth of the data's deviation."""
    noise = torch.randn(len(x) // 2, x.shape[1], generator=torch.Generator().manual_seed(0))
    return torch.cat([x, x[: len(noise)] + 1e-3 * x.std() * noise])


def direct_error(x: Tensor, distances: Tensor) -> float:
    """The greatest relative error over a sample of the rows, against direct differences in float64."""
    points = x.numpy().astype(np.float64)
    worst = 0.0
    for row in range(0, len(points), len(points) // 100):
        to = np.sqrt(((points - points[row]) ** 2).sum(1))
        to[row] = np.inf
        expected = np.sort(to)[:K]
        worst = max(worst, float((np.abs(distances[row].numpy() - expected) / expected)[expected > 0].max()))
    return worst


def images(name: str) -> Tensor:
    """[N, D] uint8."""
    source = construct("data", name)
    return source.images(np.arange(len(source))).flatten(1)


def features() -> Tensor:
    """512 features of CIFAR-10's training images by a convolutional network with random weights, seed 0."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 64, 4, 2, 1), nn.ReLU(), nn.Conv2d(64, 128, 4, 2, 1), nn.ReLU(), nn.Conv2d(128, 128, 4, 2, 1),
        nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
    )  # fmt: skip
    x = images("cifar10").view(-1, 3, 32, 32)
    with torch.no_grad():
        return torch.cat([network(part.float() / 127.5 - 1) for part in x.split(1000)])


def curves_part() -> list[dict[str, Any]]:
    sizes = [(n, 784) for n in (10_000, 30_000, 60_000, 120_000, 240_000)] + [(10_000, d) for d in (3072, 12288)]
    sizes += [(1_000_000, 64), (1_000_000, 784)]
    results = []
    for n, dim in sizes:
        row: dict[str, Any] = {"n": n, "dim": dim, "k": K}
        for way in ("gantk", "faiss"):
            if way == "faiss" and n > 60_000:
                continue  # minutes to an hour
            done = subprocess.run(
                [sys.executable, __file__, "--one", way, str(n), str(dim)], capture_output=True, text=True, check=True
            )
            row[way] = json.loads(done.stdout)
            print(n, dim, way, row[way], flush=True)
        results.append(row)
    return results


def one(way: str, n: int, dim: int) -> dict[str, float]:
    """Time, and how much more memory the process held at its peak than with the points alone (Linux)."""
    x = synthetic(n, dim)
    search = {"gantk": ours, "faiss": faiss_flat}[way]
    search(x[:1000])
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = memory("VmRSS")
    taken, _ = seconds(search, x)
    return {"seconds": round(taken, 2), "more_memory_mib": memory("VmHWM") - before, "points_mib": x.numel() >> 20}


def memory(field: str) -> int:
    """In MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) >> 10


def synthetic(n: int, dim: int) -> Tensor:
    """Bytes near a 12-dimensional surface, in parts, so that there is little memory beside the result."""
    rng = torch.Generator().manual_seed(0)
    surface = torch.randn(12, dim, generator=rng) * 25
    x = torch.empty(n, dim, dtype=torch.uint8)
    for part in x.split(200):
        place = torch.randn(len(part), 12, generator=rng)
        noise = torch.randn(part.shape, generator=rng) * 8
        part.copy_((place @ surface + noise + 100).clamp(0, 255))
    return x


PARTS = {"bytes": bytes_part, "floats": floats_part, "curves": curves_part}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--one", nargs=3)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(one(chosen.one[0], int(chosen.one[1]), int(chosen.one[2]))))
    else:
        for part in [chosen.part] if chosen.part else PARTS:
            print(common.write(f"knn_{part}", {"doc": __doc__, "part": part, "k": K}, PARTS[part]()))
