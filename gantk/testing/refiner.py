"""The contract of refiners."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gantk.model import Model
from gantk.parts import ImageShape, Refiner
from gantk.schedule import Batch, Player, Stage, Step
from gantk.testing.base import ShapedContract, close
from gantk.testing.toys import ToyGenerator, ToyNoise

__all__ = ["RefinerContract"]

PATH = "refiner"


class RefinerContract(ShapedContract):
    """What users of a `gantk.Refiner` rely on.

    It joins a game with a toy generator whose own players are left out, so that whatever moves there is moved by the
    refiner's players.
    """

    kind = "refiner"

    def _probe(self, part: Any, shape: ImageShape) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"images": part(self._images(shape))}

    def _model(self, shape: ImageShape) -> Model:
        torch.manual_seed(3)
        generator = ToyGenerator(shape, self.noise_dim)
        return Model(ToyNoise(self.noise_dim), generator, refiner=self._built(shape))

    def _players(self, part: Refiner, *, adversarial: bool = True) -> tuple[Stage, list[Player]]:
        """A stage that the refiner has joined, as `build` lets it."""
        stage = Stage("game", [], adversarial=adversarial)
        stage.players += part.players(PATH, stage)
        stage.values = {**part.values(PATH, stage)}
        return stage, stage.players

    def _play(self, model: Model, stage: Stage, shape: ImageShape) -> dict[str, list[Tensor]]:
        """One turn of every player; every parameter is live, so that a stray gradient shows. Player → its terms."""
        model.train()
        step: Step = model.step(Batch(self._images(shape)), stage.values)
        terms: dict[str, list[Tensor]] = {}
        for player in stage.players:
            model.zero_grad(set_to_none=True)
            moved = {p for path in player.moves for p in model.get_submodule(path).parameters()}
            step.begin(player.moves, [path for other in stage.following(player) for path in other.moves])
            terms[player.name] = [*player.objective(step).values()]
            total = torch.stack([term.float() for term in terms[player.name]]).sum()
            assert total.requires_grad, (
                f"no term of player '{player.name}' depends on what it moves; do not detach it, and let the value "
                "that it reads be computed with step.use of the module that it moves."
            )
            torch.autograd.backward(total)
            assert any(p.grad is not None and p.grad.any() for p in moved), (
                f"player '{player.name}' moves {', '.join(player.moves)}, and its terms have no gradient there."
            )
            assert all(p.grad is None or torch.isfinite(p.grad).all() for p in moved), (
                f"gradients of player '{player.name}' are NaN or infinite."
            )
            with torch.no_grad():
                for parameter in moved:
                    if parameter.grad is not None:
                        parameter.sub_(0.01 * parameter.grad)
            step.end()
        return terms

    def test_makes_images(self, shape: ImageShape) -> None:
        images = self._built(shape)(self._images(shape))
        assert images.shape == (4, *shape), (
            f"4 images became {list(images.shape)}; expected {[4, *shape]}. Refuse a shape that the network cannot "
            "refine by raising gantk.errors.FitError with the reason."
        )
        assert images.dtype == torch.float32, f"images are {images.dtype}; expected float32."

    def test_stays_in_range(self, shape: ImageShape) -> None:
        part = self._built(shape)
        with torch.no_grad():
            for parameter in part.parameters():
                parameter *= 30
        images = part(self._images(shape))
        assert torch.isfinite(images).all(), "with large weights, images hold NaN or infinite numbers."
        low, high = images.min().item(), images.max().item()
        assert -1 <= low <= high <= 1, (
            f"with large weights, pixels are {low:g} … {high:g}; expected [-1, 1]. End with torch.tanh "
            "(gantk.nn.output_activation) or clamp."
        )

    def test_leaves_what_it_is_given_alone(self, shape: ImageShape) -> None:
        images = self._images(shape)
        self._built(shape)(images)
        assert torch.equal(images, self._images(shape)), "it changed the images that it was given; work on a copy."

    def test_depends_on_the_image(self, shape: ImageShape) -> None:
        images = self._built(shape)(self._images(shape))
        assert not torch.equal(images[0], images[1]), "two images became one; refine what it is given."

    def test_gradients_reach_the_images(self, shape: ImageShape) -> None:
        images = self._images(shape).requires_grad_()
        refined = self._built(shape).train()(images)
        assert refined.requires_grad, "refined images have no gradient; do not detach them or work under no_grad."
        (gradient,) = torch.autograd.grad(refined.square().sum(), images, allow_unused=True)
        assert gradient is not None, "no gradient of refined images reaches its input; do not detach it."
        assert gradient.any(), "the gradient of refined images in its input is zero; fine-tuning goes through it."

    def test_evaluation_is_deterministic(self, shape: ImageShape) -> None:
        part, images = self._built(shape).eval(), self._images(shape)
        first = part(images)
        torch.manual_seed(99)
        assert torch.equal(part(images), first), (
            "in evaluation mode the same images were refined differently; random numbers, as dropout's, belong to "
            "training mode only."
        )

    def test_evaluation_looks_at_one_image_at_a_time(self, shape: ImageShape) -> None:
        part, images = self._built(shape).eval(), self._images(shape)
        others = torch.cat([images[:1], -images[1:].flip(0)])
        message = "in evaluation mode a refined image depends on the others of its batch; use running statistics then."
        with torch.no_grad():
            close(part(others)[0], part(images)[0], message)

    def test_joins_games_only(self, shape: ImageShape) -> None:
        _, players = self._players(self._built(shape), adversarial=False)
        assert not players, (
            f"it brings {', '.join(p.name for p in players)} into a stage that is no game, such as a pre-training, "
            "where there is nothing to refine; return () unless stage.adversarial."
        )

    def test_its_players_move_what_is_its_own(self, shape: ImageShape) -> None:
        model = self._model(shape)
        _, players = self._players(model.refiner)  # type: ignore[arg-type]
        names = [player.name for player in players]
        assert len(names) == len({*names, "discriminator", "generator"}) - 2, (
            f"its players are called {', '.join(names)}; in a game there are others called discriminator and "
            "generator. Begin each name with the `path` that players() is given."
        )
        for player in players:
            for path in player.moves:
                assert path == PATH or path.startswith(f"{PATH}."), (
                    f"player '{player.name}' moves '{path}', which is not within the refiner; build paths from the "
                    "`path` that players() is given."
                )
                assert list(model.get_submodule(path).parameters()), f"'{path}' has no parameters to move."

    def test_all_that_it_refines_with_is_moved(self, shape: ImageShape) -> None:
        part = self._built(shape)
        part.train()(self._images(shape)).square().sum().backward()
        used = {name for name, parameter in part.named_parameters() if parameter.grad is not None}
        _, players = self._players(part)
        paths = [path[len(PATH) + 1 :] for player in players for path in player.moves]
        idle = sorted(n for n in used if not any(not path or n.startswith(f"{path}.") for path in paths))
        assert not idle, (
            f"no player moves {', '.join(idle)}, which it refines with; let players() move it, or make it a buffer."
        )

    def test_the_generator_stays_as_it_is(self, shape: ImageShape) -> None:
        model = self._model(shape)
        stage, players = self._players(model.refiner)  # type: ignore[arg-type]
        if not players:
            pytest.skip("brings no players")
        generator = {name: value.clone() for name, value in model.generator.state_dict().items()}
        self._play(model, stage, shape)
        strays = [name for name, p in model.generator.named_parameters() if p.grad is not None]
        assert not strays, (
            f"its players send gradients to the generator's {', '.join(strays)}; it is frozen for them. Read the "
            "images as step['fake'] within a shared value, which is detached for a player that does not move the "
            "generator."
        )
        for name, value in model.generator.state_dict().items():
            assert torch.equal(value, generator[name]), f"its players changed the generator's {name}."

    def test_a_player_moves_no_other_players_parameters(self, shape: ImageShape) -> None:
        model = self._model(shape)
        stage, players = self._players(model.refiner)  # type: ignore[arg-type]
        if not players:
            pytest.skip("brings no players")
        step = model.train().step(Batch(self._images(shape)), stage.values)
        refining = {p for path in _refining(model, shape) for p in model.get_submodule(path).parameters()}
        for player in players:
            moved = {p for path in player.moves for p in model.get_submodule(path).parameters()}
            model.zero_grad(set_to_none=True)
            step.begin(player.moves, [path for other in stage.following(player) for path in other.moves])
            torch.autograd.backward(torch.stack([t.float() for t in player.objective(step).values()]).sum())
            stray = [p for p in refining - moved if p.grad is not None]
            assert not stray, (
                f"the turn of player '{player.name}', which does not move the network that refines, goes back through "
                "it. Let `values` define 'refined' with step.use of that network alone, by its own path."
            )
            step.end()

    def test_samples_with_and_without(self, shape: ImageShape) -> None:
        model = self._model(shape).eval()
        refined, plain = model.sample(3, seed=4), model.sample(3, seed=4, refine=False)
        noise = model.sample_noise(3, seed=4)
        with torch.no_grad():
            close(plain, model.generator(noise), "without the refiner, samples are not the generator's.")
            close(refined, model.refiner(plain), "samples are not what it makes of the generator's.")  # type: ignore[misc]


def _refining(model: Model, shape: ImageShape) -> list[str]:
    """Paths of the refiner's direct children whose parameters its forward uses."""
    part = model.refiner
    assert part is not None
    children: list[str] = []
    calls: list[tuple[str, nn.Module]] = [(f"{PATH}.{name}", child) for name, child in part.named_children()]
    with torch.no_grad():
        hooks = [child.register_forward_hook(lambda *_, path=path: children.append(path)) for path, child in calls]
        part(torch.zeros(2, *shape))
    for hook in hooks:
        hook.remove()
    return list(dict.fromkeys(children))
