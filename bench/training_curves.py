"""Does what trains faster learn worse? Scores over steps of the loops that `training.py` measures the speed of.

    GANTK_DATA=… python bench/training_curves.py train --cases dcgan-28 degan-28 --steps 4000 --seeds 0 1 2
    python bench/training_curves.py table

`train` trains a plain loop, `gantk train` as it is, which begins with choosing the precision, and the same in float32
and in bfloat16, on MNIST; some checkpoints of each are scored by `gantk evaluate` on samples of seed 0, by features of
a classifier of its digits. The results are written to `results/training_curves/CASE-LOOP-SEED.json`; what is there is
left out. `table` prints means over seeds, and the values of each, as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common
import torch
from training_cases import CASES, Case
from training_loops import DEVICE, Loop, standard

import gantk
from gantk.building.images import open_data
from gantk.run.chosen import read_chosen
from gantk.run.folder import Run

PLACE = common.RESULTS / "training_curves"
GANTK: dict[str, dict[str, str]] = {
    "gantk": {},
    "gantk-32": common.PLAIN,
    "gantk-bf16": {"train.precision": "bf16-mixed"},
}
"""Loop → settings of the run."""
LOOPS = ("plain", *GANTK)
SAMPLES, CHECKED = 2000, 4
"""Samples of each score, and checkpoints that are scored."""
FIGURES = ("frechet", "confident", "classes")


def data() -> str:
    return f"mnist:path={os.environ['GANTK_DATA']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train and score")
    games = [name for name, case in CASES.items() if case.loop == "standard" and case.shape == (1, 28, 28)]
    train.add_argument("--cases", nargs="+", choices=games, default=["dcgan-28"])
    train.add_argument("--loops", nargs="+", choices=LOOPS, default=list(LOOPS))
    train.add_argument("--steps", type=int, default=4000)
    train.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    commands.add_parser("table", help="the results as Markdown")
    given = parser.parse_args()
    if given.command == "table":
        print(table())
        return
    for seed in given.seeds:
        for name in given.cases:
            for loop in given.loops:
                if (PLACE / f"{name}-{loop}-{seed}.json").exists():
                    continue
                protocol = {"case": name, "loop": loop, "seed": seed, "steps": given.steps, "samples": SAMPLES}
                marks = [given.steps * mark // CHECKED for mark in range(1, CHECKED + 1)]
                found = (
                    by_hand(CASES[name], seed, marks) if loop == "plain" else by_gantk(CASES[name], loop, seed, marks)
                )
                common.write(f"training_curves/{name}-{loop}-{seed}", protocol, found)
                print(f"{name} {loop} {seed}: {found}", flush=True)


def by_hand(case: Case, seed: int, marks: Sequence[int]) -> dict[str, Any]:
    """PyTorch's own loop."""
    model = case.built(data(), seed=seed)
    pictures = open_data(model.built.spec)
    torch.manual_seed(seed)
    step = standard(Loop(model, model.built.stages[-1], pictures.images(range(len(pictures))).to(DEVICE)))
    scored, seconds = {}, 0.0
    for number in range(1, marks[-1] + 1):
        began = time.perf_counter()
        step()
        seconds += time.perf_counter() - began
        if number in marks:
            model.eval()
            scored[number] = scores(model)
            model.train().requires_grad_(True)
    return {"steps": scored, "seconds": round(seconds)}


def by_gantk(case: Case, loop: str, seed: int, marks: Sequence[int]) -> dict[str, Any]:
    """`gantk train`."""
    settings = {"train.checkpoint_every": marks[0], "train.keep": CHECKED, "train.every_minutes": 0.0, **GANTK[loop]}
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        model = case.built(data(), f"{marks[-1]} steps", seed=seed, **settings)
        began = time.perf_counter()
        gantk.train(model, run)
        seconds = time.perf_counter() - began
        chosen = read_chosen(run)
        scored = {step: scores(run, step) for step in marks}
    how = GANTK[loop].get("train.precision") or (str(chosen.computing) if chosen else "32-true")
    return {"steps": scored, "seconds": round(seconds), "precision": how}


def scores(what: Any, step: int | None = None) -> dict[str, float]:
    """The figures of some samples of seed 0, compared with the digits that are held out."""
    with tempfile.TemporaryDirectory() as folder:
        found = gantk.evaluate(
            what,
            step=step,
            metrics=["frechet", "confidence", "classes"],
            n=SAMPLES,
            data=f"{data()},split=test",
            extractor=f"classifier:data='{data()}'",
            output=Path(folder) / "scores.json",
        )
    figures = {name: value for score in found for name, value in score.figures.items()}
    return {name: round(figures[name], 4) for name in FIGURES}


def table() -> str:
    """A row for each case, loop and step."""
    groups: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    for path in sorted(PLACE.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for step, figures in result["results"]["steps"].items():
            key = (result["protocol"]["case"], result["protocol"]["loop"], int(step))
            groups.setdefault(key, []).append(figures)
    rows = ["| networks | loop | steps | Fréchet | sure of | classes |", "|---|---|---|---|---|---|"]
    for (case, loop, step), found in sorted(groups.items(), key=lambda each: (each[0][0], each[0][2], each[0][1])):
        columns = [[each[name] for each in found] for name in FIGURES]
        cells = " | ".join(f"{statistics.mean(c):.3g} ({', '.join(f'{v:.3g}' for v in c)})" for c in columns)
        rows.append(f"| {case} | {loop} | {step:,} | {cells} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
