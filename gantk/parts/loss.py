"""Losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from gantk.parts.part import Part

if TYPE_CHECKING:
    from gantk.schedule import Binding

__all__ = ["Loss"]


class Loss(Part):
    """Terms of a game's or a fit's objective.

    A loss has one method per role that it has a term for, named after the role: `discriminator`, `generator`,
    `autoencoder`, …. Each takes one argument, `play` (a `gantk.Play`), and returns the scalar tensor that the role's
    player minimizes, times `weight`, or `None` for no term. A loss that is a sum logs its summands with `play.log`. A
    loss never samples noise, calls `backward` or has an optimizer.
    """

    adversarial: ClassVar[bool] = False
    """Whether this is the game's adversarial loss, of which a game has exactly one."""
    needs: frozenset[str] = frozenset()
    """What it needs: `logits`, `hidden`, `code`, `classes`, `per-sample`, `posterior`, `sphere`, `labels`."""
    prior: tuple[str, ...] = ()
    """Distributions of noise (`NoiseSource.distribution`) for which codes that are trained with it match the noise that
    images are sampled from, the usual one first; empty if it assumes nothing about the noise."""
    conditional_prior: bool = False
    """Whether `prior` holds for the noise alone in a conditional model, since the loss decodes codes by
    `Play.reconstruction`, which puts the condition in place of their last numbers."""
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Role → player settings that this loss sets as defaults, such as `{"discriminator": {"repeats": 5}}`."""

    def joins(self, binding: Binding) -> bool:
        """A loss does not join games by itself: the objectives of a recipe contain the losses."""
        return False
