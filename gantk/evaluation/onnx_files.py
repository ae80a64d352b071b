"""Images of a generator in an ONNX file, of any program."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gantk.data import ArraySource, DataSource, mapped_temporary
from gantk.errors import DataError, OptionError, UsageError, briefly, nearest
from gantk.files import place, read_whole
from gantk.seeds import rng_for
from gantk.written import parse_part

__all__ = ["is_onnx_file", "onnx_path", "onnx_source"]

BATCH, CHANNELS, SUFFIX = 32, 4, ".onnx"
LARGEST = 1 << 31
"""Bytes of a file, at most."""

DRAWN = {
    "gaussian": lambda rng, shape: torch.randn(shape, generator=rng),
    "uniform": lambda rng, shape: torch.rand(shape, generator=rng) * 2 - 1,
}
"""Name of a distribution → draws noise."""


def is_onnx_file(data: Any) -> bool:
    """Whether data is named by the path of an ONNX file that is there, with options or without."""
    return isinstance(data, (str, os.PathLike)) and bool(_split(data)[0]) and onnx_path(data).is_file()


def onnx_path(data: str | os.PathLike[str]) -> Path:
    """The file that data is named by."""
    return place(_split(data)[0])


def _split(data: str | os.PathLike[str]) -> tuple[str, str]:
    """The file, and its options; nothing for other data."""
    head, suffix, rest = os.fspath(data).partition(SUFFIX)
    return (head + suffix, rest) if suffix and rest[:1] in ("", ":") else ("", "")


def onnx_source(data: str | os.PathLike[str], n: int) -> DataSource:
    """Images that the generator in an ONNX file draws, computed by ONNX Runtime on the CPU.

    The graph has one input, noise `[N, dim]` or `[N, dim, 1, 1]`, and one output, images `[N, C, H, W]` in [-1, 1], or
    in [0, 1] if none is negative.

    Args:
        data: the file; options follow as in `generator.onnx:noise=uniform,seed=1`. Noise is gaussian (standard normal)
            or uniform in [-1, 1].
        n: number of images.

    Raises:
        UsageError: ONNX Runtime is not installed, or an option is wrong.
        DataError: the file is no such generator.
    """
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise UsageError(f"an ONNX file needs onnxruntime ({briefly(error)}): pip install 'gantk[onnx]'.") from error
    path = onnx_path(data)
    draw, seed = _options(_split(data)[1])
    try:
        session = onnxruntime.InferenceSession(read_whole(path, LARGEST), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has an error of its own for everything
        raise DataError(f"{path}: not an ONNX file, or one that cannot be run ({briefly(error)}).") from error
    given, made = session.get_inputs(), session.get_outputs()
    shape = list(given[0].shape[1:]) if len(given) == 1 else []
    known = all(isinstance(size, int) and size > 0 for size in shape)
    if len(made) != 1 or not shape or not known or any(size != 1 for size in shape[1:]) or "float" not in given[0].type:
        inputs = ", ".join(f"{each.name} {list(each.shape)} of {each.type}" for each in given)
        raise DataError(
            f"{path}: expected one input, noise [N, dim] or [N, dim, 1, 1], and one output; it has the inputs {inputs} "
            f"and {len(made)} outputs. Of a conditional one, evaluate a folder of its images."
        )

    batch = given[0].shape[0] if isinstance(given[0].shape[0], int) else BATCH

    def images(number: int) -> npt.NDArray[np.float32]:
        noise = draw(rng_for(seed, "onnx", number), (batch, *shape)).numpy()
        try:
            (found,) = session.run(None, {given[0].name: noise})
        except Exception as error:
            raise DataError(f"{path}: cannot be run on noise {list(noise.shape)} ({briefly(error)}).") from error
        found = np.asarray(found)
        right = found.ndim == 4 and len(found) == batch and 1 <= found.shape[1] <= CHANNELS
        if not right or not np.isfinite(found).all():
            wanted = f"[{batch}, channels, height, width]"
            raise DataError(f"{path}: expected finite images {wanted}, got {list(found.shape)}.")
        return found.astype(np.float32, copy=False)

    first = images(0)
    low = -1.0 if first.min() < -1e-3 else 0.0
    try:
        array = mapped_temporary(np.uint8, (n, *first.shape[1:]))
    except OSError as error:
        raise DataError(f"{path}: there is no space for {n:,} images ({error.strerror}).") from error
    for number, start in enumerate(range(0, n, batch)):
        scaled = (images(number) - low) * (255.0 / (1.0 - low))
        array[start : start + batch] = np.rint(scaled).clip(0, 255).astype(np.uint8)[: n - start]
    return ArraySource(array, name=str(path))


def _options(text: str) -> tuple[Any, int]:
    given: Mapping[str, str] = parse_part(f"onnx{text}")[1]
    for name in given:
        if name not in ("noise", "seed"):
            raise OptionError(f"an ONNX file has no option '{name}'.{nearest(name, ('noise', 'seed'))}")
    noise, seed = given.get("noise", "gaussian"), given.get("seed", "0")
    if noise not in DRAWN:
        raise OptionError(f"noise={noise}: expected {' or '.join(DRAWN)}.")
    if not seed.isdecimal():
        raise OptionError(f"seed={seed}: expected a whole number.")
    return DRAWN[noise], int(seed)
