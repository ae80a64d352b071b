"""A search among builds: Optuna chooses, every trial is an ordinary run, and its curve decides whether it goes on."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from gantk.building.assembly import assemble
from gantk.errors import GantkError, Interrupted, RunError, UsageError, WorkError, briefly
from gantk.report.runs import total_steps
from gantk.report.tuning import Found, said_of
from gantk.run.folder import Run
from gantk.run.log import read_log
from gantk.seeds import derive_seed
from gantk.sweeps.folder import check_record, spec_of, write_record
from gantk.sweeps.found import counted, found_in
from gantk.sweeps.objective import Objective
from gantk.sweeps.space import Point, Space
from gantk.training import train

if TYPE_CHECKING:
    import optuna

__all__ = ["search"]

FILE, STUDY, LOCK = "tune.toml", "study.sqlite3", ".lock"

EVERY = "train.measure_every"

MEASUREMENTS = 10
"""Measurements of a training, unless its settings say how often."""

FEWEST = 5
"""Finished trials, before which none is pruned."""

WARM = 30
"""Percent of a training, before which it is not pruned: what a GAN draws in the beginning says little."""

DRAWS = 1000
"""Builds that are drawn at random to find one that has not been tried."""


def search(
    folder: Path,
    space: Space,
    objective: Objective,
    trials: int,
    without: Sequence[str],
    say: Callable[[str], object],
) -> Found:
    """Go on with the search in a folder, which is made where it does not exist, up to a number of trials.

    Args:
        folder: of the runs; the study lies in it, too.
        space: what is chosen from.
        objective: what is better.
        trials: how many there are to be, those of earlier calls included.
        without: parts of the recipe that are left out.
        say: is told what happens.

    Raises:
        UsageError: Optuna is not installed, or the folder holds another search or something else.
        WorkError: all trials failed.
        Interrupted: SIGINT or SIGTERM came; the trial that was being trained is saved.
    """
    try:
        import optuna
    except ImportError as error:
        raise UsageError(f"gantk tune needs Optuna ({briefly(error)}): pip install 'gantk[tune]'.") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    record = {**space.record(), "without": list(without), "by": [objective.figure]}
    check_record(folder / FILE, "search", record)
    write_record(folder / FILE, record)
    with _alone(folder), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="optuna")
        study = optuna.create_study(
            storage=f"sqlite:///{(folder / STUDY).absolute()}",
            study_name="tune",
            direction="minimize" if objective.better == "lower" else "maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=FEWEST, n_warmup_steps=WARM),
        )
        _Search(folder, space, objective, without, say, study).go_on(trials)
        found = found_in(study, folder, space, objective)
    if all(trial.state == "failed" for trial in found.trials):
        if not any(trial.run for trial in found.trials):  # nothing was built: the call is mended, not resumed
            for file in (folder / FILE, folder / STUDY, folder / LOCK):
                file.unlink(missing_ok=True)
        raise WorkError(f"all {len(found.trials)} trials failed; the first: {found.trials[0].reason}.")
    return found


class _alone:  # noqa: N801 - a context manager
    """One process searches in a folder at a time; the system lets go where it is killed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, FileLock(folder / LOCK, timeout=0)

    def __enter__(self) -> None:
        try:
            self._lock.acquire()
        except Timeout:
            raise RunError(f"{self._folder} is being searched by another process: wait for it, or stop it.") from None

    def __exit__(self, *error: object) -> None:
        self._lock.release()


