"""The class as a condition: any generator and any discriminator become conditional, and are told what to draw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import gantk
from gantk.construct import construct
from gantk.data import ArraySource, to_float
from gantk.errors import DataError, FitError, OptionError, UsageError
from gantk.measures.reconstruction import check_reads_codes
from gantk.measures.samples import labeled_batches
from gantk.schedule import Batch
from gantk.training.progress import Silent
from gantk_classic.condition import ClassCondition, VectorCondition

SMALL = {"stages.*.batch_size": 8, "stages.*.length": "2 steps"}
NAMES = ("cat", "dog", "7")


def source(labels: Sequence[int] | None = None) -> ArraySource:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (len(labels or range(12)), 1, 16, 16), dtype=np.uint8)
    return ArraySource(pixels, None if labels is None else np.array(labels), classes=NAMES if labels else ())


@pytest.fixture(scope="module")
def model() -> gantk.Model:
    return gantk.build(
        generator="dcgan:width=4", discriminator="dcgan:width=4", condition="class", data="digits", settings=SMALL
    )


def test_networks_are_built_for_it(model: gantk.Model) -> None:
    """The generator reads ten more numbers, the discriminator is shown ten more channels."""
    assert isinstance(model.condition, ClassCondition)
    assert model.noise_dim == model.noise.dim + 10
    shown = next(p for p in model.discriminator.parameters() if p.dim() == 4)  # type: ignore[union-attr]
    assert shown.shape[1] == model.image_shape[0] + 10


def test_row_i_of_everything_has_condition_i(model: gantk.Model) -> None:
    labels = torch.tensor([3, 1, 4, 1, 5])
    step = model.step(Batch(torch.zeros(5, *model.image_shape), labels))
    step.begin(["generator"])
    assert step["condition"].argmax(1).tolist() == labels.tolist()
    assert model.sample_noise(0).shape == (0, model.noise_dim)
    read: list[Tensor] = []
    handle = model.generator.register_forward_pre_hook(lambda module, given: read.append(given[0]))
    step["fake"]
    handle.remove()
    assert read[0][:, model.noise.dim :].argmax(1).tolist() == labels.tolist()


def test_generated_images_draw_their_class_as_the_data_has_them() -> None:
    condition = ClassCondition(class_count=3, class_names=NAMES)
    condition.seen(torch.tensor([0] * 60 + [1] * 30 + [2] * 10))
    drawn = condition.draw(20_000, torch.Generator().manual_seed(0)).mean(0)
    torch.testing.assert_close(drawn, torch.tensor([0.6, 0.3, 0.1]), rtol=0, atol=0.015)
    assert condition.state_dict()["frequencies"].tolist() == pytest.approx([0.6, 0.3, 0.1])


def test_is_told_by_name_or_else_by_index() -> None:
    condition = ClassCondition(class_count=3, class_names=NAMES)
    assert [int(condition.told(text).argmax()) for text in ("cat", "dog", "7", "1", "0")] == [0, 1, 2, 1, 0]
    for wrong in ("3", "-1", "", "Dog", "1.0"):
        with pytest.raises(OptionError, match="Classes: cat, dog, 7"):
            condition.told(wrong)
    with pytest.raises(OptionError, match="Did you mean 'dog'"):
        condition.told("dgo")


def test_samples_of_a_class(model: gantk.Model) -> None:
    noise = model.sample_noise(6, 0, condition=["3", "8"])
    assert noise[:, model.noise.dim :].argmax(1).tolist() == [3, 8, 3, 8, 3, 8]
    assert torch.equal(noise[:, : model.noise.dim], model.sample_noise(6, 0)[:, : model.noise.dim])
    assert torch.equal(model.sample(2, 0, condition="3"), model.sample(2, 0, condition=model.condition.told("3")[0]))  # type: ignore[union-attr]
    with pytest.raises(UsageError, match=r"\[10\] or \[2, 10\], not \[3\]"):
        model.sample(2, condition=torch.zeros(3))


def test_batches_of_samples_carry_the_labels_that_they_were_told(model: gantk.Model) -> None:
    whole, count = model.sample_noise(70, 5), 70
    batches = list(labeled_batches(model, count, seed=5))
    labels = torch.cat([batch.labels for batch in batches if batch.labels is not None])
    assert torch.equal(labels, whole[:, model.noise.dim :].argmax(1))
    assert torch.equal(torch.cat([batch.images for batch in batches]), model.generate(whole))
    told = [batch.labels for batch in labeled_batches(model, count, seed=5, conditions=["3", "8"])]
    assert torch.cat(told).tolist() == [3, 8] * 35  # type: ignore[arg-type]


def test_the_sample_grid_shows_every_class_in_order(model: gantk.Model) -> None:
    assert model.condition is not None
    assert model.condition.spread(20).argmax(1).tolist() == [i // 2 for i in range(20)]


def test_data_without_classes_is_refused() -> None:
    with pytest.raises(FitError, match="leave out --condition"):
        gantk.build(condition="class", data=source(), settings=SMALL)


def test_classes_of_arrays_are_known_by_name() -> None:
    model = gantk.build(
        generator="gan:widths=[8]",
        discriminator="gan:widths=[8]",
        condition="class",
        data=source([0, 1, 2, 0, 0, 0, 1, 1, 1, 1, 1, 1]),
        settings=SMALL,
    )
    assert model.condition is not None
    assert model.condition.told("dog").tolist() == [[0.0, 1.0, 0.0]]
    assert model.condition.state_dict()["frequencies"].tolist() == pytest.approx([4 / 12, 7 / 12, 1 / 12])


def test_a_conditional_model_with_code_does_not_reconstruct() -> None:
    model = gantk.build(
        generator="dcgan:width=4",
        discriminator="dcgan:width=4",
        condition="class",
        loss="code:loops=2",
        data="digits",
        settings=SMALL,
    )
    with pytest.raises(FitError, match="build without --condition"):
        check_reads_codes(model)


def test_the_decoder_of_a_conditional_vae_is_told_the_class_of_the_image() -> None:
    model = gantk.build("vae", generator="vae:width=2", condition="class", data="digits", settings=SMALL)
    assert model.condition is not None
    posterior = model.generator.encode(torch.zeros(4, *model.image_shape))
    dim = model.noise.dim
    assert posterior.mean.shape == (4, dim + 10)
    told = torch.eye(10)[[3, 1, 4, 1]]
    play = gantk.Play(real=torch.zeros(4, *model.image_shape), condition=told, autoencoder=model.generator)
    model.eval()
    torch.manual_seed(0)
    code = play.posterior.sample()
    torch.manual_seed(0)
    expected = model.generator(torch.cat([code[:, :dim], told], dim=1))
    torch.testing.assert_close(play.reconstruction, expected)
    with pytest.raises(FitError, match=r"a condition to encode an image or to decode a code.*build without"):
        check_reads_codes(model)


@pytest.mark.slow
def test_a_conditional_vae_draws_the_class_that_it_is_told() -> None:
    torch.manual_seed(0)
    settings = {"stages.fit.length": "300 steps", "stages.fit.batch_size": 64}
    model = gantk.build("vae", generator="vae:width=8", condition="class", data="digits", settings=settings)
    gantk.train(model)
    digits = construct("data", "digits")
    every = range(0, len(digits), 5)
    real, labels = to_float(digits.images(every)), digits.labels(every)
    means = torch.stack([real[labels == digit].mean(0) for digit in range(10)])
    images = model.sample(200, 0, condition=[str(digit) for digit in range(10)])
    nearest = torch.cdist(images.flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == torch.arange(200) % 10).float().mean() > 0.25, "by chance, 0.1 with a deviation of 0.02"


def described(dim: int = 3) -> ArraySource:
    rng = np.random.default_rng(1)
    vectors = rng.random((12, dim), dtype=np.float32)
    return ArraySource(rng.integers(0, 256, (12, 1, 16, 16), dtype=np.uint8), vectors)


def test_vectors_that_describe_images_are_conditions(tmp_path: Path) -> None:
    data = described()
    small = {"generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
    model = gantk.build(condition="vector", data=data, settings=SMALL, **small)
    assert model.noise_dim == model.noise.dim + 3
    step = model.step(Batch(torch.zeros(2, 1, 16, 16), data.labels([5, 7])))
    assert torch.equal(step["condition"], data.labels([5, 7]))
    gantk.train(model, tmp_path / "run", progress=Silent())
    loaded = gantk.load(tmp_path / "run", data=data)
    drawn = loaded.sample_noise(50)[:, -3:]
    assert all(any(torch.equal(row, each) for each in data.labels(range(12))) for row in drawn)
    told = loaded.sample_noise(2, condition="0,0.5,1")[:, -3:]
    assert told.tolist() == [[0, 0.5, 1]] * 2


def test_vectors_are_refused_where_they_do_not_fit() -> None:
    with pytest.raises(FitError, match="labels are vectors"):
        gantk.build(condition="vector", data=source([0, 1, 2] * 4), settings=SMALL)
    with pytest.raises(FitError, match="data set with classes"):
        gantk.build(condition="class", data=described(), settings=SMALL)
    for wrong in ("0,1", "a,b,c", "0,1,inf", ""):
        with pytest.raises(OptionError, match="3 numbers"):
            VectorCondition(label_dim=3).told(wrong)
    with pytest.raises(DataError, match="finite"):
        ArraySource(np.zeros((2, 1, 8, 8), dtype=np.uint8), np.array([[0.0, 1.0], [np.nan, 0.0]]))
    with pytest.raises(DataError, match="one per image"):
        ArraySource(np.zeros((2, 1, 8, 8), dtype=np.uint8), np.zeros((3, 2)))


class Embedded(ClassCondition):
    """A learned embedding of the class."""

    learned = ("table",)

    def __init__(self, *, class_count: int, class_names: tuple[str, ...] = ()) -> None:
        super().__init__(class_count=class_count, class_names=class_names)
        self.dim = 4
        self.classes = class_count
        self.table = torch.nn.Linear(class_count, 4, bias=False)

    def seen(self, labels: Tensor) -> None:
        """Nothing is kept."""

    def of(self, labels: Tensor) -> Tensor:
        embedded: Tensor = self.table(torch.nn.functional.one_hot(labels.long(), self.classes).float())
        return embedded

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        return self.of(torch.randint(self.classes, (n,), generator=rng))

    def spread(self, n: int) -> Tensor:
        return self.draw(n, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("recipe", "small"), [("dcgan", "dcgan:width=4"), ("progan", "progan:fmap_base=16,fmap_max=8")]
)
def test_a_learned_condition_is_moved_with_the_generator(
    recipe: str, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gantk_classic.condition.ClassCondition", Embedded)
    data = source([0, 1, 2] * 4)
    model = gantk.build(recipe, condition="class", data=data, generator=small, discriminator=small, settings=SMALL)
    assert model.noise_dim == model.noise.dim + 4
    before = model.condition.table.weight.detach().clone()  # type: ignore[union-attr]
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert not torch.equal(model.condition.table.weight, before)  # type: ignore[union-attr]
    assert not any(note.startswith("no player trains") for note in model.built.notes)
