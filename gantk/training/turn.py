"""A turn: one update of one player's parameters."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn

from gantk.errors import FitError
from gantk.model import Model
from gantk.nn.modes import unchanged
from gantk.schedule import Player, Stage, Step
from gantk.schedule.optimizers import can_be_recorded, make_optimizer
from gantk.schedule.scores import Scores
from gantk.schedule.step import Logged, overlap
from gantk.training.devices import Autocast
from gantk.training.fabric import Fabric
from gantk.training.finite import Divergence, Finite
from gantk.training.pieces import Played, mean_numbers, mean_values
from gantk.training.rates import Rates

__all__ = ["Turns", "Values"]

Values = dict[str, Tensor | float]
"""What a turn logs."""

DRAWN = ("noise",)
"""Values of a step that are drawn for the whole batch, so that they do not depend on how it is split."""


class Turns:
    """The turns of one stage: its optimizers, and the parameters that require gradients in each turn.

    Args:
        fabric: the devices.
        model: the model.
        stage: the stage.
        accumulate: how many pieces each batch is split into, whose gradients a turn adds up. Then memory holds the
            graph of one piece at a time, and no turn leaves a graph for a later player: its values are computed again.
        autocast: the precision of objectives.
        at_once: whether values that are not finite are errors at once, and not found until `divergence` looks for them;
            by default on a CPU only, as any other device would have to be waited for at every turn.
        in_tensors: whether scheduled learning rates and weights are tensors, which recorded steps read; by default on a
            CUDA device.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: Model,
        stage: Stage,
        accumulate: int = 1,
        autocast: Autocast = nullcontext,
        at_once: bool | None = None,
        in_tensors: bool | None = None,
    ) -> None:
        self._fabric = fabric
        self._model = model
        self._accumulate, self._autocast = accumulate, autocast
        self.stage = stage
        self._moved = {p.name: list(_parameters(model.get_submodule(path) for path in p.moves)) for p in stage.players}
        self.optimizers = {p.name: make_optimizer(p.optimizer, self._moved[p.name]) for p in stage.players}
        self._stepping: dict[str, Any] = {n: fabric.setup_optimizers(o) for n, o in self.optimizers.items()}
        self._states = model.state
        held = fabric.device if in_tensors or (in_tensors is None and fabric.device.type == "cuda") else None
        self._rates = {p.name: Rates(p, self.optimizers[p.name], held) for p in stage.players}
        self._finite = Finite(fabric.device, fabric.device.type == "cpu" if at_once is None else at_once)

    def play(self, steps: Iterable[Step]) -> list[Values]:
        """Play every player's turns.

        Args:
            steps: one for each repeated turn, and a last one that all players share.

        Returns:
            the values to log for each turn: `player/term` is the value of a term without its weight,
            `player/term/weight` its weight unless it is always 1, `player/term/part` a part that a loss logs; then
            `player/objective`, `player/gradient_norm` and the state of parts.

        Raises:
            Diverged: a term or a gradient is NaN or infinite, if that is an error at once; parameters are unchanged.
        """
        listed = [*steps]
        done = listed[0].at[1]
        self.set_rates(done)
        return self.weighted(self.compute(listed), done)

    def set_rates(self, done: float) -> None:
        """Set learning rates and weights of terms to what they are at a finished fraction of the stage."""
        for rates in self._rates.values():
            rates.set(done)

    def weighted(self, turns: Sequence[Values], done: float) -> list[Values]:
        """What `compute` returns, with the scheduled weights at a finished fraction of the stage."""
        factors = {
            f"{player}/{term}/weight": factor
            for player, rates in self._rates.items()
            for term, factor in rates.weights(done).items()
        }
        return [
            {name: value * factors.get(name, 1.0) if name in factors else value for name, value in turn.items()}
            for turn in turns
        ]

    def compute(self, steps: Sequence[Step]) -> list[Values]:
        """Play every player's turns with the rates that are set: what a recorded step is a record of.

        Returns:
            what `play` returns, but weights without their schedules.
        """
        self._finite.begin()
        fresh = (step.split(self._accumulate, DRAWN, self.stage.moves()) for step in steps)
        own = [player for player in self.stage.players if not player.brought_by]
        private = {player.name: [next(fresh) for _ in range(player.repeats - 1)] for player in own}
        shared = next(fresh)
        others = [player for player in self.stage.players if player.brought_by]
        private |= {player.name: [next(fresh) for _ in range(player.repeats - 1)] for player in others}
        turns: list[Values] = []
        for player in self.stage.players:
            with unchanged(self._others(player)):
                for pieces in private[player.name]:
                    turns.append(self._turn(player, pieces, ()))
                    for piece in shared:
                        piece.forget(player.moves)
                turns.append(self._turn(player, shared, self.stage.following(player)))
        self._finite.end()
        return turns

    @property
    def recordable(self) -> str:
        """Why steps cannot be recorded as CUDA graphs; empty if they can."""
        no = [name for name, optimizer in self.optimizers.items() if not can_be_recorded(optimizer)]
        if no:
            return f"the optimizer of player '{no[0]}' does not allow it"
        no = [name for name, rates in self._rates.items() if rates.changes_numbers]
        return f"the optimizer of player '{no[0]}' takes no schedule in a tensor" if no else ""

    def fixed_rates(self) -> list[float]:
        """Learning rates and weights that are numbers, with which a recorded step is played again and again."""
        return [number for rates in self._rates.values() for number in rates.numbers()]

    def tensors(self) -> list[Tensor]:
        """What a step changes besides the model: what optimizers and the search for divergence keep."""
        states = (state for optimizer in self.optimizers.values() for state in optimizer.state.values())
        held = [value for state in states for value in state.values() if isinstance(value, Tensor)]
        return [*held, *self._finite.tensors()]

    def divergence(self) -> Divergence | None:
        """The first value that was NaN or infinite in any step so far; waits for the device."""
        return self._finite.found()

    def _others(self, player: Player) -> list[Tensor]:
        """Buffers that a player must not change, such as batch statistics: those of other parts that it does not move.

        The recipe's own players may change all buffers.
        """
        if not player.brought_by:
            return []
        mine = (player.brought_by, *player.moves)
        paths = [path for path in self._model.parts if path != player.brought_by]
        buffers = (
            (f"{path}.{name}", buffer) for path in paths for name, buffer in self._model.parts[path].named_buffers()
        )
        return [buffer for name, buffer in buffers if not overlap([name], mine)]

    def _turn(self, player: Player, pieces: Sequence[Step], following: Sequence[Player]) -> Values:
        if len(pieces) > 1:
            following = ()  # the graphs of all pieces would have to be kept for them
        self._wake([player, *following])
        optimizer, parameters = self.optimizers[player.name], self._moved[player.name]
        optimizer.zero_grad(set_to_none=True)
        size = sum(piece.size for piece in pieces)
        played = [self._differentiate(player, piece, piece.size / size, following) for piece in pieces]
        self._average_gradients(parameters)
        values = mean_values(played)
        values["gradient_norm"] = self._clip(player, parameters)
        self._stepping[player.name].step()
        with torch.no_grad():
            for parameter in played[0].clipped:
                parameter.clamp_(-player.clip_weights, player.clip_weights)
        values |= self._remember(player, mean_numbers(played))
        for piece in pieces:
            piece.end()
        return {f"{player.name}/{name}": value for name, value in values.items()}

    def _differentiate(self, player: Player, step: Step, share: float, following: Sequence[Player]) -> Played:
        """Add a share of the gradient of a player's objective on one piece of the batch to that of its parameters."""
        step.begin(player.moves, [path for other in following for path in other.moves], remember=True)
        rates, clips = self._rates[player.name], bool(player.clip_weights)
        with self._autocast(), Scores(map(self._model.get_submodule, player.moves if clips else ())) as scores:
            unscheduled = player.objective(step)
            terms = rates.weighted(unscheduled)
        clipped = scores.clipped(self._moved[player.name]) if clips else []
        self._check(player, terms)
        values = _figures(unscheduled, step.logged, rates.terms)
        total = torch.stack([term.float() for term in terms.values()]).sum()
        if not total.requires_grad:
            raise FitError(
                f"stage '{self.stage.name}': no term of player '{player.name}' depends on the parameters that it moves."
            )
        values["objective"] = total.detach()
        self._fabric.backward(total if share == 1 else total * share)
        return Played(share, values, step.remembered or {}, clipped)

    def _wake(self, players: Sequence[Player]) -> None:
        """Enable gradients only for parameters that this player, or a later one on the same batch, moves."""
        live = {parameter for player in players for parameter in self._moved[player.name]}
        for parameters in self._moved.values():
            for parameter in parameters:
                parameter.requires_grad_(parameter in live)

    def _check(self, player: Player, terms: Mapping[str, Tensor]) -> None:
        if not terms:
            raise FitError(f"stage '{self.stage.name}': no loss has a term for player '{player.name}'.")
        self._finite.see(player.name, terms)

    def _clip(self, player: Player, parameters: Sequence[nn.Parameter]) -> Tensor:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self._finite.see(player.name, {"gradient norm": norm})
        if player.clip_gradients:
            torch.nn.utils.clip_grads_with_norm_(parameters, player.clip_gradients, norm)
        return norm

    def _remember(self, player: Player, remembered: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Update the state of parts with the mean over devices; returns it by the names in the log."""
        values: dict[str, Tensor] = {}
        for key, numbers in remembered.items():
            for name, number in numbers.items():
                number = number.to(self._fabric.device, torch.float32, non_blocking=True)
                kept = cast(Tensor, self._fabric.all_reduce(number, reduce_op="mean"))
                self._finite.see(player.name, {f"{name} of {key}": kept})
                self._states.update(key, {name: kept})
                values[f"state/{key}.{name}"] = kept
        return values

    def _average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Average the gradients over devices. A wrapper around each module could not share the values of a step."""
        if self._fabric.world_size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        mean = cast(Tensor, self._fabric.all_reduce(flat, reduce_op="mean"))
        for gradient, part in zip(gradients, torch.split(mean, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


def _figures(terms: Mapping[str, Tensor], logged: Mapping[str, Logged], scheduled: Collection[str]) -> Values:
    """The values of terms and their parts to log: each without its weight, and the weight separately."""
    figures: Values = {}
    for name, (value, weight) in {**{name: (term.detach(), 1.0) for name, term in terms.items()}, **logged}.items():
        figures[name] = value
        if weight != 1 or name in scheduled:
            figures[f"{name}/weight"] = weight
    return figures


def _parameters(modules: Iterable[nn.Module]) -> Iterable[nn.Parameter]:
    """Every parameter once, in order, even if one module contains another."""
    return dict.fromkeys(itertools.chain.from_iterable(module.parameters() for module in modules))
