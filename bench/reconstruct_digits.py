"""Are digits reconstructed as the same digit? Runs that encode images, evaluated by a classifier.

    GANTK_DATA=… python bench/reconstruct_digits.py judge runs/gallery/code-loss --draw docs/gallery
    GANTK_DATA=… python bench/reconstruct_digits.py variants -o runs/variants

`judge` reconstructs MNIST's test digits, intact and degraded, with runs trained on 28×28 gray images, classifies the
reconstructions, and reads from the runs' logs when their losses settle. It writes
bench/results/reconstruct_digits.json and, with --draw, the picture of `gantk reconstruct`. `variants` trains small
code-loss DCGANs that differ in one value, a few minutes each on one core, evaluates them in the same way, and writes
bench/results/code_loss_variants.json; run it again to resume.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from digit_classifier import Classifier, train_classifier
from torch import Tensor

import gantk
from gantk.construct import construct
from gantk.data import to_float
from gantk.measures.degradation import Degradation
from gantk.measures.reconstruction import generated_errors, reconstructed
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.seeds import rng_for

DEGRADATIONS = ("", "noise=0.3", "noise=0.6", "downscale=2", "downscale=4", "mask=0.1", "mask=0.25")
INTERVAL = 500
"""Steps over which losses are averaged before they are compared."""

STEPS = 1200
SMALL = (
    "--data=mnist",
    "--set=generator.width=16",
    "--set=discriminator.width=16",
    "--set=stages.game.batch_size=64",
    f"--set=stages.game.length={STEPS} steps",
    "--set=train.checkpoint_every=100000",
    "--set=train.sample_every=100000",
    "--set=train.precision=32-true",
)
INIT = ("--set=generator.init_std=0.02", "--set=discriminator.init_std=0.02")
MINIMAX = ("--loss=minimax:weight=0.5",)
VARIANTS: dict[str, tuple[str, ...]] = {
    "init 0.00282, minimax": MINIMAX,
    "init 0.02, minimax": (*INIT, *MINIMAX),
    "init 0.00282": (),
    "init 0.02": INIT,
    "init 0.02, scale 0.1": (*INIT, "--set=loss.code.scale=0.1"),
    "init 0.02, scale 1": (*INIT, "--set=loss.code.scale=1.0"),
    "init 0.02, L1": (*INIT, "--set=loss.code.p=1"),
    "init 0.02, scale 0.1, 16 numbers": (*INIT, "--set=loss.code.scale=0.1", "--set=noise.dim=16"),
    "init 0.02, scale 1, 2 loops": (*INIT, "--set=loss.code.scale=1.0", "--set=loss.code.loops=2"),
}
"""What differs from the preset `autodecoder`, whose game is the non-saturating one."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(dest="command", required=True)
    judging = commands.add_parser("judge", help="judge trained runs")
    judging.add_argument("runs", type=Path, nargs="+")
    judging.add_argument(
        "--draw", type=Path, help="folder for RUN/reconstruction.png and RUN/reconstruction-masked.png"
    )
    training = commands.add_parser("variants", help="train small variants and judge them")
    training.add_argument("-o", "--output", type=Path, default=Path("runs/variants"), help="folder of their runs")
    given = arguments.parse_args()
    classifier, accuracy = train_classifier(epochs=2, digits=mnist("train"))
    images, labels = mnist("test")
    if given.command == "judge":
        runs = {run.name: run for run in given.runs}
        if given.draw:
            for name, run in runs.items():
                draw(run, given.draw / name)
        name, degradations, protocol = "reconstruct_digits", DEGRADATIONS, {}
    else:
        runs = {name: given.output / file_name(name) for name in VARIANTS}
        name, degradations = "code_loss_variants", DEGRADATIONS[:1]
        protocol = {"build": ["gantk", "build", "autodecoder", *SMALL], "and": VARIANTS}
        images, labels = images[::4], labels[::4]
    protocol |= {
        "images": f"MNIST test, {len(images)}",
        "classifier": f"trained on MNIST train; {accuracy:.4f} of 1000 training images that it has not seen are right",
        "share": "of images that the classifier takes for their label's digit",
        "settled": f"the first step from which every mean over {INTERVAL} steps is within a tenth of the last one",
    }
    results = {}
    for label, run in runs.items():
        if given.command == "variants":
            train(run, VARIANTS[label])
        results[label] = judged(run, classifier, images, labels, degradations)
        print(label, common.write(name, protocol, results), flush=True)


