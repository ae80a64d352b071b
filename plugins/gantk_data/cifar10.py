"""CIFAR-10 (Krizhevsky 2009): the binary version, or a zip of its images."""

from __future__ import annotations

import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from gantk.data import ArraySource
from gantk.errors import DataError
from gantk_data.archive import ZipFiles
from gantk_data.decode import Decoding
from gantk_data.download import Remote, fetch
from gantk_data.layout import label_by_folder
from gantk_data.lazy import LazySource
from gantk_data.listing import Skips
from gantk_data.many import decode_files
from gantk_data.reading import Readable, open_plain_or_gzip, read_exactly, shown
from gantk_data.roots import base_folder, check_choice, missing, places

__all__ = ["CIFAR10"]

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)
BATCHES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
RECORDS = 10_000
"""Images in one batch file."""

ARCHIVE = "cifar-10-binary.tar.gz"
ARCHIVES = (ARCHIVE, "cifar-10-binary.tar")
ZIPS = ("cifar10.zip", "cifar-10.zip", "cifar10-jpeg.zip")
PICKLED = ("cifar-10-batches-py", "cifar-10-python.tar.gz", "data_batch_1", "test_batch")
ARCHIVE_LIMIT = 1 << 28
"""Maximum size of the unpacked archive in bytes (the real one is 185 MB)."""

_RECORD = 1 + 3 * 32 * 32


class _Form(ABC):
    """A form in which the data set can be stored."""

    count: int

    @abstractmethod
    def load(self, progress: Callable[[float], object]) -> ArraySource:
        """Read every image; report the fraction done if it takes long."""


def _read_batch(stream: Readable, name: str) -> npt.NDArray[np.uint8]:
    """The records of one batch: a label byte, then the red, green and blue planes."""
    records = read_exactly(stream, RECORDS * _RECORD, name).reshape(RECORDS, _RECORD)
    if records[:, 0].max() >= len(CLASSES):
        at = int(np.argmax(records[:, 0] >= len(CLASSES)))
        raise DataError(f"{name}: label {records[at, 0]} at record {at}; expected 0 to {len(CLASSES) - 1}.")
    return records


def _split_records(batches: Sequence[npt.NDArray[np.uint8]], name: str) -> ArraySource:
    records = np.concatenate(batches)
    images = np.ascontiguousarray(records[:, 1:]).reshape(-1, *SHAPE)
    return ArraySource(images, records[:, 0].astype(np.int64), CLASSES, name)


