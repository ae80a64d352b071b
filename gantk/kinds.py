"""The kinds of plugins and the slots of a model: one table, which everything else reads. A new kind is one row."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from gantk.errors import UnknownName, UsageError, nearest

__all__ = ["KINDS", "LISTS", "SLOTS", "Kind", "kind_named"]


@dataclass(frozen=True)
class Kind:
    """One kind of plugin.

    Args:
        name: of the kind, and of the slot that its parts fill.
        home: `module:Class` that its plugins are subclasses of; empty for a kind that has no interface yet.
        holds: how many of its parts a model has: at most `one`, a `list`, or `none` for what is no part of a model.
        help: what `gantk build --help` says of the option that names it; empty for a kind without one.
    """

    name: str
    home: str = ""
    holds: Literal["one", "list", "none"] = "none"
    help: str = ""

    @property
    def base(self) -> Any:
        """The class that its plugins are subclasses of, imported on first use: listing plugins needs no torch.

        Raises:
            UsageError: the kind has no interface yet.
        """
        if not self.home:
            raise UsageError(f"plugins of kind '{self.name}' can be listed, but gantk cannot construct them yet.")
        module, _, name = self.home.partition(":")
        return getattr(importlib.import_module(module), name)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("noise", "gantk.parts:NoiseSource", "one", "Noise source, as de or de:dim=64,sample=false."),
        Kind("generator", "gantk.parts:Generator", "one", "Generator."),
        Kind("refiner", "gantk.parts:Refiner", "one", "Refiner: improves the generator's images."),
        Kind("discriminator", "gantk.parts:Discriminator", "one", "Discriminator."),
        Kind("loss", "gantk.parts:Loss", "list", "Loss; repeat the option for several."),
        Kind("data", "gantk.data:DataSource", help="Data set, as digits or folder:root=photos,size=64."),
        Kind("metric"),
        Kind("extractor"),
        Kind("recipe", "gantk.recipe:Recipe"),
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
