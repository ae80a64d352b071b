"""The classifiers that evaluate images: their training time, and their error on held-out images.

GANTK_DATA=… python bench/classifiers.py [digits mnist fashion-mnist cifar10] [--threads 1]

Data sets that are not named keep their results in `results/classifiers.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from typing import Any

import common
import torch

from gantk.construct import construct
from gantk.data import to_float
from gantk.nn import evaluating
from gantk_metrics.classifier.examples import read

NAMES = ["digits", "mnist", "fashion-mnist", "cifar10"]
CONFIDENT = 0.9


def judged(name: str) -> dict[str, Any]:
    """Train the classifier of a data set anew, and try it on the images that are held out."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["GANTK_CACHE"] = cache
        split = read(name, size=32, seed=0)
        wall, cpu = time.perf_counter(), time.process_time()
        extractor = construct("extractor", f"classifier:data='{name}'", image_shape=split.image_shape)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    begin = time.process_time()
    with torch.no_grad(), evaluating(extractor):
        parts = torch.split(split.held_out.images, 256)
        found = torch.cat([extractor.classify(extractor(to_float(part))) for part in parts])
    speed = len(split.held_out) / (time.process_time() - begin)
    confidence = found.max(1).values
    right = found.argmax(1) == split.held_out.labels
    return {
        "test error %": round(100 * (1 - right.float().mean().item()), 2),
        "held out": extractor.held_out,
        "mean confidence": round(confidence.mean().item(), 4),
        "confident share": round((confidence > CONFIDENT).float().mean().item(), 4),
        "error of confident %": round(100 * (~right[confidence > CONFIDENT]).float().mean().item(), 2),
        "learned from": len(split.seen),
        "features": extractor.dim,
        "wall s": round(wall, 1),
        "cpu s": round(cpu, 1),
        "images per cpu s": round(speed),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    path = common.RESULTS / "classifiers.json"
    results = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}
    for name in asked.names:
        results[name] = judged(name)
        print(name, results[name], flush=True)
        protocol = {"options": "the defaults", "confident": f"probability above {CONFIDENT}", "cpu s": "of all threads"}
        common.write("classifiers", protocol, results)
    for name in sorted(results, key=NAMES.index):
        one = results[name]
        print(f"{name:14} test error {one['test error %']:5.2f} %   {one['wall s']:6.0f} s, {one['cpu s']:6.0f} cpu s")
    print(path)


if __name__ == "__main__":
    main()
