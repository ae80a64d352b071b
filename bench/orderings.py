"""Orderings that the field reports: do they hold in short trainings of small networks, seed by seed?

    python bench/orderings.py list
    python bench/orderings.py train [NAME …] [--seeds 0 1 2] [-o runs/orderings]
    python bench/orderings.py table

Builds that answer one question differ in the named part alone (WGAN-GP in its rates as well), and have the same number
of steps. Scores are of 2,000 samples of seed 0 at the end: the Fréchet distance and coverage on features of the digit
classifier; for Stacked MNIST (channels from the digits that come with gantk), 10,000 samples, and how many of 1,000
classes they have.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import common
from combinations import Combination

import gantk

PLACE = common.RESULTS / "orderings"
DIGITS = "classifier:data=digits"


@dataclass(frozen=True)
class Question:
    """What is compared.

    Args:
        asked: the question.
        reported: what the field reports, with the source.
        builds: the builds that are compared, by what differs.
        figure: the figure that decides.
        higher: whether higher figures are better.
        data: what they are trained on, as `--data`.
        whole: the data that they are compared with.
        extractor: whose features are compared.
        samples: how many are compared.
    """

    asked: str
    reported: str
    builds: dict[str, Combination]
    figure: str = "frechet"
    higher: bool = False
    data: str = "digits"
    whole: str = "digits"
    extractor: str = DIGITS
    samples: int = 2000


SHORT = ("stages.game.length=3000 steps", "stages.game.batch_size=32")


def game(recipe: str, *more: str, **parts: Any) -> Combination:
    settings = (*SHORT, *more)
    small = {"generator": "dcgan:width=16", "discriminator": "dcgan:width=16"}
    return Combination(recipe, {**small, **parts}, settings)


AGE = {"noise": "sphere:dim=64", "generator": "age:width=16"}
RELATIVISTIC = {"discriminator": "dcgan:width=16,norm=none", "loss": ["relativistic", "r1:gamma=1.0", "r2:gamma=1.0"]}
GAUSSIAN, DE = "gaussian:dim=64", "de:dim=64,autoencoder=vae:width=16"
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "dcgan": ("dcgan", {}),
    "cdcgan": ("cdcgan", {}),
    "wgan-gp": ("wgan-gp", {"discriminator": "dcgan:width=16,norm=layer"}),
    "self-modulation": ("dcgan", {"generator": "modulated:of='gantk:dcgan:width=16',by=noise,hidden=32"}),
    "r3gan-loss": ("dcgan", RELATIVISTIC),
}


def with_de(recipe: str, parts: dict[str, Any]) -> dict[str, Combination]:
    return {
        "Gaussian noise": game(recipe, noise=GAUSSIAN, **parts),
        "DE noise": game(recipe, "stages.pretrain.length=5 epochs", noise=DE, **parts),
    }


QUESTIONS: dict[str, Question] = {
    "modes": Question(
        "How many of the 1,000 modes of Stacked MNIST does each loss find?",
        "R3GAN all 1,000 (Huang et al. 2024), DCGAN 99 (Srivastava et al. 2017)",
        {
            "DCGAN": game("dcgan"),
            "WGAN-GP": game("wgan-gp", "stages.game.*.lr=1e-3", discriminator="dcgan:width=16,norm=layer"),
            "R3GAN's loss": game("dcgan", **RELATIVISTIC),
        },
        figure="classes",
        higher=True,
        data="stacked:of=digits",
        whole="stacked:of=digits",
        extractor="channels:of='classifier:data=digits'",
        samples=10_000,
    ),
    "condition": Question(
        "Does the class as a condition lower the distance?",
        "conditional below unconditional (Mirza & Osindero 2014; Brock et al. 2019)",
        {"unconditional": game("dcgan"), "by class": game("cdcgan")},
    ),
    "self-modulation": Question(
        "Does self-modulation lower the distance?",
        "in 124 of 144 settings (Chen et al. 2019)",
        {
            "plain": game("dcgan"),
            "self-modulated": game("dcgan", generator="modulated:of='gantk:dcgan:width=16',by=noise,hidden=32"),
        },
    ),
    "diffaugment": Question(
        "Does DiffAugment lower the distance where there is a tenth of the data?",
        "yes, at 10 and 20 % of CIFAR-10 (Zhao et al. 2020, Table 2)",
        {"plain": game("dcgan"), "DiffAugment": game("dcgan", addon="diffaugment")},
        data="subset:of=digits,images=1000",
    ),
    "deligan": Question(
        "Does a learned mixture lower the distance where there are 500 images?",
        "yes (Gurumurthy et al. 2017, section 5.3)",
        {
            "Gaussian noise": game(
                "deligan",
                noise="gaussian:dim=30",
                **dict.fromkeys(("generator", "discriminator"), "deligan:width=16"),
            ),
            "mixture": game("deligan", **dict.fromkeys(("generator", "discriminator"), "deligan:width=16")),
        },
        data="subset:of=digits,images=500",
    ),
    **{
        f"de-{name}": Question(
            f"Does decoder-encoder noise lower the distance of {name}?",
            "DE-GAN above DCGAN (Zhong et al. 2018, Table V)",
            with_de(recipe, parts),
        )
        for name, (recipe, parts) in SYSTEMS.items()
    },
    "denoiser": Question(
        "Does AEGAN's denoiser do better with skip connections?",
        "not reported: the text describes none, the authors' code has them as a variant (docs/papers/aegan.md)",
        {
            "no denoiser": game("dcgan"),
            "without skips": game("dcgan", refiner="denoiser:width=16,skips=false"),
            "with skips": game("dcgan", refiner="denoiser:width=16,skips=true"),
        },
    ),
    "age-rate": Question(
        "Does AGE's falling learning rate lower the distance?",
        "the authors' code lowers it to 0.88 of itself (docs/papers/age.md)",
        {
            "constant": Combination("age", AGE, (*SHORT, "stages.game.*.lr_schedule=constant")),
            "falling": Combination("age", AGE, SHORT),
        },
    ),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the questions, and builds as gantk build takes them")
    training = commands.add_parser("train", help="train and score; what is there already is left out")
    training.add_argument("names", nargs="*", metavar="NAME", help="all where none is named")
    training.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    training.add_argument("-o", "--output", type=Path, default=Path("runs/orderings"), help="folder of the runs")
    commands.add_parser("table", help="the results as Markdown")
    given = arguments.parse_args()
    if given.command == "list":
        for name, question in QUESTIONS.items():
            print(f"{name}: {question.asked}")
            for differs, build in question.builds.items():
                print(f"    {differs:16} gantk build {build.typed()} --data {question.data}")
    elif given.command == "train":
        for name in given.names or QUESTIONS:
            for seed in given.seeds:
                train(name, QUESTIONS[name], seed, given.output)
    else:
        print(table())


def train(name: str, question: Question, seed: int, folder: Path) -> None:
    """All builds of a question, unless they are there."""
    for differs, build in question.builds.items():
        short = f"{name}-{differs.lower().replace(' ', '-').replace(chr(39), '')}-{seed}"
        path = PLACE / f"{short}.json"
        if not path.exists():
            model = gantk.build(
                build.recipe,
                data=question.data,
                seed=seed,
                settings=(*build.settings, "train.precision=32-true"),
                **build.parts,
            )
            begin = time.process_time()
            gantk.train(model, run=folder / short)
            seconds = time.process_time() - begin
            found = {**scores(model, question), "cpu_seconds": round(seconds)}
            print(short, found, flush=True)
            protocol = {"question": name, "differs": differs, "build": build.typed(), "data": question.data}
            common.write(
                f"orderings/{short}",
                {
                    **protocol,
                    "compared with": question.whole,
                    "extractor": question.extractor,
                    "samples": question.samples,
                    "seed": seed,
                },
                found,
            )


def scores(model: gantk.Model, question: Question) -> dict[str, float]:
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        found = gantk.evaluate(
            model,
            metrics=["frechet", "prdc", "classes"],
            n=question.samples,
            data=question.whole,
            extractor=question.extractor,
            output=Path(folder) / "scores.json",
        )
    figures = {name: value for score in found for name, value in score.figures.items()}
    return {name: round(figures[name], 4) for name in ("frechet", "coverage", "classes", "class_divergence")}


def table() -> str:
    """A row for each build of each question, and whether every seed has the reported order."""
    rows = ["| question | build | seeds | figure | by seed |", "|---|---|---|---|---|"]
    for name, question in QUESTIONS.items():
        results: dict[str, dict[int, float]] = {}
        for path in sorted(PLACE.glob("*.json")):
            one = json.loads(path.read_text(encoding="utf-8"))
            if one["protocol"]["question"] == name:
                by_seed = results.setdefault(one["protocol"]["differs"], {})
                by_seed[one["protocol"]["seed"]] = one["results"][question.figure]
        for number, differs in enumerate(each for each in question.builds if each in results):
            values = [results[differs][seed] for seed in sorted(results[differs])]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            asked = f"{question.asked} {question.reported[0].upper()}{question.reported[1:]}." if not number else ""
            each = ", ".join(f"{value:.1f}" for value in values)
            rows.append(
                f"| {asked} | {differs} | {len(values)} | {question.figure} {mean(values):.1f}{spread} | {each} |"
            )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
