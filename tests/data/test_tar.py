"""Tars of images: what a folder can do, shards with classes beside the images, and what only a hostile tar does."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.registry import known_implementations
from pictures import chw, encoded, everything, pixels

from gantk.construct import construct
from gantk.errors import DataError, GantkWarning, UsageError
from gantk.permissions import as_said_by
from gantk_data.shards import Tar


def member(name: str, content: bytes, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def packed(path: Path, *members: tuple[tarfile.TarInfo, bytes], kind: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, kind) as archive:  # type: ignore[call-overload]
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def image(name: str, seed: int) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, encoded(pixels(seed)))


def shard(path: Path, *seeds: int) -> Path:
    """A shard as webdataset writes it: an image, its class and its metadata under one key."""
    members = []
    for seed in seeds:
        members += [image(f"{seed:06}.png", seed), member(f"{seed:06}.cls", b"%d" % (seed % 3))]
        members += [member(f"{seed:06}.json", b'{"caption": "a dog"}')]
    return packed(path, *members)


def test_folders_are_classes_as_in_a_zip(tmp_path: Path) -> None:
    path = packed(tmp_path / "t.tar", image("set/cat/1.png", 1), image("set/dog/2.png", 2), image("set/dog/0.png", 3))
    source = Tar(path=path)
    assert (len(source), source.image_shape, source.classes) == (3, (3, 6, 5), ("cat", "dog"))
    assert source.labels(range(3)).tolist() == [0, 1, 1]
    np.testing.assert_array_equal(everything(source), np.stack([chw(pixels(seed)) for seed in (1, 3, 2)]))


@pytest.mark.parametrize("kind", ["folder", "braces", "star"])
@pytest.mark.parametrize("cache", ["true", "false"])
def test_shards_are_one_data_set_with_the_classes_beside_the_images(tmp_path: Path, kind: str, cache: str) -> None:
    for number, seeds in enumerate(((0, 1, 2), (3, 4), (5,))):
        shard(tmp_path / f"s-{number:03}.tar", *seeds)
    (tmp_path / "notes.txt").write_text("not a tar")
    path = {"folder": "", "braces": "/s-{000..002}.tar", "star": "/*.tar"}[kind]
    source = construct("data", f"tar:path={tmp_path}{path},cache={cache}")
    assert source.classes == ("0", "1", "2")
    assert source.labels([5, 0, 4]).tolist() == [2, 0, 1]
    np.testing.assert_array_equal(source.images([5, 0, 4]).numpy(), np.stack([chw(pixels(s)) for s in (5, 0, 4)]))


def test_only_what_is_read_is_decoded_without_the_cache(tmp_path: Path) -> None:
    path = packed(tmp_path / "t.tar", image("0.png", 0), member("1.png", encoded(pixels(1))[:60]), image("2.png", 2))
    source = Tar(path=path, cache=False)
    np.testing.assert_array_equal(source.images([2, 0]).numpy(), np.stack([chw(pixels(2)), chw(pixels(0))]))
    with pytest.raises(DataError, match=r"t\.tar: entry '1\.png'"):
        source.images([1])


def test_names_longer_than_a_header(tmp_path: Path) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tmp_path / f"{form}.tar"
        with tarfile.open(path, "w", format=form) as archive:
            info, content = image(f"{'x' * 150}/{'y' * 90}.png", 7)
            archive.addfile(info, io.BytesIO(content))
        assert len(Tar(path=path)) == 1


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([member("a.png", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")], "a link or another special file"),
        ([member("a.png", b"", type=tarfile.FIFOTYPE)], "a link or another special file"),
        ([image("../a.png", 1)], "points outside the tar"),
        ([image("/a.png", 1)], "points outside the tar"),
        ([image("a.png", 1), image("a.png", 2)], "another entry has the same name"),
        ([image("a.png", 1), member("a.cls", b"cat")], "expected a class: a whole number"),
        ([image("a.png", 1), member("a.cls", b"1"), image("b.png", 2)], r"1 of 2 images have no class, .* b\.cls"),
        ([member("a.txt", b"only text")], "no image file in it"),
        ([], "no image file in it"),
    ],
)
def test_what_a_tar_must_not_be_is_one_line(tmp_path: Path, members: list, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Tar(path=packed(tmp_path / "t.tar", *members))


def test_a_compressed_tar_cannot_be_read_by_index(tmp_path: Path) -> None:
    path = packed(tmp_path / "t.tar", image("a.png", 1), kind="w:gz")
    with pytest.raises(DataError, match=r"t\.tar: not a tar, .*decompress it\.$"):
        Tar(path=path)


def test_a_header_that_declares_gigabytes_takes_none(tmp_path: Path) -> None:
    info, _ = member("pax", b"", type=tarfile.XHDTYPE, size=8 << 30)
    path = tmp_path / "t.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT))
    with path.open("r+b") as file:
        file.truncate(9 << 30)  # sparse: it takes no space
    with pytest.raises(DataError, match=r"a header of \d+ bytes; expected at most 1048576"):
        Tar(path=path)


def test_a_tar_that_ends_early_is_one_line(tmp_path: Path) -> None:
    path = packed(tmp_path / "t.tar", image("a.png", 1), image("b.png", 2))
    source = Tar(path=path, cache=False)
    content = path.read_bytes()
    path.write_bytes(content[:560])
    with pytest.raises(DataError, match=r"entry 'a\.png': the tar ends within it"):
        source.images([0])
    path.write_bytes(content[:700])
    with pytest.raises(DataError, match=r"t\.tar"):
        Tar(path=path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nothing.tar", "cannot be read"),
        ("s-{000..003}.tar", r"s-000\.tar: cannot be read"),
        ("*.tar", "no tar file there"),
        ("", "no tar file there"),
        ("s-{0..99999}.tar", "100000 files; expected at most 4096"),
    ],
)
def test_what_is_not_there_is_one_line(tmp_path: Path, path: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Tar(path=tmp_path / path)


def test_something_that_is_no_image_is_counted(tmp_path: Path) -> None:
    path = packed(tmp_path / "t.tar", image("a.png", 1), member("film.mp4", b"?"), member(".hidden.png", b"?"))
    with pytest.warns(GantkWarning, match=r"2 files were left out"):
        assert len(Tar(path=path)) == 1


def test_shards_at_urls_need_a_user_who_allows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fsspec.filesystem("memory")
    for number in range(2):
        content = shard(tmp_path / f"{number}.tar", 2 * number, 2 * number + 1).read_bytes()
        memory.pipe(f"/bucket/s-{number}.tar", content)
    source = Tar(url="memory://bucket/s-{0..1}.tar", download=True, cache=False)
    np.testing.assert_array_equal(everything(source), np.stack([chw(pixels(seed)) for seed in range(4)]))
    assert source.labels(range(4)).tolist() == [0, 1, 2, 0]
    with pytest.raises(UsageError, match="needs download=true"):
        Tar(url="memory://bucket/s-0.tar")
    with as_said_by("runs/of-a-stranger"), pytest.raises(UsageError, match="only you can allow that"):
        Tar(url="memory://bucket/s-0.tar", download=True)
    with pytest.raises(DataError, match=r"memory://bucket/s-7\.tar: cannot be reached"):
        Tar(url="memory://bucket/s-7.tar", download=True)
    with pytest.raises(UsageError, match="nowhere"):
        Tar(url="nowhere://bucket/s-0.tar", download=True)
    known = {"class": "somewhere_else.Files", "err": "Install it"}
    monkeypatch.setitem(known_implementations, "elsewhere", known)
    with pytest.raises(UsageError, match="needs somewhere_else: pip install somewhere_else"):
        Tar(url="elsewhere://bucket/s-0.tar", download=True)
    with pytest.raises(UsageError, match="give either path, or url"):
        Tar()


def test_nothing_is_read_of_images_before_they_are_needed(tmp_path: Path) -> None:
    path = packed(tmp_path / "t.tar", image("0.png", 0), member("1.png", b"no image"))
    with pytest.raises(DataError, match="not an image"):
        Tar(path=path, size=4)
    source = Tar(path=path, size=4, cache=False)
    assert (len(source), source.image_shape) == (2, (3, 4, 4))
    assert source.images([0]).shape == (1, 3, 4, 4)
    with pytest.raises(DataError, match="not an image"):
        source.images([1])
