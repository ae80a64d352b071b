"""Held-out images of folders and zips."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from pictures import encoded, pixels

from gantk.construct import construct
from gantk.data import DataSource
from gantk.errors import DataError, GantkWarning, NothingHeldOut, OptionError
from gantk.evaluation.real import held_out_of, image_set
from gantk.measures.reconstruction import held_out
from gantk.testing import DataContract
from gantk_data.images import Folder

KINDS = ("folder", "zip")


def put(root: Path, names: list[str]) -> Path:
    """Image files, each with pixels of its own."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(pixels(zlib.crc32(name.encode()))))
    return root


def animals(root: Path, count: int = 40) -> Path:
    return put(root, [f"{kind}/{index:03}.png" for kind in ("cat", "dog") for index in range(count)])


def opened(kind: str, root: Path, **options: Any) -> DataSource:
    """The folder, or a zip of it."""
    path = root if kind == "folder" else Path(shutil.make_archive(str(root), "zip", root))
    source: DataSource = construct("data", {"plugin": kind, "path": path, **options})
    return source


def content(source: DataSource) -> list[bytes]:
    return [image.numpy().tobytes() for image in source.images(range(len(source)))]


class TestFolder(DataContract):
    plugin = "folder:held_out=0.25"

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        self.options = {"path": animals(tmp_path / "set", 10)}  # type: ignore[misc]


class TestZip(DataContract):
    plugin = "zip"

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        root = put(
            tmp_path / "set", [f"{split}/{kind}/0.png" for split in ("train", "test") for kind in ("cat", "dog")]
        )
        self.options = {"path": Path(shutil.make_archive(str(root), "zip", root))}  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_of_every_class_is_held_out(kind: str, tmp_path: Path) -> None:
    root = animals(tmp_path / "set")
    train, test = (opened(kind, root, split=split, held_out=0.25) for split in ("train", "test"))
    everything = opened(kind, root)
    assert sorted(content(train) + content(test)) == sorted(content(everything))
    assert train.classes == test.classes == ("cat", "dog")
    labels = test.labels(range(len(test)))
    assert labels is not None
    assert 10 - 8 < (labels == 0).sum() < 10 + 8, "10 of 40 are expected; 8 are three standard deviations"
    assert 10 - 8 < (labels == 1).sum() < 10 + 8
    known = dict(zip(content(everything), everything.labels(range(80)).tolist(), strict=True))  # type: ignore[union-attr]
    assert labels.tolist() == [known[image] for image in content(test)]


def test_folder_and_zip_hold_out_the_same_images(tmp_path: Path) -> None:
    roots = (
        animals(tmp_path / "classes"),
        put(tmp_path / "flat", [f"{index}.png" for index in range(30)]),
        put(tmp_path / "below", [f"all/{index}.png" for index in range(30)]),
    )
    for root in roots:
        folder, packed = (opened(kind, root, split="test", held_out=0.3) for kind in KINDS)
        assert content(folder) == content(packed)


def test_adding_images_leaves_the_others_where_they_are(tmp_path: Path) -> None:
    root = animals(tmp_path / "set")
    before = {split: set(content(Folder(path=root, split=split, held_out=0.25))) for split in ("train", "test")}
    put(root, ["cat/another.png", "bird/000.png", "dog/000a.png"])
    after = {split: set(content(Folder(path=root, split=split, held_out=0.25))) for split in ("train", "test")}
    assert before["train"] <= after["train"]
    assert before["test"] <= after["test"]


def test_a_larger_share_keeps_what_was_held_out(tmp_path: Path) -> None:
    root = animals(tmp_path / "set")
    small, large = (set(content(Folder(path=root, split="test", held_out=share))) for share in (0.1, 0.5))
    assert small < large


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("folders", [("train", "test"), ("Training", "val")])
@pytest.mark.parametrize("inner", ["", "images/", "cat/", "{kind}/"])
def test_folders_named_for_the_split_are_the_split(
    kind: str, folders: tuple[str, str], inner: str, tmp_path: Path
) -> None:
    names = [
        f"{folder}/{inner.format(kind=animal)}{animal}{index}.png"
        for folder in folders
        for animal in ("cat", "dog")
        for index in range(3 if folder == folders[0] else 2)
    ]
    root = put(tmp_path / "set", names)
    train, test = opened(kind, root), opened(kind, root, split="test")
    assert (len(train), len(test)) == (6, 4)
    assert not set(content(train)) & set(content(test))
    classes = ("cat", "dog") if inner == "{kind}/" else None
    assert (train.classes, test.classes) == (classes, classes)


