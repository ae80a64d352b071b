"""Snapshots: a model as it is, so that it can be tried and put back bit for bit."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Snapshot"]

CONTAINERS = (dict, list, set, deque)


class Snapshot:
    """What a model and objects beside it hold: tensors, modes, gradients, attributes, and random number generators.

    Args:
        model: every module of it is kept.
        others: further objects whose attributes are kept, such as a recipe.
    """

    def __init__(self, model: nn.Module, others: Iterable[object] = ()) -> None:
        objects = [*model.modules(), *(other for other in others if hasattr(other, "__dict__"))]
        self._attributes = [(each, dict(vars(each))) for each in objects]
        self._containers: list[tuple[Any, Any]] = []
        self._tensors: dict[int, tuple[Tensor, Tensor]] = {}
        self._leaves: list[tuple[Tensor, bool, Tensor | None]] = []
        self._rngs: list[tuple[torch.Generator, Tensor]] = []
        for _, attributes in self._attributes:
            for value in attributes.values():
                self._keep(value)

    def _keep(self, value: Any) -> None:
        if isinstance(value, Tensor):
            if id(value) not in self._tensors and not nn.parameter.is_lazy(value):
                self._tensors[id(value)] = (value, value.detach().clone())
                if value.is_leaf:
                    self._leaves.append((value, value.requires_grad, value.grad))
        elif isinstance(value, torch.Generator):
            self._rngs.append((value, value.get_state()))
        elif isinstance(value, CONTAINERS):
            self._containers.append((value, copy.copy(value)))
            for item in value.values() if isinstance(value, dict) else value:
                if isinstance(item, Tensor):
                    self._keep(item)

    @torch.no_grad()
    def restore(self) -> None:
        """Put everything back."""
        for each, attributes in self._attributes:
            vars(each).clear()
            vars(each).update(attributes)
        for container, kept in self._containers:
            container.clear()
            (container.extend if isinstance(container, (list, deque)) else container.update)(kept)
        for tensor, kept in self._tensors.values():
            tensor.copy_(kept)
        for leaf, requires_grad, grad in self._leaves:
            if not leaf.is_leaf:  # what was added to it in place brought its graph along
                leaf.detach_()
            leaf.requires_grad_(requires_grad)
            leaf.grad = grad
        for rng, state in self._rngs:
            rng.set_state(state)
