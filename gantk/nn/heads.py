"""What discriminators read off their features, and what they may say that they provide."""

from __future__ import annotations

from torch import nn

from gantk.nn.layers import Norm

__all__ = ["Head", "provided"]


class Head(nn.Sequential):
    """A linear reading of flattened features: a logit, or a code of the noise's length.

    Args:
        features: numbers per image.
        outputs: numbers to read off them.
    """

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(features, outputs))


def provided(*, norm: Norm, code: bool) -> frozenset[str]:
    """What a discriminator with hidden layers provides, by its normalisation and its code head."""
    optional = {"per-sample": norm != "batch", "code": code}
    return frozenset({"logits", "hidden", *(name for name, has in optional.items() if has)})
