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
    """Tests what users of a `gantk.Refiner` rely on.

    The refiner is added to a game with a toy generator and no other players, so that only the refiner's players move
    parameters.
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
        """A stage with the refiner's players, as `build` adds them."""
        stage = Stage("game", [], adversarial=adversarial)
        stage.players += part.players(PATH, stage)
        stage.values = {**part.values(PATH, stage)}
        return stage, stage.players

    def _play(self, model: Model, stage: Stage, shape: ImageShape) -> dict[str, list[Tensor]]:
        """One turn of every player; returns its terms by player.

        All parameters require gradients, so that unwanted gradients are found.
        """
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
                f"no term of player '{player.name}' depends on the parameters that it moves; do not detach it, and "
                "compute the value that it reads with step.use of the module that it moves."
            )
            torch.autograd.backward(total)
            assert any(p.grad is not None and p.grad.any() for p in moved), (
                f"player '{player.name}' moves {', '.join(player.moves)}, but its terms have no gradient there."
            )
            assert all(p.grad is None or torch.isfinite(p.grad).all() for p in moved), (
                f"the gradients of player '{player.name}' are NaN or infinite."
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
            f"4 refined images have the shape {list(images.shape)}; expected {[4, *shape]}. To refuse a shape that the "
            "network does not support, raise gantk.errors.FitError with the reason."
        )
        assert images.dtype == torch.float32, f"images are {images.dtype}; expected float32."

    def test_stays_in_range(self, shape: ImageShape) -> None:
        part = self._built(shape)
        with torch.no_grad():
            for parameter in part.parameters():
                parameter *= 30
        images = part(self._images(shape))
        assert torch.isfinite(images).all(), "with large weights, images contain NaN or infinity."
        low, high = images.min().item(), images.max().item()
        assert -1 <= low <= high <= 1, (
            f"with large weights, pixels are from {low:g} to {high:g}; expected [-1, 1]. End with torch.tanh "
            "(gantk.nn.output_activation) or clamp."
        )

    def test_leaves_what_it_is_given_alone(self, shape: ImageShape) -> None:
        images = self._images(shape)
        self._built(shape)(images)
        assert torch.equal(images, self._images(shape)), "the refiner changed its input in place; return a new tensor."

    def test_depends_on_the_image(self, shape: ImageShape) -> None:
        images = self._built(shape)(self._images(shape))
        assert not torch.equal(images[0], images[1]), (
            "two images gave the same refined image; compute it from the image."
        )

    def test_gradients_reach_the_images(self, shape: ImageShape) -> None:
        images = self._images(shape).requires_grad_()
        refined = self._built(shape).train()(images)
        assert refined.requires_grad, "refined images have no gradient; do not detach them or use torch.no_grad()."
        (gradient,) = torch.autograd.grad(refined.square().sum(), images, allow_unused=True)
        assert gradient is not None, "no gradient of refined images reaches the input; do not detach it."
        assert gradient.any(), (
            "the gradient of refined images with respect to the input is zero, so fine-tuning cannot learn."
        )

    def test_evaluation_is_deterministic(self, shape: ImageShape) -> None:
        part, images = self._built(shape).eval(), self._images(shape)
        first = part(images)
        torch.manual_seed(99)
        assert torch.equal(part(images), first), (
            "in evaluation mode, the same images gave different refined images; use random numbers, as dropout does, "
            "in training mode only."
        )

    def test_evaluation_looks_at_one_image_at_a_time(self, shape: ImageShape) -> None:
        part, images = self._built(shape).eval(), self._images(shape)
        others = torch.cat([images[:1], -images[1:].flip(0)])
        message = (
            "in evaluation mode, a refined image depends on the other images in the batch; use running statistics."
        )
        with torch.no_grad():
            close(part(others)[0], part(images)[0], message)

    def test_joins_games_only(self, shape: ImageShape) -> None:
        _, players = self._players(self._built(shape), adversarial=False)
        assert not players, (
            f"players() returned {', '.join(p.name for p in players)} for a stage that is not adversarial, such as "
            "pre-training; return () unless stage.adversarial."
        )

    def test_its_players_move_what_is_its_own(self, shape: ImageShape) -> None:
        model = self._model(shape)
        _, players = self._players(model.refiner)  # type: ignore[arg-type]
        names = [player.name for player in players]
        assert len(names) == len({*names, "discriminator", "generator"}) - 2, (
            f"players() returned {', '.join(names)}, but names must be unique, and a game already has players called "
            "discriminator and generator. Start each name with the `path` that players() receives."
        )
        for player in players:
            for path in player.moves:
                assert path == PATH or path.startswith(f"{PATH}."), (
                    f"player '{player.name}' moves '{path}', which is not part of the refiner; start paths with the "
                    "`path` that players() receives."
                )
                assert list(model.get_submodule(path).parameters()), (
                    f"player '{player.name}' moves '{path}', which has no parameters."
                )

    def test_all_that_it_refines_with_is_moved(self, shape: ImageShape) -> None:
        part = self._built(shape)
        part.train()(self._images(shape)).square().sum().backward()
        used = {name for name, parameter in part.named_parameters() if parameter.grad is not None}
        _, players = self._players(part)
        paths = [path[len(PATH) + 1 :] for player in players for path in player.moves]
        idle = sorted(n for n in used if not any(not path or n.startswith(f"{path}.") for path in paths))
        assert not idle, (
            f"no player moves {', '.join(idle)}, which forward uses; add it to a player's `moves`, or make it a buffer."
        )

    def test_the_generator_stays_as_it_is(self, shape: ImageShape) -> None:
        model = self._model(shape)
        stage, players = self._players(model.refiner)  # type: ignore[arg-type]
        if not players:
            pytest.skip("has no players")
        generator = {name: value.clone() for name, value in model.generator.state_dict().items()}
        self._play(model, stage, shape)
        strays = [name for name, p in model.generator.named_parameters() if p.grad is not None]
        assert not strays, (
            f"gradients of the refiner's players reach the generator's {', '.join(strays)}, which they do not move. "
            "Read the images as step['fake'] in a shared value, which is detached for players that do not move the "
            "generator."
        )
        for name, value in model.generator.state_dict().items():
            assert torch.equal(value, generator[name]), f"the refiner's players changed the generator's {name}."

    def test_a_player_moves_no_other_players_parameters(self, shape: ImageShape) -> None:
        model = self._model(shape)
        stage, players = self._players(model.refiner)  # type: ignore[arg-type]
        if not players:
            pytest.skip("has no players")
        step = model.train().step(Batch(self._images(shape)), stage.values)
        refining = {p for path in _refining(model, shape) for p in model.get_submodule(path).parameters()}
        for player in players:
            moved = {p for path in player.moves for p in model.get_submodule(path).parameters()}
            model.zero_grad(set_to_none=True)
            step.begin(player.moves, [path for other in stage.following(player) for path in other.moves])
            torch.autograd.backward(torch.stack([t.float() for t in player.objective(step).values()]).sum())
            stray = [p for p in refining - moved if p.grad is not None]
            assert not stray, (
                f"gradients of player '{player.name}' reach the refining network, which it does not move. Define "
                "'refined' in `values` with step.use of that network alone, by its own path."
            )
            step.end()

    def test_samples_with_and_without(self, shape: ImageShape) -> None:
        model = self._model(shape).eval()
        refined, plain = model.sample(3, seed=4), model.sample(3, seed=4, refine=False)
        noise = model.sample_noise(3, seed=4)
        with torch.no_grad():
            close(plain, model.generator(noise), "with refine=False, samples are not the generator's images.")
            close(refined, model.refiner(plain), "samples are not the refined images of the generator.")  # type: ignore[misc]


def _refining(model: Model, shape: ImageShape) -> list[str]:
    """Paths of the refiner's direct children that its forward calls."""
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
