"""Change settings of a built model: those of its stages and of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any

from gantk.building.checks import better_when
from gantk.building.resolved import plain
from gantk.building.settings import apply_setting
from gantk.building.spec import Spec
from gantk.building.stage_settings import check_optimizers, stages_with
from gantk.building.train_settings import TrainSettings
from gantk.errors import OptionError
from gantk.model import Model
from gantk.options import check_options
from gantk.schedule import Stage

__all__ = ["change_settings", "checked_settings"]

FIXED = ("ema", "ema_half_life", "ema_warmup")
"""Settings of `train` that determine the contents of a model."""


def checked_settings(model: Model, settings: Sequence[str | tuple[str, Any]]) -> tuple[Spec, list[Stage]]:
    """The spec and the stages of a model with other settings; the model is not changed.

    Raises:
        OptionError: a setting is unknown, does not take its value, or belongs to a part.
    """
    before = model.built.spec
    spec = deepcopy(before)
    for setting in settings:
        path = setting[0] if isinstance(setting, tuple) else setting.partition("=")[0].strip()
        _check_path(path)
        apply_setting(spec, setting)
    stages = stages_with(model, spec["stages"])
    check_optimizers(stages)
    spec["stages"] = {stage.name: plain(stage.settings()) for stage in stages}
    spec["train"] = plain(asdict(TrainSettings(**check_options(TrainSettings, spec["train"], "train"))))
    for name in FIXED:
        if spec["train"][name] != before["train"][name]:
            raise OptionError(
                f"train.{name} determines which averaged weights exist, so it cannot change within a run; {_OTHER}."
            )
    if spec["train"]["keep_best"] not in ("", before["train"]["keep_best"]):
        better_when(model, spec["train"]["keep_best"])
    for stage in stages:
        devices = spec["train"]["devices"] * spec["train"]["nodes"]
        if stage.batch_size % devices:
            raise OptionError(f"stage '{stage.name}': {stage.batch_size} is not divisible by {devices} devices.")
    return spec, stages


_OTHER = "build another run, which may start from this one's weights: gantk build … --from RUN"


def _check_path(path: str) -> None:
    root = path.split(".")[0]
    if root in ("stages", "train"):
        return
    if root == "data":
        raise OptionError(f"--set {path}: within a run, give the data with --data, such as --data photos:size=64.")
    why = "all of its random numbers depend on the seed" if root == "seed" else "its weights belong to its parts"
    raise OptionError(f"--set {path}: only stages.… and train.… can change within a run, not {root}: {why}; {_OTHER}.")


def change_settings(model: Model, spec: Mapping[str, Any], stages: Sequence[Stage] | None = None) -> None:
    """Apply checked settings to a model, in place."""
    model.built.spec = dict(spec)
    model.built.stages = list(stages) if stages is not None else stages_with(model, spec["stages"])
