"""Arrays as data sets: what people hold is taken where it means one thing, and refused in one line where not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import gantk
from gantk.data import ArraySource, to_float
from gantk.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 3, 10, 12), dtype=np.uint8)
GRAY = PIXELS[:, 0]
LAST = PIXELS.transpose(0, 2, 3, 1)
UNIT = PIXELS / 255
SIGNED = to_float(torch.from_numpy(PIXELS.copy()))

SAME: dict[str, tuple[Any, np.ndarray]] = {
    "array": (PIXELS, PIXELS),
    "array in another order": (np.asfortranarray(PIXELS), PIXELS),
    "read-only array": (np.frombuffer(PIXELS.tobytes(), np.uint8).reshape(PIXELS.shape), PIXELS),
    "reversed array": (PIXELS[::-1], PIXELS[::-1]),
    "tensor": (torch.from_numpy(PIXELS), PIXELS),
    "tensor with a gradient": (SIGNED.clone().requires_grad_(), PIXELS),
    "float64 in [0, 1]": (UNIT, PIXELS),
    "float32 tensor in [-1, 1]": (SIGNED, PIXELS),
    "float16 in [-1, 1]": (np.array([-1, 0, 1], np.float16).reshape(1, 1, 1, 3), np.array([[[[0, 128, 255]]]])),
    "bfloat16": (torch.tensor([-1, 0, 1]).bfloat16().reshape(1, 1, 1, 3), np.array([[[[0, 128, 255]]]])),
    "a hair beyond 1": (np.array([0, 0.5, 1.0001]).reshape(1, 1, 1, 3), np.array([[[[0, 128, 255]]]])),
    "bool": (GRAY > 100, (GRAY > 100)[:, None] * 255),
    "[N, H, W]": (GRAY, GRAY[:, None]),
    "[N, H, W] tensor of floats": (torch.from_numpy(GRAY / 255), GRAY[:, None]),
    "list of arrays": (list(PIXELS), PIXELS),
    "tuple of tensors": (tuple(SIGNED), PIXELS),
    "list of gray arrays": (list(GRAY[:3]), GRAY[:3, None]),
    "list of lists": (UNIT.tolist(), PIXELS),
    "PIL, RGB": ([Image.fromarray(image) for image in LAST], PIXELS),
    "PIL, one bit": ([Image.fromarray(image > 100) for image in GRAY], (GRAY > 100)[:, None] * 255),
    "array of objects": (np.array([*PIXELS, None], object)[:-1], PIXELS),
    "what NumPy can read": (type("Column", (), {"__array__": lambda self, dtype=None, copy=None: PIXELS})(), PIXELS),
    "sparse tensor": (torch.from_numpy(PIXELS).to_sparse(), PIXELS),
    "complex part": (torch.complex(torch.from_numpy(UNIT), torch.from_numpy(-UNIT)).conj().imag, PIXELS),
    "float8": (torch.tensor([-1, 0, 1]).to(torch.float8_e4m3fn).reshape(1, 1, 1, 3), np.array([[[[0, 128, 255]]]])),
    "PIL, gray": ([Image.fromarray(image) for image in GRAY], GRAY[:, None]),
}


@pytest.mark.parametrize("kind", SAME)
def test_what_means_one_thing_is_taken(kind: str) -> None:
    given, expected = SAME[kind]
    source = ArraySource(given)
    assert (len(source), source.image_shape, source.classes) == (len(expected), expected.shape[1:], None)
    np.testing.assert_array_equal(source.images(range(len(source))).numpy(), expected)
    assert source.images([0]).is_contiguous()


def test_channels_last() -> None:
    for given in (LAST, torch.from_numpy(LAST.copy()), list(LAST), LAST / 255):
        source = ArraySource(given, channels_last=True)
        assert source.image_shape == (3, 10, 12)
        np.testing.assert_array_equal(source.images(range(6)).numpy(), PIXELS)


def test_gray_images_are_no_matter_where_channels_stand() -> None:
    gray = PIXELS[:, 0]
    assert ArraySource(gray, channels_last=True).image_shape == (1, 10, 12)
    assert torch.equal(ArraySource(gray, channels_last=True).images([3]), ArraySource(gray).images([3]))


def test_uint8_is_not_copied() -> None:
    assert np.shares_memory(ArraySource(PIXELS)._images, PIXELS)
    assert np.shares_memory(ArraySource(LAST, channels_last=True)._images, LAST)


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "channels last": (LAST, {}, r"\[6, 10, 12, 3\] looks like \[N, H, W, C\].*; pass channels_last=True\."),
    "floats, channels last": (LAST / 255, {}, r"pass channels_last=True\."),
    "a list, channels last": (list(LAST), {}, r"pass channels_last=True\."),
    "channels first, said to be last": (PIXELS, {"channels_last": True}, r"omit channels_last=True\."),
    "one picture": (PIXELS[0], {}, r"\[3, 10, 12\] can be one image or 3 gray ones; .*images\[None\]"),
    "one picture, channels last": (LAST[0], {}, r"\[10, 12, 3\] can be one image"),
    "features": (np.zeros((5, 7), np.uint8), {}, r"not \[5, 7\]; these are points or features, not images\."),
    "video": (np.zeros((5, 7, 3, 8, 8), np.uint8), {}, r"images are \[N, C, H, W\] or \[N, H, W\], not"),
    "none": (PIXELS[:0], {}, r"shape \[0, 3, 10, 12\] contains no images"),
    "empty list": ([], {}, "the list of images is empty"),
    "int64": (PIXELS.astype(np.int64), {}, "not int64; scale them"),
    "uint16": (PIXELS.astype(np.uint16), {}, "not uint16"),
    "floats of bytes": (PIXELS.astype(np.float32), {}, r"\[0, 1\] or \[-1, 1\], not in \[0, 255\]; scale them\."),
    "NaN": (np.full((2, 1, 4, 4), np.nan), {}, "contain NaN or infinite values"),
    "a NaN": (np.where(np.arange(6)[:, None, None, None] == 3, np.nan, UNIT), {}, "contain NaN or infinite values"),
    "huge": (np.full((2, 1, 4, 4), 1e300), {}, r"not in \[1e\+300, 1e\+300\]; scale them"),
    "infinite": (np.full((2, 1, 4, 4), np.inf), {}, "contain NaN or infinite values"),
    "objects": (np.array([[[["a"]]]], dtype=object), {}, r"not object\.$"),
    "complex": (PIXELS.astype(np.complex64), {}, r"not complex64\.$"),
    "text": (np.array([[[["a"]]]]), {}, r"not <U1\.$"),
    "no values": (torch.empty(2, 3, 8, 8, device="meta"), {}, "a tensor of torch.float32 on meta"),
    "names": (["a.png", "b.png"], {}, "image 0: 'a.png'; expected an image"),
    "named files": (["a.png", "b.png"], {}, r"; use data=\{'plugin': 'files', 'path': "),
    "pairs": ([(PIXELS[0], 1)] * 3, {}, r"image 0: an image with its label; give \(images, labels\)"),
    "numbers": ([1, 2, 3], {}, "image 0: 1; expected an image"),
    "one PIL image": (Image.new("RGB", (4, 4)), {}, r"one PIL image; expected a list of images, such as \[image\]"),
    "PIL, 16 bits": ([Image.new("I;16", (4, 4))], {}, r"mode I;16; scale it to \[0, 1\] in NumPy"),
    "PIL, transparent": ([Image.new("LA", (4, 4))], {}, r"mode LA; convert it with image\.convert\('RGBA'\)"),
    "a path": ("photos", {}, "a list of images, not str"),
    "sizes": ([PIXELS[0], PIXELS[1][:, :5]], {}, r"image 1 is uint8 \[3, 5, 12\], but image 0 is uint8 \[3, 10, 12\]"),
    "PIL modes": ([Image.new("RGB", (4, 4)), Image.new("L", (4, 4))], {}, "image 1 is .* convert all images to one"),
    "PIL palette": ([Image.new("P", (4, 4))], {}, r"image 0: a PIL image of mode P; convert it with image\.convert"),
    "ragged": ([[[1.0, 2.0], [3.0]]], {}, "image 0: its rows differ in length"),
    "labels of another length": (PIXELS, {"labels": [0, 1]}, "6 images have 2 labels"),
    "labels beyond the classes": (PIXELS, {"labels": [0] * 5 + [2], "classes": ("a", "b")}, "0…2 do not fit 2 classes"),
    "negative labels": (PIXELS, {"labels": [-1] * 6}, "a label is -1; class indices start at 0"),
    "identifiers as labels": (PIXELS, {"labels": [10**9] * 6}, "a label is 1000000000; number the classes 0, 1, 2, …"),
    "labels beyond int64": (
        PIXELS,
        {"labels": np.full(6, 2**64 - 1, np.uint64)},
        "a label is 18446744073709551615",
    ),
    "text as labels": (
        PIXELS,
        {"labels": list("abcabc")},
        r"labels are whole numbers .*, not text",
    ),
    "objects as labels": (PIXELS, {"labels": np.array([None] * 6)}, r"not object \[6\]"),
    "huge labels": (PIXELS, {"labels": np.full((6, 2), 1e300)}, r"labels contain 1e\+300, too large for float32"),
    "ragged labels": (PIXELS, {"labels": [[1], [2, 3], 1, 1, 1, 1]}, "the labels differ in length"),
    "labels of three dimensions": (
        PIXELS,
        {"labels": np.zeros((6, 2, 2))},
        r"class indices \[N\] or vectors \[N, dim\]",
    ),
    "one-hot labels with classes": (
        PIXELS,
        {"labels": np.eye(6), "classes": "abcdef"},
        r"class indices \[N\] or vectors",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_the_rest_is_refused_in_one_line(kind: str) -> None:
    images, options, message = REFUSED[kind]
    with pytest.raises(DataError, match=message) as refused:
        ArraySource(images, name="mine", **options)
    assert str(refused.value).startswith("mine: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("labels", [[0, 1, 2, 0, 1, 2], np.arange(6, dtype=np.uint8) % 3, torch.arange(6) % 3])
def test_labels_in_any_form(labels: Any) -> None:
    source = ArraySource(PIXELS, labels)
    assert source.classes == ("0", "1", "2")
    assert source.labels([5, 0]).tolist() == [2, 0]
    assert source.labels([0]).dtype == torch.int64
    assert ArraySource(PIXELS, labels, ("a", "b", "c", "d")).classes == ("a", "b", "c", "d")


def test_more_channels_than_a_picture_has_are_told_of_at_build() -> None:
    parts = {"generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}
    model = gantk.build(data=ArraySource(np.zeros((4, 7, 8, 8), np.uint8)), **parts)
    assert any("images have 7 channels, and a picture has 1 to 4" in note for note in model.built.notes)
    model = gantk.build(data=ArraySource(np.zeros((4, 4, 8, 8), np.uint8)), **parts)
    assert not any("channels" in note for note in model.built.notes)
