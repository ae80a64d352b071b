"""What checksums cost: saves and loads of a checkpoint with SHA-256, and with a digest that reads nothing.

    python bench/checkpoint_hashing.py --width 128 --repeats 6

Both are timed alternately, and the best time of each is compared, since other work on the machine only adds to it.
Reads are timed alone, as `gantk.load`, and as what a user waits for: the process of `gantk sample` for one image.
Digests are computed in a thread of their own: on a machine with a free core, they cost less time than CPU time.
The results are written to `results/checkpoint_hashing.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from common import write

import gantk
from gantk.run import manifest
from gantk.run.checkpoints import Place, load_weights, read_training, read_weights, save
from gantk.run.folder import Run


class NoDigest:
    """The digest of nothing, whatever is given."""

    def __init__(self, content: Any = b"") -> None:
        return

    def update(self, content: Any) -> None:
        return

    def hexdigest(self) -> str:
        return hashlib.sha256().hexdigest()


def best(work: Callable[[Path], Any], clock: Callable[[], float], repeats: int, folder: Path) -> tuple[float, float]:
    """The best seconds of some work with digests and without."""
    times: dict[str, list[float]] = {"hashed": [], "plain": []}
    for _ in range(repeats):
        for name, digest in (("hashed", hashlib.sha256), ("plain", NoDigest)):
            with patch.object(manifest, "hashlib", SimpleNamespace(sha256=digest)):
                began = clock()
                work(folder / name)
                times[name].append(clock() - began)
    return min(times["hashed"]), min(times["plain"])


SAMPLE = """
import hashlib, sys, time
from types import SimpleNamespace
from checkpoint_hashing import NoDigest
from gantk.cli.main import main
from gantk.run import manifest
kind, run = sys.argv[1:]
manifest.hashlib = SimpleNamespace(sha256=NoDigest if kind == "plain" else hashlib.sha256)
sys.argv = ["gantk", "sample", run, "-n", "1", "-o", f"{run}-{time.time_ns()}.png"]
main()
"""
"""`gantk sample` with digests or without."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=128, help="width of the networks")
    parser.add_argument("--repeats", type=int, default=6)
    args = parser.parse_args()
    parts = {"generator": f"dcgan:width={args.width}", "discriminator": f"dcgan:width={args.width}"}
    model = gantk.build("dcgan", data=np.zeros((8, 3, 64, 64), np.uint8), **parts)
    optimizers = {}
    for name in ("generator", "discriminator"):
        part = model.get_submodule(name).requires_grad_(True)
        optimizers[name] = torch.optim.Adam(part.parameters())
        for parameter in part.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizers[name].step()
    step = 0

    def write_checkpoint(place: Path) -> None:
        nonlocal step
        step += 1
        save(Run(place), model, Place(0, step, step), optimizers, {}, keep=1)

    def sample(place: Path) -> None:
        checkpoint = Run(place).latest()
        load_weights(model, read_weights(checkpoint, model), checkpoint)

    def whole(place: Path) -> None:
        gantk.load(place)

    def resume(place: Path) -> None:
        read_training(Run(place).latest(), model)
        sample(place)

    def command(place: Path) -> None:
        arguments = [sys.executable, "-c", SAMPLE, place.name, str(place)]
        subprocess.run(arguments, check=True, capture_output=True, cwd=Path(__file__).parent)

    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        for name in ("hashed", "plain"):
            Run(folder / name).create(model.built.spec)
        results: dict[str, dict[str, dict[str, float]]] = {}
        works = {
            "save": write_checkpoint,
            "gantk.load": whole,
            "load weights to sample": sample,
            "load everything to resume": resume,
            "the process of gantk sample": command,
        }
        for what, work in works.items():
            clocks = {"elapsed": time.perf_counter, "CPU": time.process_time}
            for kind, clock in list(clocks.items())[: 1 if work is command else 2]:
                hashed, plain = best(work, clock, args.repeats, folder)
                figures = {"SHA-256": round(1000 * hashed, 1), "none": round(1000 * plain, 1)}
                results.setdefault(what, {})[f"{kind}, ms"] = figures
                times = f"{1000 * hashed:.0f} ms with SHA-256, {1000 * plain:.0f} ms without"
                print(f"{what}, {kind}: {times}: {hashed / plain - 1:+.1%}", flush=True)
        size = sum(file.stat().st_size for file in Run(folder / "hashed").latest().iterdir())
        print(f"a checkpoint of {size / 1e6:.0f} MB")
    protocol = {"width": args.width, "repeats": args.repeats, "checkpoint, MB": round(size / 1e6, 1)}
    print(write("checkpoint_hashing", {**protocol, "figure": "the best of all repeats"}, results))


if __name__ == "__main__":
    main()
