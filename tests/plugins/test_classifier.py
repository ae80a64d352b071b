"""The classifier learns a data set's classes once, and is found again by what it learned from."""

from __future__ import annotations

import inspect
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import gantk
from gantk.construct import construct
from gantk.data import ArraySource, to_float
from gantk.errors import FitError, OptionError, WorkError
from gantk_metrics.classifier import extractor, training
from gantk_metrics.classifier.extractor import Classifier

SHAPE = (1, 12, 10)


def stripes(count: int, channels: int = 1, seed: int = 0, classes: int = 3) -> ArraySource:
    """Noisy images with a bright stripe at the top, in the middle or at the bottom."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = rng.integers(0, 120, (count, channels, *SHAPE[1:]))
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4] += 100
    return ArraySource(images.astype(np.uint8), labels, ("top", "middle", "bottom")[:classes])


def made(data: gantk.DataSource | str | None = None, shape: tuple[int, int, int] = SHAPE, **options: int) -> Classifier:
    return Classifier(shape, data=data or stripes(300), **{"width": 4, "epochs": 6, **options})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An entry per classifier that is trained: how many images it learns from."""
    found: list[int] = []
    train = training.trained

    def counted(examples: training.Examples, *rest: object) -> object:
        found.append(len(examples))
        return train(examples, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "trained", counted)
    return found


def test_it_tells_the_classes_of_images_that_it_has_not_seen(capsys: pytest.CaptureFixture[str]) -> None:
    extractor, others = made(epochs=20), stripes(90, seed=1)
    features = extractor(to_float(others.images(range(90))))
    probabilities = extractor.classify(features)
    assert features.shape == (90, extractor.dim) == (90, 16)
    assert torch.equal(probabilities.argmax(1), torch.arange(90) % 3)
    assert probabilities.max(1).values.mean() > 0.8
    assert extractor.test_error == 0
    assert extractor.held_out == "30 images (a tenth of the data)"
    said = capsys.readouterr().err
    assert "training a classifier on ArraySource, on 270 images" in said, "there is no terminal to show a bar on"
    assert re.search(r"270 images, once: about \d+ min", said)
    assert "test error 0.00% on 30 held-out images" in said


def test_it_is_trained_once_for_the_same_images_classes_and_options(trainings: list[int]) -> None:
    first, again = made(), made(stripes(300))
    assert trainings == [270]
    assert again.fingerprint() == first.fingerprint()
    assert again.test_error == first.test_error
    other = stripes(300)
    labels = other.labels(range(300))
    assert labels is not None
    images = other.images(range(300))
    seen = {first.fingerprint()}
    for data in (ArraySource(images, labels.flip(0)), ArraySource(255 - images, labels), stripes(299)):
        seen.add(made(data).fingerprint())
    for options in ({"seed": 1}, {"epochs": 7}, {"width": 5}, {"flip": True}, {"size": 8}):
        seen.add(made(**options).fingerprint())
    assert len(trainings) == len(seen) == 9


def test_training_follows_from_its_seed_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        monkeypatch.setenv("GANTK_CACHE", str(tmp_path / name))
        torch.manual_seed(len(found))
        state = torch.get_rng_state()
        with torch.no_grad():
            found.append(made().fingerprint())
        assert torch.equal(torch.get_rng_state(), state), "training drew from the global random number generator"
    assert found[0] == found[1]


def test_of_several_that_want_the_same_one_trains(trainings: list[int], cache: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: made().fingerprint(), range(3)))
    assert trainings == [270]
    assert len(set(found)) == 1
    assert [path.suffix for path in (cache / "classifiers").iterdir() if path.suffix != ".lock"] == [".safetensors"]


def test_a_damaged_file_is_made_again(trainings: list[int], cache: Path) -> None:
    first = made()
    (path,) = (cache / "classifiers").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-10])
    assert made().fingerprint() == first.fingerprint()
    assert made().fingerprint() == first.fingerprint()
    assert len(trainings) == 2


def test_a_training_that_is_stopped_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "trained", stopped)
    with pytest.raises(KeyboardInterrupt):
        made()
    assert not list((cache / "classifiers").glob("*.safetensors"))


