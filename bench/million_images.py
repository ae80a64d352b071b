"""Time and memory of searching 10,000 samples for copies of a million training images.

    GANTK_DATA=… python bench/million_images.py [--images 1000000] [--samples 10000]

The training images are MNIST's digits, shifted by a few pixels and with a little noise. They are generated when they
are read, so that only one block is in memory. One in a hundred samples is a training image, the others are digits with
other noise. `training_neighbors` has to find all copies, and searches for as many left-out training images. The time to
generate the images, which happens twice, is measured separately.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence

import common
import numpy as np
import torch
from torch import Tensor

from gantk.construct import construct
from gantk.measures.nearest import training_neighbors
from gantk.measures.search import BLOCK, Points

SIZE = 28
NOISE = 2**20
"""Values of noise, of which each image takes a stretch."""


class Moved:
    """Image i is digit i modulo their number, moved and with noise by its number."""

    def __init__(self, digits: Tensor, count: int) -> None:
        self.digits = digits
        self.count = count
        self.noise = torch.randint(0, 16, (NOISE,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)

    def __call__(self, indices: Sequence[int]) -> Tensor:
        numbers = torch.from_numpy(np.asarray(indices, dtype=np.int64))
        found = self.digits[numbers % len(self.digits)]
        moved = numbers // len(self.digits)
        for move in moved.unique().tolist():
            some = moved == move
            found[some] = found[some].roll((move % 5 - 2, move // 5 % 5 - 2), (1, 2))
        starts = (numbers * 40503) % (NOISE - SIZE * SIZE)
        noise = self.noise[starts[:, None] + torch.arange(SIZE * SIZE)].view(-1, SIZE, SIZE)
        return found.clamp_(max=255 - 15).add_(noise).flatten(1)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--images", type=int, default=1_000_000)
    arguments.add_argument("--samples", type=int, default=10_000)
    arguments.add_argument("--threads", type=int, default=2)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    source = construct("data", "mnist")
    read = Moved(source.images(range(len(source)))[:, 0], given.images)
    copies = torch.randperm(given.images, generator=torch.Generator().manual_seed(1))[: given.samples // 100]
    new = range(given.images, given.images + given.samples - len(copies))
    samples = torch.cat([read(copies.tolist()), read(new)])
    before = peak()
    training = Points(given.images, read)

    begin = time.perf_counter()
    for _ in training.blocks(BLOCK // (SIZE * SIZE)):
        pass
    reading = time.perf_counter() - begin
    begin = time.perf_counter()
    found = training_neighbors(samples, training)
    seconds = time.perf_counter() - begin

    results = {
        "seconds": seconds,
        "of_which_making_images": 2 * reading,
        "peak_gib": peak(),
        "peak_gib_before": before,
        "training_gib": given.images * SIZE * SIZE / 2**30,
        "copies": len(copies),
        "found": int((found.distances[: len(copies), 0] == 0).sum()),
        "found_index": int((found.indices[: len(copies), 0] == copies).sum()),
        "others_equal": found.equal - int((found.distances[: len(copies), 0] == 0).sum()),
    }
    print(results)
    common.write("million_images", vars(given), results)


def peak() -> float:
    """The most memory that the process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
