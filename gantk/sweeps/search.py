"""Search for the best build with Optuna: every trial is an ordinary run, which may be pruned by its curve.

Several processes may search in one folder: each takes the next trial, and holds a lock while training it.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gantk.errors import GantkError, Interrupted, RunError, UsageError, WorkError, briefly
from gantk.files import check_file
from gantk.locks import Lock, Taken
from gantk.report.tuning import Found, said_of
from gantk.seeds import derive_seed
from gantk.sweeps.folder import check_record, write_record
from gantk.sweeps.found import counted, found_in
from gantk.sweeps.objective import Objective
from gantk.sweeps.processes import Work, run_at_once
from gantk.sweeps.space import Space
from gantk.sweeps.trial import Training

if TYPE_CHECKING:
    import optuna

__all__ = ["search"]

FILE, STUDY, LOCK = "tune.toml", "study.sqlite3", ".lock"

COMMAND = "gantk tune"

PATIENCE = 60.0
"""Seconds to wait for another process that is choosing or writing."""

FEWEST = 5
"""Minimum number of finished trials before any trial is pruned."""

WARM = 30
"""Percent of a training before which it is not pruned, because early samples of a GAN are not conclusive."""

DRAWS = 1000
"""Number of random draws to find a build that has not been tried."""


def search(
    folder: Path,
    space: Space,
    objective: Objective,
    trials: int,
    without: Sequence[str],
    say: Callable[[str], object],
    workers: Sequence[Work] = (),
) -> Found:
    """Start or resume a search.

    Args:
        folder: the folder of the runs and the study, which is created if it does not exist.
        space: the search space.
        objective: the objective.
        trials: total number of trials, including those of earlier calls.
        without: parts of the recipe to leave out.
        say: receives progress messages.
        workers: processes that search in the same folder, at once; without any, this process trains all trials.

    Raises:
        UsageError: Optuna is not installed, or the folder contains another search or something else.
        WorkError: all trials failed, or a process did.
        Interrupted: SIGINT or SIGTERM was received; the current trial is saved.
    """
    try:
        import optuna
    except ImportError as error:
        raise UsageError(f"gantk tune needs Optuna ({briefly(error)}): pip install 'gantk[tune]'.") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    record = {**space.record(), "without": list(without), "by": [objective.figure]}
    check_record(folder / FILE, "search", record)
    new = not (folder / FILE).exists()
    write_record(folder / FILE, record)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="optuna")
        with _alone(folder):
            study = _opened(folder / STUDY, objective)
        failed = {}
        if workers:
            failed = run_at_once(workers, len(workers), COMMAND, say, _Watch(study, objective, trials, say))
        else:
            _Search(folder, space, Training(folder, objective, without), say, study).go_on(trials)
        found = found_in(study, folder, space, objective)
    if found.trials and all(trial.state == "failed" for trial in found.trials):
        if new and not any(trial.run for trial in found.trials):  # nothing was built, so there is nothing to resume
            for file in (folder / FILE, folder / STUDY, folder / LOCK):
                file.unlink(missing_ok=True)
        raise WorkError(f"all {len(found.trials)} trials failed; the first: {found.trials[0].reason}.")
    if failed:
        said = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise WorkError(f"{len(failed)} of {len(workers)} processes failed ({said}); resume with the same {COMMAND}.")
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A lock, so that only one process at a time chooses; it is released if the process is killed."""
    try:
        with Lock(folder / LOCK, PATIENCE):
            yield
    except Taken:
        raise RunError(
            f"{folder} has been locked by another process for {PATIENCE:.0f} s: check whether that process is stopped."
        ) from None


def _opened(file: Path, objective: Objective) -> optuna.Study:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    for each in (file, *file.parent.glob(f"{file.name}-*")):  # its journals
        if os.path.lexists(each):
            check_file(each)
    try:
        return optuna.create_study(
            storage=optuna.storages.RDBStorage(
                f"sqlite:///{file.absolute()}", engine_kwargs={"connect_args": {"timeout": PATIENCE}}
            ),
            study_name="tune",
            direction="minimize" if objective.better == "lower" else "maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=FEWEST, n_warmup_steps=WARM),
        )
    except (optuna.exceptions.OptunaError, SQLAlchemyError, RuntimeError) as error:
        raise RunError(f"{file} cannot be read as a study ({briefly(error)}): choose another -o.") from error


@dataclass
class _Taken:
    """A trial that this process trains."""

    trial: optuna.Trial
    lock: Lock
    again: bool
    """Whether it resumes a trial of another process that was stopped."""

    def release(self) -> None:
        self.lock.release()
        self.lock.path.unlink(missing_ok=True)


