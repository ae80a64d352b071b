"""The contract of refiners: each of these breaks one promise, and the suite says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn
from unregistered import check_caught, check_honest

from gantk import Player, Refiner, Stage, Step
from gantk.testing import RefinerContract


class Judged:
    """What a refiner's own discriminator says: a minimisable number for real and refined images."""

    def __init__(self, path: str, sign: int) -> None:
        self.path, self.sign = path, sign

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        judge = step.use(f"{self.path}.judge")
        real, refined = (torch.tanh(judge(step[name].flatten(1))).mean() for name in ("real", "refined"))
        return {"game": self.sign * (refined - real)}

    def __str__(self) -> str:
        return "game"


class Refines(Refiner):
    """A refiner with a discriminator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Conv2d(1, 1, 1)
        self.judge = nn.Linear(12, 1)

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.network(images))

    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        judge = Player(f"{path}-judge", (f"{path}.judge",), Judged(path, 1), role="discriminator")
        return [judge, Player(path, (f"{path}.network",), Judged(path, -1))] if stage.adversarial else ()

    def values(self, path: str, stage: Stage) -> Mapping[str, Callable[[Step], Tensor]]:
        return {"refined": lambda step: torch.tanh(step.use(f"{path}.network")(step["fake"]))}


class RefinesAnything(Refines):
    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        return super().players(path, Stage("any", [], adversarial=True))


class RefinesLoudly(Refines):
    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)  # type: ignore[no-any-return]


class RefinesInPlace(Refines):
    def forward(self, images: Tensor) -> Tensor:
        images += 0.1
        return super().forward(images)


class RefinesOthers(Refines):
    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        players = super().players(path, stage)
        return [*players[:1], *(Player(path, ("generator",), Judged(path, -1)) for _ in players[1:])]


class RefinesThroughItself(Refines):
    """Its value uses the whole part, so that its discriminator's turn goes back through the network."""

    def values(self, path: str, stage: Stage) -> Mapping[str, Callable[[Step], Tensor]]:
        return {}


class RefinesItsSource(Refines):
    def values(self, path: str, stage: Stage) -> Mapping[str, Callable[[Step], Tensor]]:
        def refined(step: Step) -> Tensor:
            images: Tensor = torch.tanh(step.use(f"{path}.network")(step.use("generator")(step["noise"])))
            return images

        return {"refined": refined}


class RefinesUntaught(Refines):
    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        return super().players(path, stage)[:1]


class RefinesByName(Refines):
    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        return [Player("generator", p.moves, p.objective) for p in super().players(path, stage)]


CASES = [
    (RefinesAnything, "test_joins_games_only", "return \\(\\) unless stage.adversarial"),
    (RefinesLoudly, "test_stays_in_range", "tanh"),
    (RefinesInPlace, "test_leaves_what_it_is_given_alone", "changed its input in place"),
    (RefinesOthers, "test_its_players_move_what_is_its_own", "'generator', which is not part of the refiner"),
    (RefinesThroughItself, "test_a_player_moves_no_other_players_parameters", "reach the refining network"),
    (RefinesItsSource, "test_the_generator_stays_as_it_is", "which they do not move"),
    (
        RefinesUntaught,
        "test_all_that_it_refines_with_is_moved",
        "no player moves network.bias, network.weight",
    ),
    (RefinesByName, "test_its_players_move_what_is_its_own", "returned generator, generator"),
]


@pytest.mark.parametrize(("part", "test", "message"), CASES)
def test_a_broken_promise_is_caught(part: type, test: str, message: str) -> None:
    check_caught(RefinerContract, part, test, message)


def test_an_honest_part_passes() -> None:
    check_honest(RefinerContract, Refines)
