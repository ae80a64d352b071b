"""Sets of images are read back from every kind of file, whole or not there, and no larger in memory than a batch."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gantk.errors import UsageError, WorkError
from gantk.measures.samples import Samples
from gantk.report.image_sets import save_images


def expected(images: torch.Tensor) -> np.ndarray:
    """uint8 [N, H, W, C], by the definition: -1 is 0 and 1 is 255."""
    scaled = (images.double().numpy() + 1) / 2 * 255
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def images(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(3)) * 2.4 - 1.2


def batches(drawn: torch.Tensor, labels: torch.Tensor | None = None) -> list[Samples]:
    parts = drawn.split(5)
    return list(map(Samples, parts, [None] * len(parts) if labels is None else labels.split(5)))


PLACES = ["images.npz", "images.zip", "folder"]


def test_five_channels_are_no_png(tmp_path: Path) -> None:
    for name in ("grid.png", "images.zip", "folder"):
        with pytest.raises(UsageError, match=r"got 5: use an \.npz file instead"):
            save_images(batches(images(2, 5, 4, 4)), 2, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    save_images(batches(images(2, 5, 4, 4)), 2, tmp_path / "images.npz")
    assert np.load(tmp_path / "images.npz")["arr_0"].shape == (2, 4, 4, 5)


def test_arrays_zips_and_folders_hold_the_same(tmp_path: Path) -> None:
    drawn = images(12, 3, 5, 6)
    for name in ("deep/images.npz", "images.zip", "new/folder"):
        save_images(batches(drawn), 12, tmp_path / name)
    with np.load(tmp_path / "deep" / "images.npz", allow_pickle=False) as file:
        assert file.files == ["arr_0"]
        array = file["arr_0"]
    assert (array.dtype, array.shape) == (np.uint8, (12, 5, 6, 3))
    assert np.abs(array.astype(int) - expected(drawn)).max() <= 1
    names = [f"{index:06d}.png" for index in range(12)]
    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert [file.name for file in files] == names
    assert np.array_equal(np.stack([np.array(Image.open(file)) for file in files]), array)
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        assert archive.namelist() == names
        assert archive.testzip() is None
        assert [archive.read(name) for name in names] == [file.read_bytes() for file in files]


@pytest.mark.parametrize("labels", [torch.arange(12) % 4, torch.rand(12, 3)], ids=["classes", "vectors"])
def test_arrays_have_the_labels_of_a_conditional_model(labels: torch.Tensor, tmp_path: Path) -> None:
    save_images(batches(images(12, 1, 4, 4), labels), 12, tmp_path / "images.npz")
    with np.load(tmp_path / "images.npz", allow_pickle=False) as file:
        assert file.files == ["arr_0", "labels"]
        assert file["labels"].dtype == labels.numpy().dtype
        assert np.array_equal(file["labels"], labels.numpy())


@pytest.mark.parametrize("name", PLACES[:2])
def test_the_same_images_are_the_same_bytes(name: str, tmp_path: Path) -> None:
    written = []
    for folder in ("a", "b"):
        save_images(batches(images(7, 3, 4, 4)), 7, tmp_path / folder / name)
        written.append((tmp_path / folder / name).read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("name", PLACES)
def test_an_interrupted_call_leaves_nothing_new(name: str, tmp_path: Path) -> None:
    save_images(batches(images(7, 1, 4, 4)), 7, tmp_path / name)
    before = contents(tmp_path)

    def stopped() -> Iterator[Samples]:
        yield Samples(torch.ones(5, 1, 4, 4))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_images(stopped(), 7, tmp_path / name)
    assert contents(tmp_path) == before
    with pytest.raises(KeyboardInterrupt):
        save_images(stopped(), 7, tmp_path / "deep" / name)
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_that_exists_is_filled_and_keeps_its_place(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    place.mkdir()
    (tmp_path / "link").symlink_to(place, target_is_directory=True)
    save_images(batches(images(7, 1, 4, 4)), 7, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in place.iterdir()) == [f"{index:06d}.png" for index in range(7)]


@pytest.mark.parametrize("name", PLACES)
def test_what_a_killed_call_left_is_replaced(name: str, tmp_path: Path) -> None:
    if name == "folder":
        (tmp_path / f".unfinished-{name}").mkdir()
        (tmp_path / f".unfinished-{name}" / "000099.png").write_text("half")
    else:
        (tmp_path / f".unfinished-{name}").write_text("half")
    save_images(batches(images(7, 1, 4, 4)), 7, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert name != "folder" or len(list((tmp_path / name).iterdir())) == 7


@pytest.mark.parametrize("name", PLACES)
def test_a_full_disk_is_one_clear_error(name: str, tmp_path: Path) -> None:
    def full() -> Iterator[Samples]:
        yield Samples(images(5, 1, 4, 4))
        raise OSError(28, "No space left on device")

    with pytest.raises(WorkError, match=rf"{name} cannot be written: No space left on device"):
        save_images(full(), 7, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


DRAW = """
import resource, sys
from pathlib import Path
import torch
from gantk import Generator, Model, NoiseSource
from gantk.measures.samples import labeled_batches
from gantk.report.image_sets import save_images

class Noise(NoiseSource):
    dim = 3
    def sample(self, n, rng=None):
        return self.draw_normal(n, self.dim, rng=rng)

class Plain(Generator):
    image_shape = (3, 96, 96)
    def forward(self, noise):
        return noise[:, :, None, None].expand(-1, -1, 96, 96).clone()

model = Model(Noise(), Plain())

def peak(count, names):
    for name in names:
        save_images(labeled_batches(model, count, seed=0), count, Path(f"{count}-{name}"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

names = sys.argv[3:]
print(peak(int(sys.argv[1]), names), *(peak(int(sys.argv[2]), [name]) for name in names))
"""


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="the peak of a process's memory is read by the module resource")
    few, many = 256, 2560
    command = [sys.executable, "-c", DRAW, str(few), str(many), *PLACES]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, *peaks = map(int, done.stdout.split())
    taken = (many - few) * 3 * 96 * 96  # bytes of these images, as uint8
    for name, peak in zip(PLACES, peaks, strict=True):
        assert peak - before < taken / 3, f"{name}: {peak - before:,} bytes more for {taken:,} bytes of images"
