"""Does degan-mnist learn? Compared with DCGAN on the same networks, and with variants that differ in one thing.

    GANTK_DATA=… python bench/degan_flagship.py train degan-mnist dcgan --seeds 0 1 2 --epochs 1 2 5
    python bench/degan_flagship.py table

`train` trains on MNIST's 60,000 digits. After each of the given numbers of epochs, a classifier judges 6,400 samples.
The results are written to bench/results/degan_flagship/VARIANT-SEED.json, together with statistics of the
autoencoder's noise after 1, 2, 5 and 10 of its epochs, as far as the variant trains it. Run it again, also with more
epochs, to resume. An epoch takes four minutes on one core. `table` prints all results as Markdown. The variants are
defined in bench/degan_variants.py.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from degan_variants import VARIANTS
from digit_classifier import Classifier, judge_digits, train_classifier
from safetensors.torch import load_file
from torch import Tensor

import gantk
from gantk.building.images import open_data
from gantk.construct import construct
from gantk.data import to_float
from gantk.data.content import content_of
from gantk.errors import DataError, Diverged, Interrupted
from gantk.nn import evaluating
from gantk.run.checkpoints import WEIGHTS, Place, read_training, save
from gantk.run.folder import Run
from gantk.training.progress import Silent

PLACE = common.RESULTS / "degan_flagship"
SAMPLES = 6400
CLASSIFIER_EPOCHS = 4
ACTIVE = 0.01
"""The variance, over images, of a coordinate's posterior mean from which it counts as active (Burda et al. 2016)."""

Figures = dict[str, Any]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train variants and judge them")
    training.add_argument("variants", nargs="+", choices=VARIANTS, metavar="VARIANT", help=", ".join(VARIANTS))
    training.add_argument("--seeds", type=int, nargs="+", default=[0])
    training.add_argument("--epochs", type=int, nargs="+", default=[1, 2])
    training.add_argument("-o", "--output", type=Path, default=Path("runs/flagship"), help="folder of the runs")
    commands.add_parser("table", help="print the results as Markdown")
    given = arguments.parse_args()
    if given.command == "table":
        print(table())
        return
    try:
        judge = Judge(given.output)
    except DataError as error:
        sys.exit(f"MNIST is needed: {error}")
    for seed in given.seeds:
        for name in given.variants:
            train(name, seed, sorted(given.epochs), given.output, judge)


