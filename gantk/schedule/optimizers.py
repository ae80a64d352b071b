"""Optimizers by name: those of `torch.optim`, with their own constructors' options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from gantk.errors import OptionError, nearest
from gantk.options import check_options

__all__ = ["FUSED", "OPTIMIZERS", "can_be_recorded", "check_optimizer", "check_values", "hold_rates", "make_optimizer"]

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    name.lower(): found
    for name, found in vars(torch.optim).items()
    # LBFGS evaluates its objective several times per step, which a player's turn does not support.
    if inspect.isclass(found) and issubclass(found, torch.optim.Optimizer) and name not in ("Optimizer", "LBFGS")
}
"""`adam`, `rmsprop`, `sgd`, … → class."""

FUSED = ("adam", "adamw")
"""Optimizers whose fused implementation does all that the others do, on all devices; those of sgd and adagrad take no
sparse gradients."""


TENSOR_RATES = (torch.optim.Adam, torch.optim.SGD)
"""Optimizers whose fused implementations take tensors as learning rates; AdamW is one of Adam."""


def check_optimizer(settings: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Settings `{"optimizer": name, option: value, …}` with every option known and of its type.

    Raises:
        OptionError: the optimizer or one of its options is unknown, or a value is not of its type.
    """
    given = dict(settings)
    name = str(given.pop("optimizer", "adam")).lower()
    if name not in OPTIMIZERS:
        raise OptionError(f"{what}: there is no optimizer '{name}'.{nearest(name, OPTIMIZERS)}")
    return {"optimizer": name, **check_options(_factory(name), given, f"{what}: optimizer '{name}'")}


def check_values(settings: Mapping[str, Any], what: str) -> None:
    """Check the values of checked settings as the optimizer itself does; the first optimizer of a process takes seconds
    to make, since torch imports its compiler with it.

    Raises:
        OptionError: a value is out of its range.
    """
    try:
        make_optimizer(settings, [nn.Parameter(torch.zeros(1))])
    except (ValueError, TypeError, RuntimeError) as error:
        raise OptionError(f"{what}: optimizer '{settings['optimizer']}': {error}.") from error


@functools.cache
def _factory(name: str) -> functools.partial[torch.optim.Optimizer]:
    """An optimizer's constructor without its first argument, the parameters; the others are options."""
    return functools.partial(OPTIMIZERS[name], ())


def make_optimizer(settings: Mapping[str, Any], parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer that checked settings describe, over these parameters.

    Adam and AdamW use torch's fused implementation, which updates all parameters in one pass, unless the settings
    choose another one.
    """
    options = {name: value for name, value in settings.items() if name != "optimizer"}
    moved, name = list(parameters), settings["optimizer"]
    chosen = options.get("fused") is not None or options.get("foreach") or options.get("differentiable")
    if name in FUSED and not chosen and all(parameter.is_floating_point() for parameter in moved):
        options["fused"] = True
    return OPTIMIZERS[name](moved, **options)


def can_be_recorded(optimizer: torch.optim.Optimizer) -> bool:
    """Whether its step can be recorded as a CUDA graph: it keeps all that changes from step to step on the device."""
    return "capturable" in optimizer.defaults or type(optimizer) is torch.optim.SGD


def hold_rates(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Hold an optimizer's learning rates in tensors, where it takes them so, since a recorded step reads them there."""
    for group in optimizer.param_groups:
        if "capturable" in optimizer.defaults and device.type == "cuda":
            group["capturable"] = True
            # It would warn in every step that is computed, as the first ones are.
            optimizer._warned_capturable_if_run_uncaptured = True
        if group.get("capturable") or (group.get("fused") and isinstance(optimizer, TENSOR_RATES)):
            group["lr"] = torch.full((), group["lr"], device=device)
