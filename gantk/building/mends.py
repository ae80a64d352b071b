"""Suggest changes to a refused build: other parts or options, another recipe, or fewer parts.

What fits depends on the rest of the request and on the installed plugins. So candidates are built, and only those that
build are suggested.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gantk.building.construct import part_class
from gantk.building.presets import DEFAULT_RECIPE, recipe_spec
from gantk.building.quick_weights import QuickWeights
from gantk.building.request import Change, Request, is_adversarial
from gantk.building.spec import Spec, bare_name, part_table
from gantk.errors import FitError, GantkError
from gantk.kinds import KINDS, LISTS, SLOTS
from gantk.options import parse_part, read_options, write_part
from gantk.registry import PYTHON, Plugin, find, plugins

__all__ = ["mended"]

MOST_TRIED = 80
"""How many candidates are built at most. Most of those that do not fit are refused before their networks are made."""
ENOUGH, MOST = 10**9, 4 * 10**9
"""How much work (`QuickWeights.work`) is done before no further candidate is built: if one has been found, and if none
has. Small models need a tenth of it for all candidates; those of large images would take minutes."""
ORDER = ("leave out", "add", "use", "choose")
"""In which order changes that do not suffice are tried together with a second one."""
ADVICE = re.compile(r"--([a-z]+) ([\w-]+(?::[^\s.,;]+(?:[.,][^\s.,;]+)*)?)")
"""Matches a part that an error message suggests, such as `--discriminator dcgan:norm=layer`."""


def mended(
    error: FitError, request: Request, build: Callable[[Request], object], spec_of: Callable[[Request], Spec]
) -> FitError:
    """The error of a refused request; if changes are found that build, they replace its own suggestion.

    If no single change suffices, the error names the second problem as well, and suggests two changes.

    Args:
        error: why the request was refused.
        request: the request.
        build: builds a request, or raises.
        spec_of: the spec of a request; requests with equal specs are built once.
    """
    if error.of_code:
        return error
    search = _Search(error, build, spec_of)
    good = search.first(1, itertools.chain(_advised(str(error), request), _with_other_options(str(error), request)))
    if not good:
        good = search.first(1, _with_recipe_of_loss(request))
        good += search.first(1 if good else 2, _with_other_parts(error, request))
    good = good or search.first(1, _with_other_recipe(request))
    search.work = 0  # with many plugins, the changes above can take all of it
    good += search.first(2, _with_less(request))
    if good:
        return error.advising(_said(good))
    for first, again in sorted(search.failed, key=lambda each: ORDER.index(each[0].verb)):
        further = [_advised(str(again), first.request), _with_other_parts(again, first.request)]
        for second in search.first(1, itertools.chain(*further, _with_less(first.request))):
            both = f"{first.verb} {first.what} and {second.verb} {second.what}"
            return FitError(f"{error.problem}; {again.problem}", both)
    search.once_more()
    good = search.first(1, _with_nothing(request))
    return error.advising(_said(good)) if good else error


class _Search:
    """Builds changed requests until enough of them succeed, and collects those that fail with another error.

    Args:
        error: why the request was refused.
        build: builds a request, or raises.
        spec_of: the spec of a request.
    """

    def __init__(self, error: FitError, build: Callable[[Request], object], spec_of: Callable[[Request], Spec]) -> None:
        self.error = error
        self.build = build
        self.spec_of = spec_of
        self.left = MOST_TRIED
        self.work = 0
        self.known: list[tuple[Any, bool]] = []
        self.failed: list[tuple[Change, FitError]] = []

    def first(self, count: int, changes: Iterable[Change]) -> list[Change]:
        """The first `count` of these changes that build, or fewer."""
        return list(itertools.islice(filter(self._builds, changes), count))

    def once_more(self) -> None:
        """Allow one more build, however much work the others were."""
        self.left, self.work = 1, 0

    def _builds(self, change: Change) -> bool:
        try:
            described = (self.spec_of(change.request), "noise" in change.request.chosen)
        except GantkError:
            return False
        for known, builds in self.known:
            if known == described:
                return builds
        if self.left < 1 or self.work > (ENOUGH if any(builds for _, builds in self.known) else MOST):
            return False
        self.left -= 1
        builds = self._tried(change)
        self.known.append((described, builds))
        return builds

    def _tried(self, change: Change) -> bool:
        quick = QuickWeights()
        try:
            with quick, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.build(change.request)
        except GantkError as again:
            if isinstance(again, FitError) and not again.of_code and again.problem != self.error.problem:
                self.failed.append((change, again))
            return False
        finally:
            self.work += quick.work
        return True


def _said(changes: Iterable[Change]) -> str:
    """Alternative changes as a phrase, such as "use A or B, or leave out C"."""
    groups = itertools.groupby(changes, lambda change: change.verb)
    return ", or ".join(f"{verb} {' or '.join(dict.fromkeys(c.what for c in group))}" for verb, group in groups)


def _with_other_parts(error: FitError, request: Request) -> Iterator[Change]:
    """Missing parts, and others of the kinds that the error names, beginning with those that nobody chose."""
    text = str(error)
    has = {slot for slot in SLOTS if request.of_recipe(slot) or slot in request.chosen}
    named = [slot for slot in SLOTS if re.search(rf"\b{slot}\b", text)]
    yield from _completed([slot for slot in named if slot not in has], request)
    for kind in sorted([*named, *(["loss"] if "--loss" in text else [])], key=lambda kind: kind in request.chosen):
        yield from _replaced(kind, request, "use" if kind in LISTS or kind in has else "add")


def _with_other_options(text: str, request: Request) -> Iterator[Change]:
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


def _with_less(request: Request) -> Iterator[Change]:
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


def _with_nothing(request: Request) -> Iterator[Change]:
    """Without any part of the user's."""
    flags = " and ".join(_flag(kind, table) for kind, table in request.tables())
    kept = {key: value for key, value in request.chosen.items() if key not in (*SLOTS, *LISTS)}
    yield Change("leave out", flags, replace(request, chosen=kept))


def _flag(kind: str, table: Mapping[str, Any]) -> str:
    """The command-line option that names a part."""
    return KINDS[kind].flag if kind in SLOTS else f"{KINDS[kind].flag} {bare_name(table)}"


def _advised(text: str, request: Request) -> Iterator[Change]:
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


def _with_recipe_of_loss(request: Request) -> Iterator[Change]:
    """The recipe that has the name of a chosen loss."""
    losses = {table["plugin"] for kind, table in request.tables() if kind == "loss"}
    names = {name.rpartition(":")[2] for name in losses}
    yield from _with_recipes([plugin for plugin in plugins("recipe") if plugin.name in names], request)


def _with_other_recipe(request: Request) -> Iterator[Change]:
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
