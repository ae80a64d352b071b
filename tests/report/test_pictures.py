"""Pictures are read back with another library's eyes: every pixel, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gantk.errors import UsageError, WorkError
from gantk.grids import grid, picture
from gantk.report.outputs import claimed, writable
from gantk.report.pictures import save_picture


def expected(images: torch.Tensor) -> np.ndarray:
    """uint8 [N, H, W, C], by the definition: -1 is 0 and 1 is 255."""
    scaled = (images.double().numpy() + 1) / 2 * 255
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def images(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(3)) * 2.4 - 1.2


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("count", "columns"), [(1, None), (5, None), (6, 2), (3, 10)])
def test_a_grid_holds_every_image_in_order_on_white(channels: int, count: int, columns: int | None, tmp_path) -> None:
    drawn = images(count, channels, 4, 7)
    save_picture(grid(drawn, columns), tmp_path / "grid.png")
    read = np.array(Image.open(tmp_path / "grid.png")).reshape((*grid(drawn, columns).shape[1:], channels)).copy()
    across = columns or int(np.ceil(np.sqrt(count)))
    assert read.shape == (-(-count // across) * 6 + 2, across * 9 + 2, channels)
    for index, image in enumerate(expected(drawn)):
        top, left = index // across * 6 + 2, index % across * 9 + 2
        assert np.abs(read[top : top + 4, left : left + 7].astype(int) - image).max() <= 1
        read[top : top + 4, left : left + 7] = 255
    assert (read == 255).all()


def test_the_ends_of_the_range_are_black_and_white() -> None:
    shown = grid(torch.tensor([-1.0, 1.0, -5.0, 5.0, 0.0]).view(5, 1, 1, 1), columns=5, gap=0).flatten().tolist()
    assert shown[:4] == [0, 255, 0, 255]
    assert shown[4] in (127, 128)


def test_gray_is_gray() -> None:
    assert picture(torch.zeros(1, 3, 3, dtype=torch.uint8)).mode == "L"
    assert picture(torch.zeros(3, 3, 3, dtype=torch.uint8)).mode == "RGB"


def test_what_stood_there_stays_until_the_new_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "grid.png"
    save_picture(grid(images(4, 1, 4, 4)), place)
    before = place.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(WorkError, match=r"grid\.png cannot be written: No space left on device"):
        save_picture(grid(images(1, 1, 4, 4)), place)
    assert place.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"], "nothing half written is left"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "v1.2").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "000000.png").write_text("")
    (tmp_path / "full" / "thesis.txt").write_text("")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "000001.png").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["a.png", "A.PNG", "a.npz", "folder", "new/deep/a.png", "v1.2", "images", "v1.2/a.png", "not.yet/folder"]
)
def test_what_can_be_written(name: str, place: Path) -> None:
    writable(place / name, count=2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", r"expected NAME\.png or NAME\.npz or the NAME of a folder"),
        ("a.pgn", "expected"),
        ("folder.png", "is a folder; expected a file"),
        ("file", "is a file; expected a folder"),
        ("file/a.png", "is a file; expected a folder"),
        ("file/deep/folder", "is a file; expected a folder"),
        ("full", r"contains other files, such as thesis\.txt: use a new folder"),
    ],
)
def test_what_is_refused(name: str, message: str, place: Path) -> None:
    with pytest.raises(UsageError, match=message):
        writable(place / name, count=2)


def test_what_an_interrupted_call_left_in_a_folder_is_no_obstacle(place: Path) -> None:
    (place / "images" / ".unfinished-images").mkdir()
    (place / ".unfinished-new").mkdir()
    (place / ".unfinished-new" / "000000.png").write_text("half")
    writable(place / "images", count=2)
    for name in ("images", "new"):
        with claimed(place / name, folder=True) as aside:
            assert list(aside.iterdir()) == []
    assert [path.name for path in (place / "images").iterdir()] == ["000001.png"]
    assert not (place / ".unfinished-new").exists()


def test_images_of_an_earlier_call_do_not_mix_with_fewer(place: Path) -> None:
    writable(place / "images", count=2)
    with pytest.raises(UsageError, match=r"other files, such as 000001\.png"):
        writable(place / "images", count=1)


@pytest.mark.parametrize("name", ["a.npz", "a", "v1.2", "a.jpg"])
def test_where_only_a_png_will_do(name: str, place: Path) -> None:
    with pytest.raises(UsageError, match=r"expected NAME\.png\."):
        writable(place / name, suffixes=(".png",))
