"""Which parameters the score of a critic depends on: those that weight clipping bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gantk.parts import Discriminator, Verdict

__all__ = ["Scores"]


class Scores:
    """Listens to what discriminators say while it is entered.

    A head for codes or classes has targets of its own, which it could not reach if its weights were clipped; the score
    does not depend on it.

    Args:
        modules: in which discriminators are looked for; one within another is that one's own affair.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._discriminators = list(dict.fromkeys(found for module in modules for found in _outermost(module)))
        self._hooks: list[RemovableHandle] = []
        self._logits: list[Tensor] = []

    def __enter__(self) -> Scores:
        self._hooks = [each.register_forward_hook(self._hear) for each in self._discriminators]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for hook in self._hooks:
            hook.remove()

    def _hear(self, module: nn.Module, given: Any, verdict: Any) -> None:
        if isinstance(verdict, Verdict) and verdict.logits is not None:
            self._logits.append(verdict.logits)

    def clipped(self, parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
        """Those of these parameters that the scores depend on; all of them where no score depends on any."""
        reached = {id(tensor) for tensor in _leaves(self._logits)}
        return [each for each in parameters if id(each) in reached] or list(parameters)


def _outermost(module: nn.Module) -> Iterator[Discriminator]:
    if isinstance(module, Discriminator):
        yield module
        return
    for child in module.children():
        yield from _outermost(child)


def _leaves(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    """The leaves of the graph that tensors were computed by."""
    nodes = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen = set(nodes)
    while nodes:
        node = nodes.pop()
        if (leaf := getattr(node, "variable", None)) is not None:
            yield leaf
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                nodes.append(following)
