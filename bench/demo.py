"""How good the digits of `make demo` are, and how long they take: as it is, and as it was.

    GANTK_DATA=… python bench/demo.py [--seeds 0 1 2] [-o runs/demo-bench]

The builds take turns, a seed after the other, so that times are those of neighbors. The classifier of MNIST judges
2,000 samples of each: the share that it is sure of (above 0.9), and how many have the class that was asked for.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import common

import gantk

GANTK = (sys.executable, "-m", "gantk")
BEFORE = (
    "--noise de --loss hidden:weight=0.1 --generator dcgan:width=32 --discriminator dcgan:width=32 "
    "--set train.ema=0.99 --set 'stages.pretrain.length=4 epochs' --set 'stages.game.length=2687 steps' "
    "--set stages.game.batch_size=32 --set train.precision=32-true"
)
SAMPLES = 2000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("-o", "--output", type=Path, default=Path("runs/demo-bench"), help="folder of the runs")
    given = arguments.parse_args()
    build, train = now()
    demos = {"before": (BEFORE, {}), "now": (build, train)}
    for seed in given.seeds:
        found = []
        for name, (words, environment) in demos.items():
            run = given.output / f"{name}-{seed}"
            found.append({"demo": name, **measured(words, environment, seed, run)})
            print(seed, found[-1], flush=True)
        protocol = {"before": BEFORE, "now": build, "now_environment": train, "samples": SAMPLES, "seed": seed}
        common.write(f"demo/{seed}", protocol, found)


def now() -> tuple[str, dict[str, str]]:
    """The options of `make demo`, and the environment of its training, as make resolves them."""
    root = Path(__file__).parent.parent
    said = subprocess.run(
        ["make", "--always-make", "--dry-run", "DEMO=DEMO", "demo"],
        cwd=root,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.replace("\\\n", " ")
    lines = {word: line for word in ("build", "train") for line in said.splitlines() if f"gantk {word}" in line}
    environment = dict(word.split("=", 1) for word in lines["train"].split() if word.startswith("OMP_"))
    return lines["build"].partition("gantk build")[2].rpartition("-o")[0].strip(), environment


def measured(build: str, environment: dict[str, str], seed: int, run: Path) -> dict[str, Any]:
    """The scores of one demo, and how long its training took."""
    subprocess.run([*GANTK, "build", *shlex.split(build), "--seed", str(seed), "-o", str(run)], check=True)
    begin = time.perf_counter()
    subprocess.run([*GANTK, "train", str(run)], check=True, env={**os.environ, **environment})
    seconds = time.perf_counter() - begin
    metrics = ["confidence", "classes"] + (["accuracy"] if "--condition" in build else [])
    scores = gantk.evaluate(run, metrics=metrics, n=SAMPLES, extractor="classifier:data=mnist")
    figures = {name: round(value, 4) for score in scores for name, value in score.figures.items()}
    return {"seconds": round(seconds, 1), **figures}


if __name__ == "__main__":
    main()
