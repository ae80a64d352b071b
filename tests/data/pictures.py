"""Small image files, folders of them, and what a data source reads of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from gantk_data.images import Folder


def pixels(seed: int, height: int = 6, width: int = 5, channels: int = 3) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(image: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(out, kind, **options)
    return out.getvalue()


def put(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def everything(source: Folder) -> np.ndarray:
    return source.images(np.arange(len(source))).numpy()


def chw(image: np.ndarray) -> np.ndarray:
    return image[None] if image.ndim == 2 else image.transpose(2, 0, 1)


def two_classes(root: Path) -> Path:
    return put(
        root, {f"{c}/{i}.png": encoded(pixels(10 * k + i)) for k, c in enumerate(("cat", "dog")) for i in range(3)}
    )
