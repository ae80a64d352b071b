"""Specs over others: what parts, stages and settings of two become, and parts that are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any

from gantk.building.spec import SINGLE, Spec, bare_name
from gantk.errors import OptionError, UsageError, nearest
from gantk.kinds import LISTS, SLOTS

__all__ = [
    "PLAYER_SETTINGS",
    "combine",
    "combine_losses",
    "is_pattern",
    "leave_out",
    "merge",
    "merge_player",
    "merge_stages",
]

PLAYER_SETTINGS = ("repeats", "clip_weights", "clip_gradients", "lr_schedule", "weight_schedule")
"""Settings of a player beside its optimizer's."""


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
