"""Reproductions: what a table or a figure of a paper was measured with, and the paper's numbers, as data.

A reproduction is a TOML file in a package that registers it in the group `gantk.reproduction`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gantk import toml
from gantk.errors import BrokenPlugin
from gantk.plain import from_plain
from gantk.registry import Plugin, find

__all__ = ["Column", "Picture", "Quick", "Reproduction", "Row", "reproduction"]


@dataclass(frozen=True)
class Column:
    """A column of the table: one figure of every row."""

    title: str
    """Its heading, by which rows give the paper's numbers."""
    figure: str
    """`metric/figure` of an evaluation, such as `frechet/frechet`; `measure/metric/figure` or another of a log; of a
    command, the path in its JSON. Options, as in `prdc:k=3/precision`, tell metrics apart that are measured twice."""
    scale: float = 1.0
    """What the figure is multiplied by, such as 100 for percent."""
    digits: int = 1
    """Digits behind the point."""
    better: str = ""
    """`higher`, `lower`, or empty if neither is better."""
    stage: str = ""
    """If given, the figure is read from the log of this stage in place of an evaluation."""
    step: int = 0
    """The step of that stage; 0 for its last."""


@dataclass(frozen=True)
class Row:
    """A row of the table: a model that is trained, another measurement of one, or a command that prints JSON."""

    recipe: str = ""
    """The recipe that is trained."""
    parts: Mapping[str, Any] = field(default_factory=dict)
    """Its parts, such as `generator = "dcgan:width=32"` and `loss = ["minimax"]`."""
    settings: tuple[str, ...] = ()
    """Its settings, such as `stages.game.length=5 epochs`; `{data}` stands for the data set."""
    of: str = ""
    """The row whose models are measured, if this one trains none; a row of `Reproduction.models`, if that is given."""
    refined: bool = True
    """Whether a model's refiner is applied."""
    command: tuple[str, ...] = ()
    """Arguments of a gantk command that prints JSON, such as `intrinsic-dim`, `mnist`, `--json`; `{data}` stands for
    the data set."""
    quick: tuple[str, ...] = ()
    """What `--quick` appends: arguments of the command, or settings."""
    paper: Mapping[str, float] = field(default_factory=dict)
    """Title of a column → the paper's number."""


@dataclass(frozen=True)
class Picture:
    """A picture of every model, of the first seed."""

    title: str
    """What it shows."""
    command: tuple[str, ...]
    """Arguments of the gantk command that draws it; `{run}` and `{file}` stand for the model and the picture."""
    rows: tuple[str, ...] = ()
    """The rows whose models are drawn; empty for all of `Reproduction.with_models`."""


@dataclass(frozen=True)
class Quick:
    """What `--quick` scales down."""

    says: str
    """What it scales down, as a sentence."""
    seeds: tuple[int, ...] = (0,)
    samples: int = 1000
    settings: tuple[str, ...] = ()
    """Settings of all models."""


@dataclass(frozen=True)
class Reproduction:
    """A table or figure of a paper that is a measurement."""

    title: str
    paper: str
    """The source, with the number of the table."""
    rows: Mapping[str, Row]
    """Name of a row → what is measured."""
    columns: tuple[Column, ...]
    models: str = ""
    """The reproduction whose models the rows with `of` measure; they are in its own folder beside this one's."""
    data: str = ""
    """The data set of all models."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Random seeds; each trains every model."""
    metrics: tuple[str, ...] = ()
    """The metrics of an evaluation."""
    extractor: str = ""
    """Extractor of the features, such as `classifier:data='{data}'` or `discriminator:run='{run}'`."""
    samples: int = 10_000
    """Number of generated images."""
    differs: tuple[str, ...] = ()
    """What differs from the paper, and why; a sentence each."""
    quick: Quick | None = None
    pictures: tuple[Picture, ...] = ()

    @property
    def with_models(self) -> list[str]:
        """The rows that train models, or measure those of another reproduction."""
        return [name for name, row in self.rows.items() if row.recipe or (self.models and row.of)]


def reproduction(name: str) -> tuple[Plugin, Reproduction]:
    """A reproduction by its name or `package:name`.

    Raises:
        UnknownName, BrokenPlugin: there is no such reproduction, or its TOML cannot be read, or that of its models.
    """
    plugin, found = _read(name)
    other, source = _read(found.models) if found.models else (None, found)
    with _naming(plugin):
        if other == plugin:
            raise ValueError(f"models is {found.models} itself; leave it out")
        _check(found, source)
    return plugin, found


def _read(name: str) -> tuple[Plugin, Reproduction]:
    plugin = find("reproduction", name)
    with _naming(plugin):
        return plugin, from_plain(Reproduction, toml.loads(plugin.load()))


@contextmanager
def _naming(plugin: Plugin) -> Iterator[None]:
    """Name the file of a mistake."""
    try:
        yield
    except (ValueError, TypeError) as error:  # a TOMLDecodeError is a ValueError
        where = f"reproduction '{plugin.name}' ({plugin.package}, {plugin.name}.toml)"
        raise BrokenPlugin(f"{where}: {error}.") from error


def _check(found: Reproduction, source: Reproduction) -> None:
    """Check a reproduction, given the one that has its models: itself, or another one."""
    titles = {column.title for column in found.columns}
    if not found.rows or not found.columns:
        raise ValueError("rows or columns are missing")
    if source is not found and not any(row.of for row in found.rows.values()):
        raise ValueError(f"models is {found.models}, but no row has `of`")
    if found.quick is not None and source.quick is None:
        raise ValueError(f"quick: {found.models} has none")
    if found.data != source.data:
        raise ValueError(f"data is '{found.data}'; the models of {found.models} have '{source.data}'")
    for column in found.columns:
        if column.better not in ("", "higher", "lower"):
            raise ValueError(f"columns.{column.title}.better is {column.better!r:.40}; expected higher or lower")
    for seeds in (found.seeds, *([found.quick.seeds] if found.quick is not None else [])):
        if not seeds or not all(0 <= seed < 1 << 63 for seed in seeds):
            raise ValueError(f"seeds is {list(seeds)!r:.40}; expected numbers from 0")
    for name, row in found.rows.items():
        if sum(map(bool, (row.recipe, row.of, row.command))) != 1:
            raise ValueError(f"rows.{name}: expected one of recipe, of and command")
        if row.of and not (row.of in source.rows and source.rows[row.of].recipe):
            where = f"{found.models} has" if found.models else "there is"
            raise ValueError(f"rows.{name}.of: {where} no row '{row.of}' with a recipe")
        if unknown := sorted(set(row.paper) - titles):
            raise ValueError(f"rows.{name}.paper: there is no column '{unknown[0]}'")
    for picture in found.pictures:
        if unknown := [each for each in picture.rows if each not in found.with_models]:
            raise ValueError(f"pictures: there is no row '{unknown[0]}' with models")
