"""Data named by what it is or by where it lies, on the command line and in Python."""

from __future__ import annotations

import io
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, pixels

import gantk
from gantk import toml
from gantk.building.assembly import assemble
from gantk.construct import construct
from gantk.errors import DataError, GantkWarning, OptionError, UnknownName
from gantk.run.folder import Run

SMALL = {"generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a folder, a zip and a picture of 8 x 8 pixels."""
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "my photos", "digits", "photos.v2", "photos.npy", "a=b", "x:size=3"):
        (tmp_path / folder).mkdir()
        for index in range(3):
            (tmp_path / folder / f"{index}.png").write_bytes(encoded(pixels(index, 8, 8)))
    for name in ("x.zip", "packed"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for index in range(2):
                archive.writestr(f"{index}.png", encoded(pixels(index, 8, 8)))
    for name in ("x.tar", "shard"):
        with tarfile.open(tmp_path / name, "w") as tar:
            for index in range(2):
                content = encoded(pixels(index, 8, 8))
                member = tarfile.TarInfo(f"{index}.png")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    (tmp_path / "face.png").write_bytes(encoded(pixels(0, 8, 8)))
    for name in ("x.npy", "Y.NPY"):
        with (tmp_path / name).open("wb") as file:
            np.save(file, np.zeros((2, 1, 8, 8), np.uint8))
    for name in ("damaged.zip", "DAMAGED2.ZIP"):
        (tmp_path / name).write_bytes(b"no archive")
    return tmp_path


MEANT = {
    "photos": ("gantk:folder", "photos", 3, 8),
    "photos/": ("gantk:folder", "photos", 3, 8),
    "./digits": ("gantk:folder", "digits", 3, 8),
    "photos:size=16": ("gantk:folder", "photos", 3, 16),
    "photos:": ("gantk:folder", "photos", 3, 8),
    "my photos:size=16,color=gray": ("gantk:folder", "my photos", 3, 16),
    "photos.v2": ("gantk:folder", "photos.v2", 3, 8),
    "a=b": ("gantk:folder", "a=b", 3, 8),
    "x:size=3": ("gantk:folder", "x:size=3", 3, 8),
    "folder:photos": ("gantk:folder", "photos", 3, 8),
    "folder:photos:size=16": ("gantk:folder", "photos", 3, 16),
    "folder:x:size=3": ("gantk:folder", "x:size=3", 3, 8),
    "gantk:folder:my photos,size=16": ("gantk:folder", "my photos", 3, 16),
    " photos ": ("gantk:folder", "photos", 3, 8),
    "photos.npy": ("gantk:folder", "photos.npy", 3, 8),
    "x.zip": ("gantk:zip", "x.zip", 2, 8),
    "x.tar": ("gantk:tar", "x.tar", 2, 8),
    "shard:size=16": ("gantk:tar", "shard", 2, 16),
    "packed:size=16": ("gantk:zip", "packed", 2, 16),
    "zip:x.zip": ("gantk:zip", "x.zip", 2, 8),
    "face.png": ("gantk:files", "face.png", 1, 8),
    "files:face.png,photos/1.png": ("gantk:files", None, 2, 8),
}


@pytest.mark.parametrize("text", MEANT)
def test_a_path_that_exists_is_taken(here: Path, text: str) -> None:
    plugin, path, count, side = MEANT[text]
    data = gantk.build(data=text, **SMALL).built.spec["data"]
    assert data["plugin"] == plugin
    if path is not None:
        assert data["path"] in (str(here / path), [str(here / path)])
    source = construct("data", text)
    assert (len(source), source.image_shape[1:]) == (count, (side, side))


def test_a_tilde_and_whole_paths(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.chdir("/")
    for data in ("~/photos", "~/photos:size=8", str(here / "photos"), here / "photos", Path("~/photos")):
        assert gantk.build(data=data, **SMALL).built.spec["data"]["path"] == str(here / "photos")


def test_a_data_set_goes_before_a_folder_of_its_name(here: Path) -> None:
    with pytest.warns(
        GantkWarning, match=r"data 'digits' is the data set; use \./digits for the file or folder digits"
    ):
        assert gantk.build(data="digits").built.spec["data"] == {"plugin": "gantk:digits"}
    assert gantk.build(data=Path("digits"), **SMALL).built.spec["data"]["plugin"] == "gantk:folder"
    (here / "gantk:digits").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gantk.build()
        construct("data", "gantk:digits")
        (here / "digits").rename(here / "numbers")
        construct("data", "digits")


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("fotos", UnknownName, "there is no data 'fotos', and no file or folder of that name."),
        ("digts", UnknownName, "and no file or folder of that name. Did you mean 'digits'?"),
        ("my fotos", UnknownName, "there is no data 'my fotos', and no file or folder of that name."),
        ("gantk:fodler", UnknownName, "there is no data 'gantk:fodler'.* Did you mean 'folder'"),
        ("./fotos", DataError, r"/fotos: no such file or folder\."),
        ("~/fotos:size=3", DataError, r"/fotos: no such file or folder\."),
        ("photos/fotos", DataError, r"photos/fotos: no such file or folder\."),
        ("folder:fotos", DataError, r"/fotos: no such folder; set path=FOLDER"),
        ("fotos,size=16", OptionError, "does not name a plugin; expected NAME or NAME:.*did you mean 'fotos:size=16'"),
        ("photos:path=x", OptionError, "'photos' is the path already; leave out path=x."),
        ("photos:sise=3", OptionError, "data 'folder' has no option 'sise'. Did you mean 'size'?"),
        ("x.npy", DataError, r"x\.npy: an array; expected images; .*ArraySource\(numpy\.load\('"),
        ("Y.NPY", DataError, r"Y\.NPY: an array; expected images"),
        ("damaged.zip", DataError, r"damaged\.zip.* zip"),
        ("DAMAGED2.ZIP", DataError, r"DAMAGED2\.ZIP.* zip"),
        (Path("fotos"), DataError, r"/fotos: no such file or folder\."),
        ("https://example.org/x.zip", DataError, "a URL; .*: download it first"),
        ("photos:size=8,size=16", OptionError, "'size=8,size=16' contains size= twice; give it once"),
        ("photos:skip=1", OptionError, "skip takes true or false, not '1'"),
        ("", OptionError, "does not name a plugin"),
        (" ", OptionError, "does not name a plugin"),
    ],
)
def test_what_is_nowhere_is_said(data: str | Path, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gantk.build(data=data)


OLD = {
    "folder:root=photos,colour=grey": ("gantk:folder", 1),
    "zip:root=x.zip,colour=grey": ("gantk:zip", 1),
    "zip:path=x.zip,colour=rgb": ("gantk:zip", 3),
    "files:paths=[face.png]": ("gantk:files", 3),
}


@pytest.mark.parametrize("text", OLD)
def test_old_names_are_read_with_a_word(here: Path, text: str) -> None:
    with pytest.warns(GantkWarning, match=r"(root|colour|paths) is called (path|color) now\."):
        model = gantk.build(data=text, **SMALL)
    data = model.built.spec["data"]
    assert (data["plugin"], model.built.shape["image_shape"][0]) == (OLD[text][0], OLD[text][1])
    assert not set(data) & {"root", "colour", "paths"}


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(OptionError, match="root is the old name of path; use only path"):
        construct("data", "folder:root=photos,path=photos")


def test_a_run_with_old_names_is_trained_and_loaded(here: Path) -> None:
    settings = {"stages.game.length": "1 steps", "stages.game.batch_size": 2, "train.samples": 2}
    Run("run").create(gantk.build(data="photos:color=gray", settings=settings, **SMALL).built.spec)
    written = (here / "run/model.toml").read_text()
    old = written.replace("path = ", "root = ").replace("color = ", "colour = ").replace('"gray"', '"grey"')
    (here / "run/model.toml").write_text(old)
    with pytest.warns(GantkWarning, match="is called"):
        model = assemble(Run("run").spec())
    gantk.train(model, "run")
    with pytest.warns(GantkWarning, match="is called"):
        assert gantk.load("run").sample(2).shape == (2, 1, 8, 8)
    assert toml.loads(old)["data"]["root"] == model.built.spec["data"]["path"] == str(here / "photos")
