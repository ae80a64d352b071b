"""Images in data sets of Hugging Face, read by index from their files on this machine."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from gantk.errors import DataError, UsageError, briefly
from gantk_data.images import ImageFiles, decoding_of
from gantk_data.layout import Split
from gantk_data.listing import FILE_LIMIT, Files, Opener, Skips
from gantk_data.reading import absolute, shown

__all__ = ["HuggingFace"]

IMAGES, LABELS = ("image", "img"), ("label", "labels", "fine_label")
"""Names of columns, in the order in which they are looked for."""


class Rows(Files):
    """The encoded images of a table's column.

    Args:
        where: the folder of the data set.
        part: its part, such as `train`.
        image: the column of the images; empty for the one that is named like one.
        label: the column of the classes; empty for the one that is named like one, if any.
    """

    def __init__(self, where: Path, part: str, image: str, label: str) -> None:
        self.where = where
        table = _table(where, part)
        known = list(table.features)
        column = image or next((name for name in IMAGES if name in known), "")
        if column not in known or type(table.features[column]).__name__ != "Image":
            images = [name for name in known if type(table.features[name]).__name__ == "Image"]
            raise DataError(
                f"{shown(where)}: no column '{column or 'image'}' of images; its columns are "
                f"{', '.join(map(shown, known))}; set image=COLUMN{f', as image={images[0]}' if images else ''}."
            )
        chosen = label or next((name for name in LABELS if name in known and name != column), "")
        if chosen and chosen not in known:
            raise DataError(f"{shown(where)}: no column '{chosen}'; its columns are {', '.join(map(shown, known))}.")
        import datasets  # type: ignore[import-untyped]

        self._column, self._part = column, part
        self._rows = table.select_columns([column]).cast_column(column, datasets.Image(decode=False))
        self._labels = None if not chosen else _classes(table, chosen, where)
        self.class_names: tuple[str, ...] | None = (
            tuple(getattr(table.features.get(chosen), "names", None) or ()) or None
        )
        width = len(str(len(table)))
        self.names = [f"{number:0{width}}" for number in range(len(table))]
        self._stamp = [str(table._fingerprint), [_file_stamp(each) for each in table.cache_files]]

    def labels(self) -> npt.NDArray[np.int64] | None:
        return self._labels

    def title(self, name: str) -> str:
        return f"{shown(self.where)}: row {int(name)} of {self._part}"

    def stamp(self) -> object:
        return [self._column, self._part, *self._stamp]

    def average_size(self) -> float:
        few = self.names[:: max(1, len(self.names) // 16)]
        return sum(len(self._bytes(name)) for name in few) / max(len(few), 1)

    @contextmanager
    def opener(self) -> Iterator[Opener]:
        def open_row(name: str) -> IO[bytes]:
            return io.BytesIO(self._bytes(name))

        yield open_row

    def _bytes(self, name: str) -> bytes:
        try:
            found = self._rows[int(name)][self._column]
        except Exception as error:  # whatever Arrow raises for a damaged file
            raise DataError(f"{self.title(name)}: cannot be read ({briefly(error)}).") from error
        content = found.get("bytes") if isinstance(found, Mapping) else None
        if not isinstance(content, bytes):
            raise DataError(f"{self.title(name)}: no image in it; embed the images in the data set's own files.")
        if len(content) > FILE_LIMIT:
            raise DataError(f"{self.title(name)}: {len(content)} bytes; expected at most {FILE_LIMIT}.")
        return content


def _table(where: Path, part: str) -> Any:
    """A part of the data set, mapped into memory."""
    try:
        import datasets
    except ImportError as error:
        raise UsageError(f"hugging-face needs datasets ({briefly(error)}): pip install 'gantk[datasets]'.") from error
    if not where.is_dir():
        raise DataError(f"{shown(where)}: no such folder; set path=FOLDER to a data set that save_to_disk wrote.")
    try:
        if sorted(where.rglob("*.parquet")):
            files = sorted(map(str, where.rglob(f"*{part}*.parquet"))) or sorted(map(str, where.rglob("*.parquet")))
            return datasets.load_dataset("parquet", data_files={part: files}, split=part)
        found = datasets.load_from_disk(str(where))
    except Exception as error:  # whatever it raises for a folder that is something else
        raise DataError(
            f"{shown(where)}: no data set of Hugging Face ({type(error).__name__}: {briefly(error)})."
        ) from error
    if isinstance(found, Mapping):
        if part not in found:
            raise DataError(f"{shown(where)}: no part '{part}'; it has {', '.join(map(shown, found))}: set part=NAME.")
        return found[part]
    return found


def _classes(table: Any, column: str, where: Path) -> npt.NDArray[np.int64]:
    values = np.asarray(table.with_format("numpy")[column][:])
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values < 0).any():
        raise DataError(
            f"{shown(where)}: column '{column}' has no classes, which are whole numbers from 0; set label=COLUMN."
        )
    return values.astype(np.int64)


def _file_stamp(file: Mapping[str, str]) -> list[Any]:
    path = Path(file["filename"])
    status = path.stat()
    return [path.name, status.st_size, status.st_mtime_ns]


class HuggingFace(ImageFiles):
    """A data set of Hugging Face on this machine: what `Dataset.save_to_disk` wrote, or a folder of parquet files.

    Its rows are read by index, so that their order, and a resume, is exact. Nothing is downloaded, and no code that
    belongs to a data set is run. Everything else is as for `folder`. Needs `pip install 'gantk[datasets]'`.

    Args:
        path: the folder.
        part: the part of the data set, which Hugging Face calls its split, such as train or test.
        image: the column of the images; by default image or img.
        label: the column of the classes; by default label, if there is one.
        size: side length in pixels, or [height, width]; without it, all images must have the same size.
        crop: with size: 'center' resizes the shorter side and crops the center; 'none' stretches.
        color: color mode to convert images to; 'keep' keeps gray, RGB or RGBA, which must be the same for all images.
        skip: skip files that cannot be used and count them (`skipped`) instead of raising an error.
        split: the images to train on, or those held out from training.
        held_out: share of the images to hold out, such as 0.1; at least 0 and less than 1.
        labels: a .npy file with a row for each image in place of classes: class indices [N], or vectors [N, dim].
        cache: decode all images once, into memory or a file; false decodes the images of a batch when they are read,
            which needs neither, and more time.
    """

    held_out: ClassVar[Mapping[str, Any]] = {"split": "test"}

    def __init__(
        self,
        *,
        path: Path,
        part: str = "train",
        image: str = "",
        label: str = "",
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
        rows = Rows(absolute(path), part, image, label)
        super().__init__(rows, decoding_of(size, crop, color), skips, Split(split, held_out), labels, cache)
        if labels is None and self.classes is not None and rows.class_names is not None:
            self.classes = rows.class_names
