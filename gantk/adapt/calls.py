"""The parameters of a callable, and the networks that a function refers to."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gantk.nn import evaluating
from gantk.options import CONTEXT
from gantk.seeds import forked

__all__ = ["FunctionNetwork", "network_of", "parameters_of", "quiet", "referred", "required", "trial", "type_of"]


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The named parameters of a callable; none if its signature cannot be read."""
    try:
        signature = inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001 - annotations are any code; without them, an option is of any type
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            return []
        empty = inspect.Parameter.empty
        signature = signature.replace(parameters=[p.replace(annotation=empty) for p in signature.parameters.values()])
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in signature.parameters.values() if p.kind not in variadic]


def required(function: Callable[..., Any]) -> list[str]:
    """The required arguments of a callable, except those that are determined by other parts."""
    return [p.name for p in parameters_of(function) if p.default is p.empty and p.name not in CONTEXT]


class FunctionNetwork(nn.Module):
    """A function as a module, which contains the modules and parameters that the function refers to by name.

    Args:
        function: any function of tensors. In a copy of this module it refers to the copies.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self._names: dict[str, str] = {}
        for name, value in referred(function).items():
            if isinstance(value, (nn.Module, nn.Parameter)):
                self._names[name] = f"{name}_" if hasattr(self, name) else name
                setattr(self, self._names[name], value)

    def forward(self, *arguments: Any, **options: Any) -> Any:
        function = self.function
        if not self._names or not isinstance(function, types.FunctionType):
            return function(*arguments, **options)
        own = {name: getattr(self, mine) for name, mine in self._names.items()}
        cells = tuple(
            types.CellType(own[name]) if name in own else cell
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        )
        bound = types.FunctionType(
            function.__code__, {**function.__globals__, **own}, function.__name__, function.__defaults__, cells
        )
        bound.__kwdefaults__ = function.__kwdefaults__
        return bound(*arguments, **options)


def referred(function: Callable[..., Any]) -> dict[str, Any]:
    """The objects outside of a function that it refers to, by name."""
    if not isinstance(function, types.FunctionType):
        return {}
    names = [name for code in _codes(function.__code__) for name in code.co_names]
    found = {name: function.__globals__[name] for name in names if name in function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # defined later
            continue
    return found


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def network_of(thing: Any) -> nn.Module:
    """A module, or a function as one."""
    return thing if isinstance(thing, nn.Module) else FunctionNetwork(thing)


def type_of(network: nn.Module) -> dict[str, Any]:
    """The device and dtype of a network."""
    own = (tensor for tensor in (*network.parameters(), *network.buffers()) if tensor.is_floating_point())
    first: Tensor | None = next(own, None)
    return {} if first is None else {"device": first.device, "dtype": first.dtype}


@contextmanager
def quiet() -> Iterator[None]:
    """Without gradients, and with a fixed random seed."""
    with torch.no_grad(), forked(0):
        yield


@contextmanager
def trial(network: nn.Module) -> Iterator[None]:
    """A forward pass to determine shapes: without warnings, in evaluation mode."""
    with evaluating(network), quiet():
        yield
