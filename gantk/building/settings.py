"""Settings by their paths, such as `stages.game.length`, and what they change in a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gantk.building.merging import merge_stages
from gantk.building.spec import SINGLE, Spec, bare_name
from gantk.errors import OptionError, nearest
from gantk.kinds import LISTS
from gantk.written import Written, parse_value

__all__ = ["apply_setting", "flat", "path_of"]


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
