"""What is chosen where nobody says, labels of conditional models, held-out images, and the features that are kept."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import toys
from torch import Tensor

import gantk
from gantk import Extractor, registry
from gantk.data import ArraySource, DataSource
from gantk.errors import FitError, GantkWarning
from gantk.evaluation.cache import features_folder, trim
from gantk.evaluation.choice import default_extractor, named_extractor
from gantk.evaluation.real import ImageSet, held_out_of, image_set


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))


class Split(DataSource):
    """Images whose test part is held out.

    Args:
        split: train or test.
    """

    held_out = {"split": "test"}  # noqa: RUF012
    image_shape = (1, 4, 4)

    def __init__(self, *, split: str = "train") -> None:
        self.count = {"train": 6, "test": 3}[split]

    def __len__(self) -> int:
        return self.count

    def images(self, indices: object) -> Tensor:
        return torch.full((len(list(indices)), 1, 4, 4), self.count, dtype=torch.uint8)  # type: ignore[call-overload]


class Classes(Extractor):
    """Stands for the classifier: says which data set it was made for.

    Args:
        data: the data set.
    """

    preference = 3
    dim = 3
    class_count = 2
    test_error = 0.25

    def __init__(self, *, data: str | DataSource) -> None:
        super().__init__()
        if isinstance(data, DataSource) and not data.classes:
            raise FitError("the data has no classes.")
        self.data = data

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :3]


@pytest.fixture
def classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class in the classifier's place, which would have to be trained."""
    installed, broken = registry._entry_points()
    kept = [each for each in installed if (each.kind, each.name) != ("extractor", "classifier")]
    mine = registry.Plugin("extractor", "classifier", "gantk", "0", f"{__name__}:Classes")
    monkeypatch.setattr(registry, "_entry_points", lambda: ((*kept, mine), broken))


def test_classes_choose_a_classifier_of_them(classifier: None, images: ArraySource) -> None:
    seen = default_extractor(image_set("digits"))
    assert (seen.name, seen.record().test_error) == ("classifier:data=digits", 0.25)
    assert seen.part.data == "digits"
    given = default_extractor(ImageSet("the data given", images))
    assert given.part.data is images
    assert given.name == "classifier"


def test_without_classes_any_images_will_do(classifier: None, images: ArraySource) -> None:
    plain = ImageSet("plain", ArraySource(images.images(range(10))))
    assert default_extractor(plain).plugin != "gantk:classifier"
    assert named_extractor("pixels:size=2", plain).name == "pixels:size=2"
    assert named_extractor("pixels:size=0", plain).name == "pixels", "options at their defaults are not shown"


class Better(Classes):
    """Takes any images.

    Args:
        data: the data set.
    """

    preference = 4

    def __init__(self, *, data: str | DataSource = "") -> None:
        Extractor.__init__(self)


def test_an_installed_extractor_of_greater_preference_is_chosen(
    classifier: None, images: ArraySource, register: Callable[[str, str, type], None]
) -> None:
    given = ImageSet("the data given", images)
    register("extractor", "unasked", type("Unasked", (Better,), {"__doc__": Better.__doc__, "preference": 0}))
    assert default_extractor(given).plugin == "gantk:classifier", "without a preference it has to be named"
    register("extractor", "better", Better)
    assert default_extractor(given).name == "better"


def test_what_a_data_set_holds_out_is_compared_with_too(register: Callable[[str, str, type], None]) -> None:
    register("data", "in-two-parts", Split)
    register("metric", "held-out-size", toys.HeldOutSize)
    judged = ArraySource(torch.zeros(5, 1, 4, 4, dtype=torch.uint8))
    (score,) = gantk.evaluate(judged, data="in-two-parts", metrics="held-out-size")
    assert score.figures == {"images": 3.0}
    assert score.protocol.held_out is not None
    assert (score.protocol.held_out.data, score.protocol.held_out.split) == ("in-two-parts:split=test", "test")
    assert score.protocol.real.split == "train"
    assert held_out_of(image_set("in-two-parts:split=test")) is None, "a set does not hold out itself"


def test_labels_of_a_conditional_model_are_those_it_was_told(
    tiny: Callable[..., gantk.Model], images: ArraySource, register: Callable[[str, str, type], None]
) -> None:
    register("metric", "agreement", toys.Agreement)
    model = tiny(condition="class", generator="dcgan:width=4")
    (score,) = gantk.evaluate(model, data=images, metrics="agreement", n=40)
    told = model.sample_noise(40, seed=0)[:, model.noise.dim :].argmax(1)
    labels = images.labels(range(40))
    assert score.figures["share"] == pytest.approx(float((told == labels).float().mean()))
    assert score.protocol.generated.labels == "drawn as the data has them"
    assert score.protocol.real.labels


def test_averaged_weights_are_told(tiny: Callable[..., gantk.Model], images: ArraySource) -> None:
    (score,) = gantk.evaluate(
        tiny(settings={"train.ema": 0.9}), data=images, metrics="prdc:k=1", extractor="pixels", n=8
    )
    assert score.protocol.generated.averaged is True


def test_a_subset_of_the_real_images_is_the_same_every_time(images: ArraySource) -> None:
    few, again, more = ImageSet("a", images, 10), ImageSet("b", images, 10), ImageSet("a", images, 11)
    assert few.content == again.content
    assert few.content != more.content
    assert few.record(False).subset_seed == 0
    assert ImageSet("a", images, 40).record(False).subset_seed is None


def test_kept_features_do_not_grow_without_bound() -> None:
    folder = features_folder()
    folder.mkdir(parents=True)
    for number in range(4):
        path = folder / f"{number}.npy"
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
    trim(folder, most=250)
    assert sorted(path.name for path in folder.iterdir()) == ["2.npy", "3.npy"]
    trim(folder / "nothing")


class Guessing(Extractor):
    """A classifier that was tested, with this result."""

    dim, class_count = 2, 3

    def __init__(self, *, error: float) -> None:
        super().__init__()
        self.test_error = error

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :2]


def test_a_classifier_that_knows_little_is_warned_of() -> None:
    images = ImageSet("images", ArraySource(torch.zeros(4, 1, 4, 4, dtype=torch.uint8)))
    with pytest.warns(GantkWarning, match="gives 67% of held-out images the wrong class"):
        named_extractor(Guessing(error=2 / 3), images)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named_extractor(Guessing(error=0.1), images)
