"""Nearest neighbors of uint8 images on a GPU: gantk's search compared with torch's float32 products and topk.

    python bench/knn_cuda.py [--points 60000] [--dimension 784] [--k 100] [--repeats 5]

Both search the same synthetic images on the same GPU, alternating. Besides medians, it writes the time of each kernel
and of the rest, and, for known GPUs, the fraction of the published dense int8 rate that the pass over pairs reaches,
counting only the products that a search needs, N (N − 1) / 2 · D.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable

import torch
from common import write
from torch import Tensor

from gantk.ops.knn.cuda import search
from gantk.ops.knn.cuda_kernels import ByteRows, Kernels, Near, kernels_here, why_not

INT8_PEAK = {"A100": 624e12, "H100 PCIe": 1513e12, "H100": 1979e12, "H200": 1979e12}
"""Dense int8 operations per second by NVIDIA's data sheets; the first name that the card's holds counts."""


def synthetic(points: int, dimension: int) -> Tensor:
    """Images from 12 hidden numbers, so that neighborhoods are as uneven as in real data."""
    rng = torch.Generator().manual_seed(0)
    hidden = torch.randn((points, 12), generator=rng)
    out = torch.tanh(hidden @ torch.randn((12, dimension), generator=rng) / 4)
    noise = torch.randn((points, dimension), generator=rng)
    return ((out + 1) * 127.5 + 4 * noise).clamp(0, 255).to(torch.uint8)


def plain_torch(x: Tensor, k: int, block: int = 4096) -> tuple[Tensor, Tensor]:
    """What one would write: float32 products and topk, block by block."""
    points = x.float()
    norms = points.square().sum(1)
    distances, indices = [], []
    for first in range(0, len(points), block):
        rows = points[first : first + block]
        squared = norms[first : first + block, None] + norms - 2 * rows @ points.T
        own = torch.arange(len(rows), device=x.device)
        squared[own, own + first] = torch.inf
        found = squared.topk(k, largest=False)
        distances.append(found.values)
        indices.append(found.indices)
    return torch.cat(distances), torch.cat(indices)


class TimedKernels:
    """Kernels between events."""

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        self.tile, self.largest_dimension = kernels.tile, kernels.largest_dimension
        self._events: dict[str, list[tuple[torch.cuda.Event, torch.cuda.Event]]] = defaultdict(list)

    def dense(self, rows: ByteRows, columns: ByteRows) -> Tensor:
        result: list[Tensor] = []
        self._timed("dense", lambda: result.append(self._kernels.dense(rows, columns)))
        return result[0]

    def collect(self, rows: ByteRows, columns: ByteRows, near: Near) -> None:
        self._timed("collect", lambda: self._kernels.collect(rows, columns, near))

    def collect_pairs(self, points: ByteRows, first: int, last: int, near: Near) -> None:
        self._timed("collect_pairs", lambda: self._kernels.collect_pairs(points, first, last, near))

    def _timed(self, name: str, work: Callable[[], None]) -> None:
        before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        before.record()
        work()
        after.record()
        self._events[name].append((before, after))

    def seconds(self) -> dict[str, float]:
        torch.cuda.synchronize()
        return {
            name: sum(before.elapsed_time(after) for before, after in pairs) / 1e3
            for name, pairs in self._events.items()
        }


def seconds(work: Callable[[], object]) -> float:
    before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    before.record()
    work()
    after.record()
    torch.cuda.synchronize()
    return before.elapsed_time(after) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description="Nearest neighbors of uint8 images on a GPU.")
    for name, default in (("points", 60000), ("dimension", 784), ("k", 100), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("knn_cuda.py: no GPU here, nothing measured.")
        return
    if reason := why_not(torch.device("cuda", torch.cuda.current_device())):
        sys.exit(f"knn_cuda.py: nothing measured: {reason}.")
    torch.backends.cuda.matmul.allow_tf32 = False
    x = synthetic(given.points, given.dimension).cuda()
    ours, theirs = search(x, given.k), plain_torch(x, given.k)  # the first of each also warms up
    same = (ours[0] == theirs[0].round().long()).double().mean().item()
    del theirs
    times: dict[str, list[float]] = {"gantk": [], "torch": []}
    torch.cuda.reset_peak_memory_stats()
    for _ in range(given.repeats):
        times["gantk"].append(seconds(lambda: search(x, given.k)))
        if len(times["gantk"]) == 1:
            peak_memory = torch.cuda.max_memory_allocated()
        times["torch"].append(seconds(lambda: plain_torch(x, given.k)))
    timed = TimedKernels(kernels_here())
    whole = seconds(lambda: search(x, given.k, kernels=timed))
    split = timed.seconds()
    median = {name: statistics.median(values) for name, values in times.items()}
    results = {
        "seconds": times,
        "median seconds": median,
        "times faster": median["torch"] / median["gantk"],
        "squared distances equal to torch's rounded float32 ones": same,
        "peak bytes": peak_memory,
        "one search": {"whole": whole, **split, "the rest": whole - sum(split.values())},
    }
    if "collect_pairs" in split:
        rate = given.points * (given.points - 1) * given.dimension / split["collect_pairs"]
        results["pass over pairs, operations per second"] = rate
        card = torch.cuda.get_device_name()
        known = next((peak for name, peak in INT8_PEAK.items() if name in card), None)
        results["of the int8 peak"] = None if known is None else rate / known
    for name, value in results.items():
        print(f"{name}: {value}")
    print(write("knn_cuda", vars(given), results))


if __name__ == "__main__":
    main()
