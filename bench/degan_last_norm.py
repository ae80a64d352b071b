"""Does DE-GAN's discriminator learn with batch normalization right before its logit? Its loss with and without it.

    GANTK_DATA=… python bench/degan_last_norm.py [--steps 200] [--seeds 0 1 2]

The networks of Table IV, a quarter to a half as wide, play on CIFAR-10 (JPEG) without the hidden-space loss and with
uniform noise, in float32. Printed are the discriminator's loss in the last tenth of the steps, which is 2 log 2 = 1.386
for one that guesses, and the share of 2,048 real and as many generated images whose logit has the right sign in the
end. They are written to `results/degan_last_norm.json`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import common
import torch

import gantk
from gantk.data import to_float
from gantk.run.entries import read_log
from gantk.run.folder import Run

JUDGED = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {"true": [], "false": []}
    for seed in given.seeds:
        for fc_norm, results in found.items():
            results.append(trained(fc_norm, given.steps, seed))
            print(f"fc_norm={fc_norm}, seed {seed}: {results[-1]}", flush=True)
    print(common.write("degan_last_norm", {"steps": given.steps, "seeds": given.seeds, "batch": 64}, found))


def trained(fc_norm: str, steps: int, seed: int) -> dict[str, float]:
    """The discriminator after some steps of the game."""
    settings: dict[str, Any] = {
        "stages.game.length": f"{steps} steps",
        "stages.game.batch_size": 64,
        "train.log_every": max(1, steps // 10),
        **common.PLAIN,
    }
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        model = gantk.build(
            "dcgan",
            data=f"cifar10:path={os.environ['GANTK_DATA']}",
            generator="degan:fc=256,widths=[128,64,128,32]",
            discriminator=f"degan:widths=[32,64,128],fc=64,fc_norm={fc_norm}",
            settings=settings,
            seed=seed,
        )
        gantk.train(model, run.path)
        loss = read_log(run.log_file)[-1]["values"]["discriminator/nonsaturating"]
        data = model.built.data
        assert data is not None
        assert model.discriminator is not None
        with torch.no_grad():
            real = model.discriminator.eval()(to_float(data.images(range(JUDGED)))).logits
            fake = model.discriminator(model.sample(JUDGED, 0)).logits
    assert real is not None
    assert fake is not None
    right = torch.cat([real > 0, fake < 0]).float().mean().item()
    return {"loss": round(loss, 4), "right": round(right, 4)}


if __name__ == "__main__":
    main()
