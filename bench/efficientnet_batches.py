"""How many images EfficientNet-Lite0 computes at once on a CPU: images per second by the size of a batch.

    python bench/efficientnet_batches.py [--rounds 3]

Sizes take turns; the results are written to `results/efficientnet_batches.json`.
"""

from __future__ import annotations

import argparse
import statistics
import time

import common
import torch

from gantk.construct import construct
from gantk_metrics import efficientnet

SIZES = (256, 64, 16, 8, 4, 2, 1)
IMAGES = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    extractor = construct("extractor", "efficientnet-lite0", image_shape=(3, 32, 32)).eval()
    images = torch.rand(IMAGES, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found: dict[int, list[float]] = {size: [] for size in SIZES}
    with torch.no_grad():
        for _ in range(rounds):
            for size in SIZES:
                efficientnet.AT_ONCE = size
                extractor(images[:size])
                began = time.perf_counter()
                extractor(images)
                found[size].append(round(IMAGES / (time.perf_counter() - began), 1))
    medians = {size: statistics.median(each) for size, each in found.items()}
    results = {"images per second": found, "medians": medians}
    print(common.write("efficientnet_batches", {"images": IMAGES, "rounds": rounds}, results))
    for size, speed in medians.items():
        print(f"batches of {size:3}: {speed:6.1f} images/s")


if __name__ == "__main__":
    main()
