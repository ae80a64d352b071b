"""Candidates for the mend of a refused build: changes that may help, the likeliest first, not yet tried."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gantk.building.construct import part_class
from gantk.building.presets import DEFAULT_RECIPE, recipe_spec
from gantk.building.request import Change, Request, is_adversarial
from gantk.building.spec import bare_name, part_table
from gantk.errors import FitError, GantkError
from gantk.kinds import KINDS, LISTS, SLOTS
from gantk.options import parse_part, read_options, write_part
from gantk.registry import PYTHON, Plugin, find, plugins

__all__ = [
    "advised",
    "with_less",
    "with_nothing",
    "with_other_options",
    "with_other_parts",
    "with_other_recipe",
    "with_recipe_of_loss",
]

ADVICE = re.compile(r"--([a-z]+) ([\w-]+(?::[^\s.,;]+(?:[.,][^\s.,;]+)*)?)")
"""Matches a part that an error message suggests, such as `--discriminator dcgan:norm=layer`."""


def with_other_parts(error: FitError, request: Request) -> Iterator[Change]:
    """Missing parts, and others of the kinds that the error names, beginning with those that nobody chose."""
    text = str(error)
    has = {slot for slot in SLOTS if request.of_recipe(slot) or slot in request.chosen}
    named = [slot for slot in SLOTS if re.search(rf"\b{slot}\b", text)]
    yield from _completed([slot for slot in named if slot not in has], request)
    for kind in sorted([*named, *(["loss"] if "--loss" in text else [])], key=lambda kind: kind in request.chosen):
        yield from _replaced(kind, request, "use" if kind in LISTS or kind in has else "add")


def with_other_options(text: str, request: Request) -> Iterator[Change]:
    """The user's parts, each with one option reset, beginning with options that the text names."""
    for kind, table in request.tables():
        names = sorted(table, key=lambda name: not re.search(rf"\b{re.escape(name)}\b", text))
        yield from _as_usual(kind, table, names, request)


def _as_usual(kind: str, table: Mapping[str, Any], names: Iterable[str], request: Request) -> Iterator[Change]:
    """A part of the user's with one of these options reset to the recipe's value, or else to its default."""
    if table["plugin"].startswith(f"{PYTHON}:"):
        return
    same = next((each for each in request.of_recipe(kind) if each["plugin"] == table["plugin"]), {})
    usual = {**_defaults(kind, table), **same, "plugin": table["plugin"]}
    for name in names:
        if name in usual and usual[name] != table[name]:
            part = {**table, name: _short(usual[name])}
            yield Change("use", f"{KINDS[kind].flag} {_written(part)}", request.having(kind, part))


def _defaults(kind: str, table: Mapping[str, Any]) -> dict[str, Any]:
    options = read_options(part_class(kind, table["plugin"])).values()
    return {option.name: option.default for option in options if not option.required}


def _short(value: Any) -> Any:
    """A value as users type it: the name of a nested part without its package."""
    if not isinstance(value, str) or ":" not in value:
        return value
    name, options = parse_part(value)
    return write_part(name.rpartition(":")[2], options)


def _written(table: Mapping[str, Any]) -> str:
    return write_part(bare_name(table), {name: value for name, value in table.items() if name != "plugin"})


def with_less(request: Request) -> Iterator[Change]:
    """Without one of the user's parts, `--without` options, or settings."""
    for kind, table in request.tables():
        yield Change("leave out", _flag(kind, table), request.less(kind, table))
    for name in request.without:
        less = tuple(each for each in request.without if each != name)
        yield Change("leave out", f"--without {name}", replace(request, without=less))
    for setting in request.settings:
        path = setting[0] if isinstance(setting, tuple) else setting.partition("=")[0].strip()
        less = tuple(each for each in request.settings if each != setting)
        yield Change("leave out", f"--set {path}", replace(request, settings=less))


def with_nothing(request: Request) -> Iterator[Change]:
    """Without any part of the user's."""
    flags = " and ".join(_flag(kind, table) for kind, table in request.tables())
    kept = {key: value for key, value in request.chosen.items() if key not in (*SLOTS, *LISTS)}
    yield Change("leave out", flags, replace(request, chosen=kept))


def _flag(kind: str, table: Mapping[str, Any]) -> str:
    """The command-line option that names a part."""
    return KINDS[kind].flag if kind in SLOTS else f"{KINDS[kind].flag} {bare_name(table)}"


