"""Specs: what a model is made of, as plain data. A recipe's TOML, a build's arguments and `model.toml` are all specs.

A spec is a mapping with the keys `recipe`, `seed`, `data`, one per slot, `loss` (a list), `stages` and `train`. A part
is written `"de:dim=64"` or `{plugin = "de", dim = 64}`; `normalize` turns the first form into the second and the
names into `package:name`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any

from gantk import toml
from gantk.building.named import data_at, part_named
from gantk.errors import BrokenPlugin, OptionError, UsageError, nearest
from gantk.kinds import LISTS, SLOTS
from gantk.options import parse_part
from gantk.recipe import is_adaptive
from gantk.registry import Plugin, find, is_registered
from gantk.written import Written, parse_value

__all__ = [
    "DEFAULT_RECIPE",
    "PLAYER_SETTINGS",
    "SINGLE",
    "Spec",
    "apply_setting",
    "combine",
    "combine_losses",
    "flat",
    "is_pattern",
    "leave_out",
    "merge",
    "merge_player",
    "merge_stages",
    "normalize",
    "part_table",
    "path_of",
    "recipe_spec",
]

Spec = dict[str, Any]

DEFAULT_RECIPE = "gantk:dcgan"

PLAYER_SETTINGS = ("repeats", "clip_weights", "clip_gradients", "lr_schedule", "weight_schedule")
"""Settings of a player beside its optimizer's."""
SINGLE = ("data", *SLOTS)
TABLES = ("stages", "train", "versions", "start")
TEXTS = ("title", "paper", "preset")
KEYS = (
    "recipe",
    "preset",
    "extends",
    "title",
    "paper",
    "seed",
    *SINGLE,
    *LISTS,
    "stages",
    "train",
    "shape",
    "untrained",
    "start",
    "versions",
)


def part_table(kind: str, value: Any, home: str = "") -> dict[str, Any]:
    """One part as `{"plugin": "package:name", option: value, …}`.

    Args:
        kind: the plugin's kind.
        value: `"name"`, `"name:option=value"`, `(name, {option: value})` or `{"plugin": name, option: value}`; for data
            a path as well.
        home: the package whose recipe this stands in; its own plugins come before those of other packages.

    Raises:
        OptionError: it is none of these.
        UnknownName: there is no such plugin.
    """
    if isinstance(value, str):
        name, options = parse_part(value) if home else part_named(kind, value)
    elif kind == "data" and isinstance(value, os.PathLike):
        name, options = data_at(value)
    elif isinstance(value, Mapping) and isinstance(value.get("plugin"), str):
        name, options = value["plugin"], {k: v for k, v in value.items() if k != "plugin"}
    elif isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[1], Mapping):
        name, options = str(value[0]), dict(value[1])
    else:
        raise OptionError(f"{kind}: expected 'name', 'name:option=value' or {{plugin = 'name', …}}, not {value!r}.")
    return {"plugin": _find(kind, name, home).qualified, **options}


def _find(kind: str, name: str, home: str) -> Plugin:
    """What a name means in a package's recipe: another package that claims it too cannot change that."""
    own = f"{home}:{name}"
    return find(kind, own if home and is_registered(kind, own) else name)


def bare_name(table: Mapping[str, Any]) -> str:
    """A part's name without its package."""
    return str(table["plugin"]).rpartition(":")[2]


def normalize(spec: Mapping[str, Any], what: str, home: str = "") -> Spec:
    """A spec with every part as a table; unknown keys are errors that name `what` holds them."""
    for key in spec:
        if key not in KEYS:
            raise OptionError(f"{what} has no entry '{key}'.{nearest(key, KEYS)}")
    result: Spec = deepcopy(dict(spec))
    for kind in SINGLE:
        if kind in result:
            result[kind] = part_table(kind, result[kind], home)
    for kind in LISTS:
        if kind in result:
            listed = result[kind] if isinstance(result[kind], (list, tuple)) else [result[kind]]
            result[kind] = [part_table(kind, part, home) for part in listed]
    for key in (*TABLES, *TEXTS):
        expected, called = (Mapping, "a table") if key in TABLES else (str, "text")
        if key in result and not isinstance(result[key], expected):
            raise OptionError(f"{what}: '{key}' is {called}, not {result[key]!r:.60}.")
    return result


def merge(lower: Spec, upper: Spec) -> Spec:
    """`upper` laid over `lower`: parts of the same plugin and tables merge, everything else replaces."""
    result = deepcopy(lower)
    for key, value in upper.items():
        if key in SINGLE and key in result and result[key]["plugin"] == value["plugin"]:
            result[key] = {**result[key], **value}
        elif key == "stages":
            result[key] = merge_stages(result.get(key, {}), value)
        elif key == "train":
            result[key] = {**result.get(key, {}), **value}
        else:
            result[key] = deepcopy(value)
    return result


