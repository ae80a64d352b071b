"""DE-GAN's hidden-space loss: in whose objective, and with what weight, does training work?

In the paper, both players have the loss (D ascends it), and its weight is not given. Each variant trains the same DCGAN
from the same initial weights on the embedded digits; a digit classifier evaluates the samples.

    python bench/hidden_players.py            # about 20 minutes on 2 cores
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import common
from digit_classifier import judge, real_digits, train_classifier

import gantk
from gantk.errors import Diverged
from gantk.training.progress import Silent

VARIANTS = ["none"] + [f"{players}:{weight}" for weight in (1.0, 0.1, 0.01) for players in ("generator", "both")]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=600)
    arguments.add_argument("--seeds", type=int, default=2)
    given = arguments.parse_args()
    classifier, accuracy = train_classifier()
    real = real_digits()[0]
    results = []
    for seed in range(given.seeds):
        for variant in VARIANTS:
            players, _, weight = variant.partition(":")
            loss = [] if variant == "none" else [f"hidden:players={players},weight={weight}"]
            settings = {"stages.game.length": f"{given.steps} steps", "stages.game.batch_size": 64, **common.PLAIN}
            model = gantk.build("dcgan", loss=loss, seed=seed, settings=settings)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    gantk.train(model, Path(folder) / "run", progress=Silent())
                    figures = judge(classifier, model.sample(2000, seed=1), real)
                except Diverged as error:
                    figures = {"diverged": str(error)}
            results.append({"variant": variant, "seed": seed, **figures})
            print(results[-1], flush=True)
    protocol = {
        "recipe": "dcgan",
        "data": "digits",
        "batch_size": 64,
        "steps": given.steps,
        "samples": 2000,
        "classifier_accuracy": accuracy,
    }
    print(common.write("hidden_players", protocol, results))


if __name__ == "__main__":
    main()