def file_name(name: str) -> str:
    """A variant's name as that of a folder."""
    return "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in name)


def train(run: Path, words: Sequence[str]) -> None:
    """Build a variant's run where there is none yet, and train it to its end."""
    if not run.exists():
        command = [sys.executable, "-m", "gantk", "build", "autodecoder", *SMALL, *words, "-o", str(run)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-m", "gantk", "train", str(run)], check=True)


def draw(run: Path, folder: Path) -> None:
    """What the command draws of a run: ten digits whole, and ten with a tenth of them blackened."""
    for name, options in {"reconstruction": (), "reconstruction-masked": ("--degrade", "mask=0.1")}.items():
        words = ["reconstruct", str(run), "-n", "10", "-o", str(folder / f"{name}.png"), *options]
        subprocess.run([sys.executable, "-m", "gantk", *words], check=True)


def mnist(split: str) -> tuple[Tensor, Tensor]:
    """All images of a part of MNIST, in [-1, 1], and their labels."""
    source = construct("data", f"mnist:split={split}")
    indices = np.arange(len(source))
    labels = source.labels(indices)
    assert labels is not None
    return to_float(source.images(indices)), labels


@torch.no_grad()
def judged(
    path: Path, classifier: Classifier, images: Tensor, labels: Tensor, degradations: Sequence[str]
) -> dict[str, Any]:
    """How many reconstructions are the right digit, how far off they are, and where the losses settled."""
    model = gantk.load(path)
    found: dict[str, Any] = {}
    for text in degradations:
        chain = [Degradation.parse(text)] if text else []
        result = reconstructed(model, images, chain, rng_for(0, "degrade"))
        found[text or "whole"] = {
            "share": share(classifier, result.again, labels),
            "share_before": share(classifier, result.degraded, labels),
            "absolute_error": round((result.again - images).abs().mean().item(), 4),
            "squared_error": round((result.again - images).square().mean().item(), 4),
        }
    codes = generated_errors(model, 1000)
    samples = classifier(model.sample(1000, seed=0)).softmax(1)
    return {
        "reconstruction": found,
        "code_error": {name: round(getattr(codes, name).squared, 4) for name in ("codes", "silence")},
        "samples_given_a_class_more_than_0.9": round((samples.max(1).values > 0.9).float().mean().item(), 3),
        "losses": settling(path),
    }


def share(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """The share of images that the classifier takes for the digit of their label."""
    right = [(classifier(x).argmax(1) == y).sum() for x, y in zip(images.split(1000), labels.split(1000), strict=True)]
    return round(torch.stack(right).sum().item() / len(images), 4)


def settling(path: Path) -> dict[str, Any]:
    """Of each of the players' terms: its means over intervals, and the step from which they stay where they end."""
    entries = read_log(Run(path).log_file)
    found = {}
    for term in [name for name in entries[0]["values"] if not name.endswith("gradient_norm")]:
        means: dict[int, list[float]] = {}
        for entry in entries:
            means.setdefault(-(-entry["step"] // INTERVAL) * INTERVAL, []).append(entry["values"][term])
        values = {step: sum(those) / len(those) for step, those in means.items()}
        last = list(values.values())[-1]
        away = [step for step, value in values.items() if abs(value - last) > 0.1 * abs(last)]
        found[term] = {"means": {k: round(v, 4) for k, v in values.items()}, "settled": away[-1] if away else 0}
    return found


if __name__ == "__main__":
    main()
