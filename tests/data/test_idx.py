"""IDX files and the three data sets that are made of them."""

from __future__ import annotations

import gzip
import struct
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantk.errors import DataError, OptionError
from gantk_data import idx
from gantk_data.digits import make
from gantk_data.idx import MNIST, Digits, FashionMNIST

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx_bytes(array: np.ndarray, dtype: int = 0x08) -> bytes:
    """Independent of the reader: the format as its page describes it."""
    return bytes([0, 0, dtype, array.ndim]) + b"".join(e.to_bytes(4, "big") for e in array.shape) + array.tobytes()


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (23, 28, 28), dtype=np.uint8), rng.integers(0, 10, 23, dtype=np.uint8)


def write(folder: Path, images: bytes, labels: bytes, spelling: str = "{}") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / spelling.format(IMAGES)).write_bytes(images)
    (folder / spelling.format(LABELS)).write_bytes(labels)
    return folder


def everything(source) -> tuple[np.ndarray, np.ndarray]:
    indices = np.arange(len(source))
    return source.images(indices).numpy(), source.labels(indices).numpy()


@pytest.mark.parametrize("sub", ["", "mnist"])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("spelling", ["{}", "{}.gz"])
def test_reads_what_was_written_whatever_the_name_says(tmp_path, arrays, sub, zipped, spelling):
    images, labels = (idx_bytes(a) for a in arrays)
    pack = gzip.compress if zipped else bytes
    write(tmp_path / sub, pack(images), pack(labels), spelling)
    source = MNIST(path=tmp_path)
    assert (len(source), source.image_shape, source.classes) == (23, (1, 28, 28), tuple("0123456789"))
    got_images, got_labels = everything(source)
    np.testing.assert_array_equal(got_images[:, 0], arrays[0])
    np.testing.assert_array_equal(got_labels, arrays[1])


def test_dotted_spelling_and_test_split(tmp_path, arrays):
    (tmp_path / "t10k-images.idx3-ubyte").write_bytes(idx_bytes(arrays[0]))
    (tmp_path / "t10k-labels.idx1-ubyte").write_bytes(idx_bytes(arrays[1]))
    assert len(FashionMNIST(path=tmp_path, split="test")) == 23


def test_root_from_the_environment_prefers_the_sets_own_folder(tmp_path, arrays, monkeypatch):
    images, labels = arrays
    write(tmp_path, idx_bytes(images), idx_bytes(labels))
    write(tmp_path / "fashion-mnist", idx_bytes(images[:5]), idx_bytes(labels[:5]))
    monkeypatch.setenv("GANTK_DATA", str(tmp_path))
    assert (len(MNIST()), len(FashionMNIST())) == (23, 5)


@pytest.mark.parametrize("size", [1, 28, 64])
def test_size_resizes_each_image_by_itself(tmp_path, arrays, size):
    write(tmp_path, idx_bytes(arrays[0]), idx_bytes(arrays[1]))
    source = FashionMNIST(path=tmp_path, size=size)
    assert source.image_shape == (1, size, size)
    images, labels = everything(source)
    for index in (0, 22):
        expected = Image.fromarray(arrays[0][index]).resize((size, size), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(images[index, 0], np.asarray(expected))
    np.testing.assert_array_equal(labels, arrays[1])


@pytest.mark.parametrize("size", [0, 129])
def test_sizes_that_are_refused(tmp_path, arrays, size):
    write(tmp_path, idx_bytes(arrays[0]), idx_bytes(arrays[1]))
    with pytest.raises(OptionError, match=f"size is 1 to 128, not {size}"):
        MNIST(path=tmp_path, size=size)


def test_missing_says_where_it_looked_and_the_mend(tmp_path):
    with pytest.raises(DataError, match=r"path=.*GANTK_DATA.*download=true") as caught:
        MNIST(path=tmp_path)
    assert str(tmp_path / "mnist") in str(caught.value)
    with pytest.raises(DataError, match="GANTK_DATA"):
        MNIST()


def test_unknown_split_is_refused(tmp_path):
    with pytest.raises(OptionError, match="split takes 'train' or 'test', not 'valid'"):
        MNIST(path=tmp_path, split="valid")


def bad_images(good: bytes) -> dict[str, bytes]:
    return {
        "wrong magic": b"\x89PNG" + good[4:],
        "wrong rank": good[:3] + b"\x02" + good[4:],
        "wrong type": good[:2] + b"\x0d" + good[3:],
        "empty": b"",
        "header cut": good[:9],
        "data cut": good[:-1],
        "trailing": good + b"\0",
        "absurd count": good[:4] + b"\xff" * 4 + good[8:],
        "count beyond the file": good[:4] + struct.pack(">I", 1_000_000) + good[8:],
        "no image": good[:4] + bytes(4) + good[8:],
        "27 rows": good[:8] + struct.pack(">I", 27) + good[12:],
        "gzip cut": gzip.compress(good)[:-20],
        "gzip without its checksum": gzip.compress(good)[:-8],
        "gzip with a wrong checksum": gzip.compress(good)[:-8] + bytes(8),
        "gzip garbage": b"\x1f\x8b" + good[2:],
        "gzip of something endless": gzip.compress(good + bytes(10**7)),
        "gzip of a lie": gzip.compress(good[:4] + struct.pack(">I", 1_300_000) + good[8:]),
    }


@pytest.mark.parametrize("case", list(bad_images(bytes(16))))
def test_damaged_images_name_the_file(tmp_path, arrays, case):
    images, labels = (idx_bytes(a) for a in arrays)
    write(tmp_path, bad_images(images)[case], labels)
    with pytest.raises(DataError) as caught:
        MNIST(path=tmp_path).images([0])
    assert str(tmp_path / IMAGES) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", ["fewer", "more", "beyond 9", "cut", "magic"])
def test_damaged_labels_name_the_file(tmp_path, arrays, case):
    images, labels = arrays
    beyond = labels.copy()
    beyond[7] = 10
    bad = {
        "fewer": idx_bytes(labels[:-1]),
        "more": idx_bytes(np.append(labels, labels[:1])),
        "beyond 9": idx_bytes(beyond),
        "cut": idx_bytes(labels)[:-1],
        "magic": idx_bytes(images),
    }[case]
    write(tmp_path, idx_bytes(images), bad)
    with pytest.raises(DataError) as caught:
        MNIST(path=tmp_path)
    assert str(tmp_path / LABELS) in str(caught.value)
    if case == "beyond 9":
        assert "label 10 at index 7" in str(caught.value)


def test_a_bomb_is_not_inflated(tmp_path, arrays, monkeypatch):
    taken = 0
    original = idx.read_exactly

    def counting(stream, count, name):
        nonlocal taken
        taken += count
        return original(stream, count, name)

    monkeypatch.setattr(idx, "read_exactly", counting)
    bomb = gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12 + bytes(10**7))
    write(tmp_path, bomb, idx_bytes(arrays[1]))
    with pytest.raises(DataError, match="declares"):
        MNIST(path=tmp_path)
    assert taken == 0