def merge_stages(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by stage over others; a pattern such as `size-*` goes over what lower names that it matches say, too."""
    result: dict[str, Any] = deepcopy(dict(lower))
    for stage, settings in upper.items():
        if not isinstance(settings, Mapping):
            raise OptionError(f"stages.{stage} is a table, not {settings!r}.")
        for meant in dict.fromkeys([stage, *(name for name in lower if fnmatchcase(name, stage))]):
            _merge_stage(result.setdefault(meant, {}), settings, whole=meant == stage)
    return result


def _merge_stage(below: dict[str, Any], settings: Mapping[str, Any], whole: bool) -> None:
    """Settings of a stage over others, in place; unless they are meant as a `whole`, only over what is there.

    What a lower name does not say it may not have, as a player that plays in other stages.
    """
    for name, value in settings.items():
        if not isinstance(value, Mapping):
            if whole or name in below:
                below[name] = value
            continue
        matched = [each for each in below if isinstance(below[each], Mapping) and fnmatchcase(each, name)]
        for meant in dict.fromkeys([*([name] if whole else []), *matched]):
            below[meant] = merge_player(below.get(meant, {}), value)


def is_pattern(name: str) -> bool:
    """Whether a name of a stage or player stands for all that it matches, as `size-*`."""
    return any(sign in name for sign in "*?[")


def merge_player(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """A player's settings over others; naming another optimizer drops the options of the one before."""
    if "optimizer" in upper and upper["optimizer"] != lower.get("optimizer"):
        lower = {k: v for k, v in lower.items() if k in PLAYER_SETTINGS}
    return {**lower, **upper}


def combine(lower: Sequence[dict[str, Any]], upper: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A recipe's list of parts with a user's: options of the same plugin go over its, other parts are added to it."""
    result = [dict(part) for part in lower]
    for part in upper:
        same = next((known for known in result if known["plugin"] == part["plugin"]), None)
        if same is not None:
            same.update(part)
        else:
            result.append(dict(part))
    return result


def combine_losses(
    lower: Sequence[dict[str, Any]], upper: Sequence[dict[str, Any]], adversarial: Mapping[str, bool]
) -> list[dict[str, Any]]:
    """A recipe's losses with a user's: an adversarial one replaces the recipe's, the others are added to it.

    Args:
        adversarial: qualified loss name → whether it is adversarial.
    """
    chosen = [loss["plugin"] for loss in upper if adversarial[loss["plugin"]]]
    if len(chosen) > 1:
        raise UsageError(f"a game has exactly one adversarial loss, not {' and '.join(chosen)}.")
    kept = [loss for loss in lower if not (chosen and adversarial[loss["plugin"]] and loss["plugin"] != chosen[0])]
    # The adversarial loss comes first.
    return sorted(combine(kept, upper), key=lambda loss: not adversarial[loss["plugin"]])


def leave_out(spec: Spec, name: str) -> None:
    """Take a part out of a spec, in place: `hidden`, `loss.hidden`, the whole list `loss`, or the slot `refiner`.

    Raises:
        UsageError: there is no such part, or several are called so.
    """
    if name in (*SLOTS, *LISTS) and spec.get(name):
        del spec[name]
        return
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for kind in (*SLOTS, *LISTS):
        for table in spec.get(kind, []) if kind in LISTS else filter(None, [spec.get(kind)]):
            found[f"{kind}.{bare_name(table)}"] = (kind, table)
    meant = [path for path, (_, table) in found.items() if name in (path, bare_name(table), table["plugin"])]
    if not meant:
        known = nearest(name, [path.partition(".")[2] for path in found])
        raise UsageError(f"--without {name}: the recipe has no such part.{known}")
    if len(meant) > 1:
        raise UsageError(f"--without {name} is ambiguous: use {' or '.join(meant)}.")
    kind, table = found[meant[0]]
    if kind in LISTS:
        spec[kind] = [each for each in spec[kind] if each is not table]
    else:
        del spec[kind]


def recipe_spec(value: Any) -> Spec:
    """The spec of a recipe, a preset resolved down to the schedule it extends.

    Returns:
        a normalized spec whose `recipe` is the schedule's table and whose `preset` is the name that was asked for.

    Raises:
        UnknownName, BrokenPlugin: there is no such recipe, or its TOML cannot be read.
    """
    table = part_table("recipe", value)
    plugin = find("recipe", table["plugin"])
    options = {k: v for k, v in table.items() if k != "plugin"}
    spec = _load_recipe(plugin, ())
    spec["recipe"] = {**spec["recipe"], **options}
    spec["preset"] = plugin.name
    return spec


def _load_recipe(plugin: Plugin, seen: tuple[str, ...]) -> Spec:
    if plugin.qualified in seen:
        raise BrokenPlugin(f"recipe '{plugin.qualified}' extends itself: {' → '.join((*seen, plugin.qualified))}.")
    loaded = plugin.load()
    if is_adaptive(loaded):
        said = {key: text for key, text in (("title", loaded.title), ("paper", loaded.paper)) if text}
        preset = {**said, **loaded.defaults, "extends": loaded.extends}
        return _extended(preset, plugin, f"recipe '{plugin.name}' ({plugin.package})", seen)
    if not isinstance(loaded, str):
        return {
            "recipe": {"plugin": plugin.qualified},
            **normalize(loaded.defaults, f"recipe '{plugin.name}'", plugin.package),
        }
    where = f"recipe '{plugin.name}' ({plugin.package}, {plugin.name}.toml)"
    try:
        preset = toml.loads(loaded)
    except toml.TOMLDecodeError as error:
        raise BrokenPlugin(f"{where} is not valid TOML: {error}") from error
    return _extended(preset, plugin, where, seen)


def _extended(preset: Spec, plugin: Plugin, where: str, seen: tuple[str, ...]) -> Spec:
    """A preset's values over those of the recipe that it extends."""
    base = preset.pop("extends", None)
    if not isinstance(base, str):
        raise BrokenPlugin(f"{where} must name the recipe that it extends, as in extends = 'game'.")
    table = part_table("recipe", base, plugin.package)
    extended = find("recipe", table.pop("plugin"))
    if is_adaptive(extended.load()):
        raise BrokenPlugin(f"{where} extends '{extended.name}', which chooses its values itself: extend another one.")
    lower = _load_recipe(extended, (*seen, plugin.qualified))
    lower["recipe"] = {**lower["recipe"], **table}
    return merge(lower, normalize(preset, where, plugin.package))


def flat(settings: Mapping[str, Any] | Sequence[Any]) -> list[Any]:
    """Settings one by one: tables within tables become paths, as `{"stages": {"game": {"length": …}}}` does."""
    if not isinstance(settings, Mapping):
        return list(settings)
    return [setting for path, value in settings.items() for setting in _flat(path, value)]


def _flat(path: str, value: Any) -> list[tuple[str, Any]]:
    root, depth = path.split(".")[0], path.count(".") + 1
    most = 5 if root == "stages" else 3 if root in LISTS else 2
    if not isinstance(value, Mapping) or depth >= most:
        return [(path, value)]
    return [setting for key, inner in value.items() for setting in _flat(f"{path}.{key}", inner)]


def path_of(setting: str | tuple[str, Any]) -> str:
    """The path of a setting, such as `train.devices`."""
    return (setting if isinstance(setting, str) else setting[0]).partition("=")[0].strip()


def apply_setting(spec: Spec, setting: str | tuple[str, Any]) -> None:
    """Apply `PATH=VALUE`, as `noise.dim=64`, `stages.game.length=5 epochs` or `loss.hidden.weight=0.5`, in place.

    Raises:
        OptionError: it is not of that form, or its path leads nowhere.
    """
    path, value = _split_setting(setting)
    keys = path.split(".")
    if keys[0] in LISTS and len(keys) == 3:
        by_name = {bare_name(part): part for part in spec.get(keys[0], [])}
        if keys[1] not in by_name:
            raise OptionError(f"--set {path}: there is no {keys[0]} '{keys[1]}' here.{nearest(keys[1], by_name)}")
        by_name[keys[1]][keys[2]] = value
    elif keys == ["seed"]:
        spec["seed"] = _untyped(value)
    elif keys[0] in ("recipe", *SINGLE) and len(keys) == 2:
        if keys[0] not in spec:
            raise OptionError(f"--set {path}: this model has no {keys[0]}; add one with --{keys[0]}.")
        spec[keys[0]][keys[1]] = value
    elif keys[0] == "train" and len(keys) == 2:
        spec.setdefault("train", {})[keys[1]] = value
    elif keys[0] == "stages" and len(keys) in (3, 4, 5):
        nested = _untyped(value)
        for key in reversed(keys[3:]):
            nested = {key: nested}
        spec["stages"] = merge_stages(spec.get("stages", {}), {keys[1]: {keys[2]: nested}})
    else:
        forms = "PART.OPTION, loss.NAME.OPTION, stages.STAGE.SETTING, stages.STAGE.PLAYER.SETTING, train.SETTING, seed"
        raise OptionError(f"--set {path}: there is no such setting; valid paths are {forms}.")


def _split_setting(setting: str | tuple[str, Any]) -> tuple[str, Any]:
    if isinstance(setting, tuple):
        return setting
    path, equals, value = setting.partition("=")
    if not equals or not path.strip():
        raise OptionError(f"--set takes PATH=VALUE, such as noise.dim=64, not '{setting}'.")
    return path.strip(), Written(value.strip())


def _untyped(value: Any) -> Any:
    return parse_value(value) if isinstance(value, Written) else value
