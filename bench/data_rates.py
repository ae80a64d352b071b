"""How fast images are read: JPEGs decoded by one core, images of a decoded set mapped from a file, headers of a tar.

    python bench/data_rates.py [--images 4096]

The images are noise smoothed to look like photographs to a JPEG encoder; a file of the decoded set is in the system's
cache, as one that fits into memory is.
"""

from __future__ import annotations

import argparse
import io
import os
import tarfile
import tempfile
import time
from pathlib import Path

import common
import numpy as np
from PIL import Image, ImageFilter

from gantk.construct import construct

BATCH = 64
SIDES = (64, 256)


def pack(folder: Path, side: int, count: int) -> Path:
    """A tar of JPEGs."""
    rng = np.random.default_rng(0)
    few = []
    for _ in range(64):
        picture = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        file = io.BytesIO()
        picture.filter(ImageFilter.GaussianBlur(2)).save(file, "JPEG", quality=90)
        few.append(file.getvalue())
    path = folder / f"{side}.tar"
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            entry = tarfile.TarInfo(f"{number:07}.jpg")
            entry.size = len(few[number % 64])
            archive.addfile(entry, io.BytesIO(few[number % 64]))
    return path


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--images", type=int, default=4096)
    count = arguments.parse_args().images
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GANTK_CACHE"] = folder
        for side in SIDES:
            path = pack(Path(folder), side, count)
            begin = time.perf_counter()
            source = construct("data", f"tar:path={path},size={side},cache=false")
            opened = time.perf_counter() - begin
            order = np.random.default_rng(0).permutation(count)
            begin = time.perf_counter()
            for start in range(0, count, BATCH):
                source.images(order[start : start + BATCH])
            decoded = time.perf_counter() - begin
            construct("data", f"tar:path={path},size={side}").keep(lambda done: None)
            kept = construct("data", f"tar:path={path},size={side}")
            begin = time.perf_counter()
            for start in range(0, count, BATCH):
                kept.images(order[start : start + BATCH])
            mapped = time.perf_counter() - begin
            found[f"{side}x{side}"] = {
                "opened_per_second": round(count / opened),
                "decoded_per_second": round(count / decoded),
                "mapped_per_second": round(count / mapped),
                "bytes_of_a_jpeg": round(path.stat().st_size / count),
            }
            print(side, found[f"{side}x{side}"])
    print(common.write("data_rates", {"images": count, "batch": BATCH}, found))


if __name__ == "__main__":
    main()