@dataclass
class _Search:
    folder: Path
    space: Space
    objective: Objective
    without: Sequence[str]
    say: Callable[[str], object]
    study: optuna.Study

    def go_on(self, trials: int) -> None:
        """Resume what was being trained, and try what is new."""
        import optuna

        states = optuna.trial.TrialState
        for frozen in self.study.get_trials(deepcopy=False, states=[states.RUNNING]):
            self._try(optuna.Trial(self.study, frozen._trial_id), trials, again=True)
        while len(counted(self.study)) < trials:
            # Seeded by its number, so that a search that was stopped goes on as one that was not.
            number = len(self.study.get_trials(deepcopy=False))
            self._seed(number)
            trial = self.study.ask()
            if self._is_new(trial):
                self._try(trial, trials)
                continue
            self.study.tell(trial, state=states.FAIL)
            if not self._enqueue_new(random.Random(derive_seed(self._first_seed, "new", number))):
                self.say(f"all {len(counted(self.study))} combinations that were found have been tried")
                return

    @property
    def _first_seed(self) -> int:
        return self.space.grid.seeds[0]

    def _seed(self, number: int) -> None:
        import optuna

        self.study.sampler = optuna.samplers.TPESampler(seed=derive_seed(self._first_seed, "trial", number) % 2**32)

    def _is_new(self, trial: optuna.Trial) -> bool:
        """Whether no trial before had these values, as they are written."""
        point = self.space.choose(trial)
        if point.cell.name in self._tried():
            return False
        trial.set_user_attr("name", point.cell.name)
        trial.set_user_attr("values", dict(point.values))
        return True

    def _tried(self) -> set[str]:
        return {trial.user_attrs["name"] for trial in counted(self.study)}

    def _enqueue_new(self, rng: random.Random) -> bool:
        """Have values tried next that nobody tried, where there are any."""
        tried = self._tried()
        for _ in range(DRAWS):
            point, chosen = self.space.at_random(rng)
            if point.cell.name not in tried:
                self.study.enqueue_trial(chosen)
                return True
        return False

    def _try(self, trial: optuna.Trial, trials: int, again: bool = False) -> None:
        import optuna

        states = optuna.trial.TrialState
        self._seed(trial.number)
        if "name" not in trial.user_attrs and not self._is_new(trial):
            self.study.tell(trial, state=states.FAIL)  # it was killed before it knew that
            return
        point = self.space.choose(trial)
        number = [each.number for each in counted(self.study)].index(trial.number) + 1
        doing = "resuming" if again else "trial"
        self.say(f"{doing} {number} of {max(number, trials)}: {said_of(point.values)}")
        try:
            pruned = self._train(trial, point)
            score = self._score(self._run(point))
        except Interrupted as error:
            said = str(error).partition("; resume with")[0]
            raise Interrupted(f"{said}; resume with the same gantk tune", error.signal_number) from error
        except (GantkError, RuntimeError) as error:  # the latter as where a device has too little memory
            trial.set_user_attr("reason", briefly(error))
            self.study.tell(trial, state=states.FAIL)
            self.say(f"trial {number} failed: {briefly(error)}")
            return
        if pruned:
            self.study.tell(trial, state=states.PRUNED)
        else:
            self.study.tell(trial, score)
        self.say(f"trial {number} {'pruned' if pruned else 'finished'}: {self.objective.figure} {score:.4g}")

    def _run(self, point: Point) -> Run:
        return Run(self.folder / point.cell.name)

    def _train(self, trial: optuna.Trial, point: Point) -> bool:
        """Build and train a trial from where it stands; whether it was pruned."""
        run = self._run(point)
        if not run.model_toml.is_file():
            run.create(self._spec(point))
        steps, told = total_steps(run.spec()), set(self.study.trials[trial.number].intermediate_values)
        pruned = max(told, default=100) < 100 and trial.should_prune()
        if pruned:  # it was killed before the study was told
            return True

        def prune(step: int, figures: Mapping[str, float]) -> bool:
            nonlocal pruned
            value, share = figures.get(self.objective.logged, math.nan), round(100 * step / steps)
            if not math.isfinite(value):
                return False
            if share not in told:
                trial.report(value, share)
                told.add(share)
            pruned = step < steps and trial.should_prune()
            return pruned

        train(assemble(run.spec()), run, stop_when=prune)
        return pruned

    def _spec(self, point: Point) -> dict[str, Any]:
        spec = spec_of(point.cell, self.without)
        if not any(each.partition("=")[0].strip() == EVERY for each in point.cell.settings):
            spec["train"]["measure_every"] = max(1, total_steps(spec) // MEASUREMENTS)
        return spec

    def _score(self, run: Run) -> float:
        """The figure at the last measurement.

        Raises:
            WorkError: it was never a number.
        """
        curve = [entry["values"].get(self.objective.logged, math.nan) for entry in read_log(run)]
        known = [float(value) for value in curve if math.isfinite(value)]
        if not known:
            raise WorkError(f"{self.objective.figure} was never a number")
        return known[-1]
