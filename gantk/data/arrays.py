"""Convert images in arrays, tensors, lists or PIL images to uint8 `[N, C, H, W]`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from gantk.errors import DataError

__all__ = ["array_of_tensor", "image_array"]

MOST = 4
"""Maximum number of channels: gray, gray with alpha, RGB, RGB with alpha."""

CHUNK = 1 << 10
"""Number of images converted at a time."""

BEYOND = 1e-3
"""Tolerance of the value range: resizing may overshoot it."""

MODES = ("1", "L", "RGB", "RGBA")
"""Modes of PIL images that need no conversion."""

DEEP_MODES = ("F", "I", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes of PIL images whose values Pillow would clip, not scale, to bytes."""


def image_array(images: Any, channels_last: bool, name: str) -> npt.NDArray[np.uint8]:
    """Images as uint8 `[N, C, H, W]`; arrays that already have this form are not copied.

    Args:
        images: as accepted by `gantk.data.ArraySource`.
        channels_last: whether they are `[N, H, W, C]`.
        name: name of the data set in errors.

    Raises:
        DataError: they are not images, or are ambiguous; the message says how to resolve it.
    """
    array = _as_array(images, name)
    if 0 in array.shape:
        raise DataError(f"{name}: an array of shape {list(array.shape)} contains no images.")
    if array.ndim == 3:
        array = _one_channel(array, channels_last, name)
    elif array.ndim != 4:
        few = "; these are points or features, not images" if array.ndim == 2 else ""
        raise DataError(f"{name}: images are [N, C, H, W] or [N, H, W], not {list(array.shape)}{few}.")
    else:
        _check_order(array.shape, channels_last, name)
        array = array.transpose(0, 3, 1, 2) if channels_last else array
    return array if array.dtype == np.uint8 else _to_bytes(array, name)


def _as_array(images: Any, name: str) -> npt.NDArray[Any]:
    if isinstance(images, Image.Image):
        raise DataError(f"{name}: one PIL image; expected a list of images, such as [image].")
    if isinstance(images, Tensor):
        return array_of_tensor(images, name)
    if hasattr(images, "__array__"):
        array: npt.NDArray[Any] = np.asanyarray(images)  # a memory map stays one
        if array.dtype != object or array.ndim != 1:
            return array
        images = list(array)
    elif not isinstance(images, (list, tuple)):
        raise DataError(f"{name}: images are an array, a tensor or a list of images, not {type(images).__name__}.")
    each = [_of_picture(image, f"{name}: image {index}") for index, image in enumerate(images)]
    each = [image[None] if image.ndim == 2 else image for image in each]
    if not each:
        raise DataError(f"{name}: the list of images is empty.")
    for index, image in enumerate(each):
        if (image.shape, image.dtype) != (each[0].shape, each[0].dtype):
            raise DataError(
                f"{name}: image {index} is {image.dtype} {list(image.shape)}, but image 0 is {each[0].dtype} "
                f"{list(each[0].shape)}; convert all images to one size and type."
            )
    return np.stack(each)


def array_of_tensor(tensor: Tensor, title: str) -> npt.NDArray[Any]:
    """A tensor's values as an array, of any device and layout; `title` names it in errors."""
    plain = (torch.float16, torch.float32, torch.float64)
    try:
        tensor = tensor.detach().cpu().to_dense().resolve_conj().resolve_neg()
        wide = tensor.is_floating_point() and tensor.dtype not in plain
        found: npt.NDArray[Any] = (tensor.float() if wide else tensor).numpy()
    except (RuntimeError, TypeError) as error:  # quantized, or without values
        raise DataError(f"{title}: a tensor of {tensor.dtype} on {tensor.device} without plain values.") from error
    return found


def _of_picture(image: Any, title: str) -> npt.NDArray[Any]:
    """One image of a list; a PIL image as `[C, H, W]`."""
    if isinstance(image, Image.Image):
        return _of_pil(image, title)
    if isinstance(image, (str, os.PathLike)):
        mend = "use data={'plugin': 'files', 'path': [...]} for files"
        raise DataError(f"{title}: {str(image)!r:.80}; expected an image; {mend}.")
    pair = isinstance(image, (tuple, list)) and len(image) == 2 and hasattr(image[0], "__array__")
    if pair and np.ndim(image[0]) >= 2 and np.ndim(image[1]) < 2:
        raise DataError(f"{title}: an image with its label; give (images, labels), a list of each.")
    try:
        found = array_of_tensor(image, title) if isinstance(image, Tensor) else np.asarray(image)
    except ValueError as error:
        raise DataError(f"{title}: its rows differ in length; expected an image.") from error
    if found.ndim == 0:
        raise DataError(f"{title}: {image!r:.60}; expected an image.")
    return found


def _of_pil(image: Image.Image, title: str) -> npt.NDArray[Any]:
    if image.mode in DEEP_MODES:
        raise DataError(f"{title}: a PIL image of mode {image.mode}; scale it to [0, 1] in NumPy and pass the array.")
    if image.mode not in MODES:
        mode = "RGBA" if image.has_transparency_data else "RGB"
        raise DataError(f"{title}: a PIL image of mode {image.mode}; convert it with image.convert('{mode}').")
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _one_channel(array: npt.NDArray[Any], channels_last: bool, name: str) -> npt.NDArray[Any]:
    """`[N, H, W]` as `[N, 1, H, W]`, unless it could also be one image with channels."""
    first, middle, last = array.shape
    colors_last = last in (3, 4) or (channels_last and last <= MOST)
    if middle > MOST and (colors_last or (first in (3, 4) and last > MOST)):
        raise DataError(
            f"{name}: {list(array.shape)} can be one image or {first} gray ones; pass images[None] for one image, "
            "images[:, None] for gray ones."
        )
    return array[:, None]


def _check_order(shape: tuple[int, ...], channels_last: bool, name: str) -> None:
    first, last = shape[1] <= MOST, shape[3] <= MOST
    if channels_last and first and not last:
        raise DataError(f"{name}: {list(shape)} looks like [N, C, H, W]; omit channels_last=True.")
    if not channels_last and last and not first:
        raise DataError(
            f"{name}: {list(shape)} looks like [N, H, W, C], but expected [N, C, H, W]; pass channels_last=True."
        )


def _to_bytes(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    """Values of another type as 0…255, if their range is unambiguous."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind != "f":
        mend = "; scale them to 0…255 and use images.astype('uint8')" if array.dtype.kind in "iu" else ""
        raise DataError(f"{name}: images are uint8 0…255 or float in [0, 1] or [-1, 1], not {array.dtype}{mend}.")
    chunks = [array[at : at + CHUNK] for at in range(0, len(array), CHUNK)]
    low, high = float(np.min([chunk.min() for chunk in chunks])), float(np.max([chunk.max() for chunk in chunks]))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{name}: the images contain NaN or infinite values; remove those images.")
    if low < -1 - BEYOND or high > 1 + BEYOND:
        raise DataError(f"{name}: float images are in [0, 1] or [-1, 1], not in [{low:g}, {high:g}]; scale them.")
    offset, factor = (0.0, 255.0) if low >= -BEYOND else (1.0, 127.5)
    found = np.empty(array.shape, dtype=np.uint8)
    for index, chunk in enumerate(chunks):
        values = np.rint((chunk.astype(np.float32) + np.float32(offset)) * np.float32(factor))
        found[index * CHUNK :][: len(chunk)] = values.clip(0, 255)
    return found
