"""A step's two rules: values are shared between players, and never outlive what they were computed with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn

from gantk.errors import FitError
from gantk.schedule import Batch, Step
from gantk.schedule.step import overlap


class Counting(nn.Linear):
    """A layer that counts its forwards."""

    def __init__(self) -> None:
        super().__init__(3, 3)
        self.forwards = 0

    def forward(self, x: Tensor) -> Tensor:
        self.forwards += 1
        return super().forward(x)


class Toys(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.generator = Counting()
        self.discriminator = Counting()
        self.refiner = Counting()
        self.noise = nn.ModuleDict({"autoencoder": nn.ModuleDict({"encoder": Counting(), "decoder": Counting()})})

    def at(self, path: str) -> Counting:
        found = self.get_submodule(path)
        assert isinstance(found, Counting)
        return found


def through(path: str, source: str) -> Callable[[Step], Tensor]:
    """A value: another value through a module."""

    def compute(step: Step) -> Tensor:
        value: Tensor = step.use(path, Counting)(step[source])
        return value

    return compute


VALUES: Mapping[str, Callable[[Step], Tensor]] = {
    "noise": lambda step: torch.randn(step.size, 3),
    "fake": through("generator", "noise"),
    "refined": through("refiner", "fake"),
    "code": through("noise.autoencoder.encoder", "real"),
    "decoded": through("noise.autoencoder.decoder", "code"),
}


@pytest.fixture
def toys() -> Toys:
    return Toys()


@pytest.fixture
def step(toys: Toys) -> Step:
    return Step(toys, Batch(torch.rand(4, 3), torch.arange(4)), VALUES)


def gradients(value: Tensor, module: nn.Module) -> bool:
    """Whether a gradient of the value reaches the module."""
    if not value.requires_grad:
        return False
    found = torch.autograd.grad(value.sum(), list(module.parameters()), retain_graph=True, allow_unused=True)
    return any(g is not None for g in found)


def test_a_step_is_the_first_unless_it_says_otherwise(step: Step, toys: Toys) -> None:
    assert (step.number, step.done, step.size) == (0, 0.0, 4)
    later = Step(toys, Batch(torch.rand(2, 3)), VALUES, number=3, done=0.5)
    assert (later.number, later.done, later.size) == (3, 0.5, 2)


def test_a_value_is_computed_once(step: Step, toys: Toys) -> None:
    step.begin(["generator"])
    assert step["fake"] is step["fake"]
    assert step["noise"] is not None
    assert toys.generator.forwards == 1


def test_a_value_of_another_value_is_computed_once(step: Step, toys: Toys) -> None:
    """Whoever moves what the inner one was computed with."""
    step.begin(["generator"])
    assert step["refined"] is step["refined"]
    assert gradients(step["refined"], toys.generator)
    assert (toys.generator.forwards, toys.refiner.forwards) == (1, 1)


def test_nothing_is_computed_that_nobody_reads(step: Step, toys: Toys) -> None:
    step.begin(["discriminator"])
    assert torch.equal(step["real"], step.batch.images)
    assert toys.generator.forwards == 0


def test_one_forward_serves_the_discriminator_and_then_the_generator(step: Step, toys: Toys) -> None:
    step.begin(["discriminator"], later=["generator"])
    judged = step["fake"]
    assert not judged.requires_grad
    step.end()
    step.begin(["generator"])
    fooling = step["fake"]
    assert gradients(fooling, toys.generator)
    assert torch.equal(judged, fooling)
    assert toys.generator.forwards == 1


def test_noise_is_the_same_for_both_players(step: Step) -> None:
    step.begin(["discriminator"], later=["generator"])
    first = step["noise"]
    step.end()
    step.begin(["generator"])
    assert torch.equal(step["noise"], first)


def test_a_value_is_forgotten_once_its_module_has_moved(step: Step, toys: Toys) -> None:
    step.begin(["generator"], later=["discriminator"])
    old = step["fake"].detach()
    step.end()
    with torch.no_grad():
        toys.generator.weight += 1
    step.begin(["discriminator"])
    new = step["fake"]
    assert toys.generator.forwards == 2
    assert not torch.equal(new, old)
    assert not new.requires_grad


def test_what_was_computed_from_a_forgotten_value_is_forgotten_too(step: Step, toys: Toys) -> None:
    step.begin(["generator"], later=["refiner"])
    assert gradients(step["refined"], toys.generator)
    step.end()
    step.begin(["refiner"])
    assert gradients(step["refined"], toys.refiner)
    assert toys.refiner.forwards == 2
    assert toys.generator.forwards == 2


def test_what_does_not_depend_on_the_moved_module_is_kept(step: Step, toys: Toys) -> None:
    step.begin(["refiner"], later=["generator"])
    assert gradients(step["refined"], toys.refiner)
    step.end()
    step.begin(["generator"])
    assert gradients(step["fake"], toys.generator)
    assert toys.generator.forwards == 1, "the refiner moved, the generator's images stay"


def test_a_player_gets_gradients_only_to_what_it_moves(step: Step, toys: Toys) -> None:
    step.begin(["refiner"])
    assert gradients(step["refined"], toys.refiner)
    assert not gradients(step["refined"], toys.generator), "the inner value is detached"


def test_a_value_with_cut_gradients_is_computed_again(step: Step, toys: Toys) -> None:
    """`refined` was computed from detached images; the generator's player needs gradients through them."""
    step.begin(["refiner"], later=["discriminator"])
    assert not gradients(step["refined"], toys.generator)
    step.begin(["generator"])
    refined = step["refined"]
    assert gradients(refined, toys.generator)
    assert toys.refiner.forwards == 2


