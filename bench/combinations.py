"""Do parts of different papers learn together? Combinations, trained for a short time on digits and scored.

    python bench/combinations.py list
    python bench/combinations.py train [NAME …] [--seeds 0] [-o runs/combinations]
    python bench/combinations.py table

Each combination is a `gantk build` command with small networks and few steps. This shows that what builds also learns,
not how well it can learn. Scores are of 1,000 samples before and after training: the Fréchet distance on features of
the digit classifier, coverage, the fraction of samples with a class probability above 0.9, and the fraction of the most
frequent class. If gantk refuses a combination, its error message is recorded.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common

import gantk
from gantk.errors import Diverged, UsageError

PLACE = common.RESULTS / "combinations"
METRICS = ("frechet", "prdc", "confidence", "classes")
SAMPLES = 1000
LENGTH = "800 steps"
DE = "de:dim=64,autoencoder=vae:width=16"
PROGAN = "progan:fmap_base=128,fmap_max=32"
AEGAN = "aegan:width=16,residual=false"


@dataclass(frozen=True)
class Combination:
    """Arguments of one build.

    Args:
        recipe: its name.
        parts: kind → part.
        settings: as `stages.game.length=600 steps`.
    """

    recipe: str
    parts: dict[str, Any]
    settings: tuple[str, ...] = ()

    def typed(self) -> str:
        """As the arguments of `gantk build`."""
        words = [self.recipe]
        for kind, given in self.parts.items():
            words += [f"--{kind} {part}" for part in ([given] if isinstance(given, str) else given)]
        return " ".join([*words, *(f'--set "{each}"' for each in self.settings)])


def game(recipe: str, *more: str, **parts: Any) -> Combination:
    """A recipe whose stage `game` is short."""
    settings = (f"stages.game.length={LENGTH}", "stages.game.batch_size=32", *more)
    return Combination(recipe, parts, settings)


def dcgan(recipe: str, *more: str, **parts: Any) -> Combination:
    """A short game of small DCGAN networks."""
    return game(recipe, *more, **{"generator": "dcgan:width=16", "discriminator": "dcgan:width=16", **parts})


PRETRAIN = "stages.pretrain.length=100 steps"
GROWING = (
    "stages.size-7.length=12000 images",
    "stages.size-14.length=16000 images",
    "stages.size-28.length=20000 images",
)

COMBINATIONS: dict[str, Combination] = {
    "de-dcgan": dcgan("dcgan", PRETRAIN, noise=DE),
    "de-hidden": dcgan("dcgan", PRETRAIN, noise=DE, loss="hidden:weight=0.1"),
    "sphere-code": dcgan("dcgan", noise="sphere:dim=64", loss="code"),
    "de-code-wgan-gp": dcgan("wgan-gp", PRETRAIN, noise=DE, loss="code"),
    "hidden-wgan-gp": dcgan("wgan-gp", loss="hidden"),
    "code-wgan": dcgan("wgan", loss="code"),
    "hidden-code": dcgan("dcgan", loss=["hidden:weight=0.1", "code"]),
    "denoiser-dcgan": dcgan("dcgan", refiner="denoiser:width=8,skips=true"),
    "denoiser-wgan-gp": dcgan("wgan-gp", refiner="denoiser:width=8,skips=true,loss=wgan-gp"),
    "denoiser-vae": Combination(
        "vae", {"generator": "vae:width=16", "refiner": "denoiser:width=8,skips=true"}, (f"stages.fit.length={LENGTH}",)
    ),
    "age-of-a-vae": game("age", noise="gaussian:dim=64", generator="vae:width=16"),
    "age-de": game("age", PRETRAIN, noise=DE, generator="age:width=16"),
    "age-denoiser": game("age", noise="sphere:dim=64", generator="age:width=16", refiner="denoiser:width=8,skips=true"),
    "age-class": game("age", noise="sphere:dim=64", generator="age:width=16", condition="class"),
    "degan-networks": game("dcgan", generator="degan:fc=256", discriminator="degan"),
    "age-generator": dcgan("dcgan", noise="sphere:dim=64", generator="age:width=16"),
    "vae-generator": dcgan("dcgan", noise="gaussian:dim=64", generator="vae:width=16"),
    "progan-networks": game("dcgan", generator=PROGAN, discriminator=PROGAN, loss="wgan-gp"),
    "progan-de": Combination(
        "progan", {"noise": DE, "generator": PROGAN, "discriminator": PROGAN}, (PRETRAIN, *GROWING)
    ),
    "progan-nonsaturating": Combination(
        "progan",
        {"noise": "gaussian:dim=64", "generator": PROGAN, "discriminator": PROGAN, "loss": "nonsaturating"},
        GROWING,
    ),
    "progan-class": Combination(
        "progan",
        {"noise": "gaussian:dim=64", "generator": PROGAN, "discriminator": PROGAN, "condition": "class"},
        GROWING,
    ),
    "aegan-de": game(
        "aegan",
        PRETRAIN,
        "stages.autoencode.length=300 steps",
        noise=DE,
        generator=AEGAN,
        loss="wgan-gp",
    ),
    "aegan-code-hidden": game(
        "aegan", "stages.autoencode.length=300 steps", generator=AEGAN, loss=["nonsaturating", "code", "hidden"]
    ),
    "autodecoder-de": dcgan("autodecoder", PRETRAIN, noise=DE, discriminator="dcgan:code=true,width=16"),
    "autodecoder-wgan-gp": dcgan("autodecoder", loss=["wgan-gp", "code"], discriminator="dcgan:code=true,width=16"),
    "class-de-hidden": dcgan("dcgan", PRETRAIN, noise=DE, loss="hidden", condition="class"),
    "class-code-wgan-gp": dcgan("wgan-gp", loss="code", condition="class"),
    "class-vae": Combination(
        "vae", {"generator": "vae:width=16", "condition": "class"}, (f"stages.fit.length={LENGTH}",)
    ),
    "gan-de-code": game("gan", PRETRAIN, noise=DE, loss="code"),
    "gan-denoiser": game("gan", refiner="denoiser:width=8,skips=true"),
    "degan-code": dcgan("degan", PRETRAIN, noise=DE, loss="code"),
    "uniform-hidden-both": dcgan("dcgan", noise="uniform:dim=32", loss="hidden:players=both,weight=0.001"),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the combinations, as gantk build takes them")
    training = commands.add_parser("train", help="train and score; what is there already is left out")
    training.add_argument("names", nargs="*", metavar="NAME", help="all where none is named")
    training.add_argument("--seeds", type=int, nargs="+", default=[0])
    training.add_argument("-o", "--output", type=Path, default=Path("runs/combinations"), help="folder of the runs")
    commands.add_parser("table", help="the results as Markdown")
    given = arguments.parse_args()
    if given.command == "list":
        for name, each in COMBINATIONS.items():
            print(f"{name:22} gantk build {each.typed()}")
    elif given.command == "train":
        for seed in given.seeds:
            for name in given.names or COMBINATIONS:
                if not (PLACE / f"{name}-{seed}.json").exists():
                    found = trained(COMBINATIONS[name], seed, given.output / f"{name}-{seed}")
                    print(name, seed, found, flush=True)
                    common.write(
                        f"combinations/{name}-{seed}", {"build": COMBINATIONS[name].typed(), "seed": seed}, found
                    )
    else:
        print(table())


def trained(combination: Combination, seed: int, run: Path) -> dict[str, Any]:
    """What it is before and after, or why it is refused."""
    try:
        model = gantk.build(
            combination.recipe,
            data="digits",
            seed=seed,
            settings=(*combination.settings, "train.precision=32-true"),
            **combination.parts,
        )
    except UsageError as error:
        return {"refused": str(error)}
    before = scores(model)
    begin = time.perf_counter()
    try:
        gantk.train(model, run=run)
    except Diverged as error:
        return {"before": before, "diverged": str(error)}
    return {"before": before, "after": scores(model), "seconds": round(time.perf_counter() - begin, 1)}


def scores(model: gantk.Model) -> dict[str, float]:
    """The figures of some samples of seed 0."""
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        found = gantk.evaluate(
            model,
            metrics=list(METRICS),
            n=SAMPLES,
            extractor="classifier:data=digits",
            output=Path(folder) / "scores.json",
        )
    wanted = ("frechet", "coverage", "confident", "commonest")
    figures = {name: value for score in found for name, value in score.figures.items()}
    return {name: round(figures[name], 4) for name in wanted if name in figures}


def table() -> str:
    """A row for each result."""
    rows = ["| build | Fréchet before | after | coverage | sure of | commonest class |", "|---|---|---|---|---|---|"]
    for path in sorted(PLACE.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        build, found = result["protocol"]["build"], result["results"]
        if "after" in found:
            after = found["after"]
            rows.append(
                f"| `{build}` | {found['before']['frechet']:.0f} | {after['frechet']:.1f} | "
                f"{after['coverage']:.2f} | {after['confident']:.0%} | {after['commonest']:.0%} |"
            )
        else:
            rows.append(f"| `{build}` | {found.get('refused') or found['diverged']} | | | | |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
