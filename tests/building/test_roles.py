"""Losses and roles: what build says of a loss that no player minimizes as it should."""

from __future__ import annotations

import pytest
from played import Bright, Played, assembled
from torch import Tensor

from gantk import Loss, Model, Play, Player, Stage, Terms
from gantk.building.stage_settings import resolve_stages
from gantk.errors import FitError
from gantk.recipe import Recipe


class ForACritic(Loss):
    """A term for a player that few recipes have."""

    def critic(self, play: Play) -> Tensor:
        return play.fake.mean()


def test_a_loss_for_a_player_that_is_not_there_is_told_which_there_are() -> None:
    with pytest.raises(FitError, match="'mine' has a term for critic, but the players of this recipe are discrim"):
        resolve_stages(assembled(mine=ForACritic()), Played(lambda model: Terms(model.losses[:1], "generator")), {})


class TwoSided(Loss):
    """Terms for both sides of a game, of which an option may take one away."""

    def __init__(self, *, adversarial: bool = True, alone: bool = False) -> None:
        super().__init__()
        self.adversarial = adversarial
        self.alone = alone

    def speaks_to(self, role: str) -> bool:
        return role == "generator" or not self.alone

    def discriminator(self, play: Play) -> Tensor:
        return play.fake.mean()

    def generator(self, play: Play) -> Tensor:
        return -play.fake.mean()


def minimized_by_one(loss: Loss) -> None:
    """A game whose discriminator plays by the first loss alone, and whose generator by both."""

    class OneSided(Recipe):
        def stages(self, model: Model) -> list[Stage]:
            judge = Player("discriminator", ("discriminator",), Terms(model.losses[:1], "discriminator"))
            maker = Player("generator", ("generator",), Terms(model.losses, "generator"))
            return [Stage("game", [judge, maker])]

    resolve_stages(assembled(mine=loss), OneSided(), {})


def test_only_an_adversarial_loss_with_two_sides_needs_both() -> None:
    with pytest.raises(FitError, match=r"'mine' is adversarial and needs both .* only the generator minimizes it"):
        minimized_by_one(TwoSided())
    minimized_by_one(TwoSided(adversarial=False))
    minimized_by_one(TwoSided(alone=True))


class Silent(Loss):
    """Has no role."""


class Misspelt(Loss):
    """Calls its argument otherwise."""

    def generator(self, batch: Play) -> Tensor:
        return batch.fake.mean()


class Muted(Bright):
    """Speaks to nobody as it is."""

    def speaks_to(self, role: str) -> bool:
        return False


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (
            Silent(),
            r"loss 'mine' has no role: add to Silent a public method .* generator\(self, play\)\.",
        ),
        (Misspelt(), r"generator\(batch\) would be one if its argument were called play"),
        (Muted(), "loss 'mine' has no term for any role with these options"),
    ],
)
def test_a_loss_without_roles_is_told_how_to_have_one(loss: Loss, says: str) -> None:
    with pytest.raises(FitError, match=says):
        resolve_stages(assembled(mine=loss), Played(lambda model: Terms(model.losses, "generator")), {})


class Misnamed(Loss):
    """A term by another argument's name, and what every module has."""

    def generator(self, played: Play) -> Tensor:
        return played.fake.mean()

    def forward(self, images: Tensor) -> Tensor:
        return images


def test_a_loss_without_a_role_is_told_of_methods_that_nearly_are_one() -> None:
    model = assembled(misnamed=Misnamed())
    said = r"generator\(self, play\); generator\(played\) would be one if its argument were called play"
    with pytest.raises(FitError, match=said) as caught:
        resolve_stages(model, Played(lambda model: Terms(model.losses, "generator")), {})
    assert "forward" not in str(caught.value)
