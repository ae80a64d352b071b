"""What a reproduction is done with: its builds, and what cannot change once it has begun."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from gantk.registry import Plugin
from gantk.reproduction import Reproduction, Row, reproduction
from gantk.sweeps.grid import Cell as Build

__all__ = ["Plan", "default_name", "file_name"]


def file_name(text: str) -> str:
    """A name as that of a file on all systems."""
    return re.sub(r"[^\w.+=-]+", "-", text).strip("-.")


def default_name(plugin: Plugin, quick: bool) -> str:
    """The name of a reproduction's folder."""
    return file_name(f"{plugin.name}-quick" if quick else plugin.name)


@dataclass(frozen=True)
class Plan:
    """What a reproduction is done with.

    Args:
        plugin: the plugin.
        what: its contents.
        folder: for everything.
        quick: whether it is scaled down.
        seeds: random seeds.
        data: the data set that the user chose; empty for the reproduction's own.
    """

    plugin: Plugin
    what: Reproduction
    folder: Path
    quick: bool
    seeds: tuple[int, ...]
    data: str = ""

    def filled(self, text: str) -> str:
        """A text of the reproduction, with the data set in place of `{data}`."""
        return text.replace("{data}", self.data or self.what.data)

    @property
    def samples(self) -> int:
        """Number of generated images."""
        own = self.what.samples
        return min(self.what.quick.samples, own) if self.quick and self.what.quick is not None else own

    def source(self) -> Plan:
        """What the models of rows with `of` are trained with: itself, or the reproduction that has them.

        Raises:
            UnknownName, BrokenPlugin: there is no such reproduction, or its TOML cannot be read.
        """
        if not self.what.models:
            return self
        plugin, what = reproduction(self.what.models)
        folder = self.folder.parent / default_name(plugin, self.quick)
        return Plan(plugin, what, folder, self.quick, self.seeds, self.data)

    def builds(self, rows: Collection[str]) -> dict[tuple[str, int], Build]:
        """(row, seed) → the build of its model, for some rows."""
        return {
            (name, seed): self._build(name, row, seed)
            for seed in self.seeds
            for name, row in self.what.rows.items()
            if row.recipe and name in rows
        }

    def _build(self, name: str, row: Row, seed: int) -> Build:
        parts = {kind: tuple(part) if isinstance(part, list) else part for kind, part in row.parts.items()}
        if data := self.data or self.what.data:
            parts = {"data": data, **parts}
        scaled = self.what.quick.settings if self.quick and self.what.quick is not None else ()
        settings = tuple(map(self.filled, (*row.settings, *scaled, *(row.quick if self.quick else ()))))
        return Build(f"{file_name(name)},seed={seed}", row.recipe, parts, settings, seed)

    def _described(self, name: str, row: Row) -> str:
        """What the models of a row are built of, as text."""
        build = self._build(name, row, 0)
        parts = [f"{kind}={part}" for kind, part in build.parts.items()]
        return " ".join([f"{name}:", str(build.recipe), *parts, *build.settings])

    def record(self) -> dict[str, list[str]]:
        """What cannot change in a folder; seeds can be added."""
        return {
            "reproduction": [self.plugin.qualified],
            "quick": [str(self.quick).lower()],
            "data": [self.data or self.what.data],
            **({"models": [self.what.models]} if self.what.models else {}),
            "rows": [self._described(name, row) for name, row in self.what.rows.items() if row.recipe],
        }

    def command(self) -> str:
        """The command that repeats it."""
        seeds = ",".join(map(str, self.seeds))
        words = ["gantk", "reproduce", self.plugin.name]
        if self.what.with_models:
            words += ["--seeds", seeds if len(self.seeds) > 1 else f"{seeds},"]
        words += ["--quick"] if self.quick else []
        words += ["--data", self.data] if self.data else []
        return shlex.join(words)
