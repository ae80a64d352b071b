"""Images in tar files as a data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from gantk.parts import require
from gantk_data.images import ImageFiles, decoding_of
from gantk_data.layout import Split
from gantk_data.listing import Skips
from gantk_data.reading import absolute
from gantk_data.sources import local_shards, remote_shards
from gantk_data.tars import TarFiles

__all__ = ["Tar"]


class Tar(ImageFiles):
    """Images in tar files, such as shards of webdataset, read by index without extracting them.

    The headers are read when it is opened, so that the order of images, and a resume, is exact. An image's class is the
    number in the file beside it that ends in .cls, else its folder. Everything else is as for `folder`.
    Compressed tars raise an error, since they cannot be read by index, as do two images of the same name.

    Args:
        path: a tar file, a folder of them, or a pattern such as shards/train-{000..127}.tar or shards/*.tar.
        url: in place of a path, a URL that fsspec reads, such as s3://bucket/train-{000..127}.tar; needs download=true
            and the package of its file system, such as s3fs.
        download: allow that images are read from the network.
        size: side length in pixels, or [height, width]; without it, all images must have the same size.
        crop: with size: 'center' resizes the shorter side and crops the center; 'none' stretches.
        color: color mode to convert images to; 'keep' keeps gray, RGB or RGBA, which must be the same for all images.
        skip: skip files that cannot be used and count them (`skipped`) instead of raising an error.
        split: the images to train on, or those held out from training.
        held_out: share of the images to hold out, such as 0.1; at least 0 and less than 1.
        labels: a .npy file with a row for each image, in the order of their paths, in place of classes: class indices
            [N], or vectors [N, dim] such as attributes or embeddings. A row for each image of all splits.
        cache: decode all images once, into memory or a file; false decodes the images of a batch when they are read,
            which needs neither, and more time.
    """

    held_out: ClassVar[Mapping[str, Any]] = {"split": "test"}

    def __init__(
        self,
        *,
        path: Path | None = None,
        url: str = "",
        download: bool = False,
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
        if path is not None and not url:
            shards, where = local_shards(absolute(path)), absolute(path)
        else:
            require(path is None and bool(url), "give either path, or url.")
            require(download, f"url={url} is read from the network, which needs download=true.")
            shards, where = remote_shards(url), Path(url)
        files = TarFiles(shards, where, skips)
        super().__init__(files, decoding_of(size, crop, color), skips, Split(split, held_out), labels, cache)