class _Batches(_Form):
    """The `.bin` files in a folder, gzipped or not."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.count = RECORDS * len(files)
        self._files = files
        for file in files:
            with open_plain_or_gzip(file) as (_, most):
                if most < RECORDS * _RECORD:
                    raise DataError(
                        f"{shown(file)}: too short for {RECORDS} records of {_RECORD} bytes; copy it again."
                    )

    def load(self, progress: Callable[[float], object]) -> ArraySource:
        batches = []
        for file in self._files:
            with open_plain_or_gzip(file) as (stream, _):
                batches.append(_read_batch(stream, shown(file)))
                if stream.read(1):
                    raise DataError(f"{shown(file)}: longer than {RECORDS} records of {_RECORD} bytes.")
        return _split_records(batches, shown(self._files[0].parent))


class _Bounded:
    """A stream that raises an error after `ARCHIVE_LIMIT` bytes."""

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream, self._name, self._left = stream, name, ARCHIVE_LIMIT

    def read(self, count: int) -> bytes:
        data = self._stream.read(min(count, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise DataError(f"{self._name}: unpacks to more than {ARCHIVE_LIMIT} bytes; it is not CIFAR-10.")
        return data


class _Tar(_Form):
    """The published archive of the binary version, read in one pass without extracting it."""

    def __init__(self, path: Path, split: str) -> None:
        self._path, self._wanted = path, BATCHES[split]
        self.count = RECORDS * len(self._wanted)
        with open_plain_or_gzip(path) as (stream, _):
            block = stream.read(tarfile.BLOCKSIZE)
        try:
            tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.TarError as error:
            raise DataError(
                f"{shown(path)}: not a tar archive ({shown(error)}); download the binary version again."
            ) from error

    def load(self, progress: Callable[[float], object]) -> ArraySource:
        name = shown(self._path)
        try:
            with open_plain_or_gzip(self._path) as (stream, _):
                found = self._scan(_Bounded(stream, name), name)
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"{name}: damaged ({shown(error)}); download the binary version again.") from error
        if absent := [batch for batch in self._wanted if batch not in found]:
            raise DataError(f"{name}: does not contain {absent[0]}; expected the binary version of CIFAR-10.")
        return _split_records([found[batch] for batch in self._wanted], name)

    def _scan(self, stream: _Bounded, name: str) -> dict[str, npt.NDArray[np.uint8]]:
        found: dict[str, npt.NDArray[np.uint8]] = {}
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                batch = member.name.rsplit("/", 1)[-1]
                if batch not in self._wanted or not member.isreg():
                    continue
                title = f"{name}: entry {member.name!r}"
                if member.size != RECORDS * _RECORD or batch in found:
                    raise DataError(f"{title}: {member.size} bytes; expected {RECORDS * _RECORD}, once.")
                content = archive.extractfile(member)
                assert content is not None
                found[batch] = _read_batch(content, title)
        return found


class _Pictures(_Form):
    """A zip of images, `train/CLASS/NNNN.jpg` and `test/CLASS/NNNN.jpg`."""

    def __init__(self, path: Path, split: str) -> None:
        self._files = ZipFiles(path, Skips(False), inside=split)
        self._labels, classes = label_by_folder(self._files.names, path)
        if classes != CLASSES:
            raise DataError(
                f"{shown(path)}: {split} has the classes {', '.join(map(shown, classes or ('none',)))}; "
                f"expected {', '.join(CLASSES)}."
            )
        self.count = len(self._files.names)

    def load(self, progress: Callable[[float], object]) -> ArraySource:
        images = np.empty((self.count, *SHAPE), dtype=np.uint8)
        decode_files(self._files, self._files.names, Decoding(), Skips(False), images, progress)
        return ArraySource(images, self._labels, CLASSES, shown(self._files.where))


class CIFAR10(LazySource):
    """CIFAR-10: 50,000 + 10,000 photographs, 32x32 RGB, 10 classes (Krizhevsky 2009).

    Reads the published binary version (`data_batch_1.bin` …, or `cifar-10-binary.tar.gz`), or a zip of images with the
    layout `train|test/CLASS/NNNN.jpg` (`cifar10.zip`, `cifar10-jpeg.zip`). The python version consists of pickles,
    which can run code, and is never opened.

    Args:
        path: the folder that holds the data, or its folder `cifar10` or `cifar10-jpeg`, or the archive itself;
            by default the environment variable GANTK_DATA.
        split: the published training or test set.
        download: download the binary version into that folder if it is missing, and verify its checksum.
    """

    symmetric = True
    held_out: ClassVar[Mapping[str, Any]] = {"split": "test"}
    renamed: ClassVar[Mapping[str, str]] = {"root": "path"}
    mirrors: ClassVar[tuple[str, ...]] = ("https://www.cs.toronto.edu/~kriz/",)
    md5: ClassVar[str] = "c32a1d4ab5d03f1284b67883e8d87530"

    def __init__(
        self, *, path: Path | None = None, split: Literal["train", "test"] = "train", download: bool = False
    ) -> None:
        check_choice("split", split, ("train", "test"))
        base = base_folder("cifar10", path)
        looked = places(base, ("cifar10", "cifar-10-batches-bin", "cifar10-jpeg"))
        form = _find_file(base, split) if base.is_file() else _find(looked, split)
        if form is None and download and not base.is_file():
            folder = base if base.name == "cifar10" else base / "cifar10"
            form = _Tar(fetch(Remote("cifar10", ARCHIVE, self.mirrors, self.md5, ARCHIVE_LIMIT), folder), split)
        if form is None:
            raise _missing(base, looked)
        self._form = form
        super().__init__(form.count, SHAPE, CLASSES)

    def _load(self, progress: Callable[[float], object]) -> ArraySource:
        return self._form.load(progress)


def _find(folders: Sequence[Path], split: str) -> _Form | None:
    for folder in folders:
        for inner in (folder, folder / "cifar-10-batches-bin"):
            if batches := _find_batches(inner, split):
                return _Batches(batches)
        for name in (*ARCHIVES, *ZIPS):
            if (folder / name).is_file():
                return _find_file(folder / name, split)
    return None


def _find_batches(folder: Path, split: str) -> list[Path]:
    """The split's batch files, or none; an incomplete set is damaged."""
    found = [_existing(folder / name) for name in BATCHES[split]]
    files = [path for path in found if path is not None]
    if files and len(files) < len(found):
        absent = BATCHES[split][found.index(None)]
        raise DataError(f"{shown(folder / absent)}: missing next to {files[0].name}; copy all batches of {split}.")
    return files


def _existing(path: Path) -> Path | None:
    return next((p for p in (path, path.with_name(path.name + ".gz")) if p.is_file()), None)


def _find_file(path: Path, split: str) -> _Form | None:
    if path.name in PICKLED:
        return None
    return _Pictures(path, split) if path.suffix.lower() == ".zip" else _Tar(path, split)


def _missing(base: Path, looked: Sequence[Path]) -> DataError:
    pickled = [p for p in (base, *(place / name for place in looked for name in PICKLED)) if p.name in PICKLED]
    if there := next((path for path in pickled if path.exists()), None):
        return DataError(
            f"{shown(there)}: the python version of CIFAR-10 consists of pickles, which can run code and are never "
            f"opened; put the binary version ({ARCHIVE}) next to it, or set download=true."
        )
    return missing("cifar10", f"data_batch_1.bin, {ARCHIVE} or {ZIPS[0]}", looked)
