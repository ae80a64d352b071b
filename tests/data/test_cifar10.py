"""CIFAR-10 in each of its forms."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantk.errors import DataError
from gantk_data import cifar10
from gantk_data.cifar10 import CIFAR10

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
RECORDS = 20


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", RECORDS)


@pytest.fixture
def batches() -> dict[str, np.ndarray]:
    """File name → records as the data set's page describes them: a label, then 1024 red, green and blue values."""
    rng = np.random.default_rng(1)
    records = {}
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        labels = rng.integers(0, 10, (RECORDS, 1), dtype=np.uint8)
        records[name] = np.hstack([labels, rng.integers(0, 256, (RECORDS, 3072), dtype=np.uint8)])
    return records


def put_files(folder: Path, batches: dict[str, np.ndarray], pack=bytes, suffix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in batches.items():
        (folder / (name + suffix)).write_bytes(pack(records.tobytes()))


def put_tar(path: Path, batches: dict[str, np.ndarray], mode: str = "w:gz") -> None:
    with tarfile.open(path, mode) as archive:
        for name, records in {"batches.meta.txt": np.zeros(3, np.uint8), **batches}.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = records.nbytes
            archive.addfile(info, io.BytesIO(records.tobytes()))


def check(root: Path, batches: dict[str, np.ndarray]) -> None:
    for split, names in {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}.items():
        source = CIFAR10(path=root, split=split)
        expected = np.concatenate([batches[name] for name in names])
        assert (len(source), source.image_shape, source.classes) == (len(expected), (3, 32, 32), tuple(CLASSES))
        indices = np.arange(len(source))[::-1].copy()
        np.testing.assert_array_equal(source.images(indices).numpy().reshape(-1, 3072), expected[::-1, 1:])
        np.testing.assert_array_equal(source.labels(indices).numpy(), expected[::-1, 0])


@pytest.mark.parametrize("sub", ["", "cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
def test_binary_files(tmp_path, batches, sub):
    put_files(tmp_path / sub, batches)
    check(tmp_path, batches)


def test_gzipped_binary_files(tmp_path, batches):
    put_files(tmp_path, batches, gzip.compress, ".gz")
    check(tmp_path, batches)


@pytest.mark.parametrize(("name", "mode"), [("cifar-10-binary.tar.gz", "w:gz"), ("cifar-10-binary.tar", "w")])
def test_archive_in_place(tmp_path, batches, name, mode):
    put_tar(tmp_path / name, batches, mode)
    check(tmp_path, batches)
    check(tmp_path / name, batches)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def put_zip(path: Path, size: int = 32, classes=tuple(CLASSES)) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for split, count in (("train", 3), ("test", 1)):
            for label, name in enumerate(classes):
                for i in range(count):
                    out = io.BytesIO()
                    Image.new("RGB", (size, size), (label, i, 200)).save(out, "PNG")
                    archive.writestr(f"{split}/{name}/{i:04}.png", out.getvalue())


@pytest.mark.parametrize("place", ["cifar10.zip", "cifar10-jpeg/cifar10-jpeg.zip"])
def test_zip_of_images(tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    put_zip(tmp_path / place)
    source = CIFAR10(path=tmp_path)
    assert (len(source), source.classes) == (30, tuple(CLASSES))
    images, labels = source.images(range(30)), source.labels(range(30))
    assert images[:, 0, 0, 0].tolist() == labels.tolist() == [label for label in range(10) for _ in range(3)]
    assert images[:, 1, 5, 5].tolist() == [0, 1, 2] * 10
    assert len(CIFAR10(path=tmp_path / place, split="test")) == 10


def test_zip_of_other_classes_or_sizes(tmp_path):
    put_zip(tmp_path / "cifar10.zip", classes=("cat", "dog"))
    with pytest.raises(DataError, match=r"cifar10\.zip.*cat, dog.*expected airplane"):
        CIFAR10(path=tmp_path)
    put_zip(tmp_path / "cifar10.zip", size=31)
    with pytest.raises(DataError, match=r"cifar10\.zip.*0000\.png.*31 x 31"):
        CIFAR10(path=tmp_path).images([0])


@pytest.mark.parametrize("case", ["cut", "longer", "label", "gzip cut"])
def test_damaged_batches_name_the_file(tmp_path, batches, case):
    put_files(tmp_path, batches)
    good = batches["data_batch_3.bin"].tobytes()
    bad = {
        "cut": good[:-1],
        "longer": good + b"\0",
        "label": b"\x0a" + good[1:],
        "gzip cut": gzip.compress(good)[:-100],
    }[case]
    (tmp_path / "data_batch_3.bin").write_bytes(bad)
    with pytest.raises(DataError) as caught:
        CIFAR10(path=tmp_path).images([0])
    assert str(tmp_path / "data_batch_3.bin") in str(caught.value)


def test_a_missing_batch_is_named(tmp_path, batches):
    put_files(tmp_path, batches)
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(DataError, match=r"data_batch_4\.bin"):
        CIFAR10(path=tmp_path)


@pytest.mark.parametrize("case", ["not a tar", "cut", "gzip cut", "batch missing", "batch short", "bomb", "empty"])
def test_damaged_archives_name_the_file(tmp_path, batches, case, monkeypatch):
    path = tmp_path / "cifar-10-binary.tar.gz"
    if case == "batch missing":
        del batches["data_batch_2.bin"]
    if case == "batch short":
        batches["data_batch_2.bin"] = batches["data_batch_2.bin"][:-1]
    if case == "bomb":
        monkeypatch.setattr(cifar10, "ARCHIVE_LIMIT", 100_000)
    put_tar(path, batches)
    whole = path.read_bytes()
    if case == "cut":
        path.write_bytes(gzip.compress(gzip.decompress(whole)[:100_000]))
    if case == "gzip cut":
        path.write_bytes(whole[:-5000])
    if case == "not a tar":
        path.write_bytes(gzip.compress(b"hello" * 1000))
    if case == "empty":
        path.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        CIFAR10(path=tmp_path).images([0])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "cifar-10-batches-py/data_batch_1"])
def test_pickles_are_never_opened(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(DataError, match=r"pickles.*never opened.*binary version"):
        CIFAR10(path=tmp_path)


def test_missing_says_where_it_looked(tmp_path):
    with pytest.raises(DataError, match=r"cifar10.*path=.*download=true") as caught:
        CIFAR10(path=tmp_path)
    assert str(tmp_path / "cifar10") in str(caught.value)


def channel_means(root: Path, split: str) -> tuple[np.ndarray, list[int]]:
    if not (root / "cifar10-jpeg").is_dir():
        pytest.skip("no cifar10-jpeg/ below the data root")
    source = CIFAR10(path=root, split=split)
    indices = np.arange(len(source))
    return source.images(indices).numpy().mean(axis=(0, 2, 3)), np.bincount(source.labels(indices).numpy()).tolist()


def test_the_real_jpeg_test_set_is_like_the_original(data_root):
    means, counts = channel_means(data_root, "test")
    # The original's test set has the means 0.49421, 0.48513, 0.45041 (of 1); JPEG moves them by less than 0.1 of 255.
    assert means == pytest.approx(255 * np.array([0.49421, 0.48513, 0.45041]), abs=0.1)
    assert counts == [1000] * 10


@pytest.mark.slow
def test_the_real_jpeg_training_set_has_its_published_statistics(data_root):
    means, counts = channel_means(data_root, "train")
    assert means == pytest.approx([125.27, 122.93, 113.86], abs=6e-3)
    assert counts == [5000] * 10
