"""What discriminators read off their features, and what they may say that they provide."""

from __future__ import annotations

from torch import Tensor, nn

from gantk.nn.layers import Norm
from gantk.parts import Verdict

__all__ = ["Head", "provided", "read_off"]


class Head(nn.Sequential):
    """A linear reading of flattened features: a logit, or a code of the noise's length.

    Args:
        features: numbers per image.
        outputs: numbers to read off them.
    """

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(features, outputs))


def read_off(features: Tensor, hidden: tuple[Tensor, ...], *, logit: nn.Module, code: nn.Module | None) -> Verdict:
    """The verdict by heads.

    Args:
        features: `[N, …]`, what the heads are given.
        hidden: the hidden maps, as they are.
        logit: makes `[N, 1]` of the features.
        code: makes `[N, dim]` of them, or `None` where no code is read.
    """
    return Verdict(logits=logit(features).squeeze(1), hidden=hidden, code=None if code is None else code(features))


def provided(*, norm: Norm, code: bool) -> frozenset[str]:
    """What a discriminator with hidden layers provides, by its normalisation and its code head."""
    optional = {"per-sample": norm != "batch", "code": code}
    return frozenset({"logits", "hidden", *(name for name, has in optional.items() if has)})
