"""Do the recipes' defaults learn? Each recipe on digits with its own parts, rates and batches, in a short training.

    python bench/recipe_defaults.py list
    python bench/recipe_defaults.py train [NAME …] [--seeds 0 1 2] [-o runs/recipe-defaults]
    python bench/recipe_defaults.py table

Changed are the lengths of stages and the widths of networks (a quarter of DCGAN's), so that a training takes about a
minute on one core, and averages of weights that are longer than such a training. Further trainings change one default
of a recipe: is there a better value? Scores are those of `bench/combinations.py`.
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
        found = trained(TRAININGS[name], seed, run)
        print(name, seed, found, flush=True)
        common.write(f"recipe_defaults/{name}-{seed}", {"build": TRAININGS[name].typed(), "seed": seed}, found)


def table() -> str:
    """A row for each training, means and standard deviations over its seeds."""
    rows = ["| training | seeds | Fréchet before | after | coverage | sure of | commonest class |"]
    rows.append("|---|---|---|---|---|---|---|")
    for name in TRAININGS:
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
            rows.append(f"| `{name}` | {len(found)} | {' | '.join([before, after, *others])} |")
        for each in found:
            if "after" not in each:
                rows.append(f"| `{name}` | 1 | {each.get('refused') or each['diverged']} | | | | |")
    return "\n".join(rows)


def _spread(values: list[float], form: str) -> str:
    text = form.format(mean(values))
    return f"{text} ± {form.format(stdev(values))}" if len(values) > 1 else text


def default(recipe: str, *settings: str, **parts: Any) -> Combination:
    return Combination(recipe, parts, settings)


def game(recipe: str, length: str, *more: str, **parts: Any) -> Combination:
    return default(recipe, f"stages.game.length={length}", *more, **parts)


def narrow(recipe: str, length: str, *more: str, **parts: Any) -> Combination:
    """A game of DCGAN's networks, a quarter as wide as they are by default."""
    return game(recipe, length, *more, **{"generator": "dcgan:width=16", "discriminator": "dcgan:width=16", **parts})


PRETRAIN = "stages.pretrain.length=5 epochs"
RATE = "stages.game.*.lr=1e-3"
SIZES = tuple(f"stages.size-{size}.length=20000 images" for size in (7, 14, 28))
CODE = {"generator": "dcgan:width=16,init_std=0.02", "discriminator": "dcgan:width=16,code=true,init_std=0.02"}
DEGAN = {"noise": "de:dim=128,autoencoder=vae:width=16"}
OWN = ("3 epochs", "stages.pretrain.length=2 epochs")
LAYERS = {"discriminator": "dcgan:width=16,norm=layer"}
BEGAN = {"generator": "began:width=16", "discriminator": "autoencoding:width=16,embedding=64,exponent=1"}
PYRAMID = "pyramid:of='gantk:stackgan:width=16,condition_width=16',sizes=2,doublings=1"
TREE = "pyramid:of='gantk:stackgan:width=16,condition_width=16,unconditional=true',sizes=2"
LAPGAN = {"generator": "lapgan:width=12", "discriminator": "pyramid:of='gantk:lapgan:width=12'"}
PROGAN = dict.fromkeys(("generator", "discriminator"), "progan:fmap_base=128,fmap_max=32")
SAGAN = dict.fromkeys(("generator", "discriminator"), "sagan:width=8,attention=16")
R3GAN = dict.fromkeys(("generator", "discriminator"), "r3gan:width=16,largest=32,blocks=1")
BIGGAN = "sagan:width=16,growth=1,attention=0"

