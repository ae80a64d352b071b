"""Time of an evaluation of 10,000 generated digits: sampling, a classifier's features, and each metric.

    GANTK_DATA=… python bench/evaluation_speed.py [--rounds 3]

A DCGAN of the default size with random weights is compared with MNIST's 60,000 training digits; its quality does not
affect the time. The classifier is trained beforehand if it is not cached. Features of the real digits are cached: the
first round computes them, later rounds read them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import common
import torch

import gantk
from gantk.construct import construct

METRICS = ("frechet", "prdc", "diversity", "classes", "confidence")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("-n", type=int, default=10_000, help="generated digits")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    model = gantk.build("dcgan", data="mnist", seed=0).eval()
    construct("extractor", "classifier:data=mnist", image_shape=model.image_shape)
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            begin = time.perf_counter()
            found = gantk.evaluate(
                model, metrics=list(METRICS), n=given.n, again=True, output=Path(folder) / f"{number}.json"
            )
            total = time.perf_counter() - begin
            rounds.append({"total_s": total, **{f"{score.name}_s": score.seconds for score in found}})
            print(rounds[-1], flush=True)
    protocol = vars(given) | {"metrics": METRICS, "cache": os.environ.get("GANTK_CACHE", "")}
    common.write("evaluation_speed", protocol, rounds)


if __name__ == "__main__":
    main()
