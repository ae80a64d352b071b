"""Discriminator heads, and what a discriminator with them provides."""

from __future__ import annotations

from torch import Tensor, nn

from gantk.nn.layers import Norm
from gantk.parts import Verdict

__all__ = ["Head", "provided", "read_off"]


class Head(nn.Sequential):
    """A linear layer on flattened features, which outputs a logit or a code.

    Args:
        features: number of features per image.
        outputs: number of outputs.
    """

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(features, outputs))


def read_off(features: Tensor, hidden: tuple[Tensor, ...], *, logit: nn.Module, code: nn.Module | None) -> Verdict:
    """Compute a verdict from features.

    Args:
        features: `[N, …]`, the input of the heads.
        hidden: the hidden maps, passed on unchanged.
        logit: maps the features to `[N, 1]`.
        code: maps the features to `[N, dim]`, or `None` without a code.
    """
    return Verdict(logits=logit(features).squeeze(1), hidden=hidden, code=None if code is None else code(features))


def provided(*, norm: Norm, code: bool) -> frozenset[str]:
    """What a discriminator with hidden layers provides, by its normalization and its code head."""
    optional = {"per-sample": norm != "batch", "code": code}
    return frozenset({"logits", "hidden", *(name for name, has in optional.items() if has)})