class Parted(gantk.DataSource):
    """Stripes, of which a part is for tests."""

    held_out = {"part": "test"}  # noqa: RUF012
    renamed = {}  # noqa: RUF012

    def __init__(self, part: str = "train") -> None:
        self._source = stripes(90 if part == "train" else 30, seed=len(part))
        self.image_shape, self.classes = self._source.image_shape, self._source.classes

    def __len__(self) -> int:
        return len(self._source)

    def images(self, indices: object) -> Tensor:
        return self._source.images(indices)  # type: ignore[arg-type]

    def labels(self, indices: object) -> Tensor | None:
        return self._source.labels(indices)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "learned", "tested"),
    [
        ("parted", 90, "30 images (part=test)"),
        ("parted:part=train", 90, "30 images (part=test)"),
        ("parted:part='test'", 27, "3 images (a tenth of the data)"),
    ],
)
def test_it_is_tested_on_what_the_data_set_holds_out(
    data: str, learned: int, tested: str, trainings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gantk.register("data", Parted, name="parted")
    quoted = data.replace("'", '"')
    extractor = construct("extractor", f"classifier:data='{quoted}',width=4,epochs=1", image_shape=SHAPE)
    assert extractor.held_out == tested
    assert trainings == [learned]


def test_images_of_other_sizes_and_channels_are_converted() -> None:
    gray, color = made(epochs=2), made(stripes(60, channels=3), epochs=2)
    images = to_float(stripes(6).images(range(6)))
    with torch.no_grad():
        assert torch.allclose(gray(images.expand(-1, 3, -1, -1)), gray(images), atol=1e-5)
        doubled = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
        assert (gray(doubled) - gray(images)).abs().mean() < 0.3 * gray(images).abs().mean()
        assert torch.allclose(color(images), color(images.expand(-1, 3, -1, -1)))
    assert gray.resize == "none"
    assert made(epochs=2, shape=(3, 24, 20)).resize == "luma, bilinear to 12x10, antialias"
    assert made(stripes(60, channels=3), epochs=2, shape=(1, 12, 10)).resize == "gray repeated"


def test_large_images_are_reduced() -> None:
    assert made(size=6, epochs=1).resize == "bilinear to 6x5, antialias"


def test_what_cannot_be_learned_is_refused() -> None:
    cases: list[tuple[type[Exception], str, gantk.DataSource, tuple[int, int, int], dict[str, int]]] = [
        (FitError, "has no classes; two at least", ArraySource(stripes(9).images(range(9))), SHAPE, {}),
        (FitError, "has 1 class; two at least", stripes(9, classes=1), SHAPE, {}),
        (FitError, "images are 4x3 pixels; 4x4", stripes(9), SHAPE, {"size": 4}),
        (FitError, "images with 1 or 3 channels, but these have 4", stripes(9), (4, 12, 10), {}),
        (OptionError, "epochs must be at least 1", stripes(9), SHAPE, {"epochs": 0}),
        (OptionError, "width must be at least 1", stripes(9), SHAPE, {"width": 0}),
        (OptionError, "size must be at least 4", stripes(9), SHAPE, {"size": 3}),
    ]
    for error, said, data, shape, options in cases:
        with pytest.raises(error, match=re.escape(said)):
            made(data, shape, **options)


def test_a_cache_that_cannot_be_written_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "file"))
    with pytest.raises(WorkError, match=r"cannot be written .*; set GANTK_CACHE to another folder"):
        made()


def test_a_folder_with_classes_is_named_by_its_path(tmp_path: Path) -> None:
    data = stripes(30)
    labels = data.labels(range(30))
    assert labels is not None
    for number, (image, label) in enumerate(zip(data.images(range(30)).numpy(), labels.tolist(), strict=True)):
        (tmp_path / "photos" / f"{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(tmp_path / "photos" / f"{label}" / f"{number}.png")
    assert made(f"{tmp_path / 'photos'}:color=gray", epochs=1).class_count == 3


def test_a_changed_docstring_trains_no_classifier_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def code(source: str) -> str:
        monkeypatch.setattr(inspect, "getsource", lambda module: source)
        return extractor._code(inspect)

    assert code('"""Doc."""\ndef f(x):\n    """Doc."""\n    return x  # why\n') == code("def f(x):\n    return x\n")
    assert code("def f(x):\n    return x\n") != code("def f(x):\n    return 2 * x\n")


def test_images_are_mirrored_in_training_where_the_data_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leftmost(ArraySource):
        """Stripes at the left or the right, which are each other's mirror images."""

        symmetric = False

    labels = np.arange(200) % 2
    images = np.random.default_rng(0).integers(0, 120, (200, 3, 12, 12)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, :, 8 * label : 8 * label + 4] += 100
    options = {"shape": (3, 12, 12)}
    assert made(Leftmost(images, labels), **options).test_error < 0.1
    assert made(ArraySource(images, labels), **options).test_error > 0.2, "in color, and nothing is said"


def test_features_are_those_of_the_image_and_its_mirror_image_where_both_have_the_same_class() -> None:
    images = to_float(stripes(9, seed=1).images(range(9)))
    either, one = made(flip=True), made(flip=False)
    assert torch.allclose(either(images), either(images.flip(3)), atol=1e-6)
    assert not torch.allclose(one(images), one(images.flip(3)), atol=1e-6)
    network = either.network
    mean = (network.features(images) + network.features(images.flip(3))) / 2
    assert torch.allclose(either(images), mean, atol=1e-6)


@pytest.mark.parametrize("half", [False, True])
def test_color_images_are_learned_in_either_precision(half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    data = stripes(600, channels=3)
    labels, images = data.labels(range(600)), data.images(range(600))
    assert labels is not None
    images[images < 130] = 0  # a constant background
    monkeypatch.setattr(training, "half_is_fast", lambda: half)
    assert made(ArraySource(images, labels, data.classes), (3, *SHAPE[1:]), epochs=10).test_error == 0
