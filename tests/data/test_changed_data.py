"""Data of equal count that were replaced are told of, whatever kind of source they come from."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from gantk.construct import construct
from gantk.data import ArraySource, DataSource, as_source
from gantk.data.content import content_of, difference_of_data

COUNT = 6
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def files(folder: Path, pixels: Pixels, labels: Pixels) -> None:
    for index, image in enumerate(pixels):
        (folder / str(labels[index])).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / str(labels[index]) / f"{index}.png")


def a_folder(place: Path, pixels: Pixels, labels: Pixels) -> DataSource:
    files(place / "photos", pixels, labels)
    return construct("data", {"plugin": "folder", "path": str(place / "photos"), "color": "gray"})


def listed(place: Path, pixels: Pixels, labels: Pixels) -> DataSource:
    files(place / "photos", pixels, np.zeros_like(labels))
    paths = [str(place / "photos/0" / f"{index}.png") for index in range(COUNT)]
    return construct("data", {"plugin": "files", "path": paths, "color": "gray"})


def a_zip(place: Path, pixels: Pixels, labels: Pixels) -> DataSource:
    files(place / "packed", pixels, labels)
    with zipfile.ZipFile(place / "photos.zip", "w") as archive:
        for path in sorted((place / "packed").rglob("*.png")):
            archive.write(path, path.relative_to(place / "packed"))
    return construct("data", {"plugin": "zip", "path": str(place / "photos.zip"), "color": "gray"})


def idx(place: Path, pixels: Pixels, labels: Pixels) -> DataSource:
    for name, array in (("images-idx3", pixels), ("labels-idx1", labels)):
        sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
        content = bytes([0, 0, 8, array.ndim]) + sides + array.tobytes()
        (place / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(content))
    return construct("data", {"plugin": "mnist", "path": str(place)})


def subset(place: Path, pixels: Pixels, labels: Pixels) -> DataSource:
    idx(place, pixels, labels)
    return construct("data", {"plugin": "subset", "of": f"mnist:path={place}", "images": COUNT})


def label_file(place: Path, pixels: Pixels, labels: Pixels) -> DataSource:
    files(place / "photos", pixels, np.zeros_like(labels))
    np.save(place / "labels.npy", labels.astype(np.int64))
    path, labels_path = str(place / "photos"), str(place / "labels.npy")
    return construct("data", {"plugin": "folder", "path": path, "labels": labels_path, "color": "gray"})


SOURCES: dict[str, Callable[[Path, Pixels, Pixels], DataSource | None]] = {
    "folder": a_folder,
    "files": listed,
    "zip": a_zip,
    "idx": idx,
    "subset": subset,
    "labels in a file": label_file,
    "array": lambda place, pixels, labels: ArraySource(pixels[:, None], labels),
    "array in Python": lambda place, pixels, labels: as_source((pixels, labels)),
    "npy": lambda place, pixels, labels: ArraySource(np.load(_saved(place, pixels), mmap_mode="r")),
    "torch": lambda place, pixels, labels: as_source(
        TensorDataset(torch.from_numpy(pixels.copy())[:, None], torch.from_numpy(labels.astype(np.int64)))
    ),
}


def _saved(place: Path, pixels: Pixels) -> Path:
    np.save(place / "pixels.npy", pixels)
    return place / "pixels.npy"


def content(kind: str, place: Path, pixels: Pixels, labels: Pixels) -> dict[str, Any]:
    source = SOURCES[kind](place, pixels, labels)
    assert source is not None
    return content_of(source)


@pytest.mark.parametrize("kind", SOURCES)
def test_one_image_that_was_replaced_is_told_of(kind: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)
    labels = np.arange(COUNT, dtype=np.uint8) % 2
    before = content(kind, tmp_path, pixels, labels)
    assert difference_of_data(before, content(kind, tmp_path, pixels, labels)) == ""
    other = pixels.copy()
    other[3] = 255 - other[3]
    said = difference_of_data(before, content(kind, tmp_path, other, labels))
    assert said == "there are still 6 images, but their content has changed"


@pytest.mark.parametrize("kind", ["idx", "subset", "labels in a file", "array", "array in Python", "torch"])
def test_labels_that_were_replaced_are_told_of(kind: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)
    labels = np.arange(COUNT, dtype=np.uint8) % 2
    before = content(kind, tmp_path, pixels, labels)
    assert "labels have changed" in difference_of_data(before, content(kind, tmp_path, pixels, 1 - labels))


def test_of_a_drawn_part_every_image_counts(tmp_path: Path) -> None:
    """There are more than the 4,096 that a source of unknown kind is judged by."""
    pixels = np.zeros((5000, 28, 28), dtype=np.uint8)
    labels = np.zeros(5000, dtype=np.uint8)

    def digest() -> str:
        idx(tmp_path, pixels, labels)
        return construct("data", {"plugin": "subset", "of": f"mnist:path={tmp_path}", "images": 5000}).digest()

    found = {digest()}
    for number in (1, 2500, 4998):
        pixels[number] = 1
        found.add(digest())
    assert len(found) == 4
