"""The contract of losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from gantk.building.checks import DISCRIMINATOR_NEEDS, GENERATOR_NEEDS
from gantk.building.merging import PLAYER_SETTINGS
from gantk.building.player_settings import apply_settings
from gantk.errors import OptionError
from gantk.parts import ImageShape, Loss, Part
from gantk.schedule import Batch, Binding, Play, Player, Step, Terms
from gantk.schedule.objective import Objective
from gantk.schedule.optimizers import check_values
from gantk.testing.base import PartContract, close
from gantk.testing.states import check_states
from gantk.testing.toys import ToyDiscriminator, ToyGenerator

__all__ = ["LossContract"]

KNOWN_NEEDS = DISCRIMINATOR_NEEDS | GENERATOR_NEEDS | {"condition", "labels"}


class _Toys(nn.Module):
    """A toy model that provides what a loss declares in `needs`, and nothing else."""

    def __init__(self, needs: frozenset[str], shape: ImageShape, noise_dim: int, class_count: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.discriminator = ToyDiscriminator(needs & DISCRIMINATOR_NEEDS, shape, noise_dim, class_count)
        self.generator = ToyGenerator(shape, noise_dim, "sphere" in needs)
        self.real = torch.rand(6, *shape) * 2 - 1
        self.noise = torch.randn(6, noise_dim)
        self.labels = torch.arange(6) % class_count if "labels" in needs else None
        self.condition = torch.eye(class_count)[torch.arange(6) % class_count] if "condition" in needs else None
        self.judges = bool(needs & DISCRIMINATOR_NEEDS)
        self.encodes = bool(needs & GENERATOR_NEEDS)

    def play(self, role: str, state: Mapping[str, float] | None = None) -> Play:
        fake: Tensor = self.generator(self.noise)
        return Play(
            self.discriminator if self.judges else None,
            real=self.real,
            fake=fake.detach() if role == "discriminator" else fake,
            noise=self.noise,
            labels=self.labels,
            condition=self.condition,
            generator=self.generator,
            autoencoder=self.generator if self.encodes else None,
            state={name: torch.tensor(float(value)) for name, value in (state or {}).items()},
        )

    def mover(self, role: str) -> nn.Module:
        """The module that the role's player moves; for a role that only this loss has, the whole model."""
        return {"discriminator": self.discriminator, "generator": self.generator, "autoencoder": self.generator}.get(
            role, self
        )

    def step(self) -> Step:
        values = {"noise": lambda step: self.noise, "condition": lambda step: self.condition, "fake": _fake}
        return Step(self, Batch(self.real, self.labels), values)


def _fake(step: Step) -> Tensor:
    images: Tensor = step.use("generator", ToyGenerator)(step["noise"])
    return images


