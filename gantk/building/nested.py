"""Nested parts: an outer part constructs an inner one, and passes needs and offers through."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from torch import Tensor

from gantk.building.construct import construct
from gantk.errors import FitError
from gantk.options import parse_part, read_options, write_part
from gantk.parts import Discriminator, Generator, Verdict

__all__ = ["Around", "nested", "offers_of", "usable_offer"]


class Extended(str):
    """The spec of a nested part with further options; they are added to a user's options and replace none."""

    __slots__ = ()


def nested(kind: str, spec: str, needs: Iterable[str] = (), **context: Any) -> Any:
    """Construct a nested part from its spec, with the options that it offers for what is needed of it.

    The outer part takes the spec as an option (`of: str = "dcgan"`) and calls this in its constructor::

        self.judge = nested("discriminator", of, image_shape=image_shape, noise_dim=noise_dim)
        self.provides = self.judge.provides
        self.offers = offers_of("of", of, self.judge)

    Args:
        kind: the kind of the nested part.
        spec: its name with options, such as `"dcgan:width=32"`.
        needs: what it must provide, such as the needs of a loss that reads it.
        context: context arguments for it (`image_shape`, `noise_dim`, `class_count`), as given to the outer part.

    Raises:
        UsageError: there is no such plugin, or an option is unknown or does not fit.
        FitError: it does not provide what is needed, with any of its offers.
    """
    part = construct(kind, spec, **context)
    name, options = parse_part(spec)
    for need in sorted(needs):
        offer = {} if need in _provided(part) else usable_offer(part, need, options)
        if offer:
            options |= offer
            part = construct(kind, {"plugin": name, **options}, **context)
    if missing := sorted(set(needs) - _provided(part)):
        raise FitError(f"it needs {', '.join(missing)}, which {kind} '{spec}' does not provide: choose another {kind}.")
    return part


def _provided(part: Any) -> frozenset[str]:
    """What a part of any kind provides; only some kinds have anything to."""
    found: frozenset[str] = getattr(part, "provides", frozenset())
    return found


def offers_of(option: str, spec: str, part: Generator | Discriminator) -> dict[str, dict[str, Extended]]:
    """The offers of a part within, as those of the part around it: need → the option that holds its spec.

    Args:
        option: of the part around it, which holds the spec.
        spec: as it was given.
        part: as it was made of the spec.
    """
    name, given = parse_part(spec)
    offers = {need: usable_offer(part, need, given) for need in part.offers}
    return {need: {option: Extended(write_part(name, {**given, **offer}))} for need, offer in offers.items() if offer}


def usable_offer(part: Any, need: str, given: Collection[str]) -> dict[str, Any]:
    """The options by which a part provides what is needed; none where they would replace what a user gave.

    None either where its constructor does not take them, as where a subclass inherits its parent's offers.
    """
    offer: Mapping[str, Any] = getattr(part, "offers", {}).get(need, {})
    if offer.keys() - read_options(type(part)).keys():
        return {}
    replaced = {name for name, value in offer.items() if not isinstance(value, Extended)} & set(given)
    return {} if replaced else {name: str(v) if isinstance(v, Extended) else v for name, v in offer.items()}


class Around(Discriminator):
    """A discriminator around another one, with its verdict; subclasses add to it.

    It provides and offers what the one within does, reads the condition if that one does, and grows if that one grows.

    Args:
        of: spec of the discriminator within, the value of the option `of`.
        needs: what that one must provide.
        context: context arguments for it (`image_shape`, `noise_dim`, `condition_dim`, `class_count`).
    """

    def __init__(self, of: str, needs: Iterable[str] = (), **context: Any) -> None:
        super().__init__()
        self.within: Discriminator = nested("discriminator", of, needs, **context)
        self.provides = self.within.provides
        self.offers: Mapping[str, Mapping[str, Any]] = offers_of("of", of, self.within)
        self.reads_condition = self.within.reads_condition

    def forward(self, images: Tensor, *conditions: Tensor) -> Verdict:
        """The verdict on `[N, C, H, W]` images and, if the discriminator within reads them, their conditions."""
        verdict: Verdict = self.within(images, *conditions)
        return verdict

    @property
    def growth(self) -> Any:
        """That of the discriminator within, if it grows: recipes that grow networks read it."""
        return self.within.growth
