"""A model that starts from the weights of another run, part by part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gantk.building.presets import recipe_spec
from gantk.building.spec import Spec, bare_name, normalize
from gantk.errors import FitError, UnknownName
from gantk.model import Model
from gantk.run.folder import Run
from gantk.run.located import located
from gantk.run.usable import weights_at

__all__ = ["other_parts", "spec_of_run", "start_weights"]

OWN = ("shape", "untrained", "versions", "start")
"""What a run's spec says of that run alone."""


def spec_of_run(run: Run, chosen: Mapping[str, Any]) -> Spec:
    """The spec of a run for another one to be built on.

    Where other parts are chosen, the stages are those of the run's recipe again: they may have other players.
    """
    spec = normalize({key: value for key, value in run.spec().items() if key not in OWN}, str(run.model_toml))
    if other_parts(chosen):
        try:
            spec["stages"] = recipe_spec(spec.get("preset", spec["recipe"]["plugin"])).get("stages", {})
        except UnknownName:
            spec.pop("stages", None)
    return spec


def other_parts(chosen: Mapping[str, Any]) -> bool:
    """Whether a user chose more than other data or another seed."""
    return not set(chosen) <= {"data", "seed"}


def start_weights(model: Model, path: str | os.PathLike[str], theirs: Model | None) -> None:
    """Give every part that a run's checkpoint has as well its weights from there.

    The model's spec remembers where they come from, and its notes say which parts start anew, and why.

    Args:
        model: the model, freshly built.
        path: the run, for its newest checkpoint that can be used, or the folder of one.
        theirs: the run's own model, which its checkpoints must fit; `None` if it cannot be built.

    Raises:
        FitError: no part can take its weights from there.
        CheckpointError: no checkpoint can be used, or not that one.
    """
    run, step = located(path)
    checkpoint, weights = weights_at(run, step, theirs)
    spec = run.spec()
    taken, refused = [], []
    with model.averaging():
        for name, part in model.parts.items():
            if not list(part.parameters()):
                continue
            found = {
                key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")
            }
            if reason := _reason(part.state_dict(), found, _plugin(model.built.spec, name), _plugin(spec, name)):
                refused.append(f"{name} starts from new weights: {reason}")
                continue
            part.load_state_dict(found)
            taken.append(name)
            _start_average(model, name, weights)
    if not taken:
        raise FitError(f"no part can start from {checkpoint}: {'; '.join(refused) or 'no part here has weights'}.")
    model.built.spec["start"] = {"run": str(run.path.absolute()), "step": int(checkpoint.name[5:]), "parts": taken}
    model.built.notes += [f"{', '.join(taken)} start{'s' * (len(taken) == 1)} from {checkpoint}."]
    model.built.notes += [f"{each}." for each in refused]


def _start_average(model: Model, name: str, weights: Mapping[str, Tensor]) -> None:
    """An average starts from the other run's, or else from the weights that it is an average of."""
    if name not in model.average:
        return
    average, head = model.average[name], f"average.{name}."
    found = {key.removeprefix(head): value for key, value in weights.items() if key.startswith(head)}
    if not _reason(average.state_dict(), found, "", ""):
        average.load_state_dict(found)
        return
    with torch.no_grad():
        part, module = model.get_submodule(name), average.get_submodule("module")
        for own, other in zip(module.state_dict().values(), part.state_dict().values(), strict=True):
            own.copy_(other)


def _reason(own: Mapping[str, Tensor], found: Mapping[str, Tensor], plugin: str, theirs: str) -> str:
    """Why weights cannot be taken; empty where they can."""
    if not found:
        return "that run has none"
    if plugin != theirs:
        return f"it is {theirs} there and {plugin} here"
    for key in own:
        if key in found and own[key].shape != found[key].shape:
            return f"{key} is {list(found[key].shape)} there and {list(own[key].shape)} here"
    if only := sorted(set(own) ^ set(found)):
        return f"{only[0]} is only {'there' if only[0] in found else 'here'}"
    return ""


def _plugin(spec: Mapping[str, Any], path: str) -> str:
    """The qualified name of the plugin at a part's path."""
    slot, _, name = path.partition(".")
    tables = spec.get(slot, [])
    tables = [tables] if isinstance(tables, Mapping) else tables
    return next((str(table["plugin"]) for table in tables if not name or bare_name(table) == name), "")
