"""The table of plugin kinds and model slots, which everything else reads. A new kind is one row."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from gantk.errors import UnknownName, nearest

__all__ = ["KINDS", "LISTS", "SLOTS", "Kind", "kind_named"]


@dataclass(frozen=True)
class Kind:
    """One kind of plugin.

    Args:
        name: name of the kind and of the slot that its parts fill.
        home: `module:Class`, the base class of its plugins.
        holds: how many of its parts a model has: at most `one`, a `list`, or `none` if it is not part of a model.
        help: help text of its `gantk build` option; empty if it has none.
        option: name of its `gantk build` option, if different from the kind.
    """

    name: str
    home: str
    holds: Literal["one", "list", "none"] = "none"
    help: str = ""
    option: str = ""

    @property
    def flag(self) -> str:
        """The option of `gantk build` that names a part of this kind."""
        return f"--{self.option or self.name}"

    @property
    def base_name(self) -> str:
        """The name of the base class, from where plugins import it."""
        return self.home.replace(":", ".")

    @property
    def base(self) -> Any:
        """The base class of its plugins, imported on first use: listing plugins does not import torch."""
        module, _, name = self.home.partition(":")
        return getattr(importlib.import_module(module), name)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("noise", "gantk.parts:NoiseSource", "one", "Noise source, such as de or de:dim=64,sample=false."),
        Kind("generator", "gantk.parts:Generator", "one", "Generator."),
        Kind("refiner", "gantk.parts:Refiner", "one", "Refiner: improves the generator's images."),
        Kind("discriminator", "gantk.parts:Discriminator", "one", "Discriminator."),
        Kind("condition", "gantk.parts:Condition", "one", "Condition, such as class: makes the GAN conditional."),
        Kind("loss", "gantk.parts:Loss", "list", "Loss; repeat the option for several."),
        Kind(
            "addon",
            "gantk.parts:Part",
            "list",
            "Any other part that joins the game, such as an augmentation; repeat for several.",
            "with",
        ),
        Kind("metric", "gantk.parts:Metric", "list", "Metric to measure during training; repeat for several."),
        Kind("data", "gantk.data:DataSource", help="Data set, such as digits or photos:size=64."),
        Kind("extractor", "gantk.parts:Extractor"),
        Kind("recipe", "gantk.recipe:Recipe"),
        Kind("reproduction", "gantk.reproduction:Reproduction"),
    )
}
SLOTS = tuple(name for name, kind in KINDS.items() if kind.holds == "one")
"""Parts of which a model has at most one."""
LISTS = tuple(name for name, kind in KINDS.items() if kind.holds == "list")
"""Parts of which a model has several."""


def kind_named(name: str) -> Kind:
    """A row of the table.

    Raises:
        UnknownName: there is no such kind.
    """
    if name not in KINDS:
        raise UnknownName(f"'{name}' is not a kind of plugin.{nearest(name, KINDS)}")
    return KINDS[name]
