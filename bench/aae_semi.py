"""The classification error of a semi-supervised AAE on MNIST's test images, after a short training.

    GANTK_DATA=… python bench/aae_semi.py --steps 3000 --width 500 -o runs/aae-semi

The paper's error with 1000 labels is 1.60 % (not confirmed), after 5000 epochs.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import common

import gantk


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--steps", type=int, default=6000)
    arguments.add_argument("--width", type=int, default=1000, help="units of each hidden layer; the paper's are 1000")
    arguments.add_argument("-o", "--output", type=Path, default=Path("runs/aae-semi"))
    given = arguments.parse_args()
    data = f"mnist:path={os.environ['GANTK_DATA']}"
    width = f"[{given.width},{given.width}]"
    settings = {
        **common.PLAIN,
        "stages.fit.length": f"{given.steps} steps",
        # The last part of a training at falling rates takes the noise out of the weights, as the paper's steps do.
        "stages.fit.*.lr_schedule": "linear:start=0.5",
        "train.log_every": 100,
        "train.checkpoint_every": given.steps,
    }
    parts = {"generator": f"aae:widths={width}", "discriminator": f"code-pair:of='gan:widths={width}'"}
    if given.output.exists():
        gantk.train(gantk.load(given.output), given.output)
    else:
        gantk.train(gantk.build("aae-semi", data=data, settings=settings, **parts), given.output)
    (score,) = gantk.evaluate(given.output, metrics=["classification-error"], n=100)
    protocol = {"recipe": "aae-semi", "data": "mnist", **parts, "settings": settings}
    results = {**score.figures, "paper": "0.0160 with 1000 labels, after 5000 epochs"}
    print(common.write("aae_semi", protocol, results))


if __name__ == "__main__":
    main()
