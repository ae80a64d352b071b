"""Does augmentation help where there is little data? A DCGAN on a part of MNIST or Fashion-MNIST, with and without.

    GANTK_DATA=… python bench/little_data.py train [--data mnist] [--images 6000 600] [--seeds 0 1 2] [-o runs/little]
    python bench/little_data.py table

Each variant trains on the same images (`subset`, drawn with seed 0) for the same number of steps. Scores are of 2,000
samples at the end, compared with the held-out images, which nobody trained on: the Fréchet distance and precision,
recall, density and coverage on features of the data set's classifier. `best` is the lowest Fréchet distance of the
checkpoints at every third of the training.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import common

import gantk

PLACE = common.RESULTS / "little_data"
VARIANTS: dict[str, str] = {
    "plain": "",
    "diffaugment": "diffaugment",
    "translation": "diffaugment:policy=translation",
    "ada": "ada:images=100000",
    "instance-noise": "instance-noise",
}
WIDTH, BATCH, SAMPLES, CHECKED = 16, 32, 2000, 3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train and score; what is there already is left out")
    train.add_argument("--variants", nargs="+", choices=VARIANTS, default=["plain", "diffaugment"])
    train.add_argument("--data", choices=("mnist", "fashion-mnist"), default="mnist")
    train.add_argument("--images", type=int, nargs="+", default=[6000])
    train.add_argument("--seeds", type=int, nargs="+", default=[0])
    train.add_argument("--steps", type=int, default=3000)
    train.add_argument("-o", "--output", type=Path, default=Path("runs/little"), help="folder of the runs")
    commands.add_parser("table", help="the results as Markdown")
    given = arguments.parse_args()
    if given.command == "table":
        print(table())
        return
    for seed in given.seeds:
        for images in given.images:
            for variant in given.variants:
                name = f"{given.data}-{images}-{given.steps}-{variant}-{seed}"
                if not (PLACE / f"{name}.json").exists():
                    protocol = {
                        "data": given.data,
                        "images": images,
                        "steps": given.steps,
                        "batch_size": BATCH,
                        "width": WIDTH,
                        "addon": VARIANTS[variant],
                        "seed": seed,
                    }
                    found = trained(protocol, given.output / name)
                    print(name, found, flush=True)
                    common.write(f"little_data/{name}", protocol, found)


def trained(protocol: dict[str, Any], run: Path) -> dict[str, Any]:
    """Train, and score the checkpoints."""
    whole = f"{protocol['data']}:path={os.environ['GANTK_DATA']}"
    every = protocol["steps"] // CHECKED
    model = gantk.build(
        "dcgan",
        data=f"subset:of='{whole}',images={protocol['images']}",
        generator=f"dcgan:width={WIDTH}",
        discriminator=f"dcgan:width={WIDTH}",
        addon=protocol["addon"] or None,
        seed=protocol["seed"],
        settings={
            **common.PLAIN,
            "stages.game.length": f"{protocol['steps']} steps",
            "stages.game.batch_size": BATCH,
            "train.checkpoint_every": every,
            "train.keep": CHECKED,
        },
    )
    begin = time.process_time()
    gantk.train(model, run=run)
    seconds = time.process_time() - begin
    steps = [every * number for number in range(1, CHECKED + 1)]
    scored = [scores(run, step, protocol["data"], f"{whole},split=test") for step in steps]
    return {
        "end": scored[-1],
        "best": min(each["frechet"] for each in scored),
        "steps": dict(zip(steps, scored, strict=True)),
        "cpu_seconds": round(seconds),
    }


def scores(run: Path, step: int, data: str, held_out: str) -> dict[str, float]:
    """The figures of some samples of seed 0, compared with the held-out images."""
    with tempfile.TemporaryDirectory() as folder:
        found = gantk.evaluate(
            run,
            step=step,
            metrics=["frechet", "prdc"],
            n=SAMPLES,
            data=held_out,
            extractor=f"classifier:data='{held_out.removesuffix(',split=test')}'",
            output=Path(folder) / "scores.json",
        )
    figures = {name: value for score in found for name, value in score.figures.items()}
    return {name: round(figures[name], 4) for name in ("frechet", "precision", "recall", "density", "coverage")}


def table() -> str:
    """A row for each data set, number of images and steps, and variant, with the mean and the values over seeds."""
    groups: dict[tuple[str, int, int, str], list[dict[str, Any]]] = {}
    for path in sorted(PLACE.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        protocol = result["protocol"]
        group = (protocol["data"], protocol["images"], protocol["steps"], protocol["addon"])
        groups.setdefault(group, []).append(result["results"])
    rows = ["| data | images | steps | with | Fréchet at the end | best | coverage |", "|---|---|---|---|---|---|---|"]
    for (data, images, steps, addon), results in groups.items():
        columns = [[r["end"]["frechet"] for r in results], [r["best"] for r in results]]
        columns.append([r["end"]["coverage"] for r in results])
        cells = " | ".join(f"{statistics.mean(c):.3g} ({', '.join(f'{v:.3g}' for v in c)})" for c in columns)
        rows.append(f"| {data} | {images:,} | {steps:,} | {addon or 'nothing'} | {cells} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
