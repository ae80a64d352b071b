"""Make the embedded digits from MNIST: `python -m gantk_data.digits.make MNIST_ROOT OUT`.

The first 1000 training images of each class, in MNIST's order, as gzipped IDX files without a time stamp: the
same input gives the same content.
"""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gantk_data.idx import MNIST

PER_CLASS = 1000


def first_of_each_class(labels: npt.NDArray[np.int64], per_class: int) -> npt.NDArray[np.int64]:
    """Indices of the first `per_class` of every class, ascending."""
    kept = [np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(kept)).astype(np.int64)


def write_idx(path: Path, array: npt.NDArray[np.uint8]) -> None:
    """A gzipped IDX file of bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 0x08, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), compresslevel=9, mtime=0))


def main(root: str, out: str) -> None:
    source = MNIST(path=Path(root))
    everything = np.arange(len(source), dtype=np.int64)
    labels = source.labels(everything)
    assert labels is not None  # MNIST always has them
    indices = first_of_each_class(labels.numpy(), PER_CLASS)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / "images-idx3-ubyte.gz", source.images(indices)[:, 0].numpy())
    write_idx(folder / "labels-idx1-ubyte.gz", labels[indices].numpy().astype(np.uint8))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m gantk_data.digits.make MNIST_ROOT OUT")
    main(sys.argv[1], sys.argv[2])