def test_a_player_of_both_gets_gradients_to_both(step: Step, toys: Toys) -> None:
    step.begin(["refiner"])
    assert gradients(step["refined"], toys.refiner)
    step.begin(["generator", "refiner"])
    assert gradients(step["refined"], toys.generator)
    assert gradients(step["refined"], toys.refiner)


def test_a_player_that_comes_later_unannounced_still_gets_gradients(step: Step, toys: Toys) -> None:
    step.begin(["discriminator"])
    assert not step["fake"].requires_grad
    step.end()
    step.begin(["generator"])
    assert gradients(step["fake"], toys.generator)


@pytest.mark.parametrize("moves", ["noise", "noise.autoencoder", "noise.autoencoder.encoder"])
def test_dotted_paths_overlap(step: Step, toys: Toys, moves: str) -> None:
    step.begin([moves])
    assert gradients(step["code"], toys.at("noise.autoencoder.encoder"))
    step.end()
    step.begin([moves])
    assert gradients(step["code"], toys.at("noise.autoencoder.encoder"))
    assert toys.at("noise.autoencoder.encoder").forwards == 2


def test_siblings_do_not_overlap(step: Step, toys: Toys) -> None:
    step.begin(["noise.autoencoder.decoder"])
    assert not step["code"].requires_grad
    decoded = step["decoded"]
    assert gradients(decoded, toys.at("noise.autoencoder.decoder"))
    assert not gradients(decoded, toys.at("noise.autoencoder.encoder"))
    step.end()
    step.begin(["noise.autoencoder.encoder"])
    assert gradients(step["decoded"], toys.at("noise.autoencoder.encoder"))


def test_parts_of_one_value_moved_by_two_players(step: Step, toys: Toys) -> None:
    """Encoder then decoder, each with gradients to its own half only."""
    counts = Counter[str]()
    for mine, other in (("encoder", "decoder"), ("decoder", "encoder")):
        step.begin([f"noise.autoencoder.{mine}"], later=[f"noise.autoencoder.{other}"])
        assert gradients(step["decoded"], toys.at(f"noise.autoencoder.{mine}"))
        step.end()
        counts[mine] = toys.at(f"noise.autoencoder.{mine}").forwards
    assert counts == {"encoder": 1, "decoder": 2}


def test_a_value_of_two_modules_is_computed_once_in_a_turn(toys: Toys) -> None:
    """Also where one of them is moved by this player and the other by a later one."""
    values = {"both": lambda step: step.use("refiner")(step.use("generator")(torch.randn(step.size, 3)))}
    step = Step(toys, Batch(torch.rand(4, 3)), values)
    step.begin(["generator"], later=["refiner"])
    assert step["both"] is step["both"]
    assert gradients(step["both"], toys.generator)
    assert toys.generator.forwards == 1
    step.end()
    step.begin(["refiner"])
    assert step["both"] is step["both"]
    assert gradients(step["both"], toys.refiner)
    assert toys.generator.forwards == 2


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (["a"], ["a"], {"a"}),
        (["a.b"], ["a"], {"a.b"}),
        (["a"], ["a.b"], {"a"}),
        (["ab"], ["a"], set()),
        (["a.b", "c"], ["a.bc", "c.d"], {"c"}),
        ([], ["a"], set()),
    ],
)
def test_overlap(one: list[str], other: list[str], expected: set[str]) -> None:
    assert overlap(one, other) == expected


def test_an_unknown_value_names_the_nearest(step: Step) -> None:
    with pytest.raises(FitError, match=r"a step has no value 'fakes'\. Did you mean 'fake'\?"):
        step["fakes"]


def test_a_module_of_the_wrong_kind_is_refused(step: Step) -> None:
    with pytest.raises(FitError, match="'generator' is a Counting; expected a Conv2d"):
        step.use("generator", nn.Conv2d)


def test_labels_are_those_of_the_batch_or_an_error(step: Step, toys: Toys) -> None:
    assert step["labels"].tolist() == [0, 1, 2, 3]
    with pytest.raises(FitError, match="this step reads labels, but this data set has none"):
        Step(toys, Batch(torch.rand(4, 3)), VALUES)["labels"]


def test_a_failed_computation_leaves_no_trace(toys: Toys) -> None:
    values = {**VALUES, "wrong": lambda step: step["missing"]}
    step = Step(toys, Batch(torch.rand(4, 3)), values)
    step.begin(["generator"])
    with pytest.raises(FitError, match="missing"):
        step["wrong"]
    assert gradients(step["fake"], toys.generator)
