"""Load a model from a run."""

from __future__ import annotations

import os
from typing import Any

import torch

from gantk.building.assembly import assemble
from gantk.building.given import again, named
from gantk.building.spec import part_table
from gantk.data.given import as_source
from gantk.errors import UsageError, nearest
from gantk.kinds import LISTS, SLOTS
from gantk.model import Model
from gantk.permissions import as_said_by
from gantk.run.checkpoints import load_weights
from gantk.run.folder import Run
from gantk.run.located import located
from gantk.run.usable import weights_at

__all__ = ["load", "reopened"]


def load(
    run: str | os.PathLike[str] | Run,
    *,
    step: int | None = None,
    data: Any = None,
    device: str | torch.device | None = None,
    **parts: Any,
) -> Model:
    """Load the model of a run with the weights of a checkpoint, without opening its data set.

    Args:
        run: the folder of a run, or of one of its checkpoints, such as `runs/x/checkpoints/step-0000500`.
        step: the step of the checkpoint; by default the newest.
        data: the data set to resume training with, if it was given from Python.
        device: the device of the model, such as `"cuda"`; by default the CPU.
        parts: the code of parts that were given from Python, by kind, such as `generator=MyGenerator`; not needed in
            the process that built the model, or if the code is registered.

    Raises:
        UsageError: there is no checkpoint of that step, or no such device, or the code of a part is needed.
        RunError: it is not a run, or was never trained, or its checkpoint is damaged.
    """
    run, step = (run, step) if isinstance(run, Run) else located(run, step)
    spec = run.spec()
    for kind, value in parts.items():
        if kind not in (*SLOTS, *LISTS, "recipe"):
            raise UsageError(f"gantk.load has no argument {kind}=….{nearest(kind, (*SLOTS, *LISTS, 'recipe'))}")
        again(kind, value, spec.get(kind), str(run))
    with as_said_by(str(run)):
        model = assemble(spec, as_source(data), for_training=False)
    checkpoint, weights = weights_at(run, step, model)
    load_weights(model, weights, checkpoint)
    model.built.run, model.built.weights, model.built.said_by = run, model.fingerprint(), str(run)
    return model if device is None else _moved(model, device)


def reopened(run: Run, data: Any = None) -> Model:
    """The model of a run, with its initial weights and its data, to train it.

    Args:
        run: the run.
        data: data as a user names it, in place of the run's.
    """
    spec = run.spec()
    if data is not None:
        spec["data"] = part_table("data", named("data", data))
    with as_said_by(str(run), data):
        model = assemble(spec)
    model.built.said_by = str(run)
    return model


def _moved(model: Model, device: str | torch.device) -> Model:
    try:
        return model.to(device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UsageError(f"device '{device}' is not available on this machine: {reason}.") from error