@dataclass
class _Search:
    folder: Path
    space: Space
    training: Training
    say: Callable[[str], object]
    study: optuna.Study

    def go_on(self, trials: int) -> None:
        """Resume unfinished trials and start new ones, until all trials are done or taken."""
        while taken := self._next(trials):
            try:
                self._try(taken, trials)
            finally:
                taken.release()

    def _next(self, trials: int) -> _Taken | None:
        with _alone(self.folder):
            return self._left() or self._new(trials)

    def _left(self) -> _Taken | None:
        """An unfinished trial that no process is training."""
        import optuna

        for frozen in self._running():
            if "name" not in frozen.user_attrs:  # it was killed while it was chosen
                self.study.tell(frozen.number, state=optuna.trial.TrialState.FAIL)
            elif lock := self._lock(frozen.number):
                taken = _Taken(optuna.Trial(self.study, frozen._trial_id), lock, again=True)
                if any(each.number == frozen.number for each in self._running()):
                    return taken
                taken.release()  # its process finished it after it was listed
        return None

    def _running(self) -> list[optuna.trial.FrozenTrial]:
        import optuna

        return self.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING])

    def _new(self, trials: int) -> _Taken | None:
        """A trial with values that have not been tried."""
        import optuna

        while len(known := counted(self.study)) < trials:
            tried = {trial.user_attrs["name"] for trial in known}
            # Seeded by the number of the trial, so that a resumed search gives the same result.
            number = len(self.study.get_trials(deepcopy=False))
            self._seed(number)
            trial = self.study.ask()
            point = self.space.choose(trial)
            if point.cell.name not in tried and (lock := self._lock(trial.number)):
                trial.set_user_attr("values", dict(point.values))
                trial.set_user_attr("name", point.cell.name)
                return _Taken(trial, lock, again=False)
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            if not self._enqueue_new(tried, random.Random(derive_seed(self._first_seed, "new", number))):
                self.say(f"all {len(tried)} combinations have been tried")
                break
        return None

    def _lock(self, number: int) -> Lock | None:
        lock = Lock(self.folder / f".trial-{number}.lock", patience=0)
        try:
            lock.acquire()
        except Taken:
            return None
        return lock

    @property
    def _first_seed(self) -> int:
        return self.space.grid.seeds[0]

    def _seed(self, number: int) -> None:
        import optuna

        self.study.sampler = optuna.samplers.TPESampler(seed=derive_seed(self._first_seed, "trial", number) % 2**32)

    def _enqueue_new(self, tried: set[str], rng: random.Random) -> bool:
        """Enqueue values that have not been tried; returns whether there are any."""
        for _ in range(DRAWS):
            point, chosen = self.space.at_random(rng)
            if point.cell.name not in tried:
                self.study.enqueue_trial(chosen)
                return True
        return False

    def _try(self, taken: _Taken, trials: int) -> None:
        import optuna

        trial, states = taken.trial, optuna.trial.TrialState
        point = self.space.choose(trial)  # returns the same values as before
        (number, known) = next(
            (at, each.intermediate_values)
            for at, each in enumerate(counted(self.study), 1)
            if each.number == trial.number
        )
        doing = "resuming" if taken.again else "trial"
        self.say(f"{doing} {number} of {max(number, trials)}: {said_of(point.values)}")
        try:
            pruned, score = self.training(trial, point.cell, known)
        except Interrupted as error:
            said = str(error).partition("; resume with")[0]
            raise Interrupted(f"{said}; resume with the same {COMMAND}", error.signal_number) from error
        except (GantkError, RuntimeError) as error:  # RuntimeError: such as out of memory
            trial.set_user_attr("reason", briefly(error))
            self.study.tell(trial, state=states.FAIL)
            self.say(f"trial {number} failed: {briefly(error)}")
            return
        if pruned:
            self.study.tell(trial, state=states.PRUNED)
        else:
            self.study.tell(trial, score)
        self.say(_ended(number, "PRUNED" if pruned else "COMPLETE", self.training.objective, score))


def _ended(number: int, state: str, objective: Objective, score: float) -> str:
    return f"trial {number} {'pruned' if state == 'PRUNED' else 'finished'}: {objective.figure} {score:.4g}"


@dataclass
class _Watch:
    """Says what other processes do in a study, when called."""

    study: optuna.Study
    objective: Objective
    trials: int
    say: Callable[[str], object]

    def __post_init__(self) -> None:
        self._states: dict[int, str] = {
            each.number: each.state.name for each in counted(self.study) if each.state.is_finished()
        }

    def __call__(self) -> None:
        for number, trial in enumerate(counted(self.study), 1):
            known = self._states.get(trial.number)
            if known is None:
                self.say(f"trial {number} of {max(number, self.trials)}: {said_of(trial.user_attrs['values'])}")
            if known != trial.state.name:
                self._states[trial.number] = trial.state.name
                if trial.state.name == "FAIL":
                    self.say(f"trial {number} failed: {trial.user_attrs.get('reason', 'its process was stopped')}")
                elif trial.value is not None and trial.state.is_finished():
                    self.say(_ended(number, trial.state.name, self.objective, trial.value))
