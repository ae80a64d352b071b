"""Do the recipes' defaults learn? Each recipe on digits with its own parts, rates and batches, in a short training.

    python bench/recipe_defaults.py list
    python bench/recipe_defaults.py train [NAME …] [--seeds 0 1 2] [-o runs/recipe-defaults]
    python bench/recipe_defaults.py table

Changed are the lengths of stages, so that a training takes a minute or two on one core; averages of weights that are
longer than such a training; and the widths of networks whose step takes seconds on a CPU. Arithmetic is bfloat16, which
the defaults choose where it is faster. Further trainings change one default of a recipe: is there a better value?
Scores are those of `bench/combinations.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import common
from combinations import Combination, trained

PLACE = common.RESULTS / "recipe_defaults"
PRECISION = "bf16-mixed"
SHORT_AVERAGE = "train.ema=0.99"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the trainings, as gantk build takes them")
    training = commands.add_parser("train", help="train and score; what is there already is left out")
    training.add_argument("names", nargs="*", metavar="NAME", help="all where none is named")
    training.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    training.add_argument("-o", "--output", type=Path, default=Path("runs/recipe-defaults"), help="folder of the runs")
    commands.add_parser("table", help="the results as Markdown")
    given = arguments.parse_args()
    if given.command == "list":
        for name, each in TRAININGS.items():
            print(f"{name:24} gantk build {each.typed()}")
    elif given.command == "train":
        for seed in given.seeds:
            for name in given.names or TRAININGS:
                train(name, seed, given.output / f"{name}-{seed}")
    else:
        print(table())


def train(name: str, seed: int, run: Path) -> None:
    """Train and score it, unless that is done."""
    if not (PLACE / f"{name}-{seed}.json").exists():
        found = trained(TRAININGS[name], seed, run, precision=PRECISION)
        print(name, seed, found, flush=True)
        common.write(f"recipe_defaults/{name}-{seed}", {"build": TRAININGS[name].typed(), "seed": seed}, found)


def table() -> str:
    """A row for each training, means and standard deviations over its seeds."""
    rows = ["| build | seeds | Fréchet before | after | coverage | sure of | commonest class |"]
    rows.append("|---|---|---|---|---|---|---|")
    for name, training in TRAININGS.items():
        paths = sorted(PLACE.glob(f"{name}-[0-9].json"))
        found = [json.loads(path.read_text(encoding="utf-8"))["results"] for path in paths]
        ended = [each for each in found if "after" in each]
        if ended:
            before = _spread([each["before"]["frechet"] for each in ended], "{:.0f}")
            after = _spread([each["after"]["frechet"] for each in ended], "{:.1f}")
            others = [
                _spread([each["after"][figure] for each in ended], "{:.2f}")
                for figure in ("coverage", "confident", "commonest")
            ]
            rows.append(f"| `{training.typed()}` | {len(found)} | {' | '.join([before, after, *others])} |")
        for each in found:
            if "after" not in each:
                rows.append(f"| `{training.typed()}` | 1 | {each.get('refused') or each['diverged']} | | | | |")
    return "\n".join(rows)


def _spread(values: list[float], form: str) -> str:
    text = form.format(mean(values))
    return f"{text} ± {form.format(stdev(values))}" if len(values) > 1 else text


def default(recipe: str, *settings: str, **parts: Any) -> Combination:
    return Combination(recipe, parts, settings)


def game(recipe: str, steps: int, *more: str, **parts: Any) -> Combination:
    return default(recipe, f"stages.game.length={steps} steps", *more, **parts)


GROWING = (
    "stages.size-7.length=16000 images",
    "stages.size-14.length=16000 images",
    "stages.size-28.length=16000 images",
)
SAGAN = {"generator": "sagan:width=16,attention=16", "discriminator": "sagan:width=16,attention=16"}
R3GAN = {"generator": "r3gan:width=16,largest=64,blocks=1", "discriminator": "r3gan:width=16,largest=64,blocks=1"}
PYRAMID = "pyramid:of='gantk:stackgan:width=16,condition_width=16',sizes=2,doublings=1"
TREE = "pyramid:of='gantk:stackgan:width=16,condition_width=16,unconditional=true',sizes=2"

DEFAULTS: dict[str, Combination] = {
    "gan": game("gan", 3000),
    "dcgan": game("dcgan", 400),
    "cdcgan": game("cdcgan", 400),
    "acgan": game("acgan", 400),
    "self-modulation": game("self-modulation", 400),
    "degan": game("degan", 300, "stages.pretrain.length=4 epochs"),
    "degan-mnist": game("degan-mnist", 400),
    "autodecoder-mnist": game("autodecoder-mnist", 300),
    "wgan": game("wgan", 150),
    "wgan-gp": game("wgan-gp", 100),
    "vae": default("vae", "stages.fit.length=10 epochs"),
    "aae": default("aae", "stages.fit.length=10 epochs"),
    "aae-labels": default("aae-labels", "stages.fit.length=10 epochs"),
    "aae-semi": default("aae-semi", "stages.fit.length=5 epochs"),
    "vaegan": game("vaegan", 300, generator="vaegan:width=16", discriminator="vaegan:width=16"),
    "age": game("age", 400, generator="age:width=16"),
    "ebgan": game("ebgan", 300),
    "began": game(
        "began", 600, generator="began:width=16", discriminator="autoencoding:width=16,embedding=64,exponent=1"
    ),
    "deligan": game("deligan", 1500),
    "aegan": game("aegan", 300, "stages.autoencode.length=1 epoch"),
    "stackgan": default(
        "stackgan",
        "stages.stage-1.length=300 steps",
        "stages.stage-2.length=150 steps",
        generator="stackgan:width=16,doublings=1,residual=1",
        discriminator=PYRAMID,
    ),
    "stackgan-v2": game(
        "stackgan-v2", 400, SHORT_AVERAGE, generator="stackgan-v2:width=8,sizes=2,residual=1", discriminator=TREE
    ),
    "lapgan": game("lapgan", 500, generator="lapgan:width=12", discriminator="pyramid:of='gantk:lapgan:width=12'"),
    "progan": default(
        "progan",
        SHORT_AVERAGE,
        *GROWING,
        noise="gaussian:dim=64",
        generator="progan:fmap_base=128,fmap_max=32",
        discriminator="progan:fmap_base=128,fmap_max=32",
    ),
    "sagan": game("sagan", 100, **SAGAN),
    "biggan": game(
        "biggan",
        250,
        SHORT_AVERAGE,
        generator="sagan:width=32,growth=1,attention=0,hierarchical=true,shared=128,init=orthogonal",
        discriminator="sagan:width=32,growth=1,attention=0,init=orthogonal",
    ),
    "projection-gan": game(
        "projection-gan",
        150,
        generator="sagan:width=32,growth=1,attention=0,spectral=false",
        discriminator="sagan:width=32,growth=1,attention=0",
    ),
    "r3gan": game("r3gan", 400, **R3GAN),
}
"""Narrower networks where a step of the defaults takes seconds on a CPU."""

OTHERS: dict[str, Combination] = {
    "dcgan-rate": game("dcgan", 400, "stages.game.*.lr=1e-3"),
    "dcgan-average": game("dcgan", 400, SHORT_AVERAGE),
    "dcgan-batch": game("dcgan", 1600, "stages.game.batch_size=32"),
    "dcgan-width": game("dcgan", 1000, generator="dcgan:width=32", discriminator="dcgan:width=32"),
    "degan-rate": game("degan", 300, "stages.pretrain.length=4 epochs", "stages.game.*.lr=1e-3"),
    "degan-weight": game("degan", 300, "stages.pretrain.length=4 epochs", "loss.hidden.weight=0.001"),
    "degan-both": game(
        "degan",
        300,
        "stages.pretrain.length=4 epochs",
        "stages.game.*.lr=1e-3",
        "loss.hidden.weight=0.0001",
        "loss.hidden.players=both",
    ),
    "wgan-gp-rate": game("wgan-gp", 100, "stages.game.*.lr=1e-3"),
    "lapgan-adam": game(
        "lapgan",
        500,
        "stages.game.*.optimizer=adam",
        "stages.game.*.lr=2e-4",
        generator="lapgan:width=12",
        discriminator="pyramid:of='gantk:lapgan:width=12'",
    ),
    "began-rate": game(
        "began",
        600,
        generator="began:width=16",
        discriminator="autoencoding:width=16,embedding=64,exponent=1",
        loss="began:gamma=0.5,rate=0.02",
    ),
}
"""The same with one default changed."""

TRAININGS = {**DEFAULTS, **OTHERS}


if __name__ == "__main__":
    main()
