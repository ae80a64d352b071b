"""Loading: from a run's folder to its model."""

from __future__ import annotations

import os

from gantk.building.assembly import assemble
from gantk.data import DataSource
from gantk.model import Model
from gantk.run.checkpoints import load_weights
from gantk.run.folder import Run

__all__ = ["load"]


def load(run: str | os.PathLike[str] | Run, *, data: DataSource | None = None) -> Model:
    """The model of a run with the weights of its newest checkpoint; its data set is not opened.

    Args:
        run: the folder.
        data: the data set to go on training with, where it was given from Python and not by a plugin's name.

    Raises:
        RunError: it is not a run, or was never trained, or its checkpoint is damaged.
    """
    run = run if isinstance(run, Run) else Run(run)
    model = assemble(run.spec(), data, for_training=False)
    load_weights(model, run.latest())
    return model
