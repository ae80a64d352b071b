"""Construct networks quickly whose weights are only tried, never trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

__all__ = ["QuickWeights"]

DRAWN = 4096
"""How many numbers of a large tensor are drawn, rounded up to whole rows."""
CALL = 1000
"""What a call of one of torch's functions counts beside the numbers that it returns."""
DRAWING = frozenset({Tensor.normal_, Tensor.uniform_, init.normal_, init.uniform_, init.kaiming_uniform_})


class QuickWeights(TorchFunctionMode):
    """Inside, large tensors of random numbers repeat their first rows instead of drawing all of them.

    Most of the time that it takes to construct a network of millions of parameters is spent on drawing their values.

    Attributes:
        work: how many numbers torch's functions returned inside, and `CALL` more for each call. Unlike time, it is the
            same on every machine.
    """

    work = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        found = _drawn(func, *args, **kwargs) if func in DRAWING else func(*args, **kwargs)
        self.work += CALL + (found.numel() if isinstance(found, Tensor) else 0)
        return found


def _drawn(func: Callable[..., Any], tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Draw the first rows of a large tensor, and repeat them."""
    if tensor.numel() <= DRAWN:
        return func(tensor, *args, **kwargs)  # type: ignore[no-any-return]
    numbers = tensor.detach()
    rows = -(-DRAWN // numbers[0].numel())
    func(numbers[:rows], *args, **kwargs)
    while rows < len(numbers):
        numbers[rows : 2 * rows] = numbers[: len(numbers) - rows][:rows]
        rows *= 2
    return tensor
