"""The commands that build a run again: the shortest that are known to give the same settings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from gantk.building.assembly import assemble
from gantk.building.composition import overlay, recipe_layer
from gantk.errors import FitError, UsageError
from gantk.evaluation.real import short_name
from gantk.kinds import KINDS, LISTS, SLOTS
from gantk.model import Model
from gantk.permissions import as_said_by
from gantk.recipe import is_adaptive
from gantk.registry import PYTHON, find
from gantk.run.folder import Run
from gantk.run.history import leaves
from gantk.toml import number

__all__ = ["rebuilding"]

COMPARED = ("recipe", "seed", "data", *SLOTS, *LISTS, "stages", "train")
"""What has to be equal for a run to be the same."""

TRIES = 4
"""Settings of stages follow from parts, and settings from settings, such as those of an optimizer from its name."""

MISSING = object()


def rebuilding(run: Run, model: Model) -> list[str]:
    """The commands that build and train the same model, each as typed in a shell.

    The build is tried, without its data, and its settings are compared with the run's.

    Args:
        run: the run.
        model: its model, whose record has every setting, those included that the run's version did not have.

    Raises:
        UsageError: no command is known to give the same; the message says why.
    """
    spec = model.built.spec
    if "start" in spec:
        raise UsageError("it starts from the weights of another run, which its folder holds: copy start/ as well")
    parts = {kind: spec[kind] for kind in ("data", *SLOTS) if kind in spec}
    listed = {kind: spec.get(kind, []) for kind in LISTS}
    tables = [*parts.values(), *(table for each in listed.values() for table in each)]
    if "data" not in spec or any(str(table["plugin"]).startswith(f"{PYTHON}:") for table in tables):
        raise UsageError("some of its parts or its data were given from Python: the run does not hold their code")
    with as_said_by(str(run)):
        words = _words(spec, parts, listed)
    name = run.path.absolute().name or "run"
    output = f"runs/{name}-again"
    return [shlex.join(["gantk", "build", *words, "-o", output]), shlex.join(["gantk", "train", output])]


def _words(spec: Mapping[str, Any], parts: Mapping[str, Any], listed: Mapping[str, Any]) -> list[str]:
    """The arguments of `gantk build`, the recipe first."""
    recipe = _recipe(spec)
    lower = recipe_layer(recipe)
    chosen: dict[str, Any] = {}
    without = [kind for kind in SLOTS if kind in lower and kind not in parts]
    for kind, table in parts.items():
        if lower.get(kind, {}).get("plugin") != table["plugin"] or (kind == "data" and len(table) > 1):
            chosen[kind] = short_name(kind, table)
    for kind, tables in listed.items():
        before, now = ([str(each["plugin"]) for each in group] for group in (lower.get(kind, []), tables))
        kept = len(before) if now[: len(before)] == before else 0
        without += [kind] if before and not kept else []
        if tables[kept:]:
            chosen[kind] = [short_name(kind, table) for table in tables[kept:]]
    settings = _settings(lower, chosen, without, spec)
    words = [recipe.removeprefix("gantk:"), *(word for kind in without for word in ("--without", kind))]
    for kind, texts in chosen.items():
        words += [word for text in ([texts] if isinstance(texts, str) else texts) for word in (KINDS[kind].flag, text)]
    return words + [word for path, value in settings for word in _set(path, value)]


def _recipe(spec: Mapping[str, Any]) -> str:
    """The preset; the recipe that it extends if it chooses values for the data and the machine that it is built on."""
    preset = str(spec.get("preset", ""))
    if preset and not is_adaptive(find("recipe", preset).load()):
        return preset
    return str(spec["recipe"]["plugin"])


def _settings(
    lower: dict[str, Any], chosen: Mapping[str, Any], without: Sequence[str], spec: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    """The settings that make a build equal to a run; those of stages follow from parts and from other settings."""
    settings: dict[str, Any] = {}
    differing: dict[str, Any] = {}
    for _ in range(TRIES):
        differing = dict(_differing(_resolved(lower, chosen, list(settings.items()), without, spec), spec))
        if not differing:
            return list(settings.items())
        settings |= {path: value for path, value in differing.items() if value is not MISSING}
    raise UsageError(f"no option of gantk build gives its {', '.join(list(differing)[:4])}")


def _resolved(
    lower: dict[str, Any],
    chosen: Mapping[str, Any],
    settings: Sequence[tuple[str, Any]],
    without: Sequence[str],
    spec: Mapping[str, Any],
) -> dict[str, Any]:
    """The settings that a build resolves to, on data of the same shape."""
    found = overlay(lower, chosen, [f"{path}={_value(value)}" for path, value in settings], without)
    found["shape"] = deepcopy(spec["shape"])
    try:
        return dict(assemble(found, for_training=False).built.spec)
    except FitError as error:
        raise UsageError(f"its recipe is not what it was: {error}") from error


def _differing(found: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings in which a build differs, with the values of the run, or `MISSING` if none can be set."""
    for key in COMPARED:
        now, then = _leaves(key, found.get(key)), _leaves(key, spec.get(key))
        for path in dict.fromkeys([*now, *then]):
            if json.dumps(now.get(path), default=str) != json.dumps(then.get(path), default=str):
                yield path, MISSING if path.endswith(".plugin") else then.get(path, MISSING)


def _leaves(key: str, value: Any) -> dict[str, Any]:
    if key in LISTS:
        named = {str(table["plugin"]).rpartition(":")[2]: table for table in value or []}
        return leaves(named, key)
    return leaves({key: value})


def _set(path: str, value: Any) -> list[str]:
    return ["--seed", str(value)] if path == "seed" else ["--set", f"{path}={_value(value)}"]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value)
