"""Image files as a data set: a folder or a zip, with class folders as labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.data import ArraySource, sampled_digest
from gantk.errors import DataError
from gantk.parts import ImageShape, require
from gantk_data.archive import ZipFiles
from gantk_data.decode import Decoding, probe, quiet
from gantk_data.label_files import read_labels
from gantk_data.layout import Layout, Split
from gantk_data.lazy import Indices, LazySource
from gantk_data.listing import Files, FolderFiles, NamedFiles, Opener, Skips
from gantk_data.many import decode_files, decode_some, in_order, probe_files
from gantk_data.reading import absolute, shown
from gantk_data.roots import check_choice
from gantk_data.store import Decoded, cached, decoded, key_of

__all__ = ["Folder", "ImageFiles", "Named", "Zip", "decoding_of"]

SIDE_LIMIT = 8192
"""Maximum side length of `size`."""


class ImageFiles(LazySource):
    """Images in files, of one shape; unusable files raise an error, or are skipped if allowed."""

    renamed: ClassVar[Mapping[str, str]] = {"root": "path", "paths": "path", "colour": "color"}

    def __init__(
        self,
        files: Files,
        decoding: Decoding,
        skips: Skips,
        split: Split | None = None,
        labels: Path | None = None,
        cache: bool = True,
    ) -> None:
        require(cache or not skips.allowed, "skip=true needs cache=true: only decoding shows which files are usable.")
        if not files.names:
            found = f" ({said})" if (said := skips.summary()) else ""
            mend = f" For the archive: --data {shown(files.where / skips.archive)}." if skips.archive else ""
            expected = "PNG, JPEG, BMP, WebP, GIF, TIFF or PPM"
            raise DataError(f"{shown(files.where)}: no image file in it{found}; expected {expected}.{mend}")
        self._files, self._decoding, self._skips, self._cache = files, decoding, skips, cache
        self._open: tuple[AbstractContextManager[Opener], Opener] | None = None
        layout = Layout.of(files.names, split or Split(), files.where, skips.leave_out)
        self._names, classes = layout.names, layout.classes
        self._all_labels: npt.NDArray[Any] | None = layout.labels
        every = files.labels() if labels is None else read_labels(labels, len(files.names))
        if every is not None:
            self._all_labels, classes = self._labels_of(every)
        part = [] if len(layout.names) == len(files.names) else [asdict(split or Split())]
        self._key = key_of(str(files.where), asdict(decoding), skips.allowed, files.stamp(), *part)
        self._usable: list[int] = list(range(len(self._names)))
        self._construct(classes)
        skips.report(files.where)

    def _labels_of(self, every: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[str, ...] | None]:
        """Labels of the images of this split, of those of all; and their classes."""
        row = {name: index for index, name in enumerate(self._files.names)}
        found = every[[row[name] for name in self._names]]
        if found.ndim == 1:
            return found, tuple(map(str, range(int(every.max()) + 1)))
        self.label_dim = found.shape[1]
        return found, None

    @property
    def skipped(self) -> int:
        """Number of files that could not be used and were skipped; 0 unless `skip=true`."""
        return self._skips.count

    def original_shapes(self, indices: Indices) -> list[ImageShape]:
        names = [self._names[index] for index in map(int, indices)]
        with self._files.opener() as opener, quiet():

            def shape_of(name: str) -> ImageShape:
                with opener(name) as stream:
                    return probe(stream, Decoding(None, "center", "keep"), self._files.title(name))

            found = list(in_order(shape_of, names, threads=False))
        return [shape for shape in found if not isinstance(shape, DataError)]

    def _construct(self, classes: Sequence[str] | None) -> None:
        if self._cache and (found := cached(self._key)):
            self._skips.skip(len(self._names) - len(found[1]), "cannot be decoded or of another size")
            super().__init__(len(found[1]), (0, 0, 0), classes)
            self._loaded = self._labeled(found)
            self.image_shape = self._loaded.image_shape
            return
        # Without a cache, nothing is read of images, which may be many or far away, before they are needed.
        shape = None if self._cache else self._decoding.shape
        if shape is None:
            self._usable, shape = probe_files(self._files, self._names, self._decoding, self._skips)
        super().__init__(len(self._usable), shape, classes)
        if self._skips.allowed:
            # Only decoding shows which files are usable, and `len()` must be right from the start.
            self._loaded = self._load(lambda done: None)
            self._count = len(self._loaded)

    def _load(self, progress: Callable[[float], object], keep: bool = False) -> ArraySource:
        names = [self._names[index] for index in self._usable]

        def fill(into: npt.NDArray[np.uint8]) -> list[int]:
            kept = decode_files(self._files, names, self._decoding, self._skips, into, progress)
            return [self._usable[row] for row in kept]

        return self._labeled(decoded(len(names), self.image_shape, self._key, fill, keep))

    def keep(self, progress: Callable[[float], object]) -> bool:
        if self._cache and cached(self._key) is None:
            self._loaded = self._load(progress, keep=True)
        return self._cache

    def prepare(self, progress: Callable[[float], object]) -> None:
        if self._cache:
            super().prepare(progress)

    def digest(self) -> str:
        return super().digest() if self._cache else sampled_digest(self)

    def array(self) -> npt.NDArray[np.uint8] | None:
        return super().array() if self._cache else None

    def images(self, indices: Indices) -> Tensor:
        if self._cache:
            return super().images(indices)
        if self._open is None:
            warnings.filterwarnings("ignore", module=r"PIL\.")  # later calls can be in another thread
            context = self._files.opener()
            self._open = context, context.__enter__()
        names = [self._names[self._usable[index]] for index in map(int, indices)]
        pixels = decode_some(self._files, self._open[1], names, self._decoding, self.image_shape)
        return torch.from_numpy(np.stack(pixels) if pixels else np.empty((0, *self.image_shape), np.uint8))

    def labels(self, indices: Indices) -> Tensor | None:
        if self._cache or self._all_labels is None:
            return super().labels(indices)
        return torch.from_numpy(self._all_labels[[self._usable[index] for index in map(int, indices)]])

    def _labeled(self, found: Decoded) -> ArraySource:
        images, kept = found
        labels = None if self._all_labels is None else self._all_labels[kept]
        return ArraySource(images, labels, self.classes, shown(self._files.where))


def decoding_of(size: int | tuple[int, int] | None, crop: str, color: str) -> Decoding:
    """How images are decoded, by the options of a data plugin.

    Raises:
        UsageError: an option is out of its range.
    """
    check_choice("crop", crop, ("center", "none"))
    check_choice("color", color, ("rgb", "gray", "grey", "rgba", "keep"))
    pair = (size, size) if isinstance(size, int) else size
    require(
        pair is None or (len(pair) == 2 and all(1 <= side <= SIDE_LIMIT for side in pair)),
        f"size is 1 to {SIDE_LIMIT}, or two of those (height, width), not {size}.",
    )
    return Decoding(pair, crop, color)  # type: ignore[arg-type]


class Folder(ImageFiles):
    """Images in a folder. Its sub-folders are the classes (deeper folders belong to their class); without sub-folders,
    images have no labels.

    If all images are in folders `train` and `test` (or `val`), these are the split, and the classes are inside them.
    Otherwise `held_out` holds out about that share of each class. Whether an image is held out depends only on its name
    below the folder, so adding images does not move others, and a zip of the folder has the same split.

    PNG, JPEG, BMP, WebP, GIF, TIFF and PPM files are recognized by content, whatever their suffix; a warning
    counts other files. Hidden files and system files (Thumbs.db, __MACOSX, @eaDir) are ignored. EXIF
    orientation is applied, 16-bit colors are scaled to 8 bits, transparent images are composited on white, and only
    the first frame of an animation is used. Resizing uses Lanczos.

    Args:
        path: the folder.
        size: side length in pixels, or [height, width]; without it, all images must have the same size.
        crop: with size: 'center' resizes the shorter side and crops the center; 'none' stretches.
        color: color mode to convert images to; 'keep' keeps gray, RGB or RGBA, which must be the same for all images.
        skip: skip files that cannot be used and count them (`skipped`) instead of raising an error.
        split: the images to train on, or those held out from training.
        held_out: share of the images to hold out, such as 0.1; at least 0 and less than 1.
        labels: a .npy file with a row for each image, in the order of their paths, in place of classes by folder: class
            indices [N], or vectors [N, dim] such as attributes or embeddings. A row for each image of all splits.
        cache: decode all images once, into memory or a file; false decodes the images of a batch when they are read,
            which needs neither, and more time.
    """

    held_out: ClassVar[Mapping[str, Any]] = {"split": "test"}

    def __init__(
        self,
        *,
        path: Path,
        size: int | tuple[int, int] | None = None,
        crop: Literal["center", "none"] = "center",
        color: Literal["rgb", "gray", "grey", "rgba", "keep"] = "rgb",
        skip: bool = False,
        split: Literal["train", "test"] = "train",
        held_out: float = 0.0,
        labels: Path | None = None,
        cache: bool = True,
    ) -> None:
        skips = Skips(skip)
        decoding = decoding_of(size, crop, color)
        chosen = Split(split, held_out)
        super().__init__(FolderFiles(absolute(path), skips), decoding, skips, chosen, labels, cache)


class Zip(ImageFiles):
    """Images in a zip, read without extracting it. Folders are the classes, below the folders that all images share;
    without folders, images have no labels.

    Everything else is as for `folder`. Entries that are encrypted, point outside the zip, are links, or declare an
    impossible size raise an error.

    Args:
        path: the zip file.
        inside: read only images below this folder of the zip, such as `train`.
        size: side length in pixels, or [height, width]; without it, all images must have the same size.
        crop: with size: 'center' resizes the shorter side and crops the center; 'none' stretches.
        color: color mode to convert images to; 'keep' keeps gray, RGB or RGBA, which must be the same for all images.
        skip: skip files that cannot be used and count them (`skipped`) instead of raising an error.
        split: the images to train on, or those held out from training.
        held_out: share of the images to hold out, such as 0.1; at least 0 and less than 1.
        labels: a .npy file with a row for each image, in the order of their paths, in place of classes by folder: class
            indices [N], or vectors [N, dim] such as attributes or embeddings. A row for each image of all splits.
        cache: decode all images once, into memory or a file; false decodes the images of a batch when they are read,
            which needs neither, and more time.
    """

    held_out: ClassVar[Mapping[str, Any]] = {"split": "test"}

    def __init__(
        self,
        *,
        path: Path,
        inside: str = "",
        size: int | tuple[int, int] | None = None,
        crop: Literal["center", "none"] = "center",
        color: Literal["rgb", "gray", "grey", "rgba", "keep"] = "rgb",
        skip: bool = False,
        split: Literal["train", "test"] = "train",
        held_out: float = 0.0,
        labels: Path | None = None,
        cache: bool = True,
    ) -> None:
        skips = Skips(skip)
        decoding = decoding_of(size, crop, color)
        chosen = Split(split, held_out)
        super().__init__(ZipFiles(absolute(path), skips, inside), decoding, skips, chosen, labels, cache)


class Named(ImageFiles):
    """Image files listed by name, in that order, without labels; everything else is as for `folder`.

    Args:
        path: one or more files; a file may occur more than once.
        size: side length in pixels, or [height, width]; without it, all images must have the same size.
        crop: with size: 'center' resizes the shorter side and crops the center; 'none' stretches.
        color: color mode to convert images to; 'keep' keeps gray, RGB or RGBA, which must be the same for all images.
    """

    def __init__(
        self,
        *,
        path: tuple[Path, ...],
        size: int | tuple[int, int] | None = None,
        crop: Literal["center", "none"] = "center",
        color: Literal["rgb", "gray", "grey", "rgba", "keep"] = "rgb",
    ) -> None:
        require(bool(path), "path is one or more image files.")
        files = NamedFiles([absolute(each) for each in path])
        super().__init__(files, decoding_of(size, crop, color), Skips(False, offered=False))
