"""Data sets of Hugging Face on this machine: what save_to_disk writes, and parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import chw, encoded, everything, pixels
from PIL import Image

from gantk.errors import DataError
from gantk_data.hugging_face import HuggingFace

datasets = pytest.importorskip("datasets")
pyarrow = pytest.importorskip("pyarrow.parquet")


TEXT = datasets.Value("string")


def rows(*seeds: int, image: str = "image", label: str = "label") -> Any:
    features = datasets.Features(
        {
            image: datasets.Image(),
            label: datasets.ClassLabel(names=["cat", "dog", "cow"]),
            "text": datasets.Value("string"),
        }
    )
    columns = {
        image: [{"bytes": encoded(pixels(seed)), "path": None} for seed in seeds],
        label: [seed % 3 for seed in seeds],
        "text": ["a picture"] * len(seeds),
    }
    return datasets.Dataset.from_dict(columns, features=features)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hugging")


@pytest.mark.parametrize("cache", [True, False])
def test_what_was_saved_to_disk_is_read_by_index(tmp_path: Path, cache: bool) -> None:
    rows(0, 1, 2, 3, 4).save_to_disk(tmp_path / "set")
    source = HuggingFace(path=tmp_path / "set", cache=cache)
    assert (len(source), source.image_shape, source.classes) == (5, (3, 6, 5), ("cat", "dog", "cow"))
    assert source.labels([4, 0]).tolist() == [1, 0]
    np.testing.assert_array_equal(source.images([4, 0]).numpy(), np.stack([chw(pixels(4)), chw(pixels(0))]))
    again = HuggingFace(path=tmp_path / "set", cache=cache)
    assert again.digest() == source.digest()


def test_parts_and_columns_of_other_names(tmp_path: Path) -> None:
    parts = {"train": rows(0, 1, image="img", label="kind"), "validation": rows(2, image="img", label="kind")}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "set")
    source = HuggingFace(path=tmp_path / "set", part="validation", label="kind")
    np.testing.assert_array_equal(everything(source), chw(pixels(2))[None])
    assert source.labels([0]).tolist() == [2]
    assert HuggingFace(path=tmp_path / "set").classes is None, "a class that nobody named is none"
    with pytest.raises(DataError, match="no part 'test'; it has train, validation"):
        HuggingFace(path=tmp_path / "set", part="test")
    with pytest.raises(DataError, match=r"no column 'picture' of images; its columns are .* as image=img"):
        HuggingFace(path=tmp_path / "set", image="picture")
    with pytest.raises(DataError, match="column 'text' has no classes"):
        HuggingFace(path=tmp_path / "set", label="text")


def test_parquet_files_are_read_too(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    rows(0, 1).to_parquet(folder / "train-00000-of-00002.parquet")
    rows(2).to_parquet(folder / "train-00001-of-00002.parquet")
    rows(5).to_parquet(folder / "test-00000-of-00001.parquet")
    source = HuggingFace(path=tmp_path / "set")
    np.testing.assert_array_equal(everything(source), np.stack([chw(pixels(seed)) for seed in (0, 1, 2)]))
    assert len(HuggingFace(path=tmp_path / "set", part="test")) == 1


def test_a_damaged_image_is_one_line(tmp_path: Path) -> None:
    broken = datasets.Dataset.from_dict(
        {"image": [{"bytes": b"\x89PNG\r\n\x1a\n?", "path": None}]},
        features=datasets.Features({"image": datasets.Image()}),
    )
    broken.save_to_disk(tmp_path / "set")
    with pytest.raises(DataError, match=r"set: row 0 of train"):
        HuggingFace(path=tmp_path / "set")


def test_a_path_in_a_table_is_not_followed(tmp_path: Path) -> None:
    Image.fromarray(pixels(0)).save(tmp_path / "secret.png")
    table = datasets.Dataset.from_dict(
        {"image": [{"bytes": None, "path": str(tmp_path / "secret.png")}]},
        features=datasets.Features({"image": datasets.Image()}),
    )
    (tmp_path / "set").mkdir()
    pyarrow.write_table(table.with_format("arrow")[:], tmp_path / "set/train.parquet")  # which embeds no images
    with pytest.raises(DataError, match="no image in it; embed the images"):
        HuggingFace(path=tmp_path / "set")


@pytest.mark.parametrize(("path", "said"), [("nothing", "no such folder"), ("", "no data set of Hugging Face")])
def test_what_is_no_data_set_is_one_line(tmp_path: Path, path: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        HuggingFace(path=tmp_path / path)
