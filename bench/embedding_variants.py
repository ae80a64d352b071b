"""With which networks and settings does the game on embeddings train? AEGAN at 64×64, on photographs.

Each variant trains the autoencoder and then plays the game, without a denoiser. The spread is the standard deviation
over 256 samples, averaged over pixels, divided by that of 256 photographs; near 0, all samples are the same image.

    GANTK_DATA=… python bench/embedding_variants.py            # about 20 minutes on one core
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import common
import torch
from torch import nn

import gantk
from gantk.data import to_float
from gantk.training.progress import Silent

SAMPLES = 256
RATE = 1e-3
"""Learning rate of the autoencoder."""


@dataclass(frozen=True)
class Variant:
    """What a variant changes."""

    residual: bool = False
    end: nn.Module | None = None
    """Replaces the tanh at the end of the generator of embeddings."""
    norm_first: bool = False
    rate: float = RATE


VARIANTS = {
    "residual blocks, tanh": Variant(residual=True),
    "residual blocks, LeakyReLU": Variant(residual=True, end=nn.LeakyReLU(0.2)),
    "no residual blocks, tanh": Variant(),
    "no residual blocks, tanh, norm_first": Variant(norm_first=True),
    "no residual blocks, tanh, rate 1e-5": Variant(rate=1e-5),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--autoencode", type=int, default=300, help="steps")
    arguments.add_argument("--game", type=int, default=400, help="steps")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    results = []
    for name, variant in VARIANTS.items():
        results.append({"variant": name, **trained(variant, given.autoencode, given.game)})
        print(results[-1], flush=True)
    protocol = {
        "recipe": "embedding-game:fine_tune=false",
        "data": "imagenet-sample-512 at 64×64",
        "width": 32,
        "batch_size": 16,
        "autoencode_steps": given.autoencode,
        "game_steps": given.game,
        "samples": SAMPLES,
    }
    print(common.write("embedding_variants", protocol, results))


def trained(variant: Variant, autoencode: int, game: int) -> dict[str, float]:
    photographs = os.path.join(os.environ["GANTK_DATA"], "imagenet-sample-512", "imagenet-sample-512.zip")
    model = gantk.build(
        "embedding-game:fine_tune=false",
        data=f"zip:path={photographs},size=64",
        generator=f"aegan:width=32,residual={str(variant.residual).lower()}",
        discriminator=f"aegan:width=32,norm_first={str(variant.norm_first).lower()}",
        settings={
            **common.PLAIN,
            "stages.autoencode.length": f"{autoencode} steps",
            "stages.autoencode.autoencoder.lr": variant.rate,
            "stages.game.length": f"{game} steps",
        },
    )
    if variant.end is not None:
        model.generator.embedding[-1] = variant.end
    with tempfile.TemporaryDirectory() as folder:
        gantk.train(model, Path(folder) / "run", progress=Silent())
    assert model.built.data is not None
    real = to_float(model.built.data.images(range(SAMPLES)))
    with torch.no_grad():
        model.eval()
        rebuilt = model.generator.decoder(model.generator.encoder(real[:64]))
    spread = model.sample(SAMPLES, seed=0).std(0).mean() / real.std(0).mean()
    return {
        "reconstruction_l1": round((rebuilt - real[:64]).abs().mean().item(), 4),
        "spread": round(spread.item(), 3),
    }


if __name__ == "__main__":
    main()