def test_file_that_shrinks_after_construction_is_an_error(tmp_path, arrays):
    images, labels = (idx_bytes(a) for a in arrays)
    write(tmp_path, images, labels)
    source = MNIST(path=tmp_path)
    write(tmp_path, idx_bytes(arrays[0][:3]), labels)
    with pytest.raises(DataError):
        source.images([0])


def test_digits_are_1000_of_each_class():
    source = Digits()
    assert (len(source), source.image_shape) == (10_000, (1, 28, 28))
    images, labels = everything(source)
    assert np.bincount(labels).tolist() == [1000] * 10
    assert images.dtype == np.uint8
    # Gray values of MNIST: mostly black, means near 33.3 and deviations near 78.6.
    assert abs(images.mean() - 33.3184) < 0.5
    assert abs(images.std() - 78.5675) < 0.5


def test_digits_fit_in_2_mb_and_carry_their_licence():
    folder = resources.files("gantk_data.digits")
    sizes = {entry.name: len(entry.read_bytes()) for entry in folder.iterdir() if entry.is_file()}
    assert sum(sizes.values()) <= 2_000_000
    licence = (folder / "LICENSE").read_text()
    assert "creativecommons.org/licenses/by-sa/3.0" in licence
    assert "LeCun" in licence


def test_digits_are_the_first_1000_of_each_class_of_mnist(data_root):
    if not (data_root / "mnist").is_dir():
        pytest.skip("no mnist/ below the data root")
    images, labels = everything(MNIST(path=data_root))
    seen = [0] * 10
    kept = []
    for index, label in enumerate(labels.tolist()):
        seen[label] += 1
        if seen[label] <= 1000:
            kept.append(index)
    embedded_images, embedded_labels = everything(Digits())
    np.testing.assert_array_equal(embedded_images, images[kept])
    np.testing.assert_array_equal(embedded_labels, labels[kept])


def test_the_script_makes_the_same_files_twice(tmp_path, arrays, monkeypatch):
    images, labels = arrays
    write(tmp_path, idx_bytes(images), idx_bytes(labels))
    monkeypatch.setattr(make, "PER_CLASS", 2)
    for out in ("one", "two"):
        make.main(str(tmp_path), str(tmp_path / out))
    for name, array in (("images-idx3-ubyte.gz", images), ("labels-idx1-ubyte.gz", labels)):
        first, second = ((tmp_path / out / name).read_bytes() for out in ("one", "two"))
        assert first == second
        kept = sorted(i for c in range(10) for i in np.flatnonzero(labels == c)[:2])
        assert gzip.decompress(first) == idx_bytes(array[kept])


@pytest.mark.parametrize(("kind", "mean", "deviation"), [(MNIST, 33.3184, 78.5675), (FashionMNIST, 72.9404, 90.0212)])
def test_real_sets_have_their_published_statistics(data_root, kind, mean, deviation):
    if not (data_root / kind.name).is_dir():
        pytest.skip(f"no {kind.name}/ below the data root")
    images, labels = everything(kind(path=data_root))
    assert images.shape == (60_000, 1, 28, 28)
    assert len(np.unique(labels)) == 10
    assert images.mean() == pytest.approx(mean, abs=5e-4)
    assert images.std() == pytest.approx(deviation, abs=5e-4)
    assert len(kind(path=data_root, split="test")) == 10_000
