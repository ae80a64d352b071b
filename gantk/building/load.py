"""Loading: from a run's folder to its model."""

from __future__ import annotations

import os

from gantk.building.assembly import assemble
from gantk.data import DataSource
from gantk.model import Model
from gantk.run.checkpoints import load_weights
from gantk.run.folder import Run, located

__all__ = ["load"]


def load(run: str | os.PathLike[str] | Run, *, step: int | None = None, data: DataSource | None = None) -> Model:
    """The model of a run with the weights of a checkpoint; its data set is not opened.

    Args:
        run: the folder, or that of one of its checkpoints, as `runs/x/checkpoints/step-0000500`.
        step: the step of the checkpoint; the newest where not given.
        data: the data set to resume training with, if it was given from Python and not by a plugin's name.

    Raises:
        UsageError: there is no checkpoint of that step; the message says which there are.
        RunError: it is not a run, or was never trained, or its checkpoint is damaged.
    """
    run, step = (run, step) if isinstance(run, Run) else located(run, step)
    model = assemble(run.spec(), data, for_training=False)
    load_weights(model, run.at(step))
    return model
