"""Digests of data sets, for detecting changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gantk.data.source import DataSource

__all__ = ["content_of", "difference_of_counts", "difference_of_data", "digest", "is_content"]

WHOLE = 1 << 30
"""Maximum number of bytes up to which the digest covers all of them."""

PIECE = 1 << 12
"""Number of bytes from the middle of each image that the digest covers in larger data sets."""

MOST = 1 << 12
"""Maximum number of images, spread evenly, that the digest covers in a source without an array, which may be slow."""

CHUNK = 1 << 8


def digest(images: np.ndarray[Any, Any]) -> str:
    """A digest of uint8 images `[N, …]`: of all bytes up to a gigabyte, else of 4 KB from the middle of each image."""
    found = hashlib.blake2b(repr(images.shape).encode(), digest_size=16)
    for at in range(0, len(images), CHUNK):
        chunk = images[at : at + CHUNK].reshape(len(images[at : at + CHUNK]), -1)
        if images.nbytes > WHOLE:
            middle = max(0, chunk.shape[1] // 2 - PIECE // 2)
            chunk = chunk[:, middle : middle + PIECE]
        found.update(chunk.tobytes())
    return found.hexdigest()


def sampled_digest(source: DataSource) -> str:
    """A digest of up to 4,096 images of any source; empty if reading an image twice gives different results."""
    indices = np.unique(np.linspace(0, len(source) - 1, min(len(source), MOST)).astype(np.int64))
    few = indices[:: max(1, len(indices) // 4)]
    if not source.images(few).equal(source.images(few)):
        return ""
    found = hashlib.blake2b(digest_size=16)
    for at in range(0, len(indices), CHUNK):
        found.update(source.images(indices[at : at + CHUNK]).numpy().tobytes())
    return found.hexdigest()


def content_of(source: DataSource) -> dict[str, Any]:
    """Number, shape, classes and digests of a source's images and labels, as plain data."""
    labels = source.labels(range(len(source))) if source.classes else None
    marks = "" if labels is None else hashlib.blake2b(labels.numpy().tobytes(), digest_size=16).hexdigest()
    return {
        "images": len(source),
        "image_shape": list(source.image_shape),
        "classes": list(source.classes or ()),
        "labels": marks,
        "content": source.digest(),
    }


def difference_of_data(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe how the data has changed; empty if it has not."""
    found = []
    if before["images"] != now["images"]:
        found.append(difference_of_counts(before["images"], now["images"]))
    elif before["content"] and now["content"] and before["content"] != now["content"]:
        found.append(_not_the_same(now["images"]))
    if before["image_shape"] != now["image_shape"]:
        found.append(f"images were {before['image_shape']} and are now {now['image_shape']}")
    if before["classes"] != now["classes"]:
        found.append(f"the classes were {_some(before['classes'])} and are now {_some(now['classes'])}")
    elif before["labels"] != now["labels"] and before["images"] == now["images"]:
        found.append("the labels have changed")
    return "; ".join(found)


def _not_the_same(count: int) -> str:
    if count == 1:
        return "there is still 1 image, but its content has changed"
    return f"there are still {count:,} images, but their content has changed"


def difference_of_counts(before: int, now: int) -> str:
    """`there were 10 images and now there are 11`."""
    were = "there was 1 image" if before == 1 else f"there were {before:,} images"
    return f"{were} and now there {'is' if now == 1 else 'are'} {now:,}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:6]) or "none"
    return f"{shown}, …" if len(names) > 6 else shown


def is_content(found: Mapping[str, Any]) -> bool:
    """Whether plain data is what `content_of` makes."""
    shape, classes = found.get("image_shape"), found.get("classes")
    return (
        type(found.get("images")) is int
        and isinstance(shape, list)
        and isinstance(classes, list)
        and all(isinstance(name, str) for name in classes)
        and all(isinstance(found.get(name), str) for name in ("labels", "content"))
    )
