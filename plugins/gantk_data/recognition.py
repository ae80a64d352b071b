"""Recognize image files of a folder or zip by content or suffix."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

__all__ = ["HEAD", "NOT_IMAGES", "has_image_suffix", "is_hidden", "is_litter", "looks_like_image"]

HEAD = 64
"""Number of bytes at the start of a file that identify its format."""

NOT_IMAGES = "not PNG, JPEG, BMP, WebP, GIF, TIFF or PPM"
"""Why a file that is not an image is left out."""

SUFFIXES = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .jif .bmp .dib .webp .gif .tif .tiff .ppm .pgm .pbm .pnm".split()  # noqa: SIM905
)
"""Suffixes of images: such a file with other content is damaged."""

LITTER = frozenset(
    {
        *("__macosx", "@eadir", "#recycle", "@recycle", "#snapshot", "$recycle.bin", "recycler", "lost+found"),
        *("system volume information", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"),
    }
)
"""Files and folders created by macOS, Windows, Linux and network drives, in lower case."""

_SIGNATURES = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II[*+]\x00|MM\x00[*+]"
    rb"|BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00"
    rb"|P[1-6]\s(?:#[^\n]*\n|\s)*\d+\s",
    re.DOTALL,
)
"""Signatures of the supported formats; BMP with the size of its second header, PPM with its width."""


def is_litter(parts: Sequence[str]) -> bool:
    """Whether a path is, or is inside, a file or folder of the operating system: `Thumbs.db`, `@eaDir`, `._x`."""
    return any(part.lower() in LITTER or part.startswith("._") or part == ".DS_Store" for part in parts)


def is_hidden(parts: Sequence[str]) -> bool:
    """Whether a path or a folder on it begins with a dot."""
    return any(part.startswith(".") for part in parts)


def has_image_suffix(name: str) -> bool:
    """Whether a file's suffix is an image's."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def looks_like_image(head: bytes) -> bool:
    """Whether a file that starts with these bytes is of a supported format."""
    return _SIGNATURES.match(head) is not None