def test_test_labels_are_those_of_the_training_classes(tmp_path: Path) -> None:
    root = put(tmp_path, ["train/cat/0.png", "train/dog/0.png", "test/dog/0.png"])
    labels = Folder(path=root, split="test").labels([0])
    assert labels is not None
    assert labels.tolist() == [1]
    put(root, ["test/bird/0.png"])
    assert Folder(path=root).classes == ("cat", "dog")
    with pytest.raises(DataError, match=r"test/bird: no images of this class are in the training folder.*\(cat, dog\)"):
        Folder(path=root, split="test")


def test_test_images_may_be_without_classes(tmp_path: Path) -> None:
    root = put(tmp_path, ["train/cat/0.png", "train/dog/0.png", "test/0.png", "test/1.png"])
    test = Folder(path=root, split="test")
    assert (len(test), test.classes) == (2, None)


def test_images_of_a_third_split_are_counted(tmp_path: Path) -> None:
    root = put(tmp_path, ["train/0.png", "val/0.png", "test/0.png"])
    with pytest.warns(
        GantkWarning, match=r"1 file was left out, for example val/0\.png \(in val, beside train and test\)"
    ):
        assert len(Folder(path=root, split="test")) == 1


def test_classes_that_are_called_train_stay_classes(tmp_path: Path) -> None:
    for names in (["train/0.png", "bus/0.png"], ["train/0.png"], ["test/0.png", "val/0.png"]):
        root = put(tmp_path / str(len(list(tmp_path.iterdir()))), names)
        assert Folder(path=root).classes == tuple(sorted(name.partition("/")[0] for name in names))


@pytest.mark.parametrize(
    ("names", "options", "error", "message"),
    [
        (
            ["a.png"],
            {"split": "test"},
            NothingHeldOut,
            r"holds no images out; set held_out=0\.1 .*folders train and test",
        ),
        (["a.png"], {"held_out": 0.01}, DataError, r"held_out=0\.01 holds out 0 of 1 images.*set a larger share"),
        (["a.png"], {"held_out": 0.999999}, DataError, r"holds out 1 of 1 images.*set a smaller share"),
        (["a.png"], {"held_out": 1.0}, OptionError, "held_out is at least 0 and less than 1, not 1"),
        (["a.png"], {"split": "valid"}, OptionError, "split takes 'train' or 'test', not 'valid'"),
        (["train/a.png", "test/a.png"], {"held_out": 0.1}, DataError, "its folders train and test are the split; omit"),
    ],
)
def test_what_cannot_be_split_says_how_to_mend_it(
    names: list[str], options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        Folder(path=put(tmp_path, names), **options)


def test_metrics_and_reconstruction_use_the_held_out_images(tmp_path: Path) -> None:
    root = animals(tmp_path / "set")
    table = {"plugin": "folder", "path": str(root), "held_out": 0.25}
    test = Folder(path=root, split="test", held_out=0.25)
    compared = held_out_of(image_set(f"{root}:held_out=0.25"))
    assert compared is not None
    assert torch.equal(compared.source.images(range(len(test))), test.images(range(len(test))))
    shown = held_out({"data": table})
    assert (len(shown.source), shown.name, shown.seen) == (len(test), "folder:split=test", False)


def test_without_held_out_images_there_are_none(tmp_path: Path) -> None:
    root = animals(tmp_path / "set")
    assert held_out_of(image_set(str(root))) is None
    shown = held_out({"data": {"plugin": "folder", "path": str(root)}})
    assert (len(shown.source), shown.name, shown.seen) == (80, "folder", True)
