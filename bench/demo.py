"""How good the digits of `make demo` are, and how long they take: as it is, and as it was.

    GANTK_DATA=… python bench/demo.py [--seeds 0 1 2] [--threads 2] [-o runs/demo-bench]

The builds take turns, a seed after the other, so that times are those of neighbors. The classifier of MNIST judges
2,000 samples of each: the share that it is sure of (above 0.9), and how many have the class that was asked for.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import common
import torch

import gantk

GANTK = (sys.executable, "-m", "gantk")
BEFORE = (
    "--noise de --loss hidden --generator dcgan:width=32 --discriminator dcgan:width=32 --set train.ema=0.99 "
    "--set 'stages.pretrain.length=4 epochs' --set 'stages.game.length=2687 steps' --set stages.game.batch_size=32"
)
SAMPLES = 2000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("-o", "--output", type=Path, default=Path("runs/demo-bench"), help="folder of the runs")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    found = []
    for seed in given.seeds:
        for name, build in {"before": BEFORE, "now": now()}.items():
            found.append({"demo": name, "seed": seed, **measured(build, seed, given.output / f"{name}-{seed}")})
            print(found[-1], flush=True)
    common.write("demo", {"before": BEFORE, "now": now(), "samples": SAMPLES, "threads": given.threads}, found)


def now() -> str:
    """The options of `make demo`, as make resolves them."""
    root = Path(__file__).parent.parent
    said = subprocess.run(
        ["make", "--always-make", "--dry-run", "DEMO=DEMO", "demo"],
        cwd=root,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    line = next(line for line in said.replace("\\\n", " ").splitlines() if "gantk build" in line)
    return line.partition("gantk build")[2].rpartition("-o")[0].strip()


def measured(build: str, seed: int, run: Path) -> dict[str, Any]:
    """The scores of one demo, and how long its training took."""
    subprocess.run([*GANTK, "build", *shlex.split(build), "--seed", str(seed), "-o", str(run)], check=True)
    begin = time.perf_counter()
    subprocess.run([*GANTK, "train", str(run)], check=True)
    seconds = time.perf_counter() - begin
    metrics = ["confidence", "classes"] + (["accuracy"] if "--condition" in build else [])
    scores = gantk.evaluate(run, metrics=metrics, n=SAMPLES, extractor="classifier:data=mnist")
    figures = {name: round(value, 4) for score in scores for name, value in score.figures.items()}
    return {"seconds": round(seconds, 1), **figures}


if __name__ == "__main__":
    main()
