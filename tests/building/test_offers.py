"""Offers of discriminators that do not hold are named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor

import gantk
from gantk import Model, registry
from gantk.errors import FitError
from gantk.testing import ToyDiscriminator


class Offering(gantk.Discriminator):
    """Offers to provide what a penalty needs by an option, as a subclass says whether it does."""

    offers = {"per-sample": {"norm": "layer"}}  # noqa: RUF012
    keeps = False

    def __init__(self, image_shape: gantk.parts.ImageShape, *, norm: str = "batch") -> None:
        super().__init__()
        self.inner = ToyDiscriminator(frozenset({"logits"}), image_shape)
        self.provides = frozenset({"logits", "per-sample"} if norm == "layer" and self.keeps else {"logits"})

    def forward(self, images: Tensor) -> gantk.Verdict:
        verdict: gantk.Verdict = self.inner(images)
        return verdict


class Keeping(Offering):
    keeps = True


class Inheriting(Keeping):
    """Inherits the offer and not the option."""

    def __init__(self, image_shape: gantk.parts.ImageShape) -> None:
        super().__init__(image_shape)


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        (Keeping, ""),
        (
            Inheriting,
            "it inherits an offer of norm, which its constructor does not take: use --discriminator",
        ),
        (Offering, "it offers norm=layer for that, has it, and still provides logits: use --discriminator"),
    ],
)
def test_an_offer_that_does_not_hold_is_named(
    judge: type, says: str, tiny: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed, broken = registry._entry_points()
    mine = registry.Plugin("discriminator", "mine", "gantk", "0", f"{__name__}:{judge.__name__}")
    monkeypatch.setattr(registry, "_entry_points", lambda: ((*installed, mine), broken))
    if not says:
        assert tiny(discriminator="mine", loss="wgan-gp").built.spec["discriminator"]["norm"] == "layer"
        return
    with pytest.raises(FitError, match="needs per-sample, which discriminator 'mine' does not") as e:
        tiny(discriminator="mine", loss="wgan-gp")
    assert says in str(e.value)
