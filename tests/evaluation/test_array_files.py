"""Array files, as other programs write samples, are evaluated as folders are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gantk
from gantk.data import ArraySource
from gantk.errors import DataError, FitError, UsageError
from gantk.evaluation.array_files import array_source


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pixels(images: ArraySource) -> np.ndarray[Any, Any]:
    return images.images(range(40)).numpy()


def test_images_are_found_under_any_name_and_in_either_order(tmp_path: Path, pixels: np.ndarray[Any, Any]) -> None:
    np.savez(tmp_path / "adm.npz", pixels.transpose(0, 2, 3, 1))
    np.savez(tmp_path / "first.npz", images=pixels)
    np.save(tmp_path / "gray.npy", pixels[:, 0])
    for name in ("adm.npz", "first.npz", "gray.npy"):
        source = array_source(tmp_path / name)
        assert source is not None
        assert (source.images(range(40)).numpy() == pixels).all()
    assert array_source(tmp_path / "nothing.npz") is None
    assert array_source(pixels) is None


def test_labels_count_in_the_classes_of_the_real_images(tmp_path: Path, pixels: np.ndarray[Any, Any]) -> None:
    np.savez(tmp_path / "a.npz", pixels, np.arange(40) % 2)
    source = array_source(tmp_path / "a.npz", ("across", "along"))
    assert source is not None
    assert source.classes == ("across", "along")
    labels = source.labels(range(3))
    assert labels is not None
    assert labels.tolist() == [0, 1, 0]


def test_it_is_evaluated_on_either_side_and_its_scores_lie_beside_it(
    tmp_path: Path, images: ArraySource, pixels: np.ndarray[Any, Any]
) -> None:
    np.savez(tmp_path / "a.npz", pixels)
    asked: dict[str, Any] = {"metrics": "prdc:k=3", "extractor": "pixels"}
    (score,) = gantk.evaluate(tmp_path / "a.npz", data=images, **asked)
    (other,) = gantk.evaluate(images, data=str(tmp_path / "a.npz"), **asked)
    assert score.figures == other.figures == {"precision": 1, "recall": 1, "density": 1, "coverage": 1}
    assert (tmp_path / "a.npz.metrics.json").exists()


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"mu": np.zeros(3), "sigma": np.zeros((3, 3))}, r"holds mu \[3\], sigma \[3, 3\]: the images themselves"),
        ({"a": np.zeros((2, 8, 8, 1)), "b": np.zeros((2, 8, 8, 1))}, "save the images alone"),
        ({"a": np.array([{}], dtype=object)}, r"a\.npz: contains Python objects, which are not loaded"),
        ({"a": np.full((2, 8, 8, 1), "text")}, r"a\.npz: images are uint8 .*, not <U4"),
        ({"a": np.full((2, 8, 8, 1), 1e300)}, r"a\.npz: float images are in \[0, 1\]"),
        (
            {"a": np.zeros((2, 8, 8, 1)), "b": np.full(2, 2**64 - 1, np.uint64)},
            r"a\.npz: a label is 1844674",
        ),
        ({"a": np.full((2, 8, 8, 1), 200.0)}, r"a\.npz: float images are in \[0, 1\]"),
    ],
)
def test_what_is_not_one_array_of_images_is_refused(tmp_path: Path, arrays: dict[str, Any], reason: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=reason):
        array_source(tmp_path / "a.npz")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut")
    (tmp_path / "text.npy").write_text("0,1\n")
    for name, says in (("a.npz", "cannot be read"), ("text.npy", r"no \.npy or \.npz file")):
        with pytest.raises(DataError, match=rf"{name}: {says}") as caught:
            array_source(tmp_path / name)
        assert "pickle" not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("n", 2.5), ("n", "5"), ("n", 0), ("real", 0), ("real", -1)])
def test_numbers_of_images_are_whole_and_above_0(images: ArraySource, name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name} is a number of images, ."):
        gantk.evaluate(images, data=images, metrics="prdc", extractor="pixels", **{name: value})


def test_what_is_not_there_is_neither_a_folder_nor_a_run(images: ArraySource, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file, folder or run; check the path"):
        gantk.evaluate(tmp_path / "nothing", data=images)


def test_other_shapes_are_refused_with_what_to_type(tmp_path: Path, images: ArraySource) -> None:
    from PIL import Image

    for number in range(3):
        (tmp_path / "large").mkdir(exist_ok=True)
        Image.new("L", (20, 20), number).save(tmp_path / "large" / f"{number}.png")
    with pytest.raises(FitError, match=r"as in FOLDER:size=\[14,14\],color=gray"):
        gantk.evaluate(tmp_path / "large", data=images)
    found = gantk.evaluate(
        f"{tmp_path}/large:size=[14,14],color=gray", data=images, metrics="prdc:k=1", extractor="pixels"
    )
    assert found[0].protocol.generated.images == 3
    with pytest.raises(FitError, match="convert one of them"):
        gantk.evaluate(np.zeros((3, 1, 9, 9), np.uint8), data=images)
