"""Parameters that are never trained: those that no player's terms depend on, even if a player lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from gantk.model import Model
from gantk.nn import evaluating
from gantk.parts import NoiseSource
from gantk.seeds import forked

__all__ = ["drawn_through", "notes_on_movers", "reached", "untrained"]

MOST_NAMED = 4
"""How many modules a note names."""


def reached(tensors: Iterable[Tensor]) -> set[int]:
    """The `id` of every parameter that the gradient of one of these tensors reaches; no gradient is computed."""
    found: set[int] = set()
    left = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen = set(left)
    while left:
        node = left.pop()
        if isinstance(variable := getattr(node, "variable", None), Tensor):
            found.add(id(variable))
        following = {each for each, _ in node.next_functions if each is not None} - seen
        seen |= following
        left += following
    return found


def drawn_through(noise: NoiseSource) -> list[str]:
    """The modules of a noise source that the gradient of its samples reaches, as its `learned` would name them."""
    with forked(0), evaluating(noise), torch.enable_grad():
        through = reached([noise.sample(2)])
    owners = (
        name
        for name, module in noise.named_modules()
        if any(id(parameter) in through for parameter in module.parameters(recurse=False))
    )
    found: list[str] = []
    for name in owners:  # a module comes before those within it
        if not any(outer == "" or name.startswith(f"{outer}.") for outer in found):
            found.append(name)
    return found


def untrained(model: Model, moved: Iterable[str]) -> list[str]:
    """The modules, and single parameters, of a model's parts that are not among what is moved.

    Args:
        model: the model.
        moved: names of parameters, as in `model.named_parameters()`.

    Returns:
        Dotted paths: a module for all of its parameters.
    """
    names = set(moved)
    # By identity: where two modules share a parameter, it has a name in each.
    known = {id(parameter) for name, parameter in model.named_parameters() if name in names}
    parts = ((path, part) for path, part in model.parts.items() if not path.startswith("metric."))
    return [name for path, part in parts for name in _idle(path, part, known)]


def _idle(path: str, module: nn.Module, moved: set[int]) -> Iterator[str]:
    parameters = [*module.parameters()]
    if not any(id(parameter) in moved for parameter in parameters):
        yield from [path] if parameters else []
        return
    yield from (f"{path}.{own}" for own, each in module.named_parameters(recurse=False) if id(each) not in moved)
    for own, child in module.named_children():
        yield from _idle(f"{path}.{own}", child, moved)


def notes_on_movers(idle: Iterable[str]) -> list[str]:
    """A sentence for each part of which something is not trained."""
    by_part: dict[str, list[str]] = {}
    for path in idle:
        by_part.setdefault(path.partition(".")[0], []).append(path)
    return [f"no player trains {_listed(paths)}." for paths in by_part.values()]


def _listed(paths: list[str]) -> str:
    more = len(paths) - MOST_NAMED
    return ", ".join(paths[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