class Judge:
    """Judges what a model generates by a classifier, which it trains once and keeps in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.images, self.labels = mnist("train")
        path = folder / "classifier.pt"
        if path.exists():
            self.classifier = Classifier()
            self.classifier.load_state_dict(torch.load(path, weights_only=True))
            self.classifier.eval()
        else:
            self.classifier = train_classifier(CLASSIFIER_EPOCHS, digits=(self.images, self.labels))[0]
            folder.mkdir(parents=True, exist_ok=True)
            torch.save(self.classifier.state_dict(), path)
        images, labels = mnist("test")
        with torch.no_grad():
            found = torch.cat([self.classifier(part).argmax(1) for part in images.split(1000)])
        self.error = round((found != labels).float().mean().item(), 4)
        self.real = judge_digits(self.classifier, images, (self.images, self.labels))

    def game(self, model: gantk.Model) -> Figures:
        """The samples of a generator."""
        return judge_digits(self.classifier, model.sample(SAMPLES, seed=1), (self.images, self.labels))

    @torch.no_grad()
    def noise(self, model: gantk.Model) -> Figures:
        """The noise of an autoencoder: what comes out of it, what it encodes real digits as, and what it decodes."""
        source: Any = model.noise
        before, noise = source.draws_posterior, {}
        for draws in (True, False):
            source.draws_posterior = draws
            noise[draws] = model.sample_noise(SAMPLES, seed=1)
        source.draws_posterior = before
        drawn, means = noise[True], noise[False]
        with evaluating(source.autoencoder):
            posterior = source.autoencoder.encode(self.images[:SAMPLES])
        variance = posterior.log_variance.exp()
        length = 0.5 * (posterior.mean.square() + variance - 1 - posterior.log_variance)
        decoded = source.decode_normal(SAMPLES, torch.Generator().manual_seed(1))
        active = posterior.mean.var(0) > ACTIVE
        return {
            "mean": spread(drawn.mean(0)),
            "variance": spread(drawn.var(0)),
            "variance_active": spread(drawn.var(0)[active]),
            "variance_of_posterior_means": spread(means.var(0)),
            "variance_of_posterior_means_active": spread(means.var(0)[active]),
            "active": int(active.sum()),
            "mostly_image": int((posterior.mean.var(0) > 0.5).sum()),
            "kl_nats": round(length.sum(1).mean().item(), 3),
            "decoded": judge_digits(self.classifier, decoded, (self.images, self.labels)),
        }


def spread(values: Tensor) -> dict[str, float]:
    """The least, the middle and the greatest of some values."""
    if not len(values):
        return {}
    least, middle, greatest = torch.quantile(values, torch.tensor([0.0, 0.5, 1.0])).tolist()
    return {"least": round(least, 4), "median": round(middle, 4), "greatest": round(greatest, 4)}


class Judged(Silent):
    """Judges a model whenever so many epochs of a stage are done, and stops after the last of the game's."""

    def __init__(self, epochs: Mapping[str, Sequence[int]], judge: Callable[[str, int, Mapping[str, float]], None]):
        super().__init__()
        self.epochs, self.judge = epochs, judge
        self.terms: Mapping[str, float] = {}

    def start(self, stage: str, steps: int, done: int, images_per_step: int) -> None:
        self.stage, self.done = stage, done
        self.due = {-(-epoch * 60_000 // images_per_step): epoch for epoch in self.epochs[stage]}

    def report(self, values: Mapping[str, float], rate: float, left: float) -> None:
        self.terms = values

    def step(self) -> None:
        self.done += 1
        if self.done in self.due:
            self.judge(self.stage, self.due[self.done], self.terms)
        if self.stage == "game" and self.done == max(self.due):
            signal.raise_signal(signal.SIGINT)


def train(name: str, seed: int, epochs: Sequence[int], output: Path, judge: Judge) -> None:
    """Train one variant with one seed as far as it is asked for, and write down what is found on the way."""
    words = VARIANTS[name].build()
    words["settings"] |= {"train.checkpoint_every": 469, "train.keep": 1, "train.sample_every": 10**6, **common.PLAIN}
    model = gantk.build(data="mnist", seed=seed, **words)
    path = PLACE / f"{name}-{seed}.json"
    results: dict[str, dict[str, Figures]] = {}
    if path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
    if {str(epoch) for epoch in epochs} <= results.get("game", {}).keys():
        return
    protocol = {
        "data": "MNIST, 60,000 digits",
        "samples": SAMPLES,
        "classifier": f"bench/digit_classifier.py, {CLASSIFIER_EPOCHS} epochs; test error {judge.error}",
        "real_test_digits": judge.real,
        "build": words,
        "seed": seed,
    }

    def found(stage: str, epoch: int, terms: Mapping[str, float]) -> None:
        figures = (judge.game if stage == "game" else judge.noise)(model)
        figures["terms"] = {term: round(value, 4) for term, value in terms.items()}
        write(stage, str(epoch), figures)

    def write(stage: str, epoch: str, figures: Figures) -> None:
        results.setdefault(stage, {})[epoch] = figures
        print(name, seed, stage, epoch, figures, flush=True)
        common.write(f"degan_flagship/{path.stem}", protocol, results)

    if share_autoencoder(name, seed, model, output):
        model = gantk.load(output / f"{name}-{seed}")
    progress = Judged({"pretrain": (1, 2, 5, 10), "game": epochs}, found)
    try:
        gantk.train(model, output / f"{name}-{seed}", progress=progress)
    except Interrupted as error:
        print(error, flush=True)
    except Diverged as error:
        write(progress.stage, f"diverged after {progress.done} steps", {"error": str(error)})


def share_autoencoder(name: str, seed: int, model: gantk.Model, output: Path) -> bool:
    """Begin a run at its game where another variant's run has trained the same autoencoder from the same seed."""
    run, variant = Run(output / f"{name}-{seed}"), VARIANTS[name]
    if variant.noise != "de" or run.model_toml.exists():
        return False
    for other, trained in VARIANTS.items():
        donor = Run(output / f"{other}-{seed}")
        if (trained.noise, trained.vae) != ("de", variant.vae) or not donor.steps():
            continue
        if read_training(donor.latest()).place.stage == 1:
            weights = load_file(donor.latest() / WEIGHTS)
            of_noise = {key.removeprefix("noise."): value for key, value in weights.items() if key.startswith("noise.")}
            model.noise.load_state_dict(of_noise)
            run.create(model.built.spec)
            place = Place(stage=1, total=model.built.stages[0].steps(60_000))
            save(run, model, place, {}, content_of(open_data(model.built.spec)), keep=1)
            return True
    return False


def mnist(split: str) -> tuple[Tensor, Tensor]:
    """All images of a part of MNIST, in [-1, 1], and their labels."""
    source = construct("data", f"mnist:split={split}")
    indices = np.arange(len(source))
    labels = source.labels(indices)
    assert labels is not None
    return to_float(source.images(indices)), labels


def table() -> str:
    """The games, a line per variant and number of epochs, and the autoencoders."""
    lines = [
        "| variant | noise, losses, rate | epochs | > 0.9, by seed | mean | commonest digit | digits | rdd |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, variant in VARIANTS.items():
        for epoch, found in games(name).items():
            lines.append(f"| {' | '.join([f'`{name}`', f'`{variant}`', epoch, *figures(found)])} |")
    lines += [
        "",
        "| seed | epochs of the autoencoder | active | over half | KL, nats | noise's mean | its variance, active | "
        "with means, active | drawings > 0.9 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows: dict[tuple[int, int], str] = {}
    for name in VARIANTS:
        for written in of_every_seed(name):
            for epoch, found in written["results"].get("pretrain", {}).items():
                seed = written["protocol"]["seed"]
                rows[seed, int(epoch)] = f"| {seed} | {epoch} | {' | '.join(carried(found))} |"
    return "\n".join([*lines, *(rows[key] for key in sorted(rows)), "", *ahead("degan-mnist", "dcgan")])


def ahead(one: str, other: str) -> Iterator[str]:
    """By how much the mean share of one variant's readable digits is higher than another's, with its standard error."""
    first, second = games(one), games(other)
    for epoch in sorted(first.keys() & second.keys(), key=int):
        shares = [100 * np.array([each["confident"] for each in found[epoch].values()]) for found in (first, second)]
        if min(map(len, shares)) > 1:
            error = np.sqrt(sum(each.var(ddof=1) / len(each) for each in shares))
            difference = shares[0].mean() - shares[1].mean()
            yield f"{one} - {other}, epoch {epoch}: {difference:+.1f} ± {error:.1f} points (standard error)"


def of_every_seed(name: str) -> list[dict[str, Any]]:
    """What was written of a variant, seed by seed."""
    paths = [path for path in PLACE.glob(f"{name}-*.json") if path.stem.removeprefix(f"{name}-").isdigit()]
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(paths)]


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def games(name: str) -> dict[str, dict[int, Figures]]:
    """What was found of a variant's generators: epoch → seed → figures."""
    found: dict[str, dict[int, Figures]] = {}
    for written in of_every_seed(name):
        for epoch, figures in written["results"].get("game", {}).items():
            found.setdefault(epoch, {})[written["protocol"]["seed"]] = figures
    return dict(sorted(found.items()))


def figures(found: Mapping[int, Figures]) -> list[str]:
    """What a table shows of generators that were judged, seed by seed."""
    judged = {seed: figures for seed, figures in sorted(found.items()) if "error" not in figures}
    if not judged:
        return [""] * 5
    confident = [figures["confident"] for figures in judged.values()]
    rdd = [figures["rdd"] for figures in judged.values()]
    named = "" if [*judged] == [0, 1, 2] else f" (seed{'s' * (len(judged) > 1)} {', '.join(map(str, judged))})"
    return [
        " ".join(f"{100 * share:.1f}" for share in confident) + named,
        percent(sum(confident) / len(confident)),
        f"≤ {percent(max(figures['commonest'] for figures in judged.values()))}",
        f"≥ {min(figures['digits'] for figures in judged.values())}",
        f"{min(rdd):.2f} … {max(rdd):.2f}" if len(rdd) > 1 else f"{rdd[0]:.2f}",
    ]


def carried(found: Figures) -> list[str]:
    """What a table shows of an autoencoder that was asked what its noise carries."""
    ranges = [between(found[name]) for name in ("mean", "variance_active", "variance_of_posterior_means_active")]
    half = str(found.get("mostly_image", ""))
    return [str(found["active"]), half, f"{found['kl_nats']:.1f}", *ranges, percent(found["decoded"]["confident"])]


def between(values: Mapping[str, float]) -> str:
    """`0.41 (0.02 … 1.10)`: the middle, and the least and the greatest."""
    return f"{values['median']:.2f} ({values['least']:.2f} … {values['greatest']:.2f})" if values else "none"


if __name__ == "__main__":
    main()
