"""MNIST and similar data sets in IDX files (LeCun, Cortes & Burges, http://yann.lecun.com/exdb/mnist/)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from gantk.data import ArraySource
from gantk.errors import DataError
from gantk.parts import ImageShape, require
from gantk_data.download import Remote, fetch
from gantk_data.lazy import Indices, LazySource
from gantk_data.reading import Readable, open_plain_or_gzip, read_exactly, shown
from gantk_data.roots import base_folder, check_choice, missing, places

__all__ = ["MNIST", "Digits", "FashionMNIST", "idx_shape", "read_idx"]

SIZE_LIMIT = 1 << 30
"""Maximum number of bytes that an IDX file may declare."""

LARGEST = 128
"""Maximum `size`: 60,000 images of this side take 1 GB."""

_UBYTE = 0x08


def _header(stream: Readable, name: str, rank: int, most: int) -> tuple[int, ...]:
    head = stream.read(4 + 4 * rank)
    expected = bytes((0, 0, _UBYTE, rank))
    if head[:4] != expected:
        raise DataError(
            f"{name}: begins with {head[:4].hex() or 'nothing'}, but an IDX file of {rank}-dimensional bytes "
            f"begins with {expected.hex()}; it is not the file that its name suggests."
        )
    if len(head) < 4 + 4 * rank:
        raise DataError(f"{name}: truncated header; copy or download it again.")
    shape = struct.unpack(f">{rank}I", head[4:])
    total = 1
    for extent in shape:
        total *= extent
    if total == 0 or total > SIZE_LIMIT:
        raise DataError(f"{name}: declares {total} bytes ({_times(shape)}); expected 1 to {SIZE_LIMIT}.")
    if total > most:
        raise DataError(
            f"{name}: declares {total} bytes ({_times(shape)}), more than the file can contain; it is truncated or "
            "its header is wrong: copy or download it again."
        )
    return shape


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def idx_shape(path: Path, rank: int) -> tuple[int, ...]:
    """The shape that an IDX file of bytes declares, checked against the file's size."""
    with open_plain_or_gzip(path) as (stream, most):
        return _header(stream, shown(path), rank, most)


def read_idx(path: Path, rank: int) -> npt.NDArray[np.uint8]:
    """The array in an IDX file of bytes, gzipped or not.

    Raises:
        DataError: the magic number, the shape or the number of bytes is wrong; the message names the file.
    """
    name = shown(path)
    with open_plain_or_gzip(path) as (stream, most):
        shape = _header(stream, name, rank, most)
        data = read_exactly(stream, int(np.prod(shape)), name)
        if stream.read(1):
            raise DataError(
                f"{name}: has more bytes than the {_times(shape)} that its header declares; copy or download it again."
            )
    return data.reshape(shape)


class _IdxSource(LazySource):
    """A pair of IDX files of 28x28 images and their labels."""

    def __init__(self, images: Path, labels: Path, classes: Sequence[str], size: int | None = None) -> None:
        require(size is None or 1 <= size <= LARGEST, f"size is 1 to {LARGEST}, not {size}.")
        count, height, width = idx_shape(images, 3)
        if (height, width) != (28, 28):
            raise DataError(f"{shown(images)}: images are {height}x{width}; expected 28x28.")
        self._images_path, self._labels_path = images, labels
        self._label_array = self._read_labels(count, len(classes))
        self._size, self._original = size, (1, height, width)
        super().__init__(count, (1, size or height, size or width), classes)

    def original_shapes(self, indices: Indices) -> list[ImageShape]:
        return [self._original] * len(indices)

    def _read_labels(self, count: int, class_count: int) -> npt.NDArray[np.int64]:
        labels = read_idx(self._labels_path, 1)
        name = shown(self._labels_path)
        if len(labels) != count:
            raise DataError(
                f"{name}: {len(labels)} labels for the {count} images of {shown(self._images_path)}; "
                "expected two files of the same set."
            )
        if labels.max() >= class_count:
            at = int(np.argmax(labels >= class_count))
            raise DataError(f"{name}: label {labels[at]} at index {at}; expected 0 to {class_count - 1}.")
        return labels.astype(np.int64)

    def _load(self, progress: Callable[[float], object]) -> ArraySource:
        images = read_idx(self._images_path, 3)
        if self._size is not None:
            side = (self._size, self._size)
            images = np.stack([np.asarray(Image.fromarray(x).resize(side, Image.Resampling.LANCZOS)) for x in images])
        return ArraySource(images[:, None], self._label_array, self.classes, shown(self._images_path))


