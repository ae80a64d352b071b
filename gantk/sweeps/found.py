"""The results of a search so far."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gantk.report.tuning import Found, Trial
from gantk.sweeps.objective import Objective
from gantk.sweeps.space import Range, Space

if TYPE_CHECKING:
    import optuna

__all__ = ["counted", "found_in"]

ENOUGH = 4
"""Minimum number of finished trials for importances."""


def counted(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials of a search, without those whose values were tried before."""
    return [trial for trial in study.get_trials(deepcopy=False) if "name" in trial.user_attrs]


def found_in(study: optuna.Study, folder: Path, space: Space, objective: Objective) -> Found:
    """The trials of a search, with the importances of parameters."""
    logarithmic = {name for name, each in space.ranges.items() if isinstance(each, Range) and each.log}
    trials = [_trial(each, folder) for each in counted(study)]
    importances = _importances(study)
    return Found(objective.figure, objective.better, trials, importances, frozenset(logarithmic))


def _trial(frozen: optuna.trial.FrozenTrial, folder: Path) -> Trial:
    attributes: dict[str, Any] = frozen.user_attrs
    place = folder / attributes["name"]
    score = math.nan if frozen.value is None else frozen.value
    run = str(place) if (place / "model.toml").exists() else ""
    states = {"COMPLETE": "finished", "PRUNED": "pruned", "RUNNING": "running"}
    state: Any = states.get(frozen.state.name, "failed")
    reason = attributes.get("reason", "")
    return Trial(run, attributes["values"], frozen.params, state, score, reason if state == "failed" else "")


def _importances(study: optuna.Study) -> dict[str, float]:
    import optuna

    finished = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    if len(finished) < ENOUGH:
        return {}
    try:
        found = optuna.importance.get_param_importances(study)
    except (ValueError, RuntimeError):  # all scores are equal, or only one value was tried
        return {}
    return found if all(map(math.isfinite, found.values())) else {}
