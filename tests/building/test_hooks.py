"""What hooks of parts return, and what they raise: one line at build that names the class and the method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk import Condition, Discriminator, Loss, Metric, Model, NoiseSource, Part, Verdict
from gantk.errors import FitError, OptionError, UsageError
from gantk.parts import ImageShape
from gantk.training.progress import Silent

Build = Callable[..., Model]
ONE = torch.ones(())


def made(base: type, **members: Any) -> Any:
    return type("Bad", (base,), {"__doc__": "A part with a fault.", **members})


def addon(**members: Any) -> Any:
    return made(Part, **members)


def remembering(found: Any) -> Any:
    return addon(state={"k": 0.0}, after_discriminator=lambda self, play: found)


def fails(*_: Any) -> Any:
    raise ZeroDivisionError("by nought")


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (remembering(None), "Bad.after_discriminator returned a NoneType; expected name → new value"),
        (remembering(ONE), "Bad.after_discriminator returned a Tensor"),
        (remembering({"q": ONE}), "returned 'q', which `state` does not declare: it has k"),
        (remembering({"k": torch.ones(3)}), "returned a tensor .3. of torch.float32 for 'k'; expected a scalar tensor"),
        (remembering({"k": "x"}), "returned 'x' for 'k'"),
        (remembering({"k": ONE * float("nan")}), "state k of addon.Bad is nan"),
        (
            addon(state={"k": 0.0}, after_generator=lambda self, play: fails()),
            "in addon.Bad, by ZeroDivisionError: by nought",
        ),
        (addon(state=["k"]), "addon.Bad: state is a list"),
        (addon(state={"k": "zero"}), "state..k.. is 'zero'; expected a finite number"),
        (addon(state={"a.b": 0.0}), "a number called 'a.b'"),
        (addon(joins=lambda self, binding: fails()), "Bad.joins fails: ZeroDivisionError: by nought"),
        (addon(joins=lambda self, binding: None), "Bad.joins returned None; expected True or False"),
        (addon(transform=lambda self, images, play: images[:-1]), "Bad.transform returned .1, 1, 14, 14."),
        (addon(transform=lambda self, images, play: images[:, :, 1:]), "expected .2, 1, 14, 14. of torch.float32"),
        (addon(transform=lambda self, images, play: images.double()), "of torch.float64 for images"),
        (addon(transform=lambda self, images, play: None), "Bad.transform returned a NoneType"),
        (addon(transform=lambda self, images, play: images.add_(1)), "Bad.transform changed its input"),
        (addon(transform=lambda self, images, play: fails()), "Bad.transform fails: ZeroDivisionError"),
        (addon(shown_shape=lambda self, shape: 3), "Bad.shown_shape returned 3; expected .channels, height, width."),
        (addon(shown_shape=lambda self, shape: fails()), "Bad.shown_shape fails"),
        (addon(stages=lambda self, path: None), "Bad.stages returned a NoneType; expected a list of gantk.Stage"),
        (addon(players=lambda self, path, stage: [3]), "Bad.players returned a list with 3 in it"),
        (addon(values=lambda self, path, stage: None), "Bad.values returned a NoneType"),
    ],
)
def test_an_addons_faults_are_told_at_build(tiny: Build, part: Any, says: str) -> None:
    with pytest.raises(FitError, match=says):
        tiny(addon=part)


@pytest.mark.parametrize(
    ("part", "note"),
    [
        (addon(state={"k": 0.0}), "addon.Bad never updates k: it has no method after_<role>"),
        (
            addon(state={"k": 0.0}, after_critic=lambda self, play: {}),
            "it has after_critic, and the roles in its games",
        ),
        (addon(after_generator=lambda self, play: {}), "declares no `state`"),
        (addon(critic=lambda self, play: ONE), "addon.Bad has terms for critic; the roles in its games are"),
    ],
)
def test_what_a_part_has_for_nobody_here_is_noted(tiny: Build, part: Any, note: str) -> None:
    notes = tiny(addon=part).built.notes
    assert [each for each in notes if note in each], notes


@pytest.mark.parametrize(
    "part",
    [
        addon(generator=lambda self, play: ONE),
        addon(critic=lambda self, play: ONE, generator=lambda self, play: ONE),
        addon(critic=lambda self, play: ONE, speaks_to=lambda self, role: False),
        addon(state={"k": 0.0}, after_generator=lambda self, play: {}),
        addon(state={"k": 0.0}, after_critic=lambda self, play: {}, after_discriminator=lambda self, play: {}),
        addon(transform=lambda self, images, play: images * 0.5),
    ],
)
def test_of_a_part_that_is_used_nothing_is_noted(tiny: Build, part: Any) -> None:
    assert not [note for note in tiny(addon=part).built.notes if "addon.Bad" in note]


def test_an_addon_without_a_game_is_noted(tiny: Build) -> None:
    notes = tiny("vae", addon=addon(transform=lambda self, images, play: images * 0)).built.notes
    assert [each for each in notes if each.startswith("addon.Bad transforms the discriminator's images")], notes


class Fixed(Condition):
    """A vector for each class."""

    def __init__(self, class_count: int) -> None:
        super().__init__()
        self.dim = 3
        self.vectors: Tensor
        self.register_buffer("vectors", torch.randn(class_count, 3))

    def of(self, labels: Tensor) -> Tensor:
        return self.vectors[labels]

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        return self.vectors[torch.randint(len(self.vectors), (n,), generator=rng)]

    def told(self, text: str) -> Tensor:
        return self.vectors[int(text)][None]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"of": lambda self, labels: fails()}, "Bad.of fails: ZeroDivisionError"),
        ({"draw": lambda self, n, rng: fails()}, "Bad.draw fails"),
        ({"seen": lambda self, labels: fails()}, "Bad.seen fails"),
        ({"draw": lambda self, n, rng: self.vectors[:2]}, "returned .2, 3.; expected .3, 3."),
        ({"draw": lambda self, n, rng: torch.randn(n, 3)}, "returned two different batches for the same random seed"),
    ],
)
def test_a_conditions_faults_are_told_at_build(tiny: Build, members: dict[str, Any], says: str) -> None:
    with pytest.raises(FitError, match=says):
        tiny(condition=made(Fixed, **members))


def test_a_condition_that_is_told_wrongly_is_one_line(tiny: Build) -> None:
    model = tiny(condition=Fixed)
    told: Any = 1
    assert torch.equal(model.sample(2, seed=0, condition=told), model.sample(2, seed=0, condition=["1"]))
    with pytest.raises(FitError, match=r"condition Fixed fails on told..x..: ValueError"):
        model.sample(2, condition="x")
    with pytest.raises(UsageError, match="list of conditions is empty"):
        model.sample(2, condition=[])
    flat = tiny(condition=made(Fixed, told=lambda self, text: self.vectors[0]))
    with pytest.raises(FitError, match=r"told..1.. returned .3.; expected .1, 3."):
        flat.sample(2, condition="1")


class Learned(NoiseSource):
    """Noise through a linear map."""

    learned = ("map",)

    def __init__(self) -> None:
        super().__init__()
        self.dim = 8
        self.map = nn.Linear(8, 8)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        found: Tensor = self.map(self.draw_normal(n, 8, rng=rng))
        return found


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"learned": "map"}, "Bad.learned is 'map'; expected a tuple of module paths"),
        ({"sample": lambda self, n, rng=None: fails()}, "Bad.sample fails"),
        ({"sample": lambda self, n, rng=None: torch.randn(n, 8)}, "returned two different batches"),
        ({"dim": property(lambda self: "8", lambda self, value: None)}, "has dim '8'; expected a whole number"),
    ],
)
def test_a_noises_faults_are_told_at_build(tiny: Build, members: dict[str, Any], says: str) -> None:
    with pytest.raises(FitError, match=says):
        tiny(noise=made(Learned, **members))


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "returned a NoneType"),
        ({"a": "good"}, "returned 'good' for 'a'"),
        ({"a": torch.ones(3)}, "returned a tensor .3. for 'a'"),
    ],
)
def test_a_metrics_faults_are_one_line(tiny: Build, tmp_path: Path, found: Any, says: str) -> None:
    metric = made(Metric, needs=frozenset({"model"}), compute=lambda self, comparison: found)
    with pytest.raises(FitError, match=f"Bad.compute {says}"):
        gantk.train(tiny(metric=metric), tmp_path / "run", progress=Silent())
    with pytest.raises(FitError, match=f"Bad.measure {says}"):
        gantk.train(tiny(addon=addon(measure=lambda self, model: found)), tmp_path / "other", progress=Silent())


def test_a_part_that_fails_in_training_is_one_line(tiny: Build, tmp_path: Path) -> None:
    part = addon(transform=lambda self, images, play: images if play.step < 2 else fails())
    with pytest.raises(FitError, match=r"stage 'game', step 3: Bad.transform fails: ZeroDivisionError: by nought"):
        gantk.train(tiny(addon=part), tmp_path / "run", progress=Silent())


def test_a_loss_with_a_transform_says_which_games_it_joins(tiny: Build) -> None:
    part = made(Loss, generator=lambda self, play: play.fake.mean(), transform=lambda self, images, play: images)
    with pytest.raises(FitError, match="has a transform, but losses do not join games by themselves"):
        tiny(loss=part)


class Reading(Discriminator):
    """Finds only in its constructor that it reads conditions, as one does with another within."""

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.reads_condition = True
        self.shape = image_shape
        self.logit = nn.Linear(image_shape[0] * image_shape[1] * image_shape[2], 1)

    def forward(self, images: Tensor, conditions: Tensor) -> Verdict:
        return Verdict(logits=self.logit(images.flatten(1))[:, 0] * (1 + conditions.mean(dim=1)))


def test_a_discriminator_may_read_conditions_by_its_options(tiny: Build, tmp_path: Path) -> None:
    model = tiny(discriminator=Reading, condition="class")
    assert isinstance(model.discriminator, Reading)
    assert model.discriminator.shape == model.image_shape
    gantk.train(model, tmp_path / "run", progress=Silent())
    with pytest.raises(FitError, match="reads conditions, but this model has none: add --condition class"):
        tiny(discriminator=Reading)


def test_a_loss_that_reads_a_condition_needs_one(tiny: Build) -> None:
    with pytest.raises(FitError, match="this model has no condition, but one is needed"):
        tiny(loss=lambda play: play.condition.mean() + play.fake.mean())
    part = made(Loss, needs=frozenset({"condition"}), generator=lambda self, play: play.fake.mean())
    with pytest.raises(FitError, match="needs a condition, but this model has none"):
        tiny(loss=part)
    assert tiny(loss=part, condition="class").condition is not None


def test_an_augmentation_leaves_the_channels_of_a_condition_alone(tiny: Build) -> None:
    seen = set()

    def transform(self: Part, images: Tensor, play: gantk.Play) -> Tensor:
        seen.add(images.shape[1])
        return images

    tiny(addon=addon(transform=transform), condition="class")
    assert seen == {1}


@pytest.mark.parametrize("text", ["", "linear:start=1", "linear,start=0.5"])
def test_what_is_no_schedule_names_the_setting(tiny: Build, text: str) -> None:
    with pytest.raises(OptionError, match=r"stages.game.generator.lr_schedule: "):
        tiny(settings={"stages.game.generator.lr_schedule": text})
