"""Can every preset be exported, and by how much do the images of the exported program differ from the model's?

    python bench/exports.py [PRESET …] [--format onnx] [--largest 30]

Each preset is built on random color images of 32×32, or on the smallest larger size that it accepts, with classes where
it asks for some, and exported untrained. Presets whose generators have more than `--largest` million weights are left
out. The results are written to bench/results/exports.json.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import common
import numpy as np

import gantk
from gantk.data import ArraySource
from gantk.errors import GantkError
from gantk.registry import plugins

SIZES = (32, 28, 64, 128)
IMAGES = 96


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("presets", nargs="*", metavar="PRESET")
    arguments.add_argument("--format", default="onnx", choices=["onnx", "torch-export"])
    arguments.add_argument("--largest", type=float, default=30, help="million weights of a generator, at most")
    given = arguments.parse_args()
    warnings.simplefilter("ignore")
    results: dict[str, dict[str, Any]] = {}
    for name in given.presets or sorted(plugin.name for plugin in plugins("recipe")):
        results[name] = exported(name, given.format, 1e6 * given.largest)
        print(name, results[name], flush=True)
    protocol = {"format": given.format, "largest_millions": given.largest, "images": "random, [3, size, size]"}
    if not given.presets:
        print(common.write("exports", protocol, results))


def exported(name: str, form: str, largest: float) -> dict[str, Any]:
    """The greatest difference, or why there is none."""
    try:
        model, size = built(name)
    except GantkError as error:
        return {"not built": str(error)}
    weights = sum(parameter.numel() for parameter in model.generator.parameters())
    about = {"size": size, "generator_weights": weights}
    if weights > largest:
        return {**about, "left out": "too large"}
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "run")
        try:
            found = gantk.export(Path(folder) / "run", Path(folder) / "out", format=form)
        except GantkError as error:
            return {**about, "refused": str(error)}
    return {**about, "difference": found.difference}


def built(name: str) -> tuple[gantk.Model, int]:
    """A preset's model, and the size of its images."""
    faults = []
    for size in SIZES:
        images = np.random.default_rng(0).integers(0, 256, (IMAGES, 3, size, size), dtype=np.uint8)
        for data in (ArraySource(images), ArraySource(images, labels=np.arange(IMAGES) % 4)):
            try:
                return gantk.build(name, data=data), size
            except GantkError as error:
                faults.append(error)
    raise faults[0]


if __name__ == "__main__":
    main()
