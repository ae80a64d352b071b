"""One player's turn in the trial of a build."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gantk.errors import FitError, GantkError, OptionError, WorkError, briefly, nearest
from gantk.memory import ran_out, shortage
from gantk.model import Model
from gantk.schedule import Player, Stage, Step

__all__ = ["Attempt", "Failed", "TriedTurn", "parameters_of"]

IN_PLACE = "modified by an inplace operation"
TWICE = "backward through the graph a second time"


class Failed(Exception):
    """A turn failed on so few images."""


class Attempt(NamedTuple):
    """How a stage is tried."""

    size: int
    """Images of the batch."""
    separately: bool = False
    """Whether the gradient of each term is computed by itself, to find the one that fails."""
    again: bool = False
    """Whether this step follows another."""


class TriedTurn:
    """One player's turn on one batch, of which every fault is found.

    Args:
        model: the model.
        stage: the stage.
        player: whose turn it is.
        attempt: on how many images, and how.
    """

    def __init__(self, model: Model, stage: Stage, player: Player, attempt: Attempt) -> None:
        self.model, self.stage, self.player = model, stage, player
        self.size, self.separately, self.again = attempt.size, attempt.separately, attempt.again
        self.where = f"stage '{stage.name}', player '{player.name}'"

    def terms(self, step: Step) -> Mapping[str, Tensor]:
        """The player's terms, each known to be a finite number."""
        try:
            terms = self.player.objective(step)
        except FitError as error:
            raise error.about(self.where) from error
        except OptionError as error:
            raise OptionError(f"{self.where}: {error}") from error
        except GantkError:
            raise
        except Exception as error:
            if ran_out(error):
                raise WorkError(f"{self.where}: {shortage(error)} for a batch of {self.size}.") from error
            raise self._failed(error) from error
        if not isinstance(terms, Mapping):
            raise FitError(f"{self.where}: its objective returned {_kind(terms)}; expected name → term.")
        for name, term in terms.items():
            if not isinstance(term, Tensor) or term.numel() != 1 or term.is_complex():
                raise FitError(f"{self.where}: term '{name}' is {_kind(term)}; expected a scalar tensor.")
        for name, term in terms.items():
            if not torch.isfinite(term):
                raise Failed(f"{self.where}: term '{name}' is {term.item()} on {self.size} random images.")
        for key, numbers in (step.remembered or {}).items():
            for name, number in numbers.items():
                if not torch.isfinite(number):
                    raise Failed(
                        f"{self.where}: state {name} of {key} is {number.item()} after {self.size} random images."
                    )
        for unknown in set(self.player.weight_schedule) - set(terms):
            raise OptionError(
                f"stages.{self.stage.name}.{self.player.name}.weight_schedule: this player has no term '{unknown}'."
                f"{nearest(unknown, terms)}"
            )
        return terms

    def backward(self, terms: Mapping[str, Tensor]) -> None:
        """The gradient of their sum, known to be finite and to reach something that the player moves."""
        moved = list(parameters_of(self.model, [self.player]))
        live = {name: term for name, term in terms.items() if term.requires_grad}
        if not live:
            raise FitError(self._speechless())
        for parameter in moved:
            parameter.grad = None
        for names in [[name] for name in live] if self.separately else [[*live]]:
            total = torch.stack([live[name].float().reshape(()) for name in names]).sum()
            try:
                torch.autograd.backward(total, retain_graph=self.separately)
            except Exception as error:
                if ran_out(error):
                    raise WorkError(f"{self.where}: {shortage(error)} for a batch of {self.size}.") from error
                blamed = f"term '{names[0]}'" if len(names) == 1 else f"one of the terms {', '.join(names)}"
                raise self._failed(error, blamed) from error
        gradients = {parameter: parameter.grad for parameter in moved if parameter.grad is not None}
        if not gradients:
            raise FitError(self._speechless())
        for parameter, gradient in gradients.items():
            if gradient.layout != torch.strided:
                name = _named(self.model, parameter)
                raise FitError(f"{self.where}: the gradient of {name} is sparse; build its module with sparse=False.")
        if (wrong := _not_finite(gradients)) is not None:
            name = _named(self.model, wrong)
            raise Failed(f"{self.where}: the gradient of {name} is NaN or infinite on {self.size} random images.")

    def move(self, optimizer: torch.optim.Optimizer) -> None:
        """One step of the optimizer, after which the parameters are finite."""
        setting = f"stages.{self.stage.name}.{self.player.name}.optimizer={self.player.optimizer['optimizer']}"
        try:
            optimizer.step()
        except Exception as error:
            raise FitError(f"{setting}: {briefly(error)}; choose another optimizer or other options.") from error
        parameters = {parameter: parameter.detach() for parameter in parameters_of(self.model, [self.player])}
        if (wrong := _not_finite(parameters)) is not None:
            name = _named(self.model, wrong)
            raise FitError(f"{setting}: {name} is NaN or infinite after one step; choose a smaller lr.")

    def _speechless(self) -> str:
        return (
            f"{self.where} has no term that depends on what it moves: add a loss that has a term for it with --loss, "
            "or change that loss's options."
        )

    def _failed(self, error: Exception, terms: str = "") -> Failed:
        part = terms or _part_in(self.model, error.__traceback__)
        who = f"{self.where}: {part or 'its objective'}"
        if TWICE in str(error) or (self.again and IN_PLACE in str(error)):
            return Failed(f"{who} keeps a tensor with its graph from one step to the next: detach it.")
        if IN_PLACE in str(error):
            return Failed(
                f"{who} changes a tensor in place that its gradient is computed from: make a new one, as k = k + 1, "
                "or clone it first."
            )
        within = f", in {part}," if part else ""
        return Failed(
            f"{self.where} fails on a batch of {self.size}{within} by {type(error).__name__}: {briefly(error)}"
        )


def parameters_of(model: Model, players: Sequence[Player]) -> Iterator[nn.Parameter]:
    for player in players:
        for path in player.moves:
            yield from model.get_submodule(path).parameters()


def _not_finite(tensors: Mapping[nn.Parameter, Tensor]) -> nn.Parameter | None:
    """The first of these whose tensor holds NaN or infinity; all are looked at together first, which is faster."""
    if torch.isfinite(torch.nn.utils.get_total_norm(tensors.values(), torch.inf)):
        return None
    return next((each for each, tensor in tensors.items() if not torch.isfinite(tensor).all()), None)


def _part_in(model: Model, trace: TracebackType | None) -> str:
    """The part of the model whose code failed last."""
    paths = {id(part): path for path, part in model.parts.items()}
    found = [paths.get(id(frame.f_locals.get("self")), "") for frame, _ in traceback.walk_tb(trace)]
    return next((path for path in reversed(found) if path), "")


def _named(model: Model, parameter: nn.Parameter) -> str:
    return next((name for name, each in model.named_parameters() if each is parameter), "a parameter")


def _kind(value: object) -> str:
    kind = f" of {str(value.dtype).removeprefix('torch.')}" if isinstance(value, Tensor) and value.is_complex() else ""
    return f"a tensor {list(value.shape)}{kind}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