DEFAULTS: dict[str, Combination] = {
    "gan": game("gan", "25 epochs"),
    "dcgan": narrow("dcgan", "10 epochs"),
    "cdcgan": narrow("cdcgan", "10 epochs"),
    "acgan": narrow("acgan", "10 epochs", discriminator="auxiliary:of='gantk:dcgan:width=16'"),
    "self-modulation": narrow(
        "self-modulation", "10 epochs", generator="modulated:of='gantk:dcgan:width=16',by=noise,hidden=32"
    ),
    "degan": narrow("degan", "10 epochs", PRETRAIN, **DEGAN),
    "degan-mnist": game("degan-mnist", "2 epochs"),
    "autodecoder-mnist": narrow("autodecoder-mnist", "10 epochs", **CODE),
    "wgan": narrow("wgan", "10 epochs"),
    "wgan-gp": narrow("wgan-gp", "10 epochs", **LAYERS),
    "vae": default("vae", "stages.fit.length=10 epochs", generator="vae:width=16"),
    "aae": default("aae", "stages.fit.length=10 epochs"),
    "aae-labels": default("aae-labels", "stages.fit.length=10 epochs"),
    "aae-semi": default("aae-semi", "stages.fit.length=5 epochs"),
    "vaegan": game("vaegan", "5 epochs", generator="vaegan:width=8", discriminator="vaegan:width=8"),
    "age": game("age", "5 epochs", generator="age:width=16"),
    "ebgan": narrow("ebgan", "10 epochs", discriminator="ebgan:width=16"),
    "began": game("began", "2 epochs", **BEGAN),
    "deligan": game("deligan", "10 epochs"),
    "aegan": game(
        "aegan",
        "2 epochs",
        "stages.autoencode.length=2 epochs",
        generator="aegan:width=16,residual=false",
        discriminator="aegan:width=16,norm_first=true",
        refiner="denoiser:width=8,skips=true",
    ),
    "stackgan": default(
        "stackgan",
        "stages.stage-1.length=5 epochs",
        "stages.stage-2.length=2 epochs",
        generator="stackgan:width=16,doublings=1,residual=1",
        discriminator=PYRAMID,
    ),
    "stackgan-v2": game(
        "stackgan-v2",
        "2 epochs",
        SHORT_AVERAGE,
        generator="stackgan-v2:width=4,sizes=2,residual=1",
        discriminator=TREE,
    ),
    "lapgan": game("lapgan", "10 epochs", **LAPGAN),
    "progan": default("progan", SHORT_AVERAGE, *SIZES, noise="gaussian:dim=64", **PROGAN),
    "sagan": game("sagan", "3 epochs", **SAGAN),
    "biggan": game(
        "biggan",
        "3 epochs",
        SHORT_AVERAGE,
        generator=f"{BIGGAN},hierarchical=true,shared=128,init=orthogonal",
        discriminator=f"{BIGGAN},init=orthogonal",
    ),
    "projection-gan": game("projection-gan", "3 epochs", generator=f"{BIGGAN},spectral=false", discriminator=BIGGAN),
    "r3gan": game("r3gan", "1 epoch", **R3GAN),
}
"""The recipes that generate images like digits."""

OTHERS: dict[str, Combination] = {
    "dcgan-rate": narrow("dcgan", "10 epochs", RATE),
    "dcgan-average": narrow("dcgan", "10 epochs", SHORT_AVERAGE),
    "dcgan-batch": narrow("dcgan", "10 epochs", "stages.game.batch_size=32"),
    "dcgan-width": narrow("dcgan", "10 epochs", generator="dcgan:width=8", discriminator="dcgan:width=8"),
    "cdcgan-affine": narrow(
        "cdcgan", "10 epochs", generator="dcgan:width=16,affine=true", discriminator="dcgan:width=16,affine=true"
    ),
    "degan-own": game("degan", *OWN, **DEGAN),
    "degan-own-weight": game("degan", *OWN, "loss.hidden.weight=0.1", **DEGAN),
    "degan-rate": narrow("degan", "10 epochs", PRETRAIN, RATE, **DEGAN),
    "degan-weight": narrow("degan", "10 epochs", PRETRAIN, "loss.hidden.weight=0.1", **DEGAN),
    "degan-weight-least": narrow("degan", "10 epochs", PRETRAIN, "loss.hidden.weight=0.0001", **DEGAN),
    "wgan-rate": narrow("wgan", "10 epochs", "stages.game.*.lr=2e-4"),
    "wgan-gp-rate": narrow("wgan-gp", "10 epochs", RATE, **LAYERS),
    "lapgan-adam": game("lapgan", "10 epochs", "stages.game.*.optimizer=adam", "stages.game.*.lr=2e-4", **LAPGAN),
    "began-balance": game("began", "2 epochs", "stages.game.*.lr=2e-4", loss="began:gamma=0.7,rate=0.05", **BEGAN),
    "began-variety": game("began", "2 epochs", "stages.game.*.lr=2e-4", loss="began:gamma=1.0,rate=0.05", **BEGAN),
}
"""The same with one default changed; `degan-own` has its own networks instead of DCGAN's."""

TRAININGS = {**DEFAULTS, **OTHERS}


if __name__ == "__main__":
    main()
