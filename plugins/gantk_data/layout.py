"""What the folders of image files mean: classes, and which images are held out from training."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from gantk.errors import DataError, NothingHeldOut
from gantk.parts import require
from gantk_data.reading import shown
from gantk_data.roots import check_choice

__all__ = ["Layout", "Split", "label_by_folder", "without_common_folder"]

FOLDERS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "test": ("test", "testing", "val", "valid", "validation"),
}
"""Names of folders that hold a split, in lower case; of several, the first that is there."""

T = TypeVar("T")
Labels = npt.NDArray[np.int64]
Classes = tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Which of the images are used.

    Args:
        which: the images to train on, or those held out.
        held_out: share of the images that is held out, at least 0 and less than 1.
    """

    which: Literal["train", "test"] = "train"
    held_out: float = 0.0

    def __post_init__(self) -> None:
        check_choice("split", self.which, ("train", "test"))
        require(0 <= self.held_out < 1, f"held_out is at least 0 and less than 1, not {self.held_out}.")


@dataclass(frozen=True)
class Layout:
    """The images of a split, with their classes."""

    names: list[str]
    """The names of the images that are used."""
    labels: Labels | None
    """Their classes, or `None` where the folders are no classes."""
    classes: Classes | None

    @classmethod
    def of(cls, names: Sequence[str], split: Split, where: Path, leave_out: Callable[[str, str], object]) -> Layout:
        """The images of a split: those below `train/` or `test/` where all images are in such folders, else by name.

        Args:
            names: names relative to the root, with `/`, sorted.
            split: which images to use.
            where: the folder or zip, for errors.
            leave_out: told the name of each image that belongs to no split, and the reason.

        Raises:
            NothingHeldOut: the test split is asked for, and nothing is held out.
            DataError: folders contradict each other or the options, or a split would be empty.
        """
        folders = _split_folders(names)
        if folders is None:
            return cls._by_name(names, split, where)
        if split.held_out:
            raise DataError(
                f"{shown(where)}: its folders {' and '.join(map(shown, folders.values()))} are the split; omit "
                f"held_out, or give the folder {shown(folders['train'])} alone to hold out a share of its images."
            )
        return cls._by_folder(names, folders, split, where, leave_out)

    @classmethod
    def _by_folder(
        cls,
        names: Sequence[str],
        folders: Mapping[str, str],
        split: Split,
        where: Path,
        leave_out: Callable[[str, str], object],
    ) -> Layout:
        below: dict[str, dict[str, str]] = {"train": {}, "test": {}}
        for name in names:
            top, _, rest = name.partition("/")
            which = next((which for which, folder in folders.items() if folder == top), None)
            if which is None:
                leave_out(name, f"in {shown(top)}, beside {' and '.join(map(shown, folders.values()))}")
            else:
                below[which][rest] = name
        common = len(_common_folder([*below["train"], *below["test"]]))
        inner = {which: [rest[common:] for rest in found] for which, found in below.items()}
        labels, classes = label_by_folder(inner["train"], where / folders["train"])
        if split.which == "test":
            labels, classes = _labels_of_test(inner["test"], classes, where / folders["test"])
        return cls(list(below[split.which].values()), labels, classes)

    @classmethod
    def _by_name(cls, names: Sequence[str], split: Split, where: Path) -> Layout:
        labels, classes = label_by_folder(names, where)
        if not split.held_out:
            if split.which == "test":
                raise NothingHeldOut(
                    f"{shown(where)}: holds no images out; set held_out=0.1 in training to hold out a tenth, "
                    "or put the images into folders train and test."
                )
            return cls(list(names), labels, classes)
        common = len(_common_folder(names))
        held_out = np.array([_is_held_out(name[common:], split.held_out) for name in names], dtype=bool)
        if held_out.all() or not held_out.any():
            raise DataError(
                f"{shown(where)}: held_out={split.held_out:g} holds out {held_out.sum()} of {len(names)} images, "
                f"chosen by their names; set a {'smaller' if held_out.all() else 'larger'} share."
            )
        chosen = np.flatnonzero(held_out == (split.which == "test"))
        return cls([names[index] for index in chosen.tolist()], None if labels is None else labels[chosen], classes)


def label_by_folder(names: Sequence[str], where: Path) -> tuple[Labels | None, Classes | None]:
    """Labels and class names from the first folder of each name; None if no image is in a folder.

    Raises:
        DataError: some images are in folders and some are not.
    """
    flat = next((name for name in names if "/" not in name), None)
    nested = next((name for name in names if "/" in name), None)
    if nested is None:
        return None, None
    if flat is not None:
        raise DataError(
            f"{shown(where)}: {shown(flat)} is outside every class folder and {shown(nested)} is inside one; "
            "put every image into a class folder, or none."
        )
    tops = [name.split("/", 1)[0] for name in names]
    classes = sorted(set(tops))
    index = {name: label for label, name in enumerate(classes)}
    return np.array([index[top] for top in tops], dtype=np.int64), tuple(classes)


def without_common_folder(entries: Mapping[str, T]) -> dict[str, T]:
    """Entries by their names without the leading folders that all of them share."""
    common = len(_common_folder(entries))
    return {name[common:]: value for name, value in entries.items()}


def _common_folder(names: Iterable[str]) -> str:
    """The folders that all names begin with, with a `/` at the end; empty if there are none."""
    folders = [name.split("/")[:-1] for name in names]
    shared: list[str] = []
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return "".join(f"{folder}/" for folder in shared)


def _split_folders(names: Iterable[str]) -> dict[str, str] | None:
    """The folders that hold the splits; `None` where an image is in no such folder, or there is only one kind."""
    tops = {name.partition("/")[0] if "/" in name else "" for name in names}
    by_lower = {top.lower(): top for top in tops}
    if not by_lower.keys() <= {folder for folders in FOLDERS.values() for folder in folders}:
        return None
    found = {
        which: next((by_lower[folder] for folder in folders if folder in by_lower), "")
        for which, folders in FOLDERS.items()
    }
    return found if all(found.values()) else None


def _labels_of_test(names: Sequence[str], classes: Classes | None, where: Path) -> tuple[Labels | None, Classes | None]:
    """Labels of the test images among the classes that are trained on."""
    own, own_classes = label_by_folder(names, where)
    if classes is None or own is None or own_classes is None:
        return None, None
    if unknown := [name for name in own_classes if name not in classes]:
        raise DataError(
            f"{shown(where / unknown[0])}: no images of this class are in the training folder; remove it, or add "
            f"images to train on ({', '.join(map(shown, classes[:8]))})."
        )
    return np.array([classes.index(name) for name in own_classes], dtype=np.int64)[own], classes


def _is_held_out(name: str, share: float) -> bool:
    """Whether an image is held out; this depends on its name alone, so that images added later change nothing.

    Names are normalized, since macOS spells accents in another way than a zip may.
    """
    digest = hashlib.blake2b(unicodedata.normalize("NFC", name).encode(errors="surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") < share * 2.0**64
