"""The registry: which plugins are installed, found through entry points and imported only when they are used.

A plugin is one entry point in the group `gantk.<kind>`. Its name is what users type; its value is the object
(`package.module:Class`), or, for a recipe that only chooses values, the package that holds `<name>.toml`.

Parts that are given as code (`gantk.register`, a class in `gantk.build`) are registered too, for the lifetime of the
process. Their package is called `python`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from gantk.errors import BrokenPlugin, UnknownName, nearest
from gantk.files import text_of
from gantk.kinds import KINDS, kind_named

__all__ = [
    "PYTHON",
    "Given",
    "Plugin",
    "everything",
    "find",
    "give",
    "given_as",
    "is_registered",
    "plugins",
    "registered_as",
    "unreadable",
]

PYTHON = "python"
"""The package name of parts that are given from Python."""


@dataclass(frozen=True, eq=False)  # all of them are hashed at each look-up
class Plugin:
    """One registered name: what a listing knows of it without importing anything."""

    kind: str
    name: str
    package: str
    version: str
    target: str

    @property
    def qualified(self) -> str:
        """`package:name`, which names this plugin and no other."""
        return f"{self.package}:{self.name}"

    def load(self) -> Any:
        """Import the plugin and return its object: a class, or the text of a TOML preset.

        Raises:
            BrokenPlugin: importing it failed; the message carries its package and the error.
        """
        module_name, _, attribute = self.target.partition("[")[0].strip().partition(":")
        try:
            module = importlib.import_module(module_name)
            if not attribute:
                from importlib.resources import files  # no listing needs it

                file = files(module) / f"{self.name}.toml"
                if not file.is_file():
                    raise FileNotFoundError(
                        f"it has no {self.name}.toml; put it there, list *.toml in the package's "
                        "[tool.setuptools.package-data], and install the package again"
                    )
                return text_of(file.read_bytes())
            found: Any = module
            for step in attribute.split("."):
                found = getattr(found, step)
            return found
        except (Exception, SystemExit) as error:  # a script that was registered by mistake ends in sys.exit
            raise BrokenPlugin(
                f"{self.kind} '{self.name}' of package {self.package} {self.version} cannot be imported "
                f"({self.target}): {type(error).__name__}: {error}"
            ) from error


@dataclass(frozen=True, eq=False)
class Given(Plugin):
    """A part that this process was given as code.

    Args:
        make: returns the class that stands for it.
        thing: the code itself.
        listed: whether it goes by its bare name, as what was registered does, and not by `python:NAME` alone.
    """

    make: Callable[[], Any] = object
    thing: Any = None
    listed: bool = False

    def load(self) -> Any:
        return self.make()


_given: dict[tuple[str, str], Given] = {}


def give(kind: str, name: str, make: Callable[[], Any], *, thing: Any = None, listed: bool = False) -> Given:
    """Make code known as `python:NAME` to this process; it replaces what was given under this name before.

    Raises:
        UnknownName: there is no such kind.
    """
    target = f"{getattr(thing, '__module__', '')}:{getattr(thing, '__qualname__', name)}".lstrip(":")
    given = Given(kind_named(kind).name, name, PYTHON, "", target, make, thing, listed)
    _given[kind, name] = given
    return given


def given_as(kind: str, thing: Any) -> str:
    """`python:NAME` of code that this process was given before; nothing where it was not."""
    return next((given.qualified for given in _given.values() if given.kind == kind and given.thing is thing), "")


def registered_as(kind: str, thing: Any) -> str:
    """`package:name` of a class that an installed plugin is; nothing where there is none."""
    if not isinstance(thing, type):
        return ""
    target = f"{thing.__module__}:{thing.__qualname__}"
    return next((p.qualified for p in plugins(kind) if p.package != PYTHON and p.target == target), "")


@cache
def _entry_points() -> tuple[tuple[Plugin, ...], Mapping[str, str]]:
    """Every plugin of every package, and what is wrong with the metadata of packages where it cannot be read.

    Each package is read by itself and once: reading is most of the time that a listing takes, and one package's damaged
    metadata must not hide the others.
    """
    found: list[Plugin] = []
    broken: dict[str, str] = {}
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        try:
            if "[gantk." not in (distribution.read_text("entry_points.txt") or ""):
                continue
            name = str(distribution.metadata["Name"] or "")
            if not name:
                raise ValueError("its metadata has no Name")
            if _plain(name) in seen:
                continue
            seen.add(_plain(name))
            # What is imported is the first on the path, which may be another version, with other plugins.
            found += _of(importlib.metadata.distribution(name), name)
        except Exception as error:  # noqa: BLE001 - whatever a damaged package does, the others are listed
            broken[_place(distribution)] = f"{type(error).__name__}: {error}"
    return tuple(found), broken


def _of(distribution: importlib.metadata.Distribution, package: str) -> list[Plugin]:
    version = str(distribution.metadata["Version"] or "?")
    groups = {f"gantk.{kind}": kind for kind in KINDS}
    points = [point for point in distribution.entry_points if point.group in groups]
    return [Plugin(groups[point.group], point.name, package, version, point.value) for point in points]


def _place(distribution: importlib.metadata.Distribution) -> str:
    """Where a package's metadata lies, as far as it says."""
    return str(getattr(distribution, "_path", None) or distribution.locate_file(""))


