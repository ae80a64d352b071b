"""Labels in a file beside the images: class indices, vectors, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import encoded, pixels

import gantk
from gantk.construct import construct
from gantk.errors import DataError, OptionError

SMALL = {"stages.*.batch_size": 4, "stages.*.length": "1 steps"}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve pictures, in no class folders."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.png").write_bytes(encoded(pixels(number, 16, 18)))
    return folder


def saved(path: Path, values: object) -> Path:
    np.save(path, np.asarray(values), allow_pickle=True)
    return path


def test_embeddings_beside_a_folder_condition_a_model(pictures: Path, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).random((12, 3))
    data = f"folder:path={pictures},labels={saved(tmp_path / 'e.npy', vectors)}"
    source = construct("data", data)
    assert (source.label_dim, source.classes) == (3, None)
    assert source.labels([5, 2]).numpy() == pytest.approx(vectors[[5, 2]])
    small = {"generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
    model = gantk.build("dcgan", data=data, condition="vector", settings=SMALL, **small)
    assert model.noise_dim == model.noise.dim + 3
    told = model.sample_noise(1, condition=str(saved(tmp_path / "one.npy", vectors[7])))[:, -3:]
    assert told.numpy() == pytest.approx(vectors[7:8])


def test_every_image_keeps_its_row_where_some_are_held_out(pictures: Path, tmp_path: Path) -> None:
    rows = np.stack([np.arange(12), -np.arange(12)], axis=1).astype(np.float64)
    data = f"folder:path={pictures},held_out=0.4,labels={saved(tmp_path / 'e.npy', rows)}"
    train, test = construct("data", data), construct("data", f"{data},split=test")
    found = torch.cat([train.labels(range(len(train))), test.labels(range(len(test)))])[:, 0]
    assert sorted(found.tolist()) == list(range(12))
    for source in (train, test):
        for index in range(len(source)):
            row = int(source.labels([index])[0, 0])
            assert np.array_equal(source.images([index])[0].numpy(), pixels(row, 16, 18).transpose(2, 0, 1))


def test_class_indices_name_classes_in_a_zip(pictures: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for file in sorted(pictures.iterdir()):
            archive.write(file, file.name)
    labels = saved(tmp_path / "classes.npy", np.arange(12) % 3)
    source = construct("data", f"zip:path={tmp_path / 'pictures.zip'},labels={labels}")
    assert source.classes == ("0", "1", "2")
    assert source.labels([4, 5]).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.zeros((11, 3)), "12 images have 11 labels"),
        (np.zeros((12, 1)), r"class indices \[N\] or vectors \[N, dim\], not float64 \[12, 1\]"),
        (np.zeros(12), "labels are class indices"),
        (np.full((12, 2), np.nan), "NaN"),
        (np.full((12, 2), 1e300), r"labels contain 1e\+300, too large for float32"),
        (np.array(["cat"] * 12), r"whole numbers \(classes\) or floats \(vectors\), not text"),
        (np.array([{}] * 12), "contains Python objects, which are not loaded; save an array of numbers"),
        (np.full(12, -1), "a label is -1; class indices start at 0"),
        (np.arange(12) * 100_000, "a label is 1100000; number the classes 0, 1, 2, …, at most 65536 of them"),
        (np.full(12, 2**64 - 1, np.uint64), "a label is 18446744073709551615; number the classes"),
    ],
)
def test_what_are_no_labels_is_refused(values: object, says: str, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says) as caught:
        construct("data", f"folder:path={pictures},labels={saved(tmp_path / 'e.npy', values)}")
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_refused(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "e.npy").write_text("0,1\n")
    np.savez(tmp_path / "a.npz", np.arange(12))
    for name, says in (
        ("e.npy", r"no \.npy file"),
        ("missing.npy", "no such file"),
        ("a.npz", "an .npz archive"),
    ):
        with pytest.raises(DataError, match=rf"{name}: {says}") as caught:
            construct("data", f"folder:path={pictures},labels={tmp_path / name}")
        assert "pickle" not in str(caught.value)


def test_a_told_vector_of_another_length_is_refused(tmp_path: Path) -> None:
    condition = construct("condition", "vector", label_dim=3)
    for wrong, says in (
        ([1.0, 2.0], "no vector of 3"),
        ([np.nan] * 3, "NaN"),
        (["a"] * 3, "no vector of 3"),
        ([1, -1e300, 0], r"-1e\+300, too large for float32"),
    ):
        with pytest.raises(OptionError, match=says):
            condition.told(str(saved(tmp_path / "one.npy", wrong)))
    with pytest.raises(OptionError, match="too large for float32"):
        condition.told("0,1e300,0")
    with pytest.raises(OptionError, match=r"missing\.npy: no such file"):
        condition.told(str(tmp_path / "missing.npy"))
