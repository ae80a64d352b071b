"""Describe a plugin by its docstring, constructor and class attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from gantk.building.construct import construct, part_class
from gantk.building.presets import recipe_spec
from gantk.building.resolved import plain
from gantk.errors import BrokenPlugin, GantkError
from gantk.kinds import KINDS, LISTS, SLOTS
from gantk.options import Option, read_options, typed_options
from gantk.parts import Loss
from gantk.recipe import is_preset
from gantk.registry import Plugin, find
from gantk.report.listing import score_of
from gantk.report.table import table
from gantk.reproduction import reproduction
from gantk.seeds import forked

__all__ = ["describe", "describe_text"]


def describe(kind: str, name: str) -> dict[str, Any]:
    """Describe a plugin as plain data for JSON.

    Raises:
        UnknownName, BrokenPlugin: there is no such plugin, or it cannot be imported.
    """
    plugin = find(kind, name)
    head = {"kind": plugin.kind, "name": plugin.name, "package": plugin.package, "version": plugin.version}
    loaded = plugin.load()
    if kind in TEXTS:
        return head | TEXTS[kind](plugin)
    if is_preset(loaded):
        return head | _preset(plugin)
    if KINDS[kind].home:
        loaded = part_class(kind, name)
    elif not callable(loaded):
        raise BrokenPlugin(f"{kind} '{name}' of package {plugin.package} is {loaded!r:.80}, which cannot be called.")
    doc = inspect.getdoc(loaded) or ""
    options = [_option(option) for option in read_options(loaded).values()]
    return head | {
        "summary": doc.partition("\n\nArgs:")[0].strip(),
        "paper": getattr(loaded, "paper", ""),
        "options": options,
        **_contract(loaded),
        **_provides(kind, plugin),
    }


def _provides(kind: str, plugin: Plugin) -> dict[str, Any]:
    """What a generator or discriminator provides with its default options, determined by constructing a small one.

    Empty if that is not possible, for example because it has required options.
    """
    if kind not in ("generator", "discriminator"):
        return {}
    try:
        with forked(0):
            part = construct(
                kind, plugin.qualified, image_shape=(3, 32, 32), noise_dim=64, class_count=10, condition_dim=10
            )
    except GantkError:
        return {}
    return {"provides": sorted(part.provides)}


def _option(option: Option) -> dict[str, Any]:
    known = {"name": option.name, "type": option.type_name, "doc": option.doc, "required": option.required}
    return known if option.required else known | {"default": None if option.default is None else plain(option.default)}


def _contract(cls: Any) -> dict[str, Any]:
    """The declared needs and offers of a class; options can change both."""
    found: dict[str, Any] = {}
    needs = getattr(cls, "needs", None)
    if isinstance(needs, frozenset) and needs:
        found["needs"] = sorted(needs)
    if offers := getattr(cls, "offers", None):
        found["offers"] = {need: dict(options) for need, options in offers.items()}
    if inspect.isclass(cls) and issubclass(cls, Loss):
        found |= {"adversarial": cls.adversarial, "roles": list(cls.roles())}
        if cls.settings:
            found["settings"] = {role: dict(settings) for role, settings in cls.settings.items()}
    if distribution := getattr(cls, "distribution", None):
        found["distribution"] = [distribution]
    for name in ("prior", "slots", "optional"):
        if value := getattr(cls, name, None):
            found[name] = list(value)
    return found


def _preset(plugin: Plugin) -> dict[str, Any]:
    spec = recipe_spec(plugin.qualified)
    parts: dict[str, Any] = {kind: _typed(kind, spec[kind]) for kind in ("recipe", "data", *SLOTS) if kind in spec}
    parts |= {kind: [_typed(kind, table) for table in spec[kind]] for kind in LISTS if kind in spec}
    if stages := spec.get("stages"):
        parts["stages"] = {name.removesuffix("?"): settings for name, settings in stages.items()}
    if "train" in spec:
        parts["train"] = spec["train"]
    about = {"summary": spec.get("title", ""), "paper": spec.get("paper", ""), "scored": score_of(plugin)}
    return {**about, "options": [], "values": parts}


def _reproduction(plugin: Plugin) -> dict[str, Any]:
    values = asdict(reproduction(plugin.qualified)[1])
    return {"summary": values.pop("title"), "paper": values.pop("paper"), "options": [], "values": _given(values)}


def _given(values: Any) -> Any:
    """A table without what is empty."""
    if isinstance(values, Mapping):
        return {key: _given(each) for key, each in values.items() if each not in ("", None, (), {})}
    return [_given(each) for each in values] if isinstance(values, (list, tuple)) else values


TEXTS: Mapping[str, Callable[[Plugin], dict[str, Any]]] = {"reproduction": _reproduction}
"""Kinds of plugins that are TOML, other than presets → their description."""


def _typed(kind: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """A part's table with its options converted to their types."""
    given = {name: value for name, value in part.items() if name != "plugin"}
    found = typed_options(find(kind, part["plugin"]).load(), given, f"{kind} '{part['plugin']}'")
    return {"plugin": part["plugin"], **{name: plain(value) for name, value in found.items()}}


def describe_text(description: Mapping[str, Any]) -> str:
    """The description as text."""
    lines = [f"{description['kind']} {description['name']}  ({description['package']} {description['version']})", ""]
    lines += [description["summary"]] if description["summary"] else []
    lines += [f"\npaper: {description['paper']}"] if description["paper"] else []
    lines += [f"\nscored: {description['scored']}"] if description.get("scored") else []
    lines += [f"\n{_options(description['options'])}"] if description["options"] else []
    words = ("distribution", "needs", "provides", "roles", "prior", "slots", "optional")
    facts = [f"{word}: {', '.join(description[word])}" for word in words if description.get(word)]
    facts += [f"offers {need} with {_pairs(options)}" for need, options in description.get("offers", {}).items()]
    facts += [f"default settings of the {role}: {_pairs(v)}" for role, v in description.get("settings", {}).items()]
    facts += ["adversarial: a game has exactly one such loss"] if description.get("adversarial") else []
    lines += ["", *facts] if facts else []
    lines += ["", *_values(description["values"])] if "values" in description else []
    return "\n".join(lines)


def _options(options: list[dict[str, Any]]) -> str:
    rows = []
    for option in options:
        default = "(required)" if option["required"] else str(_word(option["default"]))
        rows.append((option["name"], option["type"], default, option["doc"]))
    return table(rows, ("OPTION", "TYPE", "DEFAULT", ""))


def _pairs(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_word(value)}" for name, value in options.items())


def _word(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    return value


def _values(values: Mapping[str, Any], path: str = "") -> list[str]:
    lines = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _values(value, f"{path}{key}.")
        elif isinstance(value, list) and key == "loss":
            for loss in value:
                lines += _values(loss, f"loss.{loss['plugin'].rpartition(':')[2]}.")
        else:
            lines.append(f"{path}{key} = {_word(value)}")
    return lines