def unreadable() -> Mapping[str, str]:
    """Packages that register plugins in metadata that cannot be read: its place → the error."""
    return _entry_points()[1]


def plugins(kind: str) -> list[Plugin]:
    """Every registered plugin of a kind, by name; reads metadata only and imports nothing.

    Raises:
        UnknownName: there is no such kind.
    """
    kind = kind_named(kind).name
    installed = _by_kind(_entry_points()[0])[kind]
    here = [plugin for plugin in _given.values() if plugin.listed and plugin.kind == kind]
    return sorted((*installed, *here), key=_by_name) if here else list(installed)


@cache
def _by_kind(found: tuple[Plugin, ...]) -> Mapping[str, tuple[Plugin, ...]]:
    """What is installed, of each kind, by name: whatever is looked up, all of it is gone through once."""
    return {kind: tuple(sorted((p for p in found if p.kind == kind), key=_by_name)) for kind in KINDS}


def _by_name(plugin: Plugin) -> tuple[str, str]:
    return plugin.name, plugin.package


def find(kind: str, name: str) -> Plugin:
    """The plugin that a name or `package:name` means.

    Raises:
        UnknownName: nobody registers the name (the nearest is shown), or several packages do.
    """
    matches = _matches(kind, name)
    if len(matches) == 1:
        return matches[0]
    known = plugins(kind)
    package, _, bare = name.rpartition(":")
    if matches:
        claims = " and ".join(p.package for p in matches)
        choices = " or ".join(p.qualified for p in matches)
        raise UnknownName(f"{kind} '{bare}' is claimed by {claims}; use {choices}.")
    if package == PYTHON:
        raise UnknownName(
            f"{kind} '{bare}' was given from Python and is unknown in this process: give it again with "
            f"gantk.load(…, {kind}=…), or with --code FILE.py, the file that defines it."
        )
    if package and any(p.name == bare for p in known):
        owners = ", ".join(p.qualified for p in known if p.name == bare)
        raise UnknownName(f"package '{package}' has no {kind} '{bare}'; available: {owners}.")
    others = [each for each in KINDS if each != kind and any(p.name == bare for p in plugins(each))]
    if others:
        meant = ", ".join(f"a {'data set' if each == 'data' else each}" for each in others)
        flags = " or ".join(f"{KINDS[each].flag} {bare}" for each in others if KINDS[each].help)
        mend = f" It is named with {flags}." if flags else ""
        raise UnknownName(f"there is no {kind} '{name}'; that is the name of {meant}.{mend}")
    raise UnknownName(f"there is no {kind} '{name}'.{nearest(bare, (p.name for p in known))}")


def is_registered(kind: str, name: str) -> bool:
    """Whether any plugin is called by a name or `package:name`."""
    return bool(_matches(kind, name))


def _matches(kind: str, name: str) -> list[Plugin]:
    package, _, bare = name.rpartition(":")
    if package == PYTHON:
        return [_given[kind, bare]] if (kind, bare) in _given else []
    return [p for p in plugins(kind) if p.name == bare and (not package or _same(p.package, package))]


def _plain(name: str) -> str:
    """A distribution's name as the packaging standard compares it: case, `-`, `_` and `.` do not matter."""
    return name.lower().replace("_", "-").replace(".", "-")


def _same(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def everything() -> Iterator[Plugin]:
    """All plugins of all kinds."""
    for kind in KINDS:
        yield from plugins(kind)
