"""Images as people have them in Python are data: arrays, lists, torch data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk.data import DatasetSource, as_source
from gantk.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 3, 16, 18), dtype=np.uint8)
PICTURES = [Image.fromarray(image) for image in PIXELS.transpose(0, 2, 3, 1)]
LABELS = np.arange(12) % 3


class Pictures(Dataset[Any]):
    """PIL images with labels and names of classes, as torchvision's data sets."""

    classes = ("cat", "dog", "owl", "rat")

    def __len__(self) -> int:
        return len(PICTURES)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return PICTURES[index], int(LABELS[index])


class Rows:
    """Dictionaries, as Hugging Face's data sets."""

    def __len__(self) -> int:
        return len(PICTURES)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"image": PICTURES[index], "label": int(LABELS[index])}


FLOATS = torch.from_numpy(PIXELS).float() / 255
WITHOUT = {
    "array": PIXELS,
    "channels last": PIXELS.transpose(0, 2, 3, 1),
    "tensor": torch.from_numpy(PIXELS),
    "floats": FLOATS,
    "list": list(PIXELS),
    "PIL images": PICTURES,
    "data set": TensorDataset(FLOATS),
    "data set of [-1, 1]": TensorDataset(FLOATS * 2 - 1),
    "data set of bytes": TensorDataset(torch.from_numpy(PIXELS)),
}
WITH = {
    "arrays": (PIXELS, LABELS),
    "tensors": (torch.from_numpy(PIXELS), torch.from_numpy(LABELS)),
    "lists": (PICTURES, LABELS.tolist()),
    "data set": TensorDataset(FLOATS, torch.from_numpy(LABELS)),
    "data set of PIL images": Pictures(),
    "dictionaries": Rows(),
}


@pytest.mark.parametrize("data", [*WITHOUT.values(), *WITH.values()], ids=[*WITHOUT, *(f"{k}, labels" for k in WITH)])
def test_images_are_the_same_however_they_are_given(data: Any) -> None:
    source = as_source(data)
    assert source is not None
    assert (len(source), source.image_shape) == (12, (3, 16, 18))
    assert np.array_equal(source.images([3, 0]).numpy(), PIXELS[[3, 0]])


@pytest.mark.parametrize("data", WITH.values(), ids=WITH)
def test_labels_come_along(data: Any) -> None:
    source = as_source(data)
    assert source is not None
    labels = source.labels([3, 1])
    assert labels is not None
    assert labels.tolist() == [0, 1]
    assert source.classes == (Pictures.classes if isinstance(data, Pictures) else ("0", "1", "2"))


def test_vectors_are_labels_too() -> None:
    source = as_source(TensorDataset(FLOATS, torch.arange(24.0).view(12, 2)))
    assert source is not None
    assert (source.classes, source.label_dim) == (None, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [PIXELS, FLOATS, PICTURES, TensorDataset(FLOATS), WITH["data set of PIL images"]],
    ids=lambda data: type(data).__name__,
)
def test_such_data_are_trained_on_and_handed_over_again(data: Any, tmp_path: Path) -> None:
    small = {"noise": "gaussian:dim=6", "generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
    condition = {"condition": "class"} if isinstance(data, Pictures) else {}
    model = gantk.build(data=data, settings=SHORT, **small, **condition)
    source = as_source(data)
    assert source is not None
    goes_the_whole_way(model, source, tmp_path)
    again = gantk.load(tmp_path / "whole", data=data)
    assert torch.equal(again.sample(2, seed=1), model.sample(2, seed=1))


def test_random_transforms_stay_random_and_follow_from_the_seed() -> None:
    class Flipped(Pictures):
        def __getitem__(self, index: int) -> tuple[Image.Image, int]:
            image, label = super().__getitem__(index)
            return (image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if torch.rand(()) < 0.5 else image), label

    source = DatasetSource(Flipped())
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(source.images(range(12)))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Any:
        yield PIXELS[0]


class Torn(Pictures):
    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        raise OSError("no such picture")


class Growing(Pictures):
    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.new("RGB", (8 + index, 8)), 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (DataLoader(Pictures()), "pass loader.dataset"),
        (Endless(), "an IterableDataset has no length"),
        (Torn(), "data set Torn: item 0: OSError: no such picture"),
        (Growing(), r"item 1: its shape is \[3, 8, 9\], but that of item 0 is \[3, 8, 8\]; resize all"),
        (TensorDataset(FLOATS * 255), r"its values are in \[0, 255\]; float images"),
        (TensorDataset(torch.zeros(4, 9)), r"an image is \[C, H, W\] or \[H, W\], not \[9\]"),
        (TensorDataset(torch.zeros(0, 1, 8, 8)), "it is empty"),
        ([{"picture": PIXELS[0]}], "data"),
        ({"images": PIXELS}, r"a dictionary; pass its images, or \(images, labels\)"),
        ("digits", r"'digits' is a name, not images: use gantk\.construct"),
        (3, "images are an array, a tensor or a list of images, not int"),
    ],
)
def test_what_is_no_data_is_named(data: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        as_source(data)
