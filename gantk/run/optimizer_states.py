"""States of optimizers: what they remember of each parameter. Settings, such as learning rates, come from the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gantk.errors import CheckpointError

__all__ = ["States", "flat", "load_states", "nested", "states_of"]

States = dict[str, dict[int, dict[str, Any]]]
"""Player → number of a parameter → name → value, mostly a tensor."""


def states_of(optimizers: Mapping[str, Optimizer]) -> States:
    """What optimizers remember, by their players."""
    return {
        player: {
            number: dict(optimizer.state[parameter])
            for number, (_, parameter) in enumerate(_parameters(optimizer))
            if parameter in optimizer.state
        }
        for player, optimizer in optimizers.items()
    }


def flat(states: States) -> tuple[dict[str, Tensor], dict[str, dict[str, Any]]]:
    """States as tensors by name, and what is no tensor, by player."""
    tensors: dict[str, Tensor] = {}
    others: dict[str, dict[str, Any]] = {player: {} for player in states}
    for player, each in states.items():
        for number, values in each.items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"{player}.{number}.{name}"] = value
                else:
                    others[player][f"{number}.{name}"] = value
    return tensors, others


def nested(tensors: Mapping[str, Tensor], others: Mapping[str, Mapping[str, Any]]) -> States:
    """The inverse of `flat`.

    Raises:
        ValueError: a name is not as `flat` makes them.
    """
    states: States = {player: {} for player in others}
    values = {f"{player}.{key}": value for player, each in others.items() for key, value in each.items()}
    for key, value in {**tensors, **values}.items():
        player, number, name = key.rsplit(".", 2)
        if player not in states:
            raise ValueError(f"{key} belongs to no player")
        states[player].setdefault(int(number), {})[name] = value
    return states


def load_states(
    optimizers: Mapping[str, Optimizer], states: States, where: object, turns: Mapping[str, int] | None = None
) -> None:
    """Load the states of a stage's optimizers, if they fit.

    Args:
        optimizers: player → optimizer.
        states: player → what its optimizer remembers.
        where: the checkpoint, for errors.
        turns: player → number of turns that it has had.

    Raises:
        CheckpointError: the states belong to other players, parameters, optimizers, or numbers of turns.
    """
    if set(states) != set(optimizers):
        raise CheckpointError(f"{where} was written by players {sorted(states)}, not {sorted(optimizers)}.")
    for player, optimizer in optimizers.items():
        if fault := _fault(optimizer, states[player], (turns or {}).get(player)):
            raise CheckpointError(
                f"{where}: the state of player '{player}' is of another optimizer: {fault}; --fresh starts over."
            )
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": states[player], "param_groups": groups})
        _lay_out(optimizer)


def _lay_out(optimizer: Optimizer) -> None:
    """Let states lie in memory as their parameters do, since fused optimizers go through both in that order."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _fault(optimizer: Optimizer, found: Mapping[int, Mapping[str, Any]], turns: int | None) -> str:
    """Why an optimizer cannot have had these states after this many turns; empty if it can."""
    parameters = list(_parameters(optimizer))
    if any(number not in range(len(parameters)) for number in found):
        return f"it has more than {len(parameters)} parameters"
    trials: dict[object, dict[str, Any]] = {}
    for number, (group, parameter) in enumerate(parameters):
        if number not in found and found:  # never had a gradient
            continue
        kind = (id(group), parameter.shape, parameter.dtype)
        if kind not in trials:
            trials[kind] = _after_a_step(optimizer, group, parameter)
        expected, values = trials[kind], found.get(number, {})
        if set(expected) != set(values):
            return f"it has {sorted(values) or 'nothing'} of parameter {number}, not {sorted(expected)}"
        for name, value in values.items():
            if _kind(value) != _kind(expected[name]):
                return f"{name} of parameter {number} is {_kind(value)}, not {_kind(expected[name])}"
        steps = float(values.get("step", 1))
        if steps < 1 or not steps.is_integer() or (turns is not None and steps > turns):
            return f"parameter {number} has had {steps:g} of {turns} steps"
    return ""


def _parameters(optimizer: Optimizer) -> Iterator[tuple[dict[str, Any], nn.Parameter]]:
    return ((group, parameter) for group in optimizer.param_groups for parameter in group["params"])


@torch.no_grad()
def _after_a_step(optimizer: Optimizer, group: Mapping[str, Any], parameter: nn.Parameter) -> dict[str, Any]:
    """What an optimizer of this kind remembers of such a parameter after one step."""
    trial = nn.Parameter(torch.zeros(parameter.shape, dtype=parameter.dtype))
    trial.grad = torch.zeros_like(trial)
    on_cpu = {"lr": float(group["lr"]), **({"capturable": False} if "capturable" in group else {})}
    alone: Any = type(optimizer)([{**group, **on_cpu, "params": [trial]}])  # type: ignore[call-arg]
    alone.step()
    return dict(alone.state.get(trial, {}))


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return type(value).__name__