def advised(text: str, request: Request) -> Iterator[Change]:
    """The parts that the error message suggests. A part that the user chose keeps its other options."""
    for flag, part in ADVICE.findall(text):
        kind = next((name for name, each in KINDS.items() if each.flag == f"--{flag}"), "")
        try:
            table = part_table(kind, part) if kind in (*SLOTS, *LISTS) else {}
        except GantkError:
            continue
        if table:
            own = request.own(kind, table["plugin"])
            if len(table) > 1:
                table = {**own, **table}
            elif own:
                yield from _as_usual(kind, own, [*own], request)
            yield Change("use", f"--{flag} {_named(part, table)}", request.having(kind, table))


def _named(part: str, table: Mapping[str, Any]) -> str:
    """A part by the name in a message, with all options of its table."""
    return write_part(parse_part(part)[0], {name: value for name, value in table.items() if name != "plugin"})


def _completed(missing: Sequence[str], request: Request) -> Iterator[Change]:
    """All missing parts, as in the default recipe."""
    usual = recipe_spec(DEFAULT_RECIPE)
    if missing and all(slot in usual for slot in missing):
        for slot in missing:
            request = request.having(slot, usual[slot])
        yield Change("add", " ".join(f"{KINDS[slot].flag} {bare_name(usual[slot])}" for slot in missing), request)


def _replaced(kind: str, request: Request, verb: str) -> Iterator[Change]:
    """Every other plugin of a kind in place of the present one, unless that was given from Python.

    Those with the name of a part of the request come first: they are of the same paper. For losses, the
    adversarial one is replaced, preferably by one with a common base class.
    """
    there = [table["plugin"] for each, table in request.tables() if each == kind]
    there = there or [table["plugin"] for table in request.of_recipe(kind)]
    if kind in SLOTS and any(name.startswith(f"{PYTHON}:") for name in there):
        return
    own = [table for each in (*SLOTS, *LISTS) for table in request.of_recipe(each)]
    names = {bare_name(table) for table in [*own, *(table for _, table in request.tables())]}
    others = [plugin for plugin in plugins(kind) if plugin.qualified not in there]
    others.sort(key=lambda plugin: plugin.name not in names)
    if kind == "loss":
        others = [plugin for plugin in others if is_adversarial({"plugin": plugin.qualified})]
        others = [plugin for plugin in others if _akin(plugin.qualified, there)] or others
    for plugin in others:
        found = request.having(kind, {"plugin": plugin.qualified})
        yield Change(verb, f"{KINDS[kind].flag} {_typed(plugin)}", found)


def _akin(name: str, others: Iterable[str]) -> bool:
    """Whether a loss is a subclass or base class of one of the other losses that are adversarial."""
    one = part_class("loss", name)
    rest = [part_class("loss", other) for other in others if is_adversarial({"plugin": other})]
    return any(issubclass(one, other) or issubclass(other, one) for other in rest)


def with_recipe_of_loss(request: Request) -> Iterator[Change]:
    """The recipe that has the name of a chosen loss."""
    losses = {table["plugin"] for kind, table in request.tables() if kind == "loss"}
    names = {name.rpartition(":")[2] for name in losses}
    yield from _with_recipes([plugin for plugin in plugins("recipe") if plugin.name in names], request)


def with_other_recipe(request: Request) -> Iterator[Change]:
    """Other recipes, beginning with those that have the name of a chosen part."""
    names = {table["plugin"].rpartition(":")[2] for _, table in request.tables()}
    yield from _with_recipes(sorted(plugins("recipe"), key=lambda plugin: plugin.name not in names), request)


def _with_recipes(found: Iterable[Plugin], request: Request) -> Iterator[Change]:
    """Those of these recipes that contain one of the chosen parts."""
    chosen = {(kind, table["plugin"]) for kind, table in request.tables()}
    for plugin in found:
        try:
            lower = recipe_spec(plugin.qualified)
        except GantkError:
            continue
        if lower.get("preset") == request.lower.get("preset"):
            continue
        listed = [(kind, lower.get(kind, [])) for kind in (*SLOTS, *LISTS)]
        has = {(kind, t["plugin"]) for kind, ts in listed for t in ([ts] if isinstance(ts, Mapping) else ts)}
        if chosen & has:
            data = {"data": request.lower["data"]} if "data" in request.lower else {}
            yield Change("choose", f"recipe '{_typed(plugin)}'", replace(request, lower={**lower, **data}))


def _typed(plugin: Plugin) -> str:
    """A plugin's name on the command line: without its package, unless several packages have that name."""
    try:
        find(plugin.kind, plugin.name)
    except GantkError:
        return plugin.qualified
    return plugin.name