class Digits(_IdxSource):
    """10,000 handwritten digits that come with gantk: the first 1000 of each class of MNIST's training images.

    28x28 gray, in MNIST's order. MNIST by Yann LeCun, Corinna Cortes and Christopher Burges, CC BY-SA 3.0.
    """

    symmetric = False

    def __init__(self) -> None:
        here = Path(__file__).parent / "digits"
        super().__init__(here / "images-idx3-ubyte.gz", here / "labels-idx1-ubyte.gz", tuple("0123456789"))


class _Published(_IdxSource):
    """A data set published in MNIST's four files."""

    held_out: ClassVar[Mapping[str, Any]] = {"split": "test"}
    renamed: ClassVar[Mapping[str, str]] = {"root": "path"}
    name: ClassVar[str]
    names: ClassVar[tuple[str, ...]]
    mirrors: ClassVar[tuple[str, ...]]
    md5: ClassVar[dict[str, str]]

    def __init__(self, *, path: Path | None, split: str, size: int | None, download: bool) -> None:
        check_choice("split", split, ("train", "test"))
        stem = "train" if split == "train" else "t10k"
        base = base_folder(self.name, path)
        files = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
        looked = places(base, (self.name,))
        found = _find_pair(looked, files)
        if found is None and download:
            folder = base if base.name == self.name else base / self.name
            self._fetch(folder, files)
            found = _find_pair([folder], files)
        if found is None:
            raise missing(self.name, f"{files[0]}[.gz] with {files[1]}[.gz]", looked)
        super().__init__(*found, self.names, size)

    def _fetch(self, folder: Path, files: Sequence[str]) -> None:
        for file in (f"{file}.gz" for file in files):
            fetch(Remote(self.name, file, self.mirrors, self.md5[file], limit=1 << 26), folder)


def _find_pair(folders: Sequence[Path], files: tuple[str, str]) -> tuple[Path, Path] | None:
    for folder in folders:
        images, labels = (_find_file(folder, file) for file in files)
        if images and labels:
            return images, labels
    return None


def _find_file(folder: Path, file: str) -> Path | None:
    """`train-images-idx3-ubyte`, or `train-images.idx3-ubyte` as some archives spell it, gzipped or not."""
    spellings = (file, file.replace("-idx", ".idx"))
    candidates = (folder / f"{spelling}{suffix}" for spelling in spellings for suffix in (".gz", ""))
    return next((path for path in candidates if path.is_file()), None)


class MNIST(_Published):
    """MNIST: 60,000 + 10,000 handwritten digits, 28x28 gray, in its original IDX files, gzipped or not.

    By Yann LeCun, Corinna Cortes and Christopher Burges, CC BY-SA 3.0.

    Args:
        path: the folder that holds the files or a folder `mnist`; by default the environment variable GANTK_DATA.
        split: the published training or test set.
        size: side length in pixels to which images are resized, 1 to 128; by default 28.
        download: download the files into that folder if they are missing, and verify their checksums.
    """

    symmetric = False
    name = "mnist"
    names = tuple("0123456789")
    mirrors = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
    md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }

    def __init__(
        self,
        *,
        path: Path | None = None,
        split: Literal["train", "test"] = "train",
        size: int | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(path=path, split=split, size=size, download=download)


class FashionMNIST(_Published):
    """Fashion-MNIST: 60,000 + 10,000 pictures of clothes, 28x28 gray, in its original IDX files, gzipped or not.

    By Zalando SE (Xiao, Rasul & Vollgraf 2017), MIT.

    Args:
        path: the folder that holds the files or a folder `fashion-mnist`; by default the variable GANTK_DATA.
        split: the published training or test set.
        size: side length in pixels to which images are resized, 1 to 128; by default 28.
        download: download the files into that folder if they are missing, and verify their checksums.
    """

    symmetric = True
    name = "fashion-mnist"
    names = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    mirrors = (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    )
    md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }

    def __init__(
        self,
        *,
        path: Path | None = None,
        split: Literal["train", "test"] = "train",
        size: int | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(path=path, split=split, size=size, download=download)