class LossContract(PartContract):
    """Tests what users of a `gantk.Loss` rely on.

    The loss is computed with toy networks that provide what it declares in `needs`, and nothing else. Override `_toys`
    if the loss reads more than that.
    """

    kind = "loss"
    image_shape: ClassVar[ImageShape] = (1, 4, 3)
    noise_dim: ClassVar[int] = 5
    class_count: ClassVar[int] = 3

    def _part(self) -> Part:
        return self._loss()

    def _loss(self, **options: Any) -> Loss:
        loss: Loss = self._make(
            options=options,
            image_shape=self.image_shape,
            noise_dim=self.noise_dim,
            condition_dim=0,
            class_count=self.class_count,
        )
        return loss

    def _toys(self, loss: Loss) -> _Toys:
        return _Toys(loss.needs, self.image_shape, self.noise_dim, self.class_count)

    def _term(self, loss: Loss, role: str, toys: _Toys) -> Tensor | None:
        torch.manual_seed(2)
        try:
            term: Tensor | None = getattr(loss, role)(toys.play(role, loss.state))
        except Exception as error:
            raise AssertionError(
                f"{role}(play) failed with a play that provides only `needs` = {sorted(loss.needs)}: "
                f"{type(error).__name__}: {error}. Add everything that the loss reads to `needs`."
            ) from error
        return term

    def _terms(self, loss: Loss) -> Iterator[tuple[str, Tensor, _Toys]]:
        """(role, term, toys) for every role in which the loss returns a term."""
        for role in loss.roles():
            toys = self._toys(loss)
            term = self._term(loss, role, toys)
            if term is not None:
                yield role, term, toys

    def test_speaks_to_a_role(self) -> None:
        assert self._loss().roles(), (
            "the loss has no role; define a public method named after each role, such as `generator(self, play)`."
        )
        assert any(self._terms(self._loss())), (
            "the loss returned None for every role, so it has no effect with these options."
        )

    def test_a_game_has_two_sides(self) -> None:
        loss = self._loss()
        if not loss.adversarial:
            pytest.skip("not adversarial")
        spoken = {role for role, _, _ in self._terms(loss)}
        assert "generator" in spoken, (
            f"the loss is adversarial, but has terms for {sorted(spoken)} only; expected one for the generator."
        )
        assert len(spoken) > 1, (
            f"the loss is adversarial, but has a term for {sorted(spoken)} only; expected at least two roles."
        )

    def test_needs_are_known(self) -> None:
        unknown = self._loss().needs - KNOWN_NEEDS
        assert not unknown, f"`needs` contains {sorted(unknown)}; expected some of {sorted(KNOWN_NEEDS)}."

    def test_terms_are_scalars(self) -> None:
        for role, term, _ in self._terms(self._loss()):
            assert isinstance(term, Tensor), f"{role} returned a {type(term).__name__}; expected a tensor or None."
            assert term.shape == (), (
                f"{role} returned a tensor {list(term.shape)}; expected a scalar: average over the batch."
            )
            assert torch.isfinite(term), f"{role} returned {term.item()}."

    def test_terms_move_their_player(self) -> None:
        for role, term, toys in self._terms(self._loss()):
            assert term.requires_grad, (
                f"the term of {role} has no gradient; compute it from the output of the modules that the player moves."
            )
            torch.autograd.backward(term)
            gradients = [p.grad for p in toys.mover(role).parameters() if p.grad is not None]
            assert any(g.any() for g in gradients), (
                f"the term of {role} does not depend on the parameters of its player."
            )
            assert all(torch.isfinite(g).all() for g in gradients), (
                f"the gradient of the term of {role} is NaN or infinite."
            )

    def test_only_returns_tensors(self) -> None:
        for role, _, toys in self._terms(self._loss()):
            touched = [name for name, p in toys.named_parameters() if p.grad is not None]
            assert not touched, (
                f"{role} left gradients in {', '.join(touched)}; a loss must not call backward. For the gradient with "
                "respect to images, use torch.autograd.grad(..., create_graph=True)."
            )

    def test_survives_autocast(self) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            for role, term, _ in self._terms(self._loss()):
                assert torch.isfinite(term), (
                    f"{role} returned {term.item()} under bfloat16 autocast; compute in float32."
                )

    def test_has_a_weight(self) -> None:
        assert "weight" in self._options, (
            "the loss has no option `weight: float = 1.0`, with which users balance losses."
        )
        assert self._loss(weight=0.25).weight == 0.25, (
            "self.weight is not 0.25 with weight=0.25; store the option in `self.weight`, which gantk reads."
        )

    def test_weight_is_applied_once(self) -> None:
        single, double = self._loss(weight=1.0), self._loss(weight=2.0)
        for role, term, toys in self._terms(double):
            unweighted = self._term(single, role, toys)
            assert unweighted is not None, f"{role} returned None with weight=1, but a term with weight=2."
            close(
                term,
                unweighted,
                f"the term of {role} depends on weight; return it without the weight, which gantk multiplies by.",
            )
            found = {loss.weight: self._through_terms(loss, role, toys) for loss in (single, double)}
            close(found[2.0], 2 * found[1.0], f"weight=2 does not double the objective of {role}.")

    def _through_terms(self, loss: Loss, role: str, toys: _Toys) -> Tensor:
        """The weighted term, as a player's objective computes it."""
        torch.manual_seed(2)
        objective: Objective = Terms([("it", loss)], role)
        step = toys.step()
        step.states.declare(Binding().key("it"), loss.state)
        step.begin(Player(role, ("discriminator" if role == "discriminator" else "generator",), objective).moves)
        return objective(step)["it"]

    def test_remembers_what_it_declares(self) -> None:
        loss = self._loss()
        for role in loss.roles():
            check_states(loss, self._toys(loss).play(role, loss.state))

    def test_settings_are_known(self) -> None:
        for role, settings in self._loss().settings.items():
            assert role in self._loss().roles(), f"`settings` contains '{role}', which is not a role of the loss."
            player = Player(role, (), Terms([], role))
            try:
                apply_settings(player, settings, role)
                check_values(player.optimizer, role)
            except OptionError as error:
                raise AssertionError(
                    f"`settings` contains a setting that players do not have: {error} Expected settings of a player "
                    f"({', '.join(PLAYER_SETTINGS)}), `optimizer`, or options of the optimizer."
                ) from error
